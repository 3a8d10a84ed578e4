/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/window.h"

const op_attr op_conv_rows[OP_CONV_ROWS] = {
    OP_ROW_ENUM(op_conv_attrs, auto_pad, OP_PAD_NOTSET, "NOTSET,SAME_UPPER,SAME_LOWER,VALID"),
    OP_ROW_INTS(op_conv_attrs, kernel_shape, 1, OP_INT_MAX),
    OP_ROW_INTS(op_conv_attrs, strides, 1, OP_INT_MAX),
    OP_ROW_INTS(op_conv_attrs, pads, 0, OP_INT_MAX),
    OP_ROW_INTS(op_conv_attrs, dilations, 1, OP_INT_MAX),
    OP_ROW_INT(op_conv_attrs, group, 1, 1, OP_INT_MAX),
};

static vki_status infer_conv(op_infer *c)
{
    op_window_nd w;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    VKB_TRY(op_want_same_type(c, 1));
    VKB_TRY(op_want_same_type(c, 2));
    VKB_TRY(op_window_resolve(c->g, c->n, &w, c->err));
    return op_window_out(c, 0, op_in(c, 0)->dtype, &w);
}

void op_conv_cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    op_window_nd w;
    if (op_window_resolve(g, n, &w, NULL) != VKI_OK) return;
    uint64_t macs = (uint64_t)w.batch * (uint64_t)w.out_c * (uint64_t)(w.in_c / w.group);
    for (int i = 0; i < w.rank; i++) macs *= (uint64_t)w.out[i] * (uint64_t)w.kernel[i];
    cost->macs += macs;
}

const op_info op_info_Conv = {
    .name = "Conv",
    .doc = "Convolution over 1 to 3 spatial dimensions, with groups, dilation and bias",
    OP_ATTR_TABLE(op_conv_rows),
    .attrs_size = sizeof(op_conv_attrs),
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT | OP_CAN_RESIDUAL,
    .infer = infer_conv,
    .cost = op_conv_cost,
};
