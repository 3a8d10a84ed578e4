/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

/* Both inputs of one type, broadcast to a common shape. */
static vki_status infer_of(op_infer *c, unsigned types)
{
    int rank;
    int64_t dims[GR_MAX_RANK];
    VKB_TRY(op_want_type(c, 0, types));
    VKB_TRY(op_want_same_type(c, 1));
    VKB_TRY(op_broadcast(c, op_in(c, 0), op_in(c, 1), &rank, dims));
    return op_out(c, 0, op_in(c, 0)->dtype, rank, dims);
}

static vki_status infer_arithmetic(op_infer *c)
{
    return infer_of(c, OP_NUMBERS);
}

static vki_status infer_logic(op_infer *c)
{
    return infer_of(c, OP_BIT(VKI_BOOL));
}

static vki_status infer_bits(op_infer *c)
{
    return infer_of(c, c->n->op == OP_BitShift ? OP_UNSIGNED : OP_INTEGERS);
}

static vki_status infer_mod(op_infer *c)
{
    bool integers = op_dtype_in(op_in(c, 0)->dtype, OP_INTEGERS);
    if (!integers && !((const op_binary_attrs *)c->n->attrs)->fmod)
        return op_fail(c, VKI_E_UNSUPPORTED, "floats need fmod = 1");
    return infer_arithmetic(c);
}

static vki_status infer_pow(op_infer *c)
{
    int rank;
    int64_t dims[GR_MAX_RANK];
    VKB_TRY(op_want_type(c, 0, OP_FLOATS | OP_BIT(VKI_I32) | OP_BIT(VKI_I64)));
    VKB_TRY(op_want_type(c, 1, OP_NUMBERS)); /* an exponent of another type is fine */
    VKB_TRY(op_broadcast(c, op_in(c, 0), op_in(c, 1), &rank, dims));
    return op_out(c, 0, op_in(c, 0)->dtype, rank, dims);
}

static vki_status infer_variadic(op_infer *c)
{
    gr_tensor sum = *op_in(c, 0);
    VKB_TRY(op_want_type(c, 0, OP_NUMBERS));
    for (int i = 1; i < op_own_inputs(c->n); i++) {
        const gr_tensor *x = op_in(c, i);
        if (!x) return op_fail(c, VKI_E_SHAPE, "input %d is absent", i);
        VKB_TRY(op_want_same_type(c, i));
        gr_tensor so_far = sum;
        VKB_TRY(op_broadcast(c, &so_far, x, &sum.rank, sum.dims));
    }
    return op_out(c, 0, sum.dtype, sum.rank, sum.dims);
}

static vki_status infer_prelu(op_infer *c)
{
    gr_tensor sum = *op_in(c, 0);
    VKB_TRY(op_want_type(c, 0,
                         OP_FLOATS | OP_BIT(VKI_I32) | OP_BIT(VKI_I64) | OP_BIT(VKI_U32) | OP_BIT(VKI_U64)));
    VKB_TRY(op_want_same_type(c, 1));
    VKB_TRY(op_broadcast(c, op_in(c, 0), op_in(c, 1), &sum.rank, sum.dims));
    if (!gr_same_shape(&sum, op_in(c, 0)))
        return op_fail(c, VKI_E_SHAPE, "the slope must be broadcastable to the shape of input 0");
    return op_out_like(c, 0, op_in(c, 0));
}

static const op_attr mod_attrs[] = {OP_ROW_INT(op_binary_attrs, fmod, 0, 0, 1)};
static const op_attr shift_attrs[] = {OP_ROW_ENUM(op_binary_attrs, direction, OP_SHIFT_LEFT, "LEFT,RIGHT")};

#define WITH(table) OP_ATTR_TABLE(table), .attrs_size = sizeof(op_binary_attrs)
#define BINARY(op, text, most, can, ...)                                                                     \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  .min_in = (most) == 2 ? 2 : 1,                                             \
                                  .max_in = most,                                                            \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .flags = can,                                                              \
                                  .infer = __VA_ARGS__}

BINARY(Add, "a + b, broadcast as in numpy", 2, OP_CAN_ACT | OP_CAN_RESIDUAL, infer_arithmetic);
BINARY(Sub, "a - b, broadcast as in numpy", 2, OP_CAN_ACT | OP_CAN_RESIDUAL, infer_arithmetic);
BINARY(Mul, "a b, broadcast as in numpy", 2, OP_CAN_ACT | OP_CAN_RESIDUAL, infer_arithmetic);
BINARY(Div, "a / b, broadcast as in numpy; integers round towards zero and give 0 for b = 0", 2,
       OP_CAN_ACT | OP_CAN_RESIDUAL, infer_arithmetic);
BINARY(Pow, "a to the power of b, broadcast as in numpy", 2, 0, infer_pow);
BINARY(Max, "Largest of any number of inputs, broadcast as in numpy", OP_MANY, 0, infer_variadic);
BINARY(Min, "Smallest of any number of inputs, broadcast as in numpy", OP_MANY, 0, infer_variadic);
BINARY(PRelu, "x < 0 ? slope x : x, with a slope that is broadcast to x", 2, 0, infer_prelu);
BINARY(Mod,
       "Remainder of a / b, broadcast as in numpy, with the sign of b, or with fmod of a; 0 for integers and "
       "b = 0",
       2, 0, infer_mod, WITH(mod_attrs));
BINARY(And, "Logical and, broadcast as in numpy", 2, 0, infer_logic);
BINARY(Or, "Logical or, broadcast as in numpy", 2, 0, infer_logic);
BINARY(Xor, "Logical exclusive or, broadcast as in numpy", 2, 0, infer_logic);
BINARY(BitShift, "a shifted by b bits, broadcast as in numpy; 0 from the width of the type on", 2, 0,
       infer_bits, WITH(shift_attrs));
BINARY(BitwiseAnd, "Bitwise and, broadcast as in numpy", 2, 0, infer_bits);
BINARY(BitwiseOr, "Bitwise or, broadcast as in numpy", 2, 0, infer_bits);
BINARY(BitwiseXor, "Bitwise exclusive or, broadcast as in numpy", 2, 0, infer_bits);
