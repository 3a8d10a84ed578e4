/* SPDX-License-Identifier: Apache-2.0
 * LayerNormalization over the last dimension, as exporters spell it out:
 *   d = x - ReduceMean(x);  y = d / Sqrt(ReduceMean(d^2) + epsilon) [* scale [+ bias]] */
#include <math.h>

#include "graph/passes/rewrite.h"

typedef struct match {
    gr_node *mean, *sub, *square, *variance, *add, *sqrt; /* the last node, Div, is what is visited */
    gr_id x;
    float epsilon;
} match;

static bool same_rows(const gr_graph *g, const gr_node *reduce, gr_id x)
{
    bool mask[GR_MAX_RANK];
    const op_reduce_attrs *a = reduce->attrs;
    const gr_tensor *t = &g->tensors[x];
    if (!gr_is_concrete(t) || t->rank < 1 || !a->keepdims || !op_reduce_mask(g, reduce, mask)) return false;
    for (int d = 0; d < t->rank; d++)
        if (mask[d] != (d == t->rank - 1)) return false;
    return true;
}

/* node is d^2 or d * d. */
static bool is_square_of(const gr_graph *g, const gr_node *n, gr_id d)
{
    float exponent;
    if (n->op == OP_Mul) return n->in[0] == d && n->in[1] == d;
    return n->op == OP_Pow && n->in[0] == d && gr_const_f32(g, n->in[1], &exponent) && exponent == 2;
}

static bool find(const rewrite *rw, const gr_node *div, match *m)
{
    const gr_graph *g = rw->g;
    gr_id d = div->in[0];
    m->sub = rw_maker(rw, d, OP_Sub);
    m->sqrt = rw_maker(rw, div->in[1], OP_Sqrt);
    if (!m->sub || !m->sqrt || !rw_single(rw, div->in[1]) || g->tensors[d].flags & GR_OUTPUT) return false;
    m->x = m->sub->in[0];
    m->mean = rw_maker(rw, m->sub->in[1], OP_ReduceMean);
    if (!m->mean || m->mean->in[0] != m->x || !rw_single(rw, m->sub->in[1])) return false;

    m->add = rw_maker(rw, m->sqrt->in[0], OP_Add);
    gr_id v;
    if (!m->add || !rw_single(rw, m->sqrt->in[0]) || !rw_scalar(rw, m->add, &v, &m->epsilon)) return false;
    m->variance = rw_maker(rw, v, OP_ReduceMean);
    if (!m->variance || !rw_single(rw, v) || !rw_single(rw, m->variance->in[0])) return false;
    m->square = rw_maker(rw, m->variance->in[0], OP_NONE);
    if (!m->square || !rw_plain(m->square) || !is_square_of(g, m->square, d)) return false;
    if (rw->uses.count[d] != (m->square->op == OP_Mul ? 3 : 2)) return false; /* Div and the square */
    return same_rows(g, m->mean, m->x) && same_rows(g, m->variance, d) && m->epsilon >= 0 &&
           isfinite(m->epsilon) && g->tensors[m->x].dtype == VKI_F32;
}

/* The single reader of t, if it is of the kind and its other operand is a float32 constant of n elements in
 * the last dimension. */
static gr_node *affine_reader(const rewrite *rw, gr_id t, op_kind op, int64_t n, gr_id *constant)
{
    const gr_graph *g = rw->g;
    if (!rw_single(rw, t)) return NULL;
    gr_node *reader = &g->nodes[rw->uses.reader[t]];
    if (reader->dead || reader->op != op) return NULL;
    *constant = reader->in[reader->in[0] == t ? 1 : 0];
    if (!gr_is_const(g, *constant)) return NULL;
    const gr_tensor *c = &g->tensors[*constant];
    bool fits = c->dtype == VKI_F32 && c->rank == 1 && c->dims[0] == n;
    return fits ? reader : NULL;
}

static gr_id ones(gr_graph *g, int64_t n)
{
    float *data = gr_const_alloc(g, (uint64_t)n * sizeof *data);
    for (int64_t i = 0; data && i < n; i++) data[i] = 1;
    gr_id t = data ? gr_add_tensor(g, NULL, VKI_F32, 1, &n) : GR_NONE;
    return t != GR_NONE && gr_make_const(g, t, data, false) ? t : GR_NONE;
}

static vki_status rewrite_match(rewrite *rw, gr_node *div, const match *m, vki_error *err)
{
    const gr_tensor *x = &rw->g->tensors[m->x];
    int64_t n = x->dims[x->rank - 1];
    gr_id scale = GR_NONE, bias = GR_NONE;
    gr_node *last = div;
    gr_node *mul = affine_reader(rw, div->out[0], OP_Mul, n, &scale);
    if (mul && rw_plain(mul)) {
        gr_node *add = affine_reader(rw, mul->out[0], OP_Add, n, &bias);
        last = add && rw_plain(add) ? add : mul;
        if (last == mul) bias = GR_NONE;
    } else {
        mul = NULL;
        scale = ones(rw->g, n);
        if (scale == GR_NONE) return vkb_nomem(err, (uint64_t)n * sizeof(float));
    }
    const gr_id in[3] = {m->x, scale, bias};
    VKB_TRY(rw_become(rw, last, OP_LayerNormalization, bias == GR_NONE ? 2 : 3, in, err));
    ((op_norm_attrs *)last->attrs)->axis = -1;
    ((op_norm_attrs *)last->attrs)->epsilon = m->epsilon;
    gr_node *inner[] = {m->mean, m->sub, m->square, m->variance, m->add, m->sqrt, div, mul};
    for (size_t i = 0; i < VKB_COUNT(inner); i++)
        if (inner[i] && inner[i] != last) VKB_TRY(rw_drop(rw, last, inner[i], err));
    return VKI_OK;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    match m;
    bool found = n->op == OP_Div && rw_plain(n) && find(rw, n, &m);
    return found ? rewrite_match(rw, n, &m, err) : VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_layer_normalization = {
    "layer_normalization", "layer normalization spelled out in primitives becomes one node", run, true};
