/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static const op_attr reduce_attrs[] = {
    OP_ROW_INT(op_reduce_attrs, keepdims, 1, 0, 1),
    OP_ROW_INT(op_reduce_attrs, noop_with_empty_axes, 0, 0, 1),
};

/* No axes at all: everything is reduced, or nothing with noop_with_empty_axes. */
static bool mask_of(const gr_node *n, int rank, const int64_t *axes, int count, bool mask[GR_MAX_RANK])
{
    const op_reduce_attrs *a = n->attrs;
    for (int i = 0; i < GR_MAX_RANK; i++) mask[i] = i < rank && count == 0 && !a->noop_with_empty_axes;
    for (int i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank || mask[axis]) return false;
        mask[axis] = true;
    }
    return true;
}

bool op_reduce_mask(const gr_graph *g, const gr_node *n, bool mask[GR_MAX_RANK])
{
    int64_t axes[GR_MAX_RANK];
    int count = 0;
    if (op_has_own(n, 1) && !gr_const_i64(g, n->in[1], axes, GR_MAX_RANK, &count)) return false;
    return mask_of(n, g->tensors[n->in[0]].rank, axes, count, mask);
}

static vki_status infer_reduce(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const op_reduce_attrs *a = c->n->attrs;
    unsigned types = OP_FLOATS | OP_BIT(VKI_I32) | OP_BIT(VKI_I64) | OP_BIT(VKI_U32) | OP_BIT(VKI_U64);
    if (c->n->op == OP_ReduceMax || c->n->op == OP_ReduceMin)
        types |= OP_BIT(VKI_I8) | OP_BIT(VKI_U8) | OP_BIT(VKI_BOOL);
    VKB_TRY(op_want_type(c, 0, types));

    int64_t axes[GR_MAX_RANK], dims[GR_MAX_RANK];
    bool mask[GR_MAX_RANK];
    int count = 0, rank = 0;
    if (op_has_own(c->n, 1)) VKB_TRY(op_const_ints(c, 1, axes, GR_MAX_RANK, &count));
    if (!mask_of(c->n, x->rank, axes, count, mask))
        return op_fail(c, VKI_E_SHAPE, "the axes must be different and in [-%d, %d)", x->rank, x->rank);
    for (int i = 0; i < x->rank; i++) {
        if (!mask[i])
            dims[rank++] = x->dims[i];
        else if (a->keepdims)
            dims[rank++] = 1;
    }
    return op_out(c, 0, x->dtype, rank, dims);
}

#define REDUCE(op, text)                                                                                     \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text " along any set of axes",                                      \
                                  OP_ATTR_TABLE(reduce_attrs),                                               \
                                  .attrs_size = sizeof(op_reduce_attrs),                                     \
                                  .min_in = 1,                                                               \
                                  .max_in = 2,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = infer_reduce}

REDUCE(ReduceSum, "Sum");
REDUCE(ReduceMean, "Mean");
REDUCE(ReduceMax, "Largest value");
REDUCE(ReduceMin, "Smallest value");
REDUCE(ReduceProd, "Product");
REDUCE(ReduceL1, "Sum of absolute values");
REDUCE(ReduceL2, "Square root of the sum of squares");
REDUCE(ReduceSumSquare, "Sum of squares");
REDUCE(ReduceLogSum, "Logarithm of the sum");
