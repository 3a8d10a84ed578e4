/* SPDX-License-Identifier: Apache-2.0
 * Split: cuts a tensor along one axis into parts of given sizes, or into equal parts of which the last may be
 * smaller. */
#include "graph/ops/schema.h"

/* The size of part i if no sizes are given. */
static vki_status equal_part(op_infer *c, int64_t dim, int parts, int i, int64_t *size)
{
    const op_axis_attrs *a = c->n->attrs;
    if (a->num_outputs && a->num_outputs != parts)
        return op_fail(c, VKI_E_SHAPE, "num_outputs is %lld, but the node has %d outputs",
                       (long long)a->num_outputs, parts);
    int64_t chunk = vkb_ceil_div(dim, parts);
    if (dim < chunk * (parts - 1))
        return op_fail(c, VKI_E_SHAPE, "%lld elements cannot be cut into %d parts of %lld", (long long)dim,
                       parts, (long long)chunk);
    *size = i < parts - 1 ? chunk : dim - chunk * (parts - 1);
    return VKI_OK;
}

/* Reads the sizes from input 1, which may be longer than any fixed array: one at a time from the tensor. */
static vki_status given_part(op_infer *c, int parts, int i, int64_t *size)
{
    const gr_tensor *t = op_in(c, 1);
    if (!gr_is_const(c->g, c->n->in[1])) return op_later(c, 1);
    if (t->dtype != VKI_I64) return op_fail(c, VKI_E_SHAPE, "the sizes of the parts must be int64");
    if (gr_elements(t) != parts)
        return op_fail(c, VKI_E_SHAPE, "%lld sizes are given for %d outputs", (long long)gr_elements(t),
                       parts);
    *size = ((const int64_t *)t->data)[i];
    if (*size < 0) return op_fail(c, VKI_E_SHAPE, "the size of part %d is %lld", i, (long long)*size);
    return VKI_OK;
}

static vki_status infer_split(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const op_axis_attrs *a = c->n->attrs;
    int axis, parts = c->n->n_out;
    VKB_TRY(op_axis(c, a->axis, x->rank, &axis));
    int64_t dims[GR_MAX_RANK] = {0}, dim = x->dims[axis], left = dim;
    int rank = x->rank;
    vki_dtype dtype = x->dtype;
    for (int d = 0; d < rank; d++) dims[d] = x->dims[d];
    for (int i = 0; i < parts; i++) {
        int64_t size = 0;
        VKB_TRY(op_has_in(c->n, 1) ? given_part(c, parts, i, &size) : equal_part(c, dim, parts, i, &size));
        if (size > left)
            return op_fail(c, VKI_E_SHAPE, "the parts are longer than dimension %d, which has %lld elements",
                           axis, (long long)dim);
        left -= size;
        dims[axis] = size;
        VKB_TRY(op_out(c, i, dtype, rank, dims));
    }
    if (left)
        return op_fail(c, VKI_E_SHAPE, "the parts leave %lld of the %lld elements of dimension %d over",
                       (long long)left, (long long)dim, axis);
    return VKI_OK;
}

static const op_attr split_attrs[] = {
    OP_ROW_INT(op_axis_attrs, axis, 0, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_INT(op_axis_attrs, num_outputs, 0, 0, OP_MANY), /* 0: as many as the node has */
};

const op_info op_info_Split = {
    .name = "Split",
    .doc =
        "Cuts along one axis into parts of the sizes in input 1, or into equal parts (the last may be less)",
    OP_ATTR_TABLE(split_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = OP_MANY,
    .infer = infer_split,
};
