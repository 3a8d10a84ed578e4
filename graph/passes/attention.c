/* SPDX-License-Identifier: Apache-2.0
 * Attention spelled out: MatMul(Softmax(scale MatMul(Q, K') [+ mask]), V). The scale is a number that Q, K'
 * or the scores are multiplied with or divided by. Where Q, K and V are [batch, rows, heads, size] before
 * they are transposed, Attention reads them so, and the Transpose behind it goes too. */
#include <math.h>
#include <string.h>

#include "graph/passes/rewrite.h"

typedef struct match {
    gr_node *softmax, *scores, *product; /* product: the last one, which is what is visited */
    gr_id q, k, v, mask;                 /* k: transposed */
    double scale;
    gr_node *inner[8]; /* scales, and the addition of the mask */
    int count;
} match;

static bool floats_of_rank(const gr_graph *g, gr_id t, int rank)
{
    return rw_is_float(g, t) && gr_is_concrete(&g->tensors[t]) && g->tensors[t].rank == rank;
}

/* A tensor that is there has one more reader. */
static gr_id read_again(rewrite *rw, gr_id t)
{
    rw->uses.count[t]++;
    rw->uses.reader[t] = GR_NONE;
    return t;
}

/* Goes up through nodes that scale by a number and that nobody else reads. */
static gr_id unscale(const rewrite *rw, gr_id t, match *m)
{
    float value;
    gr_id x;
    while (m->count < (int)VKB_COUNT(m->inner) && rw_single(rw, t)) {
        gr_node *n = rw_maker(rw, t, OP_NONE);
        if (!n || (n->op != OP_Mul && n->op != OP_Div) || !rw_plain(n) || !rw_scalar(rw, n, &x, &value))
            break;
        if (rw->g->tensors[x].dtype != rw->g->tensors[t].dtype) break;
        m->scale = n->op == OP_Mul ? m->scale * (double)value : m->scale / (double)value;
        m->inner[m->count++] = n;
        t = x;
    }
    return t;
}

/* t is the scores without a mask, as far as the product. */
static bool find_scores(const rewrite *rw, gr_id t, match *m)
{
    t = unscale(rw, t, m);
    m->scores = rw_single(rw, t) ? rw_maker(rw, t, OP_MatMul) : NULL;
    return m->scores && m->scores->n_in == 2; /* without a bias */
}

/* The scores, with a mask or without. */
static bool find_masked(const rewrite *rw, gr_id t, match *m)
{
    const gr_graph *g = rw->g;
    if (!rw_single(rw, t)) return false;
    gr_node *add = rw_maker(rw, t, OP_Add);
    m->mask = GR_NONE;
    if (!add) return find_scores(rw, t, m);
    for (int side = 0; side < 2; side++) {
        m->count = 0;
        m->scale = 1;
        m->mask = add->in[1 - side];
        if (!gr_same_shape(&g->tensors[add->in[side]], &g->tensors[t]) || !find_scores(rw, add->in[side], m))
            continue;
        const gr_tensor *mask = &g->tensors[m->mask];
        if (mask->dtype != g->tensors[t].dtype || m->count == (int)VKB_COUNT(m->inner)) continue;
        m->inner[m->count++] = add;
        return true;
    }
    return false;
}

static bool last_axis(const gr_graph *g, const gr_node *softmax)
{
    const int64_t axis = ((const op_axis_attrs *)softmax->attrs)->axis;
    return axis == -1 || axis == g->tensors[softmax->in[0]].rank - 1;
}

static bool find(const rewrite *rw, gr_node *product, match *m)
{
    const gr_graph *g = rw->g;
    *m = (match){.product = product, .scale = 1, .v = product->in[1]};
    m->softmax = rw_single(rw, product->in[0]) ? rw_maker(rw, product->in[0], OP_Softmax) : NULL;
    if (!m->softmax || !last_axis(g, m->softmax) || !find_masked(rw, m->softmax->in[0], m)) return false;
    m->q = unscale(rw, m->scores->in[0], m);
    m->k = unscale(rw, m->scores->in[1], m);
    const int rank = g->tensors[m->q].rank;
    return (rank == 3 || rank == 4) && floats_of_rank(g, m->q, rank) && floats_of_rank(g, m->k, rank) &&
           floats_of_rank(g, m->v, rank) && isfinite((float)m->scale) && (float)m->scale != 0;
}

static bool has_perm(const gr_node *transpose, int rank, const int64_t *perm)
{
    const op_ints *p = &((const op_transpose_attrs *)transpose->attrs)->perm;
    return p->count == rank && !memcmp(p->v, perm, (size_t)rank * sizeof *perm);
}

/* The tensor whose transposition by `perm` t is; GR_NONE. */
static gr_id before_transpose(const rewrite *rw, gr_id t, int rank, const int64_t *perm)
{
    const gr_node *n = rw_maker(rw, t, OP_Transpose);
    return n && has_perm(n, rank, perm) ? n->in[0] : GR_NONE;
}

static gr_id transpose_of(rewrite *rw, gr_id x, int rank, const int64_t *perm)
{
    gr_graph *g = rw->g;
    int64_t dims[4];
    for (int d = 0; d < rank; d++) dims[d] = g->tensors[x].dims[perm[d]];
    gr_id y = gr_add_tensor(g, NULL, g->tensors[x].dtype, rank, dims);
    gr_node *n = y == GR_NONE ? NULL : gr_add_node(g, OP_Transpose, g->tensors[y].name, 1, &x, 1, &y);
    if (!n) return GR_NONE;
    op_ints *p = &((op_transpose_attrs *)n->attrs)->perm;
    p->count = rank;
    memcpy(p->v, perm, (size_t)rank * sizeof *perm);
    return y;
}

static gr_id reshape_of(rewrite *rw, gr_id x, gr_id y, int rank, const int64_t *dims)
{
    gr_graph *g = rw->g;
    const int64_t count = rank;
    gr_id shape = gr_add_const(g, NULL, VKI_I64, 1, &count, dims, true);
    if (shape != GR_NONE && y == GR_NONE) y = gr_add_tensor(g, NULL, g->tensors[x].dtype, rank, dims);
    if (shape == GR_NONE || y == GR_NONE) return GR_NONE;
    gr_node *n = gr_add_node(g, OP_Reshape, g->tensors[y].name, 2, (gr_id[]){x, shape}, 1, &y);
    if (!n) return GR_NONE;
    for (int d = 0; d < rank; d++)
        if (dims[d] == 0) ((op_view_attrs *)n->attrs)->allowzero = 1;
    return y;
}

static const int64_t heads_first[4] = {0, 2, 1, 3}, keys_last[4] = {0, 2, 3, 1};

/* [batch, rows, heads, size] as [batch, rows, heads size]. */
static gr_id packed(rewrite *rw, gr_id x)
{
    const int64_t *d = rw->g->tensors[x].dims;
    return reshape_of(rw, read_again(rw, x), GR_NONE, 3, (int64_t[]){d[0], d[1], d[2] * d[3]});
}

static vki_status become_attention(rewrite *rw, const match *m, gr_node *last, const gr_id in[4],
                                   int64_t heads, vki_error *err)
{
    for (int i = 0; i < 3; i++)
        if (in[i] == GR_NONE) return vkb_nomem(err, 0);
    VKB_TRY(rw_become(rw, last, OP_Attention, in[3] == GR_NONE ? 3 : 4, in, err));
    op_attention_attrs *a = last->attrs;
    a->scale = (float)m->scale;
    a->q_num_heads = a->kv_num_heads = heads;
    gr_node *inner[] = {m->scores, m->softmax, m->product};
    for (size_t i = 0; i < VKB_COUNT(inner); i++)
        if (inner[i] != last) VKB_TRY(rw_drop(rw, last, inner[i], err));
    for (int i = 0; i < m->count; i++) VKB_TRY(rw_drop(rw, last, m->inner[i], err));
    return VKI_OK;
}

/* The same shapes and types that Attention wants; a mask that it can read. */
static bool fits(const rewrite *rw, const match *m)
{
    const gr_graph *g = rw->g;
    const gr_tensor *q = &g->tensors[m->q], *k = &g->tensors[m->k], *v = &g->tensors[m->v];
    const int rank = q->rank;
    for (int d = 0; d < rank - 2; d++)
        if (k->dims[d] != q->dims[d] || v->dims[d] != q->dims[d]) return false;
    if (q->dtype != k->dtype || q->dtype != v->dtype) return false;
    if (!gr_is_const(g, m->k) && !rw_maker(rw, m->k, OP_Transpose)) return false; /* another would come in */
    if (m->mask == GR_NONE) return true;
    const gr_tensor *mask =
        &g->tensors[m->mask]; /* it fits the scores; of three dimensions there is one head */
    return rank == 4 || mask->rank < 3 || (mask->rank == 3 && mask->dims[0] == 1);
}

/* The node numbers are kept, as adding nodes moves them. */
static gr_node *at(const rewrite *rw, gr_id node)
{
    return &rw->g->nodes[node];
}

typedef struct places { /* of the nodes of a match */
    gr_id softmax, scores, product, inner[8];
} places;

static places places_of(const rewrite *rw, const match *m)
{
    const gr_node *first = rw->g->nodes;
    places p = {(gr_id)(m->softmax - first), (gr_id)(m->scores - first), (gr_id)(m->product - first), {0}};
    for (int i = 0; i < m->count; i++) p.inner[i] = (gr_id)(m->inner[i] - first);
    return p;
}

static void find_again(const rewrite *rw, match *m, const places *p)
{
    m->softmax = at(rw, p->softmax);
    m->scores = at(rw, p->scores);
    m->product = at(rw, p->product);
    for (int i = 0; i < m->count; i++) m->inner[i] = at(rw, p->inner[i]);
}

/* Q, K, V [batch, rows, heads, size] before their Transposes: the node reads them in three dimensions, and
 * the output is transposed only if its one reader does not undo just that. */
static vki_status rewrite_packed(rewrite *rw, match *m, const gr_id before[3], vki_error *err)
{
    gr_graph *g = rw->g;
    const places p = places_of(rw, m);
    const int64_t *q = g->tensors[before[0]].dims, *v = g->tensors[before[2]].dims;
    const int64_t heads = q[2], dims[4] = {q[0], q[1], heads, v[3]};
    const gr_id out = m->product->out[0], reader = rw_single(rw, out) ? rw->uses.reader[out] : GR_NONE;
    const bool undone = reader != GR_NONE && at(rw, reader)->op == OP_Transpose && !at(rw, reader)->dead &&
                        has_perm(at(rw, reader), 4, heads_first);
    gr_id in[4] = {packed(rw, before[0]), packed(rw, before[1]), packed(rw, before[2]), m->mask};
    gr_id y =
        gr_add_tensor(g, NULL, g->tensors[out].dtype, 3, (int64_t[]){dims[0], dims[1], heads * dims[3]});
    if (y == GR_NONE) return vkb_nomem(err, 0);
    if (undone) {
        if (reshape_of(rw, y, at(rw, reader)->out[0], 4, dims) == GR_NONE) return vkb_nomem(err, 0);
    } else {
        gr_id whole = reshape_of(rw, y, GR_NONE, 4, dims);
        gr_id turned = whole == GR_NONE ? GR_NONE : transpose_of(rw, whole, 4, heads_first);
        if (turned == GR_NONE) return vkb_nomem(err, 0);
        g->nodes[g->n_nodes - 1].out[0] = out; /* instead of the tensor that was made for it */
    }
    find_again(rw, m, &p);
    VKB_TRY(become_attention(rw, m, m->product, in, heads, err));
    m->product->out[0] = y;
    if (undone) VKB_TRY(rw_drop(rw, m->product, at(rw, reader), err));
    return VKI_OK;
}

/* As they are; only the keys' transposition is taken back, which cancels one that is there. */
static vki_status rewrite_plain(rewrite *rw, match *m, vki_error *err)
{
    static const int64_t turned3[3] = {0, 2, 1}, turned4[4] = {0, 1, 3, 2};
    const int rank = rw->g->tensors[m->q].rank;
    const int64_t *perm = rank == 3 ? turned3 : turned4;
    const places p = places_of(rw, m);
    gr_id k = before_transpose(rw, m->k, rank, perm);
    k = k == GR_NONE ? transpose_of(rw, m->k, rank, perm) : read_again(rw, k);
    const gr_id in[4] = {m->q, k, m->v, m->mask};
    find_again(rw, m, &p);
    return become_attention(rw, m, m->product, in, rank == 3, err);
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    match m;
    if (n->op != OP_MatMul || n->n_in != 2 || !rw_plain(n) || !find(rw, n, &m) || !fits(rw, &m))
        return VKI_OK;
    if (rw->g->tensors[m.q].rank == 3) return rewrite_plain(rw, &m, err);
    const gr_id before[3] = {before_transpose(rw, m.q, 4, heads_first),
                             before_transpose(rw, m.k, 4, keys_last),
                             before_transpose(rw, m.v, 4, heads_first)};
    if (before[0] == GR_NONE || before[1] == GR_NONE || before[2] == GR_NONE)
        return rewrite_plain(rw, &m, err);
    return rewrite_packed(rw, &m, before, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    const int nodes = g->n_nodes;
    VKB_TRY(rw_each_node(g, visit, changed, err));
    return g->n_nodes == nodes ? VKI_OK : gr_sort(g, err); /* what was added stands at the end */
}

const gr_pass pass_attention = {"attention", "attention spelled out in primitives becomes one node", run,
                                true};
