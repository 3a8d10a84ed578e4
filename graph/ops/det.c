/* SPDX-License-Identifier: Apache-2.0
 * Det: determinants of the matrices in the last two dimensions. */
#include "graph/ops/schema.h"

static vki_status infer(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
        return op_fail(c, VKI_E_SHAPE, "the input must be square matrices");
    if (x->dims[x->rank - 1] > OP_DET_MAX)
        return op_fail(c, VKI_E_UNSUPPORTED, "matrices of %lld rows; at most %d can be taken",
                       (long long)x->dims[x->rank - 1], OP_DET_MAX);
    return op_out(c, 0, x->dtype, x->rank - 2, x->dims);
}

static void cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    cost->macs += (uint64_t)gr_elements(x) * (uint64_t)x->dims[x->rank - 1] / 3;
}

const op_info op_info_Det = {
    .name = "Det",
    .doc = "Determinants of the matrices in the last two dimensions",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = cost,
};
