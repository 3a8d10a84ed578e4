/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

#include <math.h>

static const op_attr leaky_attrs[] = {OP_ROW_FLOAT(op_unary_attrs, alpha, 0.01f, -OP_FLT_MAX, OP_FLT_MAX)};
static const op_attr elu_attrs[] = {OP_ROW_FLOAT(op_unary_attrs, alpha, 1, -OP_FLT_MAX, OP_FLT_MAX)};
static const op_attr hard_sigmoid_attrs[] = {
    OP_ROW_FLOAT(op_unary_attrs, alpha, 0.2f, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_FLOAT(op_unary_attrs, beta, 0.5f, -OP_FLT_MAX, OP_FLT_MAX)};

static const op_attr celu_attrs[] = {OP_ROW_FLOAT(op_unary_attrs, alpha, 1, -OP_FLT_MAX, OP_FLT_MAX)};
static const op_attr thresholded_attrs[] = {OP_ROW_FLOAT(op_unary_attrs, alpha, 1, -OP_FLT_MAX, OP_FLT_MAX)};
static const op_attr selu_attrs[] = {
    OP_ROW_FLOAT(op_unary_attrs, alpha, 1.67326319217681884765625f, -OP_FLT_MAX, OP_FLT_MAX),
    {"gamma", OP_ATTR_FLOAT, offsetof(op_unary_attrs, beta), 1.05070102214813232421875f, -OP_FLT_MAX,
     OP_FLT_MAX, NULL}};
static const op_attr shrink_attrs[] = {
    {"lambd", OP_ATTR_FLOAT, offsetof(op_unary_attrs, alpha), 0.5f, -OP_FLT_MAX, OP_FLT_MAX, NULL},
    {"bias", OP_ATTR_FLOAT, offsetof(op_unary_attrs, beta), 0, -OP_FLT_MAX, OP_FLT_MAX, NULL}};
static const op_attr gelu_attrs[] = {OP_ROW_ENUM(op_unary_attrs, approximate, 0, "none,tanh")};
static const op_attr fake_quantize_attrs[] = {
    {"scale", OP_ATTR_FLOAT, offsetof(op_unary_attrs, alpha), 1, 1e-37, OP_FLT_MAX, NULL},
    OP_ROW_INT(op_unary_attrs, low, -128, -OP_LEVELS, OP_LEVELS),
    OP_ROW_INT(op_unary_attrs, high, 127, -OP_LEVELS, OP_LEVELS)};
static const op_attr is_inf_attrs[] = {OP_ROW_INT(op_unary_attrs, detect_negative, 1, 0, 1),
                                       OP_ROW_INT(op_unary_attrs, detect_positive, 1, 0, 1)};

static unsigned types_of(op_kind op)
{
    switch (op) {
    case OP_Not:
        return OP_BIT(VKI_BOOL);
    case OP_BitwiseNot:
        return OP_INTEGERS;
    case OP_Abs:
    case OP_Clip:
    case OP_Shrink:
    case OP_Sign:
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

static vki_status infer_test(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    return op_out(c, 0, VKI_BOOL, x->rank, x->dims);
}

static vki_status infer_celu(op_infer *c)
{
    if (((const op_unary_attrs *)c->n->attrs)->alpha <= 0)
        return op_fail(c, VKI_E_ARG, "alpha is %g but must be positive",
                       (double)((const op_unary_attrs *)c->n->attrs)->alpha);
    return infer_unary(c);
}

static vki_status infer_fake_quantize(op_infer *c)
{
    const op_unary_attrs *a = c->n->attrs;
    if (a->high < a->low || a->high - a->low >= OP_LEVELS)
        return op_fail(c, VKI_E_ARG, "levels %lld to %lld; from 1 to %d of them are possible",
                       (long long)a->low, (long long)a->high, OP_LEVELS);
    return infer_unary(c);
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

#define UNARY(op, text, ...) MAP(op, text, infer_unary, __VA_ARGS__)
#define MAP(op, text, function, ...)                                                                         \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  .min_in = 1,                                                               \
                                  .max_in = 1,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = function,                                                         \
                                  __VA_ARGS__}
#define WITH(table) OP_ATTR_TABLE(table), .attrs_size = sizeof(op_unary_attrs)

UNARY(Relu, "max(0, x)", .attrs = NULL);
UNARY(LeakyRelu, "x < 0 ? alpha x : x", WITH(leaky_attrs));
UNARY(Sigmoid, "1 / (1 + exp(-x))", .attrs = NULL);
UNARY(Tanh, "tanh(x)", .attrs = NULL);
UNARY(HardSigmoid, "max(0, min(1, alpha x + beta))", WITH(hard_sigmoid_attrs));
UNARY(HardSwish, "x max(0, min(1, x/6 + 1/2))", .attrs = NULL);
UNARY(Silu, "x sigmoid(x), also called Swish", .attrs = NULL);
MAP(FakeQuantize, "x / scale rounded to an integer (halves to the even) within low .. high, times scale",
    infer_fake_quantize, WITH(fake_quantize_attrs));
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
UNARY(Tan, "tan(x), x in radians", .attrs = NULL);
UNARY(Asin, "Inverse sine, in radians", .attrs = NULL);
UNARY(Acos, "Inverse cosine, in radians", .attrs = NULL);
UNARY(Atan, "Inverse tangent, in radians", .attrs = NULL);
UNARY(Sinh, "Hyperbolic sine", .attrs = NULL);
UNARY(Cosh, "Hyperbolic cosine", .attrs = NULL);
UNARY(Asinh, "Inverse hyperbolic sine", .attrs = NULL);
UNARY(Acosh, "Inverse hyperbolic cosine", .attrs = NULL);
UNARY(Atanh, "Inverse hyperbolic tangent", .attrs = NULL);
UNARY(Gelu, "x/2 (1 + erf(x / sqrt 2)), or with tanh(sqrt(2/pi) (x + 0.044715 x^3)) for the erf",
      WITH(gelu_attrs));
UNARY(Selu, "gamma (x < 0 ? alpha (exp(x) - 1) : x)", WITH(selu_attrs));
MAP(Celu, "max(0, x) + min(0, alpha (exp(x / alpha) - 1))", infer_celu, WITH(celu_attrs));
UNARY(ThresholdedRelu, "x > alpha ? x : 0", WITH(thresholded_attrs));
UNARY(Softsign, "x / (1 + |x|)", .attrs = NULL);
UNARY(Mish, "x tanh(log(exp(x) + 1))", .attrs = NULL);
UNARY(Shrink, "x < -lambd ? x + bias : x > lambd ? x - bias : 0", WITH(shrink_attrs));
UNARY(Sign, "-1, 0 or 1", .attrs = NULL);
UNARY(Not, "Logical negation", .attrs = NULL);
UNARY(BitwiseNot, "All bits inverted", .attrs = NULL);
MAP(IsNaN, "Whether x is not a number", infer_test, .attrs = NULL);
MAP(IsInf, "Whether x is infinite, of the signs asked for", infer_test, WITH(is_inf_attrs));

const op_info op_info_Clip = {
    .name = "Clip",
    .doc = "min(max(x, low), high); a missing limit limits nothing",
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_clip,
};
