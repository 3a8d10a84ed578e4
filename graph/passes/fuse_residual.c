/* SPDX-License-Identifier: Apache-2.0
 * An Add of two tensors of one shape becomes the residual of the node that makes one of them. */
#include "graph/passes/rewrite.h"

/* The node that makes input `side` of the Add, if it can take the other input as its residual. */
static gr_node *candidate(const rewrite *rw, const gr_node *add, int side)
{
    gr_id t = add->in[side];
    gr_node *n = rw_maker(rw, t, OP_NONE);
    if (!n || !rw_single(rw, t) || !(op_get(n->op)->flags & OP_CAN_RESIDUAL)) return NULL;
    if (n->epilogue.residual != GR_RESIDUAL_NONE) return NULL;
    /* act(x) + residual leaves no room for another activation */
    return n->epilogue.act == GR_ACT_NONE || add->epilogue.act == GR_ACT_NONE ? n : NULL;
}

static bool fits(const gr_graph *g, const gr_node *add)
{
    const gr_tensor *y = &g->tensors[add->out[0]];
    if (!gr_is_concrete(y) || !rw_is_float(g, add->out[0])) return false;
    for (int i = 0; i < 2; i++)
        if (gr_is_const(g, add->in[i]) || !gr_same_shape(&g->tensors[add->in[i]], y)) return false;
    return true;
}

/* The node goes to where the Add was, since the residual may be made after its old place. Only the Add read
 * its output, so nothing between the two places needs it. */
static vki_status fuse(rewrite *rw, gr_node *add, gr_node *n, gr_id residual, vki_error *err)
{
    gr_graph *g = rw->g;
    gr_id *in = vkb_arena_alloc(&g->arena, (size_t)(n->n_in + 1) * sizeof *in);
    if (!in || !gr_note_fused(g, n, add)) return vkb_nomem(err, 0);
    gr_node moved = *n;
    for (int i = 0; i < n->n_in; i++) in[i] = n->in[i];
    in[moved.n_in++] = residual;
    moved.in = in;
    moved.out[0] = add->out[0];
    if (n->epilogue.act == GR_ACT_NONE) {
        moved.epilogue = add->epilogue;
        moved.epilogue.residual = GR_RESIDUAL_BEFORE;
    } else {
        moved.epilogue.residual = GR_RESIDUAL_AFTER;
    }
    gr_id from = (gr_id)(n - g->nodes), to = (gr_id)(add - g->nodes);
    for (int i = 0; i < n->n_in; i++)
        if (in[i] != GR_NONE && in[i] < rw->n_known && rw->uses.reader[in[i]] == from)
            rw->uses.reader[in[i]] = to;
    n->dead = true;
    *add = moved;
    *rw->changed = true;
    return VKI_OK;
}

static vki_status visit(rewrite *rw, gr_node *add, vki_error *err)
{
    if (add->op != OP_Add || add->epilogue.residual != GR_RESIDUAL_NONE || add->in[0] == add->in[1] ||
        !fits(rw->g, add))
        return VKI_OK;
    gr_node *a = candidate(rw, add, 0), *b = candidate(rw, add, 1);
    if (!a && !b) return VKI_OK;
    int side = a && (!b || a > b) ? 0 : 1; /* rather the later one: then nothing has to wait */
    return fuse(rw, add, side ? b : a, add->in[1 - side], err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_fuse_residual = {"fuse_residual", "an addition becomes the residual of the node before it",
                                    run, true};
