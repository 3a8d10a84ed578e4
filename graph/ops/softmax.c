/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static const op_attr softmax_attrs[] = {OP_ROW_INT(op_axis_attrs, axis, -1, -GR_MAX_RANK, GR_MAX_RANK - 1)};

static vki_status infer_softmax(op_infer *c)
{
    const op_axis_attrs *a = c->n->attrs;
    int axis;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    VKB_TRY(op_axis(c, a->axis, op_in(c, 0)->rank, &axis));
    return op_out_like(c, 0, op_in(c, 0));
}

const op_info op_info_Softmax = {
    .name = "Softmax",
    .doc = "exp(x) / sum(exp(x)) along one axis",
    OP_ATTR_TABLE(softmax_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_softmax,
};

const op_info op_info_LogSoftmax = {
    .name = "LogSoftmax",
    .doc = "x - log(sum(exp(x))) along one axis",
    OP_ATTR_TABLE(softmax_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_softmax,
};
