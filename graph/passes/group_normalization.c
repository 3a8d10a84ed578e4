/* SPDX-License-Identifier: Apache-2.0
 * GroupNormalization as exporters spell it out: an InstanceNormalization of the groups between two Reshapes,
 * then Mul and Add of one number a channel. The first three become one node, the others its scale and bias
 * (and those of any InstanceNormalization). */
#include "graph/passes/rewrite.h"

static bool is_f32_const(const gr_graph *g, gr_id t)
{
    return gr_is_const(g, t) && g->tensors[t].dtype == VKI_F32;
}

/* A constant of one float32 for each channel: times * from + plus, each NULL or with one value for every
 * `every` channels; GR_NONE: no memory. */
static gr_id combine(gr_graph *g, int64_t channels, const float *from, int64_t every, const float *times,
                     const float *plus)
{
    float *data = gr_const_alloc(g, (uint64_t)channels * sizeof *data);
    for (int64_t i = 0; data && i < channels; i++) {
        const double v = (double)from[i / every] * (times ? (double)times[i] : 1);
        data[i] = (float)(v + (plus ? (double)plus[i] : 0));
    }
    gr_id t = data ? gr_add_tensor(g, NULL, VKI_F32, 1, &channels) : GR_NONE;
    return t != GR_NONE && gr_make_const(g, t, data, false) ? t : GR_NONE;
}

/* n, a Reshape back to the shape before the groups were formed. */
static vki_status match_groups(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    gr_node *norm = rw_single(rw, n->in[0]) ? rw_maker(rw, n->in[0], OP_InstanceNormalization) : NULL;
    gr_node *there = norm ? rw_maker(rw, norm->in[0], OP_Reshape) : NULL;
    if (!there || !is_f32_const(g, norm->in[1]) || !is_f32_const(g, norm->in[2])) return VKI_OK;
    const gr_tensor *x = &g->tensors[there->in[0]], *grouped = &g->tensors[norm->in[0]];
    if (!gr_is_concrete(x) || !gr_is_concrete(grouped) || !gr_same_shape(x, &g->tensors[n->out[0]]))
        return VKI_OK;
    if (x->rank < 2 || x->dtype != VKI_F32 || x->dims[0] != grouped->dims[0]) return VKI_OK;
    const int64_t channels = x->dims[1], groups = grouped->dims[1];
    if (groups < 1 || channels < 1 || channels % groups) return VKI_OK;
    const float epsilon = ((const op_norm_attrs *)norm->attrs)->epsilon;
    const gr_id source = there->in[0];
    gr_id in[3] = {source, GR_NONE, GR_NONE};
    for (int i = 1; i < 3; i++) {
        in[i] = combine(g, channels, g->tensors[norm->in[i]].data, channels / groups, NULL, NULL);
        if (in[i] == GR_NONE) return vkb_nomem(err, (uint64_t)channels * sizeof(float));
    }
    if (!rw_single(rw, norm->in[0])) there = NULL; /* read by others, too */
    rw->uses.count[source]++;
    rw->uses.reader[source] = GR_NONE;
    VKB_TRY(rw_become(rw, n, OP_GroupNormalization, 3, in, err));
    ((op_norm_attrs *)n->attrs)->epsilon = epsilon;
    ((op_norm_attrs *)n->attrs)->num_groups = groups;
    if (there) VKB_TRY(rw_drop(rw, n, there, err));
    return rw_drop(rw, n, norm, err);
}

/* n's constant with one float32 for each of the channels of the other operand, *x; GR_NONE. */
static gr_id per_channel(const gr_graph *g, const gr_node *n, gr_id *x)
{
    for (int side = 0; side < 2; side++) {
        const gr_tensor *c = &g->tensors[n->in[side]], *t = &g->tensors[n->in[1 - side]];
        if (!is_f32_const(g, n->in[side]) || !gr_is_concrete(t) || t->rank < 2) continue;
        int axis = c->rank - (t->rank - 1); /* where dimension 1 of t meets c */
        if (axis < 0 || axis > 1 || c->dims[axis] != t->dims[1] || gr_elements(c) != t->dims[1]) continue;
        *x = n->in[1 - side];
        return n->in[side];
    }
    return GR_NONE;
}

/* n, a Mul or an Add behind a normalization. */
static vki_status match_affine(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    gr_id x = GR_NONE, by = rw_plain(n) ? per_channel(g, n, &x) : GR_NONE;
    gr_node *norm = by != GR_NONE && rw_single(rw, x) ? rw_maker(rw, x, OP_NONE) : NULL;
    if (!norm || (norm->op != OP_GroupNormalization && norm->op != OP_InstanceNormalization)) return VKI_OK;
    if (!rw_plain(norm) || g->tensors[x].dtype != VKI_F32) return VKI_OK;
    if (!is_f32_const(g, norm->in[1]) || !is_f32_const(g, norm->in[2])) return VKI_OK;
    const int64_t channels = g->tensors[x].dims[1];
    const float *v = g->tensors[by].data;
    for (int i = n->op == OP_Mul ? 1 : 2; i < 3; i++) {
        const float *own = g->tensors[norm->in[i]].data;
        gr_id made = combine(g, channels, own, 1, n->op == OP_Mul ? v : NULL, n->op == OP_Mul ? NULL : v);
        if (made == GR_NONE) return vkb_nomem(err, (uint64_t)channels * sizeof(float));
        norm->in[i] = made;
    }
    return rw_absorb(rw, norm, n, err);
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    if (n->op == OP_Reshape && rw_plain(n)) return match_groups(rw, n, err);
    return n->op == OP_Mul || n->op == OP_Add ? match_affine(rw, n, err) : VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_group_normalization = {
    "group_normalization", "the normalization of groups becomes one node, with scale and shift behind it",
    run, true};
