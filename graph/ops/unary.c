/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

#include <math.h>

static const op_attr leaky_attrs[] = {OP_ROW_FLOAT(op_unary_attrs, alpha, 0.01f, -OP_FLT_MAX, OP_FLT_MAX)};
static const op_attr elu_attrs[] = {OP_ROW_FLOAT(op_unary_attrs, alpha, 1, -OP_FLT_MAX, OP_FLT_MAX)};
static const op_attr hard_sigmoid_attrs[] = {
    OP_ROW_FLOAT(op_unary_attrs, alpha, 0.2f, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_FLOAT(op_unary_attrs, beta, 0.5f, -OP_FLT_MAX, OP_FLT_MAX)};

static unsigned types_of(op_kind op)
{
    switch (op) {
    case OP_Abs:
    case OP_Clip:
        return OP_NUMBERS;
    case OP_Neg:
    case OP_Relu:
        return OP_FLOATS | OP_SIGNED;
    default:
        return OP_FLOATS;
    }
}

static vki_status infer_unary(op_infer *c)
{
    VKB_TRY(op_want_type(c, 0, types_of(c->n->op)));
    return op_out_like(c, 0, op_in(c, 0));
}

static vki_status infer_clip(op_infer *c)
{
    for (int i = 1; i <= 2; i++) {
        VKB_TRY(op_want_same_type(c, i));
        if (op_has_own(c->n, i) && gr_elements(op_in(c, i)) != 1)
            return op_fail(c, VKI_E_SHAPE, "input %d is a limit and must be one value", i);
    }
    return infer_unary(c);
}

bool op_clip_range(const gr_graph *g, const gr_node *n, float *low, float *high)
{
    *low = -INFINITY;
    *high = INFINITY;
    return (!op_has_own(n, 1) || gr_const_f32(g, n->in[1], low)) &&
           (!op_has_own(n, 2) || gr_const_f32(g, n->in[2], high));
}

#define UNARY(op, text, ...)                                                                                 \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  .min_in = 1,                                                               \
                                  .max_in = 1,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = infer_unary,                                                      \
                                  __VA_ARGS__}
#define WITH(table) OP_ATTR_TABLE(table), .attrs_size = sizeof(op_unary_attrs)

UNARY(Relu, "max(0, x)", .attrs = NULL);
UNARY(LeakyRelu, "x < 0 ? alpha x : x", WITH(leaky_attrs));
UNARY(Sigmoid, "1 / (1 + exp(-x))", .attrs = NULL);
UNARY(Tanh, "tanh(x)", .attrs = NULL);
UNARY(HardSigmoid, "max(0, min(1, alpha x + beta))", WITH(hard_sigmoid_attrs));
UNARY(HardSwish, "x max(0, min(1, x/6 + 1/2))", .attrs = NULL);
UNARY(Silu, "x sigmoid(x), also called Swish", .attrs = NULL);
UNARY(Elu, "x < 0 ? alpha (exp(x) - 1) : x", WITH(elu_attrs));
UNARY(Softplus, "log(exp(x) + 1)", .attrs = NULL);
UNARY(Exp, "exp(x)", .attrs = NULL);
UNARY(Log, "Natural logarithm", .attrs = NULL);
UNARY(Sqrt, "Square root", .attrs = NULL);
UNARY(Reciprocal, "1 / x", .attrs = NULL);
UNARY(Abs, "Absolute value", .attrs = NULL);
UNARY(Neg, "-x", .attrs = NULL);
UNARY(Floor, "Largest integer not above x", .attrs = NULL);
UNARY(Ceil, "Smallest integer not below x", .attrs = NULL);
UNARY(Round, "Nearest integer, halves to the even one", .attrs = NULL);
UNARY(Erf, "Gauss error function", .attrs = NULL);
UNARY(Sin, "sin(x), x in radians", .attrs = NULL);
UNARY(Cos, "cos(x), x in radians", .attrs = NULL);

const op_info op_info_Clip = {
    .name = "Clip",
    .doc = "min(max(x, low), high); a missing limit limits nothing",
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_clip,
};
