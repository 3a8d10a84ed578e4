/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/window.h"

#define POOL_ROWS                                                                                            \
    OP_ROW_ENUM(op_pool_attrs, auto_pad, OP_PAD_NOTSET, "NOTSET,SAME_UPPER,SAME_LOWER,VALID"),               \
        OP_ROW_INTS(op_pool_attrs, kernel_shape, 1, OP_INT_MAX),                                             \
        OP_ROW_INTS(op_pool_attrs, strides, 1, OP_INT_MAX), OP_ROW_INTS(op_pool_attrs, pads, 0, OP_INT_MAX), \
        OP_ROW_INTS(op_pool_attrs, dilations, 1, OP_INT_MAX), OP_ROW_INT(op_pool_attrs, ceil_mode, 0, 0, 1)

static const op_attr max_attrs[] = {POOL_ROWS, OP_ROW_INT(op_pool_attrs, storage_order, 0, 0, 1)};
static const op_attr average_attrs[] = {POOL_ROWS, OP_ROW_INT(op_pool_attrs, count_include_pad, 0, 0, 1)};

static vki_status infer_pool(op_infer *c)
{
    op_window_nd w;
    VKB_TRY(
        op_want_type(c, 0, c->n->op == OP_MaxPool ? OP_FLOATS | OP_BIT(VKI_I8) | OP_BIT(VKI_U8) : OP_FLOATS));
    VKB_TRY(op_window_resolve(c->g, c->n, &w, c->err));
    VKB_TRY(op_window_out(c, 0, op_in(c, 0)->dtype, &w));
    if (c->n->n_out > 1 && c->n->out[1] != GR_NONE) VKB_TRY(op_window_out(c, 1, VKI_I64, &w));
    return VKI_OK;
}

const op_info op_info_MaxPool = {
    .name = "MaxPool",
    .doc = "Largest value in a window over 1 to 3 spatial dimensions; optionally its position",
    OP_ATTR_TABLE(max_attrs),
    .attrs_size = sizeof(op_pool_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 2,
    .flags = OP_CAN_ACT,
    .infer = infer_pool,
};

const op_info op_info_AveragePool = {
    .name = "AveragePool",
    .doc = "Mean of a window over 1 to 3 spatial dimensions",
    OP_ATTR_TABLE(average_attrs),
    .attrs_size = sizeof(op_pool_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT,
    .infer = infer_pool,
};

const op_info op_info_GlobalMaxPool = {
    .name = "GlobalMaxPool",
    .doc = "Largest value of each channel",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT,
    .infer = infer_pool,
};

const op_info op_info_GlobalAveragePool = {
    .name = "GlobalAveragePool",
    .doc = "Mean of each channel",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT,
    .infer = infer_pool,
};
