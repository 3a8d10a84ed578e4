/* SPDX-License-Identifier: Apache-2.0
 * Transposes are pushed through what works in any order of dimensions, and cancel where they meet: networks
 * that were written for channels last. From each Transpose the nodes are collected, up and down, that could
 * work in the order it has before it; then what the Transposes at the edges of this region cost is compared
 * with what they cost now, in bytes, nodes that make it dearer are left out again, and the rewrite is done
 * only if fewer bytes are moved by no more Transposes. So there are never more than before, and as each
 * rewrite takes away bytes, it ends. */
#include <string.h>

#include "graph/passes/transposes.h"

enum { MOST_NODES = 256 }; /* of a region */

typedef struct region {
    rewrite *rw;
    tp_order order;
    int *first, *readers; /* of tensor t: readers[first[t] .. first[t + 1]) */
    bool *inside;         /* by node */
    gr_id *nodes;         /* that are inside, `count` of them */
    int count;
    gr_id *other; /* by tensor: in the other order, GR_NONE */
} region;

typedef struct price {
    int64_t bytes;
    int count;
} price;

/* ---- what Transposes cost ---- */

/* One that only moves dimensions of 1 is a view. */
static bool is_free(const gr_tensor *t, const tp_order *order)
{
    int64_t before = -1; /* t is in the order of the result: dimension i comes from order->perm[i] */
    for (int i = 0; i < order->rank; i++) {
        if (t->dims[i] == 1) continue;
        if (order->perm[i] < before) return false;
        before = order->perm[i];
    }
    return true;
}

static void add_price(price *p, const gr_tensor *t, const tp_order *order, int sign)
{
    if (is_free(t, order)) return;
    p->bytes += sign * (int64_t)gr_bytes(t);
    p->count += sign;
}

static bool order_of(const gr_node *n, tp_order *order)
{
    if (n->op != OP_Transpose || !rw_plain(n)) return false;
    const op_ints *perm = &((const op_transpose_attrs *)n->attrs)->perm;
    if (perm->count < 1 || perm->count > GR_MAX_RANK) return false;
    order->rank = perm->count;
    for (int i = 0; i < perm->count; i++) order->perm[i] = perm->v[i];
    return true;
}

static bool same_order(const tp_order *a, const tp_order *b)
{
    return a->rank == b->rank && !memcmp(a->perm, b->perm, (size_t)a->rank * sizeof *a->perm);
}

/* First `a`, then `b`: dimension i of the result is dimension a[b[i]] at first. */
static tp_order compose(const tp_order *a, const tp_order *b)
{
    tp_order c = {.rank = a->rank};
    for (int i = 0; i < a->rank; i++) c.perm[i] = a->perm[b->perm[i]];
    return c;
}

static tp_order inverse(const tp_order *a)
{
    tp_order c = {.rank = a->rank};
    for (int i = 0; i < a->rank; i++) c.perm[a->perm[i]] = i;
    return c;
}

static gr_node *transpose_before(const region *r, gr_id t, tp_order *order)
{
    gr_node *n = rw_maker(r->rw, t, OP_Transpose);
    return n && order_of(n, order) ? n : NULL;
}

/* ---- the region ---- */

static bool made_inside(const region *r, gr_id t)
{
    const gr_id maker = r->rw->uses.producer[t];
    return maker != GR_NONE && r->inside[maker];
}

static void take(region *r, gr_id node)
{
    if (node == GR_NONE || r->inside[node] || r->count == MOST_NODES || r->rw->g->nodes[node].dead) return;
    if (!tp_passes(r->rw->g, &r->rw->g->nodes[node], &r->order)) return;
    r->inside[node] = true;
    r->nodes[r->count++] = node;
}

static void take_around(region *r, gr_id t)
{
    if (t == GR_NONE || gr_is_const(r->rw->g, t)) return;
    take(r, r->rw->uses.producer[t]);
    for (int k = r->first[t]; k < r->first[t + 1]; k++) take(r, r->readers[k]);
}

static void grow(region *r, gr_id from)
{
    const gr_graph *g = r->rw->g;
    for (int k = r->first[from]; k < r->first[from + 1]; k++) take(r, r->readers[k]);
    for (int i = 0; i < r->count; i++) {
        const gr_node *n = &g->nodes[r->nodes[i]];
        for (int k = 0; k < n->n_in; k++)
            if (tp_is_data(g, n, k, &r->order)) take_around(r, n->in[k]);
        for (int k = 0; k < n->n_out; k++) take_around(r, n->out[k]);
    }
}

/* What an input of the region from outside will cost more; called once a tensor. */
static void price_input(const region *r, gr_id t, price *p)
{
    const gr_graph *g = r->rw->g;
    const tp_order back = inverse(&r->order);
    tp_order own, both;
    gr_tensor other = g->tensors[t];
    if (gr_is_const(g, t)) return;
    for (int i = 0; i < r->order.rank; i++) other.dims[r->order.perm[i]] = g->tensors[t].dims[i];
    const gr_node *before = transpose_before(r, t, &own);
    if (!before) {
        add_price(p, &other, &back, 1);
        return;
    }
    bool all_inside = !(g->tensors[t].flags & GR_OUTPUT);
    for (int k = r->first[t]; k < r->first[t + 1]; k++) all_inside = all_inside && r->inside[r->readers[k]];
    if (all_inside) add_price(p, &g->tensors[t], &own, -1);
    both = compose(&own, &back);
    add_price(p, &other, &both, 1);
}

/* The same for a tensor that the region makes. */
static void price_output(const region *r, gr_id t, price *p)
{
    const gr_graph *g = r->rw->g;
    bool wanted = g->tensors[t].flags & GR_OUTPUT;
    for (int k = r->first[t]; k < r->first[t + 1]; k++) {
        const gr_node *n = &g->nodes[r->readers[k]];
        tp_order own, both;
        if (r->inside[r->readers[k]]) continue;
        if (!order_of(n, &own)) {
            wanted = true;
            continue;
        }
        both = compose(&r->order, &own);
        add_price(p, &g->tensors[n->out[0]], &own, -1);
        add_price(p, &g->tensors[n->out[0]], &both, 1);
    }
    if (wanted) add_price(p, &g->tensors[t], &r->order, 1);
}

/* Whether input k of the node is the first mention of a tensor from outside the region. */
static bool first_mention(const region *r, int node, int k)
{
    const gr_graph *g = r->rw->g;
    const gr_id t = g->nodes[r->nodes[node]].in[k];
    for (int i = 0; i <= node; i++) {
        const gr_node *n = &g->nodes[r->nodes[i]];
        for (int j = 0; j < (i == node ? k : n->n_in); j++)
            if (r->inside[r->nodes[i]] && n->in[j] == t && tp_is_data(g, n, j, &r->order)) return false;
    }
    return true;
}

static price price_of(const region *r)
{
    const gr_graph *g = r->rw->g;
    price p = {0, 0};
    for (int i = 0; i < r->count; i++) {
        const gr_node *n = &g->nodes[r->nodes[i]];
        if (!r->inside[r->nodes[i]]) continue;
        for (int k = 0; k < n->n_in; k++)
            if (tp_is_data(g, n, k, &r->order) && !made_inside(r, n->in[k]) && first_mention(r, i, k))
                price_input(r, n->in[k], &p);
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE) price_output(r, n->out[k], &p);
    }
    return p;
}

static bool cheaper(price a, price b)
{
    return a.bytes < b.bytes || (a.bytes == b.bytes && a.count < b.count);
}

/* Leaves out nodes, from the edges inward, as long as that gains. */
static price peel(region *r)
{
    price best = price_of(r);
    for (bool again = true; again;) {
        again = false;
        for (int i = r->count - 1; i >= 0; i--) {
            if (!r->inside[r->nodes[i]]) continue;
            r->inside[r->nodes[i]] = false;
            const price p = price_of(r);
            if (cheaper(p, best)) {
                best = p;
                again = true;
            } else {
                r->inside[r->nodes[i]] = true;
            }
        }
    }
    return best;
}

/* ---- the rewrite ---- */

static gr_id add_transpose(gr_graph *g, gr_id x, gr_id y, const tp_order *order)
{
    if (!gr_add_node(g, OP_Transpose, g->tensors[y].name, 1, &x, 1, &y)) return GR_NONE;
    op_ints *p = &((op_transpose_attrs *)g->nodes[g->n_nodes - 1].attrs)->perm;
    p->count = order->rank;
    memcpy(p->v, order->perm, (size_t)order->rank * sizeof *p->v);
    return y;
}

/* A tensor for t in the other order. */
static gr_id add_other(gr_graph *g, gr_id t, const tp_order *order)
{
    int64_t dims[GR_MAX_RANK];
    for (int i = 0; i < order->rank; i++) dims[order->perm[i]] = g->tensors[t].dims[i];
    return gr_add_tensor(g, NULL, g->tensors[t].dtype, order->rank, dims);
}

/* A constant, widened to the rank by dimensions of 1. */
static gr_id other_constant(gr_graph *g, gr_id t, const tp_order *order)
{
    const gr_tensor source = g->tensors[t];
    const size_t size = vki_dtype_size(source.dtype);
    const int64_t count = gr_elements(&source);
    int64_t dims[GR_MAX_RANK], stride[GR_MAX_RANK], step = 1;
    for (int i = order->rank - 1; i >= 0; i--) { /* of the source, dimension i goes to order->perm[i] */
        const int own = i - (order->rank - source.rank);
        dims[order->perm[i]] = own < 0 ? 1 : source.dims[own];
        stride[order->perm[i]] = step;
        step *= own < 0 ? 1 : source.dims[own];
    }
    uint8_t *data = gr_const_alloc(g, gr_bytes(&source));
    if (!data) return GR_NONE;
    for (int64_t i = 0; i < count; i++) {
        int64_t from = 0, rest = i;
        for (int d = order->rank - 1; d >= 0; d--) {
            from += rest % dims[d] * stride[d];
            rest /= dims[d];
        }
        memcpy(data + (size_t)i * size, (const uint8_t *)source.data + (size_t)from * size, size);
    }
    gr_id y = gr_add_tensor(g, NULL, source.dtype, order->rank, dims);
    return y != GR_NONE && gr_make_const(g, y, data, false) ? y : GR_NONE;
}

/* t in the other order, made where it is not there yet. */
static gr_id other_of(region *r, gr_id t)
{
    gr_graph *g = r->rw->g;
    tp_order own;
    if (r->other[t] != GR_NONE) return r->other[t];
    if (gr_is_const(g, t)) return r->other[t] = other_constant(g, t, &r->order);
    const gr_node *before = made_inside(r, t) ? NULL : transpose_before(r, t, &own);
    if (before && same_order(&own, &r->order)) return r->other[t] = before->in[0];
    r->other[t] = add_other(g, t, &r->order);
    if (r->other[t] == GR_NONE || made_inside(r, t)) return r->other[t];
    const tp_order back = inverse(&r->order);
    return add_transpose(g, t, r->other[t], &back) == GR_NONE ? GR_NONE : r->other[t];
}

static bool read_outside(const region *r, gr_id t)
{
    if (r->rw->g->tensors[t].flags & GR_OUTPUT) return true;
    for (int k = r->first[t]; k < r->first[t + 1]; k++)
        if (!r->inside[r->readers[k]]) return true;
    return false;
}

static vki_status rewrite_node(region *r, gr_id node, vki_error *err)
{
    gr_graph *g = r->rw->g;
    const int n_in = g->nodes[node].n_in, n_out = g->nodes[node].n_out;
    VKB_TRY(tp_rename(g, &g->nodes[node], &r->order, err));
    for (int k = 0; k < n_in; k++) {
        if (!tp_is_data(g, &g->nodes[node], k, &r->order)) continue;
        const gr_id other = other_of(r, g->nodes[node].in[k]);
        if (other == GR_NONE) return vkb_nomem(err, 0);
        g->nodes[node].in[k] = other;
    }
    for (int k = 0; k < n_out; k++) {
        const gr_id t = g->nodes[node].out[k], other = t == GR_NONE ? GR_NONE : other_of(r, t);
        if (t == GR_NONE) continue;
        if (other == GR_NONE) return vkb_nomem(err, 0);
        g->nodes[node].out[k] = other;
        if (read_outside(r, t) && add_transpose(g, other, t, &r->order) == GR_NONE) return vkb_nomem(err, 0);
    }
    return VKI_OK;
}

static vki_status rewrite_region(region *r, bool *changed, vki_error *err)
{
    for (int i = 0; i < r->rw->n_known; i++) r->other[i] = GR_NONE;
    for (int i = 0; i < r->count; i++)
        if (r->inside[r->nodes[i]]) VKB_TRY(rewrite_node(r, r->nodes[i], err));
    *changed = *r->rw->changed = true;
    return VKI_OK;
}

/* ---- all of it ---- */

static vki_status try_from(region *r, gr_id transpose, bool *done, vki_error *err)
{
    const gr_graph *g = r->rw->g;
    const gr_node *n = &g->nodes[transpose];
    if (!order_of(n, &r->order) || !gr_is_concrete(&g->tensors[n->out[0]])) return VKI_OK;
    for (int i = 0; i < r->count; i++) r->inside[r->nodes[i]] = false;
    r->count = 0;
    grow(r, n->out[0]);
    if (r->count == 0) return VKI_OK;
    const price p = peel(r);
    return p.bytes < 0 && p.count <= 0 ? rewrite_region(r, done, err) : VKI_OK;
}

static void list_readers(region *r, const gr_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; !g->nodes[i].dead && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != GR_NONE) r->first[g->nodes[i].in[k] + 1]++;
    for (int t = 0; t < g->n_tensors; t++) r->first[t + 1] += r->first[t];
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; !g->nodes[i].dead && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != GR_NONE) r->readers[r->first[g->nodes[i].in[k]]++] = i;
    memmove(r->first + 1, r->first, (size_t)g->n_tensors * sizeof *r->first); /* starts have become ends */
    r->first[0] = 0;
}

/* One rewrite at most: the other passes join what it leaves before the next. */
static vki_status search(rewrite *rw, bool *done, vki_error *err)
{
    const gr_graph *g = rw->g;
    const vki_allocator *a = g->allocator;
    size_t reads = 1;
    for (int i = 0; i < g->n_nodes; i++) reads += (size_t)g->nodes[i].n_in;
    const size_t tensors = (size_t)g->n_tensors + 2, nodes = (size_t)g->n_nodes + 1;
    region r = {.rw = rw,
                .first = vkb_calloc(a, tensors, sizeof *r.first),
                .readers = vkb_calloc(a, reads, sizeof *r.readers),
                .inside = vkb_calloc(a, nodes, sizeof *r.inside),
                .nodes = vkb_calloc(a, MOST_NODES, sizeof *r.nodes),
                .other = vkb_calloc(a, tensors, sizeof *r.other)};
    vki_status status =
        r.first && r.readers && r.inside && r.nodes && r.other ? VKI_OK : vkb_nomem(err, reads);
    if (status == VKI_OK) list_readers(&r, g);
    for (int i = 0; status == VKI_OK && i < rw->g->n_nodes && !*done; i++)
        if (!rw->g->nodes[i].dead && rw->g->nodes[i].op == OP_Transpose) status = try_from(&r, i, done, err);
    vkb_free(a, r.first);
    vkb_free(a, r.readers);
    vkb_free(a, r.inside);
    vkb_free(a, r.nodes);
    vkb_free(a, r.other);
    return status;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    rewrite rw;
    bool any = false, done = false;
    for (int i = 0; i < g->n_nodes; i++) any = any || (!g->nodes[i].dead && g->nodes[i].op == OP_Transpose);
    if (!any) return VKI_OK;
    VKB_TRY(rw_begin(&rw, g, changed, err));
    vki_status status = search(&rw, &done, err);
    rw_end(&rw);
    return status == VKI_OK && done ? gr_sort(g, err) : status;
}

const gr_pass pass_transposes = {"transposes", "transpositions move through other nodes to where they cancel",
                                 run, true};
