/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/window.h"

#define POOL_ROWS                                                                                            \
    OP_ROW_ENUM(op_pool_attrs, auto_pad, OP_PAD_NOTSET, "NOTSET,SAME_UPPER,SAME_LOWER,VALID"),               \
        OP_ROW_INTS(op_pool_attrs, kernel_shape, 1, OP_INT_MAX),                                             \
        OP_ROW_INTS(op_pool_attrs, strides, 1, OP_INT_MAX), OP_ROW_INTS(op_pool_attrs, pads, 0, OP_INT_MAX), \
        OP_ROW_INTS(op_pool_attrs, dilations, 1, OP_INT_MAX), OP_ROW_INT(op_pool_attrs, ceil_mode, 0, 0, 1)

static const op_attr max_attrs[] = {POOL_ROWS, OP_ROW_INT(op_pool_attrs, storage_order, 0, 0, 1)};
static const op_attr average_attrs[] = {POOL_ROWS, OP_ROW_INT(op_pool_attrs, count_include_pad, 0, 0, 1)};
static const op_attr lp_attrs[] = {POOL_ROWS, OP_ROW_INT(op_pool_attrs, p, 2, 1, OP_INT_MAX)};
static const op_attr global_lp_attrs[] = {OP_ROW_INT(op_pool_attrs, p, 2, 1, OP_INT_MAX)};

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

#define POOL(op, text, ...)                                                                                  \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  .min_in = 1,                                                               \
                                  .max_in = 1,                                                               \
                                  .min_out = 1,                                                              \
                                  .flags = OP_CAN_ACT,                                                       \
                                  .infer = infer_pool,                                                       \
                                  __VA_ARGS__}
#define POOL_ATTRS(table) OP_ATTR_TABLE(table), .attrs_size = sizeof(op_pool_attrs)

POOL(MaxPool, "Largest value in a window over 1 to 3 spatial dimensions; optionally its position",
     POOL_ATTRS(max_attrs), .max_out = 2);
POOL(AveragePool, "Mean of a window over 1 to 3 spatial dimensions", POOL_ATTRS(average_attrs), .max_out = 1);
POOL(LpPool, "(sum of |x|^p)^(1/p) of a window over 1 to 3 spatial dimensions", POOL_ATTRS(lp_attrs),
     .max_out = 1);
POOL(GlobalMaxPool, "Largest value of each channel", .max_out = 1);
POOL(GlobalAveragePool, "Mean of each channel", .max_out = 1);
POOL(GlobalLpPool, "(sum of |x|^p)^(1/p) of each channel", POOL_ATTRS(global_lp_attrs), .max_out = 1);
