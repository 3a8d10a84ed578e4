/* SPDX-License-Identifier: Apache-2.0
 * A vector that is added to the columns of a matrix product becomes its bias: fully connected layers of
 * tensors of three dimensions and more, which Gemm does not take. */
#include "graph/passes/rewrite.h"

static bool is_bias(const gr_graph *g, gr_id t, const gr_tensor *b)
{
    const gr_tensor *bias = &g->tensors[t];
    return rw_is_float(g, t) && bias->dtype == b->dtype && bias->rank == 1 && b->rank >= 2 &&
           bias->dims[0] > 0 && bias->dims[0] == b->dims[b->rank - 1];
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    if (n->op != OP_Add || !rw_plain(n)) return VKI_OK;
    for (int side = 0; side < 2; side++) {
        gr_node *product = rw_single(rw, n->in[side]) ? rw_maker(rw, n->in[side], OP_MatMul) : NULL;
        if (!product || product->n_in != 2 || !is_bias(g, n->in[1 - side], &g->tensors[product->in[1]]))
            continue;
        const gr_id in[3] = {product->in[0], product->in[1], n->in[1 - side]};
        VKB_TRY(
            rw_become(rw, n, OP_MatMul, 3, in, err)); /* at the place of the Add, where the bias is there */
        return rw_drop(rw, n, product, err);
    }
    return VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_matmul_bias = {"matmul_bias",
                                  "a vector added to the columns of a product becomes its bias", run, true};
