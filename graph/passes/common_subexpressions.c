/* SPDX-License-Identifier: Apache-2.0
 * Equal nodes with equal inputs are computed once; constants count as equal by content. */
#include <string.h>

#include "graph/passes/rewrite.h"

typedef struct id_table { /* open addressing; a value is a tensor or a node, GR_NONE: free */
    gr_id *slots;
    uint32_t mask;
} id_table;

static bool table_make(id_table *t, const gr_graph *g, int count)
{
    uint32_t size = 16;
    while (size < 2u * (uint32_t)count) size *= 2;
    t->mask = size - 1;
    t->slots = vkb_alloc(g->allocator, size * sizeof *t->slots);
    for (uint32_t i = 0; t->slots && i < size; i++) t->slots[i] = GR_NONE;
    return t->slots != NULL;
}

static bool same_const(const gr_tensor *a, const gr_tensor *b)
{
    if (a->data == b->data) return a->dtype == b->dtype && gr_same_shape(a, b);
    return a->const_key == b->const_key && a->dtype == b->dtype && gr_same_shape(a, b) &&
           !memcmp(a->data, b->data, (size_t)gr_bytes(a));
}

/* The first constant equal to t, which is t itself if it is new. */
static gr_id canonical_const(id_table *table, const gr_graph *g, gr_id t)
{
    const gr_tensor *c = &g->tensors[t];
    uint32_t slot = (uint32_t)c->const_key & table->mask;
    for (; table->slots[slot] != GR_NONE; slot = (slot + 1) & table->mask)
        if (same_const(&g->tensors[table->slots[slot]], c)) return table->slots[slot];
    table->slots[slot] = t;
    return t;
}

static uint64_t hash_node(const gr_node *n)
{
    const float params[2] = {n->epilogue.alpha, n->epilogue.beta};
    const int32_t head[4] = {(int32_t)n->op, n->n_in, (int32_t)n->epilogue.act,
                             (int32_t)n->epilogue.residual};
    uint64_t h = vkb_hash(head, sizeof head, vkb_hash(params, sizeof params, 0));
    if (n->attrs) h = vkb_hash(n->attrs, op_get(n->op)->attrs_size, h);
    return vkb_hash(n->in, (size_t)n->n_in * sizeof *n->in, h);
}

static bool same_node(const gr_node *a, const gr_node *b)
{
    if (a->op != b->op || a->n_in != b->n_in || a->n_out != b->n_out) return false;
    if (a->epilogue.act != b->epilogue.act || a->epilogue.residual != b->epilogue.residual ||
        memcmp(&a->epilogue.alpha, &b->epilogue.alpha, sizeof(float)) != 0 ||
        memcmp(&a->epilogue.beta, &b->epilogue.beta, sizeof(float)) != 0)
        return false;
    for (int i = 0; i < a->n_out; i++)
        if ((a->out[i] == GR_NONE) != (b->out[i] == GR_NONE)) return false;
    return !memcmp(a->in, b->in, (size_t)a->n_in * sizeof *a->in) &&
           (!a->attrs || !memcmp(a->attrs, b->attrs, op_get(a->op)->attrs_size));
}

static gr_id canonical_node(id_table *table, const gr_graph *g, gr_id i)
{
    uint32_t slot = (uint32_t)hash_node(&g->nodes[i]) & table->mask;
    for (; table->slots[slot] != GR_NONE; slot = (slot + 1) & table->mask)
        if (same_node(&g->nodes[table->slots[slot]], &g->nodes[i])) return table->slots[slot];
    table->slots[slot] = i;
    return i;
}

static bool has_graph_output(const gr_graph *g, const gr_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && g->tensors[n->out[i]].flags & GR_OUTPUT) return true;
    return false;
}

/* `to` by tensor: what is read instead. */
static void merge(gr_graph *g, gr_id *to, id_table *consts, id_table *nodes, bool *changed)
{
    for (gr_id t = 0; t < g->n_tensors; t++) to[t] = t;
    for (gr_id t = 0; t < g->n_tensors; t++)
        if (g->tensors[t].data) to[t] = canonical_const(consts, g, t);
    for (gr_id i = 0; i < g->n_nodes; i++) {
        gr_node *n = &g->nodes[i];
        if (n->dead) continue;
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k] == GR_NONE || to[n->in[k]] == n->in[k]) continue;
            n->in[k] = to[n->in[k]];
            *changed = true;
        }
        gr_id first = canonical_node(nodes, g, i);
        if (first == i || has_graph_output(g, n)) continue; /* the names of graph outputs must stay */
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE) to[n->out[k]] = g->nodes[first].out[k];
        n->dead = *changed = true;
    }
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    id_table consts = {NULL, 0}, nodes = {NULL, 0};
    gr_id *to = vkb_alloc(g->allocator, (size_t)g->n_tensors * sizeof *to);
    bool good = to && table_make(&consts, g, g->n_tensors) && table_make(&nodes, g, g->n_nodes);
    if (good) merge(g, to, &consts, &nodes, changed);
    vkb_free(g->allocator, to);
    vkb_free(g->allocator, consts.slots);
    vkb_free(g->allocator, nodes.slots);
    return good ? VKI_OK : vkb_nomem(err, (uint64_t)g->n_tensors * 16);
}

const gr_pass pass_common_subexpressions = {"common_subexpressions", "equal nodes are computed once", run,
                                            false};
