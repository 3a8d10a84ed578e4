/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

/* Both inputs of one type, broadcast to a common shape. */
static vki_status infer_arithmetic(op_infer *c)
{
    int rank;
    int64_t dims[GR_MAX_RANK];
    VKB_TRY(op_want_type(c, 0, OP_NUMBERS));
    VKB_TRY(op_want_same_type(c, 1));
    VKB_TRY(op_broadcast(c, op_in(c, 0), op_in(c, 1), &rank, dims));
    return op_out(c, 0, op_in(c, 0)->dtype, rank, dims);
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

#define BINARY(op, text, most, can, function)                                                                \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  .min_in = (most) == 2 ? 2 : 1,                                             \
                                  .max_in = most,                                                            \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .flags = can,                                                              \
                                  .infer = function}

BINARY(Add, "a + b, broadcast as in numpy", 2, OP_CAN_ACT, infer_arithmetic);
BINARY(Sub, "a - b, broadcast as in numpy", 2, OP_CAN_ACT, infer_arithmetic);
BINARY(Mul, "a b, broadcast as in numpy", 2, OP_CAN_ACT, infer_arithmetic);
BINARY(Div, "a / b, broadcast as in numpy; integers round towards zero and give 0 for b = 0", 2, OP_CAN_ACT,
       infer_arithmetic);
BINARY(Pow, "a to the power of b, broadcast as in numpy", 2, 0, infer_pow);
BINARY(Max, "Largest of any number of inputs, broadcast as in numpy", OP_MANY, 0, infer_variadic);
BINARY(Min, "Smallest of any number of inputs, broadcast as in numpy", OP_MANY, 0, infer_variadic);
BINARY(PRelu, "x < 0 ? slope x : x, with a slope that is broadcast to x", 2, 0, infer_prelu);
