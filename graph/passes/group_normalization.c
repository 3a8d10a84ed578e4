/* SPDX-License-Identifier: Apache-2.0
 * GroupNormalization as exporters spell it out: an InstanceNormalization of the groups between two Reshapes,
 * then Mul and Add of one number a channel. These two become a BatchNormalization by mean 0 and variance 1:
 * one pass over the data, into which an activation goes. */
#include "graph/passes/rewrite.h"

/* n's constant with one float32 for each of the channels of the other operand, *x;
 * GR_NONE. */
static gr_id per_channel(const gr_graph *g, const gr_node *n, gr_id *x)
{
    for (int side = 0; side < 2; side++) {
        const gr_tensor *c = &g->tensors[n->in[side]], *t = &g->tensors[n->in[1 - side]];
        if (!gr_is_const(g, n->in[side]) || c->dtype != VKI_F32 || !gr_is_concrete(t) || t->rank < 2)
            continue;
        int axis = c->rank - (t->rank - 1); /* where dimension 1 of t meets c */
        if (axis < 0 || axis > 1 || c->dims[axis] != t->dims[1] || gr_elements(c) != t->dims[1]) continue;
        *x = n->in[1 - side];
        return n->in[side];
    }
    return GR_NONE;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    gr_id sum, x;
    if (n->op != OP_Add || !rw_plain(n)) return VKI_OK;
    gr_id bias = per_channel(g, n, &sum);
    gr_node *mul = bias != GR_NONE && rw_single(rw, sum) ? rw_maker(rw, sum, OP_Mul) : NULL;
    gr_id scale = mul ? per_channel(g, mul, &x) : GR_NONE;
    if (scale == GR_NONE || g->tensors[x].dtype != VKI_F32) return VKI_OK;
    const gr_node *back = rw_maker(rw, x, OP_Reshape);
    if (!back || !rw_maker(rw, back->in[0], OP_InstanceNormalization)) return VKI_OK;

    int64_t channels = g->tensors[x].dims[1];
    const float *factors = g->tensors[scale].data, *offsets = g->tensors[bias].data;
    gr_id in[5] = {x, rw_vector(g, channels, factors, 0), rw_vector(g, channels, offsets, 0),
                   rw_vector(g, channels, NULL, 0), rw_vector(g, channels, NULL, 1)};
    for (int i = 1; i < 5; i++)
        if (in[i] == GR_NONE) return vkb_nomem(err, (uint64_t)channels * sizeof(float));
    VKB_TRY(rw_become(rw, n, OP_BatchNormalization, 5, in, err));
    ((op_norm_attrs *)n->attrs)->epsilon = 0;
    return rw_drop(rw, n, mul, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_group_normalization = {
    "group_normalization", "scale and shift after the normalization of groups become one node", run, true};
