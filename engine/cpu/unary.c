/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/schema.h"

typedef struct unary_params {
    op_kind op;
    double alpha, beta; /* of Clip: the limits */
    bool by_tanh;       /* Gelu */
} unary_params;

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x))); /* does not overflow */
}

static double elu(double x, double alpha)
{
    return x < 0 ? alpha * expm1(x) : x;
}

static double gelu(double x, bool by_tanh)
{
    const double half_root = 0.70710678118654752440, factor = 0.79788456080286535588; /* sqrt(2 / pi) */
    if (by_tanh) return 0.5 * x * (1 + tanh(factor * (x + 0.044715 * x * x * x)));
    return 0.5 * x * erfc(-half_root * x);
}

static double apply_angle(double x, op_kind op)
{
    switch (op) {
    case OP_Sin:
        return sin(x);
    case OP_Cos:
        return cos(x);
    case OP_Tan:
        return tan(x);
    case OP_Asin:
        return asin(x);
    case OP_Acos:
        return acos(x);
    case OP_Atan:
        return atan(x);
    case OP_Sinh:
        return sinh(x);
    case OP_Cosh:
        return cosh(x);
    case OP_Asinh:
        return asinh(x);
    case OP_Acosh:
        return acosh(x);
    default:
        return atanh(x);
    }
}

static double apply_activation(double x, const unary_params *p)
{
    switch (p->op) {
    case OP_Gelu:
        return gelu(x, p->by_tanh);
    case OP_Selu:
        return p->beta * elu(x, p->alpha);
    case OP_Celu:
        return fmax(x, 0) + fmin(0, p->alpha * expm1(x / p->alpha));
    case OP_ThresholdedRelu:
        return x > p->alpha ? x : 0;
    case OP_Softsign:
        return x / (1 + fabs(x));
    case OP_Mish:
        return x * tanh(softplus(x));
    case OP_Shrink:
        return x < -p->alpha ? x + p->beta : x > p->alpha ? x - p->beta : 0;
    case OP_Sign:
        return isnan(x) ? x : (x > 0) - (x < 0);
    default:
        return apply_angle(x, p->op);
    }
}

static double apply(double x, const unary_params *p)
{
    switch (p->op) {
    case OP_Relu:
        return cpu_act_f64(x, GR_ACT_RELU, 0, 0);
    case OP_LeakyRelu:
        return cpu_act_f64(x, GR_ACT_LEAKY, p->alpha, 0);
    case OP_Clip:
        return cpu_act_f64(x, GR_ACT_CLIP, p->alpha, p->beta);
    case OP_Sigmoid:
        return cpu_act_f64(x, GR_ACT_SIGMOID, 0, 0);
    case OP_Tanh:
        return tanh(x);
    case OP_HardSigmoid:
        return cpu_act_f64(x, GR_ACT_HARDSIGMOID, p->alpha, p->beta);
    case OP_HardSwish:
        return cpu_act_f64(x, GR_ACT_HARDSWISH, 0, 0);
    case OP_Silu:
        return cpu_act_f64(x, GR_ACT_SILU, 0, 0);
    case OP_FakeQuantize:
        return cpu_act_f64(x, GR_ACT_FAKE_QUANTIZE, p->alpha, p->beta);
    case OP_Elu:
        return elu(x, p->alpha);
    case OP_Softplus:
        return softplus(x);
    case OP_Exp:
        return exp(x);
    case OP_Log:
        return log(x);
    case OP_Sqrt:
        return sqrt(x);
    case OP_Reciprocal:
        return 1 / x;
    case OP_Abs:
        return fabs(x);
    case OP_Neg:
        return -x;
    case OP_Floor:
        return floor(x);
    case OP_Ceil:
        return ceil(x);
    case OP_Round:
        return nearbyint(x); /* halves to even in the default rounding mode */
    case OP_Erf:
        return erf(x);
    default:
        return apply_activation(x, p);
    }
}

static bool less(int64_t a, int64_t b, vki_dtype type)
{
    return type == VKI_U64 ? (uint64_t)a < (uint64_t)b : a < b;
}

static int64_t apply_integer(const cpu_call *c, int64_t x, vki_dtype type)
{
    switch (c->n->op) {
    case OP_Relu:
        return x < 0 ? 0 : x;
    case OP_Abs:
        return type != VKI_U64 && x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
    case OP_Neg:
        return (int64_t)(0 - (uint64_t)x);
    case OP_Not:
        return !x;
    case OP_BitwiseNot:
        return ~x;
    case OP_Sign:
        return less(0, x, type) - less(x, 0, type);
    case OP_Clip:
        for (int i = 1; i <= 2; i++) {
            if (!op_has_own(c->n, i)) continue;
            int64_t limit = cpu_load_i64(c->in[i], type, 0);
            if (i == 1 ? less(x, limit, type) : less(limit, x, type)) x = limit;
        }
        return x;
    default:
        return x;
    }
}

static unary_params params_of(const cpu_call *c, vki_dtype type)
{
    unary_params p = {.op = c->n->op};
    if (p.op == OP_Clip) {
        p.alpha = op_has_own(c->n, 1) ? cpu_load(c->in[1], type, 0) : -INFINITY;
        p.beta = op_has_own(c->n, 2) ? cpu_load(c->in[2], type, 0) : INFINITY;
    } else if (c->n->attrs) {
        const op_unary_attrs *a = c->n->attrs;
        p.alpha = (double)a->alpha;
        p.beta = (double)a->beta;
        p.by_tanh = a->approximate != 0;
        if (p.op == OP_FakeQuantize) p.beta = (double)op_levels(a->low, a->high);
    }
    return p;
}

static void test_numbers(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    const op_unary_attrs *a = c->n->attrs; /* NULL: IsNaN */
    for (int64_t i = 0; i < gr_elements(x); i++) {
        double v = cpu_load(c->in[0], x->dtype, i);
        bool yes = a ? isinf(v) && (v > 0 ? a->detect_positive : a->detect_negative) : isnan(v);
        ((uint8_t *)c->out[0])[i] = yes;
    }
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    int64_t count = gr_elements(x);
    if (c->n->op == OP_IsNaN || c->n->op == OP_IsInf) {
        test_numbers(c);
        return;
    }
    if (!cpu_is_float(x->dtype) && c->n->op != OP_Shrink) {
        for (int64_t i = 0; i < count; i++)
            cpu_store_i64(c->out[0], x->dtype, i,
                          apply_integer(c, cpu_load_i64(c->in[0], x->dtype, i), x->dtype));
        return;
    }
    unary_params p = params_of(c, x->dtype);
    for (int64_t i = 0; i < count; i++)
        cpu_store(c->out[0], x->dtype, i, apply(cpu_load(c->in[0], x->dtype, i), &p));
}

const cpu_op cpu_op_unary = {.reference = reference, .kernels = cpu_unary_kernels, .in_place = 1};
