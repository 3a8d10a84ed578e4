/* SPDX-License-Identifier: Apache-2.0
 * TopK: the k largest or smallest values along one axis and their positions. They are always sorted; of equal
 * values the first comes first. */
#include "graph/ops/schema.h"

static vki_status infer_topk(op_infer *c)
{
    const op_topk_attrs *a = c->n->attrs;
    int64_t k;
    int axis, count;
    VKB_TRY(op_want_type(c, 0, OP_NUMBERS));
    VKB_TRY(op_axis(c, a->axis, op_in(c, 0)->rank, &axis));
    VKB_TRY(op_const_ints(c, 1, &k, 1, &count));
    gr_tensor y = *op_in(c, 0);
    if (count != 1 || k < 0 || k > y.dims[axis])
        return op_fail(c, VKI_E_SHAPE, "k must be one number between 0 and the %lld elements of dimension %d",
                       (long long)y.dims[axis], axis);
    y.dims[axis] = k;
    VKB_TRY(op_out_like(c, 0, &y));
    y.dtype = VKI_I64;
    return op_out_like(c, 1, &y);
}

static const op_attr topk_attrs[] = {
    OP_ROW_INT(op_topk_attrs, axis, -1, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_INT(op_topk_attrs, largest, 1, 0, 1),
    OP_ROW_INT(op_topk_attrs, sorted, 1, 0, 1),
};

const op_info op_info_TopK = {
    .name = "TopK",
    .doc = "The k largest or smallest values along one axis and their positions, always sorted",
    OP_ATTR_TABLE(topk_attrs),
    .attrs_size = sizeof(op_topk_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 2,
    .max_out = 2,
    .infer = infer_topk,
};
