/* SPDX-License-Identifier: Apache-2.0
 * Gather: whole slices of the data along one axis, picked by index. Constant indices are checked here; an
 * index that is only known at run time is held within the range, since nothing can be reported then. */
#include "graph/ops/schema.h"

static vki_status infer_gather(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *indices = op_in(c, 1);
    int axis;
    VKB_TRY(op_axis(c, ((const op_axis_attrs *)c->n->attrs)->axis, x->rank, &axis));
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I32) | OP_BIT(VKI_I64)));
    if (x->rank - 1 + indices->rank > GR_MAX_RANK)
        return op_fail(c, VKI_E_UNSUPPORTED, "the output would have %d dimensions; %d are supported",
                       x->rank - 1 + indices->rank, GR_MAX_RANK);
    VKB_TRY(op_check_indices(c, 1, 1, &x->dims[axis]));
    int64_t dims[GR_MAX_RANK] = {0};
    int rank = 0;
    for (int d = 0; d < axis; d++) dims[rank++] = x->dims[d];
    for (int d = 0; d < indices->rank; d++) dims[rank++] = indices->dims[d];
    for (int d = axis + 1; d < x->rank; d++) dims[rank++] = x->dims[d];
    return op_out(c, 0, x->dtype, rank, dims);
}

static const op_attr gather_attrs[] = {
    OP_ROW_INT(op_axis_attrs, axis, 0, -GR_MAX_RANK, GR_MAX_RANK - 1),
};

const op_info op_info_Gather = {
    .name = "Gather",
    .doc = "Slices along one axis, picked by index; negative indices count from the end, indices computed at "
           "run time are held within the range",
    OP_ATTR_TABLE(gather_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_gather,
};
