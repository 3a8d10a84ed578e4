/* SPDX-License-Identifier: Apache-2.0
 * QuantizeLinear and DequantizeLinear by the same grid become one FakeQuantize, which goes into the epilogue
 * of the producer: of a network in the QDQ form that computes with floats, the rounding is left. Activations
 * before it only narrow its levels, and what moves elements that are on the grid already needs no second one.
 * Results keep their bits, but for NaN, which becomes the lowest of the levels that are left. */
#include <math.h>

#include "graph/passes/grid.h"

/* DequantizeLinear of what QuantizeLinear alone makes for it. */
static vki_status match_pair(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    grid to, from;
    gr_node *q = rw_single(rw, n->in[0]) ? rw_maker(rw, n->in[0], OP_QuantizeLinear) : NULL;
    if (!q || !grid_of(g, n, &from) || !grid_of(g, q, &to) || g->tensors[q->in[0]].dtype != VKI_F32)
        return VKI_OK;
    if (to.step != from.step || to.offset != from.offset || to.dtype != from.dtype || to.step < 1e-37)
        return VKI_OK;
    const int64_t low = grid_least(&to) - to.offset;
    const gr_id x = q->in[0];
    VKB_TRY(rw_become(rw, n, OP_FakeQuantize, 1, &x, err));
    op_unary_attrs *a = n->attrs;
    a->alpha = (float)to.step;
    a->low = low;
    a->high = low + OP_LEVELS - 1;
    return rw_drop(rw, n, q, err);
}

/* ---- activations before it ---- */

/* Rounding keeps the order, so that limits of x are limits of the levels. */
static bool narrow(op_unary_attrs *a, float low, float high)
{
    const double least = nearbyint((double)(low / a->alpha)), most = nearbyint((double)(high / a->alpha));
    if (!(least <= (double)a->high && most >= (double)a->low && least <= most)) return false;
    if (least > (double)a->low) a->low = (int64_t)least;
    if (most < (double)a->high) a->high = (int64_t)most;
    return true;
}

static vki_status match_limits(rewrite *rw, gr_node *n, vki_error *err)
{
    op_unary_attrs *a = n->attrs;
    gr_node *maker = rw_single(rw, n->in[0]) ? rw_maker(rw, n->in[0], OP_NONE) : NULL;
    if (!maker || maker->epilogue.residual == GR_RESIDUAL_AFTER) return VKI_OK;
    gr_epilogue *e = &maker->epilogue;
    float low = 0, high = INFINITY;
    if (e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP) { /* fused before the pair was known */
        if (e->act == GR_ACT_CLIP) low = e->alpha, high = e->beta;
        if (!narrow(a, low, high)) return VKI_OK;
        e->act = GR_ACT_NONE;
        e->alpha = e->beta = 0;
        *rw->changed = true;
        return VKI_OK;
    }
    const bool limits =
        maker->op == OP_Relu || (maker->op == OP_Clip && op_clip_range(rw->g, maker, &low, &high));
    if (!limits || !rw_plain(maker) || !narrow(a, low, high)) return VKI_OK;
    n->in[0] = maker->in[0];
    return rw_drop(rw, n, maker, err);
}

/* ---- what is on the grid already ---- */

static bool on_grid(const rewrite *rw, gr_id t, const op_unary_attrs *a, int depth)
{
    const gr_node *n = depth && t < rw->n_known && rw->uses.producer[t] != GR_NONE
                           ? &rw->g->nodes[rw->uses.producer[t]]
                           : NULL;
    if (!n || n->dead) return false;
    if (n->op == OP_FakeQuantize && rw_plain(n)) {
        const op_unary_attrs *b = n->attrs;
        return b->alpha == a->alpha && b->low >= a->low && b->high <= a->high;
    }
    const gr_epilogue *e = &n->epilogue;
    if (e->act == GR_ACT_FAKE_QUANTIZE && e->residual != GR_RESIDUAL_AFTER)
        return e->alpha == a->alpha && op_levels_low(e->beta) >= (float)a->low &&
               op_levels_high(e->beta) <= (float)a->high;
    if (!rw_plain(n)) return false;
    if (n->op != OP_Concat) return grid_moves(n->op) && on_grid(rw, n->in[0], a, depth - 1);
    bool all = true;
    for (int i = 0; i < n->n_in && all; i++) all = on_grid(rw, n->in[i], a, depth - 1);
    return all;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    enum { DEPTH = 4 }; /* Concats branch */
    if (n->op == OP_DequantizeLinear) VKB_TRY(match_pair(rw, n, err));
    if (n->op != OP_FakeQuantize || !rw_plain(n)) return VKI_OK;
    if (on_grid(rw, n->in[0], n->attrs, DEPTH) && rw_bypass(rw, n, n->in[0])) return VKI_OK;
    return match_limits(rw, n, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_fake_quantize = {
    "fake_quantize", "QuantizeLinear and DequantizeLinear of floats become one rounding of the producer", run,
    true};
