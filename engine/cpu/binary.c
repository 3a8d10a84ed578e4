/* SPDX-License-Identifier: Apache-2.0
 * Integers wrap around. Integer division rounds towards zero; division by zero gives 0, so that no input can
 * trap. */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"

static double apply(op_kind op, double a, double b)
{
    switch (op) {
    case OP_Add:
        return a + b;
    case OP_Sub:
        return a - b;
    case OP_Mul:
        return a * b;
    case OP_Div:
        return a / b;
    case OP_Pow:
        return pow(a, b);
    case OP_Max: /* NaN if either is */
        return a > b || isnan(a) ? a : b;
    case OP_Min:
        return a < b || isnan(a) ? a : b;
    case OP_PRelu:
        return a < 0 ? b * a : a;
    case OP_Mod:
        return fmod(a, b);
    default:
        return a;
    }
}

static int64_t divide(int64_t a, int64_t b, bool is_unsigned)
{
    if (b == 0) return 0;
    if (is_unsigned) return (int64_t)((uint64_t)a / (uint64_t)b);
    if (b == -1) return (int64_t)(0 - (uint64_t)a);
    return a / b;
}

/* The remainder of the division that rounds towards zero, or towards -inf where it gets b's sign. */
static int64_t modulo(int64_t a, int64_t b, bool sign_of_a, bool is_unsigned)
{
    if (b == 0 || (b == -1 && !is_unsigned)) return 0;
    if (is_unsigned) return (int64_t)((uint64_t)a % (uint64_t)b);
    int64_t r = a % b;
    return sign_of_a || r == 0 || (r < 0) == (b < 0) ? r : r + b;
}

static int64_t shift(int64_t a, int64_t b, bool right, vki_dtype type)
{
    uint64_t by = (uint64_t)b, value = (uint64_t)a;
    if (by >= 8 * vki_dtype_size(type)) return 0;
    return (int64_t)(right ? value >> by : value << by);
}

static int64_t power(int64_t base, int64_t exponent)
{
    if (exponent < 0) { /* 1 / base^-exponent, cut off */
        if (base == 1) return 1;
        return base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    }
    uint64_t result = 1, square = (uint64_t)base;
    for (; exponent; exponent >>= 1, square *= square)
        if (exponent & 1) result *= square;
    return (int64_t)result;
}

static int64_t apply_bits(const gr_node *n, int64_t a, int64_t b, vki_dtype type)
{
    const op_binary_attrs *attrs = n->attrs;
    switch (n->op) {
    case OP_Mod:
        return modulo(a, b, attrs->fmod != 0, type == VKI_U64);
    case OP_BitShift:
        return shift(a, b, attrs->direction == OP_SHIFT_RIGHT, type);
    case OP_And:
        return a && b;
    case OP_Or:
        return a || b;
    case OP_Xor:
        return !a != !b;
    case OP_BitwiseAnd:
        return a & b;
    case OP_BitwiseOr:
        return a | b;
    default:
        return a ^ b;
    }
}

static int64_t apply_integer(const gr_node *n, int64_t a, int64_t b, vki_dtype type)
{
    op_kind op = n->op;
    bool wide = type == VKI_U64, a_less = wide ? (uint64_t)a < (uint64_t)b : a < b;
    switch (op) {
    case OP_Add:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case OP_Sub:
        return (int64_t)((uint64_t)a - (uint64_t)b);
    case OP_Mul:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case OP_Div:
        return divide(a, b, wide);
    case OP_Pow:
        return power(a, b);
    case OP_Max:
        return a_less ? b : a;
    case OP_Min:
        return a_less ? a : b;
    case OP_PRelu:
        return a < 0 && !wide ? (int64_t)((uint64_t)a * (uint64_t)b) : a;
    default:
        return apply_bits(n, a, b, type);
    }
}

static int64_t load_broadcast_i64(const cpu_call *c, int k, int64_t i)
{
    const gr_tensor *x = cpu_in(c, k);
    return cpu_load_i64(c->in[k], x->dtype, cpu_broadcast(cpu_out(c, 0), x, i));
}

static double load_broadcast(const cpu_call *c, int k, int64_t i)
{
    const gr_tensor *x = cpu_in(c, k);
    return cpu_load(c->in[k], x->dtype, cpu_broadcast(cpu_out(c, 0), x, i));
}

static void reference(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    op_kind op = c->n->op;
    int64_t count = gr_elements(y);
    int inputs = op == OP_Max || op == OP_Min ? c->n->n_in : 2;
    bool exact = !cpu_is_float(y->dtype);
    for (int k = 1; k < inputs; k++) exact = exact && !cpu_is_float(cpu_in(c, k)->dtype);
    cpu_sink sink = cpu_sink_of(c);
    for (int64_t i = 0; i < count; i++) {
        if (exact) {
            int64_t v = load_broadcast_i64(c, 0, i);
            for (int k = 1; k < inputs; k++)
                v = apply_integer(c->n, v, load_broadcast_i64(c, k, i), y->dtype);
            cpu_store_i64(c->out[0], y->dtype, i, v);
        } else {
            double v = load_broadcast(c, 0, i);
            for (int k = 1; k < inputs; k++) v = apply(op, v, load_broadcast(c, k, i));
            cpu_put(&sink, i, v);
        }
    }
}

static bool supports(const gr_graph *g, const gr_node *n, const char **why)
{
    *why = "integers have no epilogue";
    return (n->epilogue.act == GR_ACT_NONE && n->epilogue.residual == GR_RESIDUAL_NONE) ||
           cpu_is_float(g->tensors[n->in[0]].dtype);
}

const cpu_op cpu_op_binary = {
    .supports = supports, .reference = reference, .kernels = cpu_binary_kernels, .in_place = 3};
