/* SPDX-License-Identifier: Apache-2.0
 * Channel shuffle (Zhang et al., ShuffleNet, 2018), spelled as Concat, Reshape, Transpose, Reshape: where
 * each input of the Concat is one group, the channels of the inputs take turns, which a Concat does by itself
 * along a dimension behind the channels. Nothing is moved twice, and what makes an input may write it where
 * it belongs. */
#include <string.h>

#include "graph/passes/rewrite.h"

/* The inputs are joined along the channels, as many in each as the groups of `grouped` have. */
static bool joins_groups(const gr_graph *g, const gr_node *concat, const gr_tensor *grouped)
{
    const gr_tensor *whole = &g->tensors[concat->out[0]];
    int64_t axis = ((const op_axis_attrs *)concat->attrs)->axis;
    if (axis < 0) axis += whole->rank;
    bool fits = axis == 1 && gr_is_concrete(whole) && gr_is_concrete(grouped) && gr_elements(whole) > 0 &&
                grouped->rank == whole->rank + 1 && grouped->dims[0] == whole->dims[0] &&
                grouped->dims[1] == concat->n_in && grouped->dims[1] * grouped->dims[2] == whole->dims[1];
    for (int d = 2; fits && d < whole->rank; d++) fits = whole->dims[d] == grouped->dims[d + 1];
    for (int i = 0; fits && i < concat->n_in; i++)
        fits = gr_is_concrete(&g->tensors[concat->in[i]]) &&
               g->tensors[concat->in[i]].dims[1] == grouped->dims[2];
    return fits;
}

/* x with a dimension of 1 behind its channels. */
static gr_id widened(gr_graph *g, gr_id x)
{
    int64_t dims[GR_MAX_RANK];
    const int rank = g->tensors[x].rank + 1;
    const int64_t count = rank;
    memcpy(dims, g->tensors[x].dims, 2 * sizeof *dims);
    dims[2] = 1;
    memcpy(dims + 3, g->tensors[x].dims + 2, (size_t)(rank - 3) * sizeof *dims);
    const gr_id shape = gr_add_const(g, NULL, VKI_I64, 1, &count, dims, true);
    const gr_id y = gr_add_tensor(g, NULL, g->tensors[x].dtype, rank, dims);
    if (shape == GR_NONE || y == GR_NONE) return GR_NONE;
    return gr_add_node(g, OP_Reshape, g->tensors[x].name, 2, (gr_id[]){x, shape}, 1, &y) ? y : GR_NONE;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    enum { MOST_GROUPS = 16 };
    gr_graph *g = rw->g;
    if (n->op != OP_Reshape) return VKI_OK;
    gr_node *turn = rw_single(rw, n->in[0]) ? rw_maker(rw, n->in[0], OP_Transpose) : NULL;
    gr_node *first = turn && rw_single(rw, turn->in[0]) ? rw_maker(rw, turn->in[0], OP_Reshape) : NULL;
    gr_node *concat = first && rw_single(rw, first->in[0]) ? rw_maker(rw, first->in[0], OP_Concat) : NULL;
    if (!concat || concat->n_in > MOST_GROUPS || !op_swaps_groups(turn) ||
        !joins_groups(g, concat, &g->tensors[first->out[0]]) ||
        !gr_same_shape(&g->tensors[concat->out[0]], &g->tensors[n->out[0]]))
        return VKI_OK;
    const gr_id at = (gr_id)(concat - g->nodes),
                gone[] = {(gr_id)(first - g->nodes), (gr_id)(turn - g->nodes)};
    gr_id in[MOST_GROUPS];
    const int count = concat->n_in;
    memcpy(in, concat->in, (size_t)count * sizeof *in);
    for (int i = 0; i < count; i++)
        if ((in[i] = widened(g, in[i])) == GR_NONE) return vkb_nomem(err, 0);
    concat = &g->nodes[at]; /* they may have moved */
    VKB_TRY(rw_become(rw, concat, OP_Concat, count, in, err));
    ((op_axis_attrs *)concat->attrs)->axis = 2;
    concat->out[0] = g->nodes[gone[1]].out[0];
    for (int i = 0; i < 2; i++) VKB_TRY(rw_drop(rw, concat, &g->nodes[gone[i]], err));
    return VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    const int nodes = g->n_nodes;
    VKB_TRY(rw_each_node(g, visit, changed, err));
    return g->n_nodes == nodes ? VKI_OK : gr_sort(g, err); /* what was added stands at the end */
}

const gr_pass pass_channel_shuffle = {"channel_shuffle",
                                      "a shuffle of joined channels moves them once, on the CPU by a Concat "
                                      "(for devices by the planner, Split and all)",
                                      run, true};
