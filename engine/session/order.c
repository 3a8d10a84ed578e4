/* SPDX-License-Identifier: Apache-2.0
 * The order of a plan's nodes: as given, unless another order goes back and forth between host and device
 * less often. Nodes of one place are taken as long as there are any whose inputs are made, in their order;
 * then those of the other place. To begin with the host may save a submit; to begin with the device lets both
 * run at once: better if what the host has to do takes longer than a submit. */
#include "session/session.h"

#include <string.h>

typedef struct order {
    const ses_plan *p;
    bool *made;   /* by tensor */
    gr_id *nodes; /* in the new order */
    int count, segments;
    double head_us; /* of what the host does before the device begins */
} order;

static bool is_ready(const order *o, const gr_node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE && !o->made[n->in[i]]) return false;
    return true;
}

static void take(order *o, bool *taken, gr_id node)
{
    const gr_node *n = &o->p->graph.nodes[node];
    taken[node] = true;
    o->nodes[o->count++] = node;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) o->made[n->out[i]] = true;
}

/* Nodes are in topological order, so one pass finds all that can be had. */
static void make(order *o, bool *taken, bool gpu)
{
    const gr_graph *g = &o->p->graph;
    const cost_rates host = cpu_rates(o->p->options->threads);
    o->count = o->segments = 0;
    o->head_us = 0;
    memset(taken, 0, (size_t)g->n_nodes);
    for (gr_id t = 0; t < g->n_tensors; t++)
        o->made[t] = g->tensors[t].data || g->tensors[t].flags & GR_INPUT;
    for (bool none = false; o->count < g->n_nodes; gpu = !gpu) {
        int before = o->count;
        for (gr_id i = 0; i < g->n_nodes; i++)
            if (!taken[i] && o->p->places[i].gpu == gpu && is_ready(o, &g->nodes[i])) take(o, taken, i);
        for (int i = before; o->segments == 0 && !gpu && i < o->count; i++)
            o->head_us += ses_guess_us(o->p, o->nodes[i], &host);
        o->segments += o->count > before;
        if (none && o->count == before) break; /* never, in a sound graph */
        none = o->count == before;
    }
}

static int count_segments(const ses_plan *p)
{
    int count = 0;
    for (gr_id i = 0; i < p->graph.n_nodes; i++) count += i == 0 || p->places[i].gpu != p->places[i - 1].gpu;
    return count;
}

static vki_status apply(ses_plan *p, const order *o, vki_error *err)
{
    const size_t n = (size_t)p->graph.n_nodes;
    gr_node *nodes = vkb_alloc(p->allocator, n * sizeof *nodes);
    ses_place *places = vkb_alloc(p->allocator, n * sizeof *places);
    for (size_t i = 0; i < n && nodes && places; i++) {
        nodes[i] = p->graph.nodes[o->nodes[i]];
        places[i] = p->places[o->nodes[i]];
    }
    if (nodes && places) {
        memcpy(p->graph.nodes, nodes, n * sizeof *nodes);
        memcpy(p->places, places, n * sizeof *places);
    }
    vki_status status = nodes && places ? VKI_OK : vkb_nomem(err, n * sizeof *nodes);
    vkb_free(p->allocator, nodes);
    vkb_free(p->allocator, places);
    return status;
}

vki_status ses_order_nodes(ses_plan *p, vki_error *err)
{
    const size_t n = (size_t)p->graph.n_nodes, t = (size_t)p->graph.n_tensors;
    const int given = count_segments(p);
    if (given <= 2) return VKI_OK;
    const size_t bytes = 2 * n * sizeof(gr_id) + t + n;
    char *memory = vkb_calloc(p->allocator, bytes, 1);
    if (!memory) return vkb_nomem(err, bytes);
    order orders[2]; /* beginning with the host, with the device */
    for (int i = 0; i < 2; i++) {
        orders[i] = (order){.p = p, .nodes = (gr_id *)(void *)memory + (size_t)i * n};
        orders[i].made = (bool *)(memory + 2 * n * sizeof(gr_id));
        make(&orders[i], orders[i].made + t, i == 1);
    }
    double submit_us = gpu_rates(p->model->context->limits)->submit_us;
    bool host_first = orders[0].segments < orders[1].segments && orders[0].head_us < submit_us;
    const order *best = &orders[host_first ? 0 : 1];
    vki_status status =
        best->segments < given && best->count == p->graph.n_nodes ? apply(p, best, err) : VKI_OK;
    vkb_free(p->allocator, memory);
    return status;
}
