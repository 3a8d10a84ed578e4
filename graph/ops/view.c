/* SPDX-License-Identifier: Apache-2.0
 * Reshape, Flatten, Squeeze, Unsqueeze, Identity: the same elements under another shape. */
#include "graph/ops/schema.h"

/* Product of n dimensions; -1 if it does not fit. */
static int64_t product(const int64_t *dims, int n)
{
    uint64_t p = 1;
    for (int i = 0; i < n; i++) {
        if (dims[i] == 0) return 0;
        if (!vkb_mul_u64(p, (uint64_t)dims[i], &p) || p > INT64_MAX) p = UINT64_MAX;
    }
    return p > INT64_MAX ? -1 : (int64_t)p;
}

/* Puts the dimension that -1 stands for: whatever makes the element counts equal. */
static vki_status resolve_rest(op_infer *c, int64_t *dims, int rank, int rest, int64_t total)
{
    dims[rest] = 1;
    int64_t known = product(dims, rank);
    if (known == 0)
        return op_fail(c, VKI_E_SHAPE,
                       "the target shape has a 0 beside the -1, so the -1 could be anything; give the "
                       "dimension itself");
    if (known < 0 || total % known)
        return op_fail(c, VKI_E_SHAPE,
                       "the input's %lld elements cannot be divided by the product of the target's known "
                       "dimensions (%lld), so its -1 has no value",
                       (long long)total, (long long)known);
    dims[rest] = total / known;
    return VKI_OK;
}

static vki_status infer_reshape(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const op_view_attrs *a = c->n->attrs;
    int64_t dims[GR_MAX_RANK];
    int rank, rest = -1;
    VKB_TRY(op_const_ints(c, 1, dims, GR_MAX_RANK, &rank));
    int64_t total = product(x->dims, x->rank);
    if (total < 0) return op_fail(c, VKI_E_SHAPE, "the input has more elements than 63 bits can count");
    for (int i = 0; i < rank; i++) {
        if (dims[i] < -1)
            return op_fail(c, VKI_E_SHAPE, "dimension %d of the target is %lld; -1 is the lowest allowed", i,
                           (long long)dims[i]);
        if (dims[i] == -1) {
            if (rest >= 0) return op_fail(c, VKI_E_SHAPE, "the target shape has more than one -1");
            rest = i;
        }
        if (dims[i] == 0 && !a->allowzero) { /* 0: keep the input's dimension */
            if (i >= x->rank)
                return op_fail(c, VKI_E_SHAPE,
                               "dimension %d of the target is 0 (keep), but the input has only %d dimensions",
                               i, x->rank);
            dims[i] = x->dims[i];
        }
    }
    if (rest >= 0) VKB_TRY(resolve_rest(c, dims, rank, rest, total));
    if (product(dims, rank) != total)
        return op_fail(c, VKI_E_SHAPE, "the input has %lld elements, the target shape %lld", (long long)total,
                       (long long)product(dims, rank));
    return op_out(c, 0, x->dtype, rank, dims);
}

static vki_status infer_flatten(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    int64_t axis = ((const op_view_attrs *)c->n->attrs)->axis;
    if (axis < -x->rank || axis > x->rank)
        return op_fail(c, VKI_E_SHAPE, "axis %lld is outside of the input's %d dimensions", (long long)axis,
                       x->rank);
    if (axis < 0) axis += x->rank;
    int64_t dims[2] = {product(x->dims, (int)axis), product(x->dims + axis, x->rank - (int)axis)};
    if (dims[0] < 0 || dims[1] < 0)
        return op_fail(c, VKI_E_SHAPE, "the flattened dimensions do not fit into 63 bits");
    return op_out(c, 0, x->dtype, 2, dims);
}

/* Reads the axes (input 1) as a set over `rank` dimensions. */
static vki_status read_axes(op_infer *c, int rank, bool set[GR_MAX_RANK])
{
    int64_t axes[GR_MAX_RANK];
    int count;
    VKB_TRY(op_const_ints(c, 1, axes, GR_MAX_RANK, &count));
    for (int i = 0; i < count; i++) {
        int axis;
        VKB_TRY(op_axis(c, axes[i], rank, &axis));
        if (set[axis]) return op_fail(c, VKI_E_SHAPE, "axis %lld is given twice", (long long)axes[i]);
        set[axis] = true;
    }
    return VKI_OK;
}

static vki_status infer_squeeze(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    bool drop[GR_MAX_RANK] = {false};
    if (op_has_in(c->n, 1)) {
        VKB_TRY(read_axes(c, x->rank, drop));
    } else { /* without axes: every dimension of 1 */
        for (int i = 0; i < x->rank; i++) drop[i] = x->dims[i] == 1;
    }
    int64_t dims[GR_MAX_RANK] = {0};
    int rank = 0;
    for (int i = 0; i < x->rank; i++) {
        if (!drop[i])
            dims[rank++] = x->dims[i];
        else if (x->dims[i] != 1)
            return op_fail(c, VKI_E_SHAPE, "dimension %d is %lld; only dimensions of 1 can be squeezed", i,
                           (long long)x->dims[i]);
    }
    return op_out(c, 0, x->dtype, rank, dims);
}

static vki_status infer_unsqueeze(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    int64_t axes[GR_MAX_RANK], dims[GR_MAX_RANK] = {0};
    bool insert[GR_MAX_RANK] = {false};
    int count;
    VKB_TRY(op_const_ints(c, 1, axes, GR_MAX_RANK, &count));
    int rank = x->rank + count;
    if (rank > GR_MAX_RANK)
        return op_fail(c, VKI_E_UNSUPPORTED, "the output would have %d dimensions; %d are supported", rank,
                       GR_MAX_RANK);
    VKB_TRY(read_axes(c, rank, insert));
    for (int i = 0, from = 0; i < rank; i++) dims[i] = insert[i] ? 1 : x->dims[from++];
    return op_out(c, 0, x->dtype, rank, dims);
}

static vki_status infer_identity(op_infer *c)
{
    return op_out_like(c, 0, op_in(c, 0));
}

static const op_attr reshape_attrs[] = {OP_ROW_INT(op_view_attrs, allowzero, 0, 0, 1)};
static const op_attr flatten_attrs[] = {OP_ROW_INT(op_view_attrs, axis, 1, -GR_MAX_RANK, GR_MAX_RANK)};

const op_info op_info_Reshape = {
    .name = "Reshape",
    .doc =
        "The same elements under another shape; 0 keeps a dimension (unless allowzero), -1 is what is left",
    OP_ATTR_TABLE(reshape_attrs),
    .attrs_size = sizeof(op_view_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_VIEW,
    .infer = infer_reshape,
};
const op_info op_info_Flatten = {
    .name = "Flatten",
    .doc = "A matrix: the dimensions before the axis are the rows, the others the columns",
    OP_ATTR_TABLE(flatten_attrs),
    .attrs_size = sizeof(op_view_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_VIEW,
    .infer = infer_flatten,
};
const op_info op_info_Squeeze = {
    .name = "Squeeze",
    .doc = "Drops dimensions of 1: the given axes (input 1), or all",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_VIEW,
    .infer = infer_squeeze,
};
const op_info op_info_Unsqueeze = {
    .name = "Unsqueeze",
    .doc = "Inserts dimensions of 1 at the axes (input 1) of the output",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_VIEW,
    .infer = infer_unsqueeze,
};
const op_info op_info_Identity = {
    .name = "Identity",
    .doc = "The input itself",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_VIEW,
    .infer = infer_identity,
};
