/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/passes/rewrite.h"

#include <math.h>

vki_status rw_begin(rewrite *rw, gr_graph *g, bool *changed, vki_error *err)
{
    rw->g = g;
    rw->changed = changed;
    rw->n_known = g->n_tensors;
    return gr_uses_make(&rw->uses, g, err);
}

void rw_end(rewrite *rw)
{
    gr_uses_free(&rw->uses, rw->g);
}

vki_status rw_each_node(gr_graph *g, vki_status (*visit)(rewrite *rw, gr_node *n, vki_error *err),
                        bool *changed, vki_error *err)
{
    rewrite rw;
    VKB_TRY(rw_begin(&rw, g, changed, err));
    vki_status status = VKI_OK;
    for (int i = 0; i < g->n_nodes && status == VKI_OK; i++)
        if (!g->nodes[i].dead) status = visit(&rw, &g->nodes[i], err);
    rw_end(&rw);
    return status;
}

/* ---- matching ---- */

bool rw_plain(const gr_node *n)
{
    return n->epilogue.act == GR_ACT_NONE && n->epilogue.residual == GR_RESIDUAL_NONE;
}

gr_node *rw_maker(const rewrite *rw, gr_id t, op_kind op)
{
    if (t == GR_NONE || t >= rw->n_known || rw->uses.producer[t] == GR_NONE) return NULL;
    gr_node *n = &rw->g->nodes[rw->uses.producer[t]];
    if (n->dead || n->out[0] != t) return NULL;
    return op == OP_NONE || (n->op == op && rw_plain(n)) ? n : NULL;
}

bool rw_single(const rewrite *rw, gr_id t)
{
    return t < rw->n_known && rw->uses.count[t] == 1 && rw->uses.reader[t] != GR_NONE;
}

static int min_rank(const rewrite *rw, gr_id t, int depth)
{
    if (t == GR_NONE) return 0;
    if (rw->g->tensors[t].rank >= 0) return rw->g->tensors[t].rank;
    const gr_node *n = rw_maker(rw, t, OP_NONE);
    if (!n || depth == 0) return 0;
    switch (n->op) {
    case OP_Conv:
    case OP_ConvTranspose: /* the weights have the data's rank */
        return min_rank(rw, n->in[1], depth - 1);
    case OP_Gemm:
        return 2;
    case OP_MaxPool:
    case OP_AveragePool:
    case OP_GlobalMaxPool:
    case OP_GlobalAveragePool:
    case OP_Resize:
    case OP_BatchNormalization:
    case OP_Relu:
    case OP_HardSwish:
    case OP_HardSigmoid:
    case OP_Sigmoid:
    case OP_Silu:
    case OP_FakeQuantize:
    case OP_Clip:
        return min_rank(rw, n->in[0], depth - 1);
    case OP_Add:
    case OP_Sub:
    case OP_Mul:
    case OP_Div: {
        int a = min_rank(rw, n->in[0], depth - 1), b = min_rank(rw, n->in[1], depth - 1);
        return a > b ? a : b;
    }
    default:
        return 0;
    }
}

int rw_min_rank(const rewrite *rw, gr_id t)
{
    enum { DEPTH = 6 }; /* binary nodes branch, so this bounds the walk to some dozens of nodes */
    return min_rank(rw, t, DEPTH);
}

bool rw_scalar(const rewrite *rw, const gr_node *n, gr_id *x, float *value)
{
    bool commutes = n->op == OP_Add || n->op == OP_Mul;
    for (int side = 1; side >= (commutes ? 0 : 1); side--) {
        if (gr_is_const(rw->g, n->in[1 - side]) || !gr_const_f32(rw->g, n->in[side], value)) continue;
        if (rw->g->tensors[n->in[side]].rank > rw_min_rank(rw, n->in[1 - side])) continue;
        *x = n->in[1 - side];
        return true;
    }
    return false;
}

bool rw_is_float(const gr_graph *g, gr_id t)
{
    return g->tensors[t].dtype == VKI_F32 || g->tensors[t].dtype == VKI_F16;
}

bool rw_near(float a, double b)
{
    return fabs((double)a - b) <= 1e-6 * fabs(b);
}

/* ---- changing ---- */

gr_id rw_vector(gr_graph *g, int64_t n, const float *from, float value)
{
    float *data = gr_const_alloc(g, (uint64_t)n * sizeof *data);
    for (int64_t i = 0; data && i < n; i++) data[i] = from ? from[i] : value;
    gr_id t = data ? gr_add_tensor(g, NULL, VKI_F32, 1, &n) : GR_NONE;
    return t != GR_NONE && gr_make_const(g, t, data, false) ? t : GR_NONE;
}

bool rw_bypass(rewrite *rw, gr_node *n, gr_id with)
{
    gr_graph *g = rw->g;
    gr_uses *u = &rw->uses;
    gr_id out = n->out[0];
    if (g->tensors[out].flags & GR_OUTPUT) {
        /* The output keeps its tensor: the maker of `with` makes it instead, and all read that. */
        gr_node *maker = rw_maker(rw, with, OP_NONE);
        if (!maker || g->tensors[with].flags & (GR_OUTPUT | GR_INPUT)) return false;
        gr_replace_tensor(g, with, out);
        maker->out[0] = out;
        u->producer[out] = u->producer[with];
        u->count[out] += u->count[with];
    } else {
        gr_replace_tensor(g, out, with);
        u->count[with] += u->count[out];
        u->reader[with] = GR_NONE;
    }
    n->dead = true;
    *rw->changed = true;
    return true;
}

vki_status rw_absorb(rewrite *rw, gr_node *into, gr_node *n, vki_error *err)
{
    if (!gr_note_fused(rw->g, into, n)) return vkb_nomem(err, 0);
    into->out[0] = n->out[0];
    rw->uses.producer[n->out[0]] = (gr_id)(into - rw->g->nodes);
    n->dead = true;
    *rw->changed = true;
    return VKI_OK;
}

vki_status rw_become(rewrite *rw, gr_node *n, op_kind op, int n_in, const gr_id *in, vki_error *err)
{
    size_t size = op_get(op)->attrs_size;
    void *attrs = size ? vkb_arena_alloc(&rw->g->arena, size) : NULL;
    if ((size && !attrs) || !gr_set_inputs(rw->g, n, n_in, in)) return vkb_nomem(err, size);
    if (size) op_set_defaults(op, attrs);
    n->op = op;
    n->attrs = attrs;
    *rw->changed = true;
    return VKI_OK;
}

vki_status rw_drop(rewrite *rw, gr_node *into, gr_node *inner, vki_error *err)
{
    if (inner->dead) return VKI_OK;
    if (!gr_note_fused(rw->g, into, inner)) return vkb_nomem(err, 0);
    inner->dead = true;
    *rw->changed = true;
    return VKI_OK;
}
