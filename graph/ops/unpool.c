/* SPDX-License-Identifier: Apache-2.0
 * MaxUnpool: puts each value where MaxPool's second output says it came from, zeros elsewhere. Where a
 * position comes twice the last value wins; positions outside of the shape that the attributes give are left
 * out. */
#include "graph/ops/schema.h"

static const op_attr attrs[] = {
    OP_ROW_INTS(op_pool_attrs, kernel_shape, 1, OP_INT_MAX),
    OP_ROW_INTS(op_pool_attrs, strides, 1, OP_INT_MAX),
    OP_ROW_INTS(op_pool_attrs, pads, 0, OP_INT_MAX),
};

bool op_unpool_shape(const gr_graph *g, const gr_node *n, int64_t spatial[GR_MAX_RANK - 2])
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    const op_pool_attrs *a = n->attrs;
    const int count = x->rank - 2;
    if (count < 1 || a->kernel_shape.count != count || (a->strides.count && a->strides.count != count) ||
        (a->pads.count && a->pads.count != 2 * count))
        return false;
    for (int d = 0; d < count; d++) {
        const int64_t stride = a->strides.count ? a->strides.v[d] : 1;
        const int64_t pads = a->pads.count ? a->pads.v[d] + a->pads.v[count + d] : 0;
        if (x->dims[d + 2] < 1 || x->dims[d + 2] > INT32_MAX) return false;
        spatial[d] = (x->dims[d + 2] - 1) * stride - pads + a->kernel_shape.v[d];
        if (spatial[d] < 1) return false;
    }
    return true;
}

static vki_status infer(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *at = op_in(c, 1);
    int64_t dims[GR_MAX_RANK];
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I64)));
    if (!gr_same_shape(x, at)) return op_fail(c, VKI_E_SHAPE, "the positions must have the values' shape");
    if (!op_unpool_shape(c->g, c->n, dims + 2))
        return op_fail(c, VKI_E_SHAPE, "kernel_shape, strides and pads do not fit an input of %d dimensions",
                       x->rank);
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    if (op_has_own(c->n, 2)) {
        int count;
        VKB_TRY(op_const_ints(c, 2, dims, GR_MAX_RANK, &count));
        bool fits = count == x->rank && dims[0] == x->dims[0] && dims[1] == x->dims[1];
        for (int d = 2; fits && d < count; d++) fits = dims[d] >= 1;
        if (!fits)
            return op_fail(c, VKI_E_SHAPE, "output_shape must be batch, channels and %d sizes", x->rank - 2);
    }
    return op_out(c, 0, x->dtype, x->rank, dims);
}

const op_info op_info_MaxUnpool = {
    .name = "MaxUnpool",
    .doc = "Undoes MaxPool: values at the positions that it gave, zeros elsewhere",
    OP_ATTR_TABLE(attrs),
    .attrs_size = sizeof(op_pool_attrs),
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
};
