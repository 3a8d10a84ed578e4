/* SPDX-License-Identifier: Apache-2.0
 * GatherElements and GatherND. Constant indices are checked here; those computed at run time are held within
 * the range. */
#include "graph/ops/schema.h"

static vki_status infer_elements(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *indices = op_in(c, 1);
    int axis;
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I32) | OP_BIT(VKI_I64)));
    VKB_TRY(op_axis(c, ((const op_axis_attrs *)c->n->attrs)->axis, x->rank, &axis));
    if (indices->rank != x->rank)
        return op_fail(c, VKI_E_SHAPE, "the indices have %d dimensions, the data has %d", indices->rank,
                       x->rank);
    for (int d = 0; d < x->rank; d++)
        if (d != axis && indices->dims[d] > x->dims[d])
            return op_fail(c, VKI_E_SHAPE, "dimension %d of the indices is longer than the data's", d);
    VKB_TRY(op_check_indices(c, 1, 1, &x->dims[axis]));
    return op_out(c, 0, x->dtype, indices->rank, indices->dims);
}

static vki_status infer_nd(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *indices = op_in(c, 1);
    int batch = (int)((const op_gather_nd_attrs *)c->n->attrs)->batch_dims, last = indices->rank - 1;
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I64)));
    if (last < 0 || batch > last || batch >= x->rank)
        return op_fail(c, VKI_E_SHAPE, "data of %d and indices of %d dimensions have no %d common ones",
                       x->rank, indices->rank, batch);
    if (indices->dims[last] < 1 || indices->dims[last] > x->rank - batch)
        return op_fail(c, VKI_E_SHAPE, "an index has %lld numbers, for %d dimensions",
                       (long long)indices->dims[last], x->rank - batch);
    int64_t dims[2 * GR_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < last; d++) dims[rank++] = indices->dims[d];
    for (int d = 0; d < batch; d++)
        if (x->dims[d] != indices->dims[d])
            return op_fail(c, VKI_E_SHAPE, "dimension %d of data and indices differs", d);
    VKB_TRY(op_check_indices(c, 1, (int)indices->dims[last], &x->dims[batch]));
    for (int d = batch + (int)indices->dims[last]; d < x->rank; d++) dims[rank++] = x->dims[d];
    return op_out(c, 0, x->dtype, rank, dims);
}

static const op_attr elements_attrs[] = {
    OP_ROW_INT(op_axis_attrs, axis, 0, -GR_MAX_RANK, GR_MAX_RANK - 1),
};
static const op_attr nd_attrs[] = {OP_ROW_INT(op_gather_nd_attrs, batch_dims, 0, 0, GR_MAX_RANK - 1)};

const op_info op_info_GatherElements = {
    .name = "GatherElements",
    .doc = "Single elements along one axis, picked by index; negative indices count from the end, indices "
           "computed at run time are held within the range",
    OP_ATTR_TABLE(elements_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_elements,
};

const op_info op_info_GatherND = {
    .name = "GatherND",
    .doc = "Slices picked by tuples of indices; negative indices count from the end, indices computed at run "
           "time are held within the range",
    OP_ATTR_TABLE(nd_attrs),
    .attrs_size = sizeof(op_gather_nd_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_nd,
};
