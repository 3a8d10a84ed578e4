/* SPDX-License-Identifier: Apache-2.0
 * Transpose: dimension i of the output is dimension perm[i] of the input. */
#include "graph/ops/schema.h"

static vki_status infer_transpose(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    op_ints *perm = &((op_transpose_attrs *)c->n->attrs)->perm;
    if (perm->count == 0) { /* the default reverses; written down, so that kernels need no second case */
        perm->count = x->rank;
        for (int i = 0; i < x->rank; i++) perm->v[i] = x->rank - 1 - i;
    }
    if (perm->count != x->rank)
        return op_fail(c, VKI_E_SHAPE, "perm has %d entries, the input %d dimensions", (int)perm->count,
                       x->rank);
    int64_t dims[GR_MAX_RANK] = {0};
    bool seen[GR_MAX_RANK] = {false};
    for (int i = 0; i < x->rank; i++) {
        int from;
        VKB_TRY(op_axis(c, perm->v[i], x->rank, &from));
        if (seen[from]) return op_fail(c, VKI_E_SHAPE, "perm names dimension %d twice", from);
        seen[from] = true;
        perm->v[i] = from;
        dims[i] = x->dims[from];
    }
    return op_out(c, 0, x->dtype, x->rank, dims);
}

static const op_attr transpose_attrs[] = {
    OP_ROW_INTS(op_transpose_attrs, perm, -GR_MAX_RANK, GR_MAX_RANK - 1),
};

const op_info op_info_Transpose = {
    .name = "Transpose",
    .doc = "Reorders the dimensions: output dimension i is input dimension perm[i]; without perm, reversed",
    OP_ATTR_TABLE(transpose_attrs),
    .attrs_size = sizeof(op_transpose_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_transpose,
};
