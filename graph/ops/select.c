/* SPDX-License-Identifier: Apache-2.0
 * Operators that keep what their data says: how much that is shows only when they have run. */
#include "graph/ops/schema.h"

static vki_status infer_nonzero(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const int64_t dims[2] = {x->rank, gr_elements(x)};
    VKB_TRY(op_want_type(c, 0, OP_NUMBERS | OP_BIT(VKI_BOOL)));
    return op_out(c, 0, VKI_I64, 2, dims);
}

static vki_status infer_compress(op_infer *c)
{
    const op_axis_attrs *a = c->n->attrs;
    const gr_tensor *x = op_in(c, 0), *condition = op_in(c, 1);
    int axis;
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_BOOL)));
    if (condition->rank != 1)
        return op_fail(c, VKI_E_SHAPE, "the condition must have one dimension, not %d", condition->rank);
    if (a->axis == OP_FLATTENED) {
        int64_t most = vkb_min(gr_elements(x), condition->dims[0]);
        return op_out(c, 0, x->dtype, 1, &most);
    }
    int64_t dims[GR_MAX_RANK] = {0};
    VKB_TRY(op_axis(c, a->axis, x->rank, &axis));
    for (int d = 0; d < x->rank; d++) dims[d] = x->dims[d];
    dims[axis] = vkb_min(dims[axis], condition->dims[0]);
    return op_out(c, 0, x->dtype, x->rank, dims);
}

static const op_attr compress_attrs[] = {
    OP_ROW_INT(op_axis_attrs, axis, OP_FLATTENED, -GR_MAX_RANK, OP_FLATTENED),
};

const op_info op_info_NonZero = {
    .name = "NonZero",
    .doc = "The indices of all elements that are not 0: a column each, in their order",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_DATA_SHAPED,
    .infer = infer_nonzero,
};
const op_info op_info_Compress = {
    .name = "Compress",
    .doc = "The slices along one axis (by default: the elements) at which the condition is true; slices "
           "beyond the condition are dropped",
    OP_ATTR_TABLE(compress_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_DATA_SHAPED,
    .infer = infer_compress,
};
