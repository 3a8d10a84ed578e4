/* SPDX-License-Identifier: Apache-2.0
 * ScatterElements and ScatterND: the data with some elements replaced, or combined with others. Constant
 * indices are checked here; those computed at run time are held within the range. Where an index comes twice
 * the last one wins, or both count. */
#include "graph/ops/schema.h"

static vki_status check_updates(op_infer *c, int rank, const int64_t *dims)
{
    const gr_tensor *updates = op_in(c, 2);
    bool same = updates->rank == rank;
    for (int d = 0; same && d < rank; d++) same = updates->dims[d] == dims[d];
    if (!same) return op_fail(c, VKI_E_SHAPE, "the shape of the updates does not follow from the indices");
    return op_want_same_type(c, 2);
}

static vki_status infer_elements(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *indices = op_in(c, 1);
    int axis;
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I32) | OP_BIT(VKI_I64)));
    VKB_TRY(op_axis(c, ((const op_scatter_attrs *)c->n->attrs)->axis, x->rank, &axis));
    VKB_TRY(check_updates(c, indices->rank, indices->dims));
    if (indices->rank != x->rank)
        return op_fail(c, VKI_E_SHAPE, "the indices have %d dimensions, the data has %d", indices->rank,
                       x->rank);
    for (int d = 0; d < x->rank; d++)
        if (d != axis && indices->dims[d] > x->dims[d])
            return op_fail(c, VKI_E_SHAPE, "dimension %d of the indices is longer than the data's", d);
    VKB_TRY(op_check_indices(c, 1, 1, &x->dims[axis]));
    return op_out_like(c, 0, x);
}

static vki_status infer_nd(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *indices = op_in(c, 1);
    int last = indices->rank - 1, rank = 0;
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I64)));
    if (last < 0 || indices->dims[last] < 1 || indices->dims[last] > x->rank)
        return op_fail(c, VKI_E_SHAPE, "the indices do not fit data of %d dimensions", x->rank);
    int64_t dims[2 * GR_MAX_RANK];
    for (int d = 0; d < last; d++) dims[rank++] = indices->dims[d];
    for (int d = (int)indices->dims[last]; d < x->rank; d++) dims[rank++] = x->dims[d];
    VKB_TRY(check_updates(c, rank, dims));
    VKB_TRY(op_check_indices(c, 1, (int)indices->dims[last], x->dims));
    return op_out_like(c, 0, x);
}

#define REDUCTIONS "none,add,mul,max,min"
static const op_attr elements_attrs[] = {
    OP_ROW_INT(op_scatter_attrs, axis, 0, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_ENUM(op_scatter_attrs, reduction, OP_SCATTER_NONE, REDUCTIONS),
};
static const op_attr nd_attrs[] = {OP_ROW_ENUM(op_scatter_attrs, reduction, OP_SCATTER_NONE, REDUCTIONS)};

#define SCATTER(op, text, table, function)                                                                   \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  OP_ATTR_TABLE(table),                                                      \
                                  .attrs_size = sizeof(op_scatter_attrs),                                    \
                                  .min_in = 3,                                                               \
                                  .max_in = 3,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = function}

SCATTER(ScatterElements, "The data with single elements along one axis replaced or combined", elements_attrs,
        infer_elements);
SCATTER(ScatterND, "The data with slices replaced or combined", nd_attrs, infer_nd);
