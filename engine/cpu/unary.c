/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/schema.h"

typedef struct unary_params {
    op_kind op;
    double alpha, beta; /* of Clip: the limits */
} unary_params;

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
    case OP_Elu:
        return x < 0 ? p->alpha * expm1(x) : x;
    case OP_Softplus:
        return fmax(x, 0) + log1p(exp(-fabs(x))); /* does not overflow */
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
    case OP_Sin:
        return sin(x);
    case OP_Cos:
        return cos(x);
    default:
        return x;
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
    }
    return p;
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    int64_t count = gr_elements(x);
    if (!cpu_is_float(x->dtype)) {
        for (int64_t i = 0; i < count; i++)
            cpu_store_i64(c->out[0], x->dtype, i,
                          apply_integer(c, cpu_load_i64(c->in[0], x->dtype, i), x->dtype));
        return;
    }
    unary_params p = params_of(c, x->dtype);
    for (int64_t i = 0; i < count; i++)
        cpu_store(c->out[0], x->dtype, i, apply(cpu_load(c->in[0], x->dtype, i), &p));
}

const cpu_op cpu_op_unary = {.reference = reference, .kernels = cpu_unary_kernels};
