/* SPDX-License-Identifier: Apache-2.0
 * ConvPool: what the pass fuse_pool makes of a convolution and the pool after it. */
#include <assert.h>
#include <math.h>

#include "graph/ops/window.h"

static const op_attr attrs[] = {
    OP_ROW_ENUM(op_conv_attrs, auto_pad, OP_PAD_NOTSET, "NOTSET,SAME_UPPER,SAME_LOWER,VALID"),
    OP_ROW_INTS(op_conv_attrs, kernel_shape, 1, OP_INT_MAX),
    OP_ROW_INTS(op_conv_attrs, strides, 1, OP_INT_MAX),
    OP_ROW_INTS(op_conv_attrs, pads, 0, OP_INT_MAX),
    OP_ROW_INTS(op_conv_attrs, dilations, 1, OP_INT_MAX),
    OP_ROW_INT(op_conv_attrs, group, 1, 1, OP_INT_MAX),
    OP_ROW_ENUM(op_conv_pool_attrs, pool, OP_CONV_POOL_MAX, "max,average"),
    OP_ROW_INTS(op_conv_pool_attrs, pool_kernel, 1, OP_INT_MAX),
    OP_ROW_INTS(op_conv_pool_attrs, pool_strides, 1, OP_INT_MAX),
    OP_ROW_INTS(op_conv_pool_attrs, pool_pads, 0, OP_INT_MAX),
    OP_ROW_INT(op_conv_pool_attrs, pool_ceil, 0, 0, 1),
    OP_ROW_ENUM(op_conv_pool_attrs, activation, GR_ACT_NONE,
                "none,relu,leaky,clip,sigmoid,tanh,hardsigmoid,hardswish,silu,hardswish_affine,"
                "fake_quantize"), /* in gr_act's order */
    OP_ROW_FLOAT(op_conv_pool_attrs, alpha, 0, -INFINITY, INFINITY),
    OP_ROW_FLOAT(op_conv_pool_attrs, beta, 0, -INFINITY, INFINITY),
};

static_assert(GR_ACT_COUNT == 11, "the names above are all activations");

static vki_status infer(op_infer *c)
{
    op_window_nd conv, pool;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    VKB_TRY(op_want_same_type(c, 1));
    VKB_TRY(op_want_same_type(c, 2));
    VKB_TRY(op_conv_pool_resolve(c->g, c->n, &conv, &pool, c->err));
    return op_window_out(c, 0, op_in(c, 0)->dtype, &pool);
}

const op_info op_info_ConvPool = {
    .name = "ConvPool",
    .doc = "Largest value or mean in a window of an activated convolution; made by the pass fuse_pool",
    OP_ATTR_TABLE(attrs),
    .attrs_size = sizeof(op_conv_pool_attrs),
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = op_conv_cost,
};
