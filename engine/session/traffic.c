/* SPDX-License-Identifier: Apache-2.0
 * What the nodes of a plan read, write and compute. Bytes are those of tensors and weights as they lie in
 * memory, each once a dispatch or kernel; what caches make of that is not in them. */
#include "session/session.h"

/* ---- on the device ---- */

static void add(cost_work *sum, const cost_work *w)
{
    sum->macs += w->macs;
    sum->read += w->read;
    sum->weights += w->weights;
    sum->written += w->written;
}

/* Those that convert for the host work for no node. */
static void add_device_work(const ses_plan *p, cost_work *work, double *us)
{
    for (int i = 0; i < p->program.n_dispatches; i++) {
        const gpu_dispatch *d = &p->program.dispatches[i];
        if (d->node == GR_NONE || !p->places[d->node].gpu) continue;
        cost_work w = gpu_dispatch_work(&p->program, d);
        add(&work[d->node], &w);
        us[d->node] += cost_us(gpu_rates(p->model->context->limits), &w);
    }
}

/* ---- on the CPU ---- */

/* Whether `part` lies in the memory of `whole`, so that a copy between them is none. */
static bool within(const ses_plan *p, gr_id part, gr_id whole)
{
    const char *a = p->host[part], *b = p->host[whole];
    return a && b && a >= b && a < b + gr_bytes(&p->graph.tensors[whole]);
}

/* Kernels that move elements pass over those that are in place already, and read no more than they write. */
static void copies(const ses_plan *p, const gr_node *n, cost_work *w)
{
    const gr_graph *g = &p->graph;
    bool joins = n->op == OP_Concat;
    gr_id whole = joins ? n->out[0] : n->in[0];
    for (int i = 0; i < (joins ? n->n_in : n->n_out); i++) {
        gr_id part = joins ? n->in[i] : n->out[i];
        uint64_t bytes = part == GR_NONE || within(p, part, whole) ? 0 : gr_bytes(&g->tensors[part]);
        w->read += bytes;
        w->written += bytes;
    }
}

static void accesses(const ses_plan *p, const gr_node *n, const ses_step *step, cost_work *w)
{
    const gr_graph *g = &p->graph;
    bool picks = n->op == OP_Gather;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) w->written += gr_bytes(&g->tensors[n->out[i]]);
    for (int i = 0; i < n->n_in; i++) {
        bool constant = gr_is_const(g, n->in[i]);
        if (n->in[i] == GR_NONE || (constant && step->weight_bytes)) continue;
        uint64_t bytes = gr_bytes(&g->tensors[n->in[i]]);
        if (picks && i == 0 && bytes > w->written) bytes = w->written;
        w->read += bytes;
        if (constant) w->weights += bytes;
    }
    w->read += step->weight_bytes;
    w->weights += step->weight_bytes;
}

static cost_work host_work(const ses_plan *p, const ses_step *step, double *us)
{
    const gr_node *n = &p->graph.nodes[step->node];
    op_cost cost;
    op_cost_of(&p->graph, n, &cost);
    cost_work w = {.macs = cost.macs};
    if (n->op == OP_Concat || n->op == OP_Split || n->op == OP_Slice)
        copies(p, n, &w);
    else
        accesses(p, n, step, &w);
    cost_rates rates = cpu_rates(p->options->threads);
    *us = cost_us(&rates, &w);
    return w;
}

/* ---- before there are dispatches and steps ---- */

/* What picks elements reads as many as it writes. */
static uint64_t touched(const gr_graph *g, const gr_node *n, uint64_t bytes)
{
    bool picks = n->op == OP_Gather || n->op == OP_Slice || n->op == OP_Split;
    uint64_t made = 0;
    for (int i = 0; i < n->n_out; i++) made += n->out[i] == GR_NONE ? 0 : gr_bytes(&g->tensors[n->out[i]]);
    return picks && 2 * made < bytes ? 2 * made : bytes;
}

double ses_guess_us(const ses_plan *p, gr_id node, const cost_rates *rates)
{
    const gr_node *n = &p->graph.nodes[node];
    op_cost cost;
    if (p->places[node].view) return 0;
    op_cost_of(&p->graph, n, &cost);
    const cost_work w = {.macs = cost.macs, .read = touched(&p->graph, n, cost.bytes)};
    return cost_us(rates, &w);
}

/* ---- either ---- */

void ses_nodes_work(const ses_plan *p, cost_work *work, double *us)
{
    for (gr_id i = 0; i < p->graph.n_nodes; i++) {
        work[i] = (cost_work){0};
        us[i] = 0;
    }
    for (int i = 0; i < p->n_steps; i++) {
        const gr_id node = p->steps[i].node;
        if (!p->places[node].view) work[node] = host_work(p, &p->steps[i], &us[node]);
    }
    add_device_work(p, work, us);
}

/* Where memory is shared, the host writes and reads what the device uses: the same copies. */
static void add_transfers(const ses_plan *p, ses_traffic *t)
{
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        for (int i = 0; i < seg->n_uploads; i++) t->transfers += seg->uploads[i].transfer.bytes;
        for (int i = 0; i < seg->n_downloads; i++) t->transfers += seg->downloads[i].transfer.bytes;
        t->submits += seg->gpu;
    }
}

static uint64_t bytes_of(const gr_graph *g, const gr_id *list, int count)
{
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++)
        if (!gr_is_const(g, list[i])) bytes += gr_bytes(&g->tensors[list[i]]);
    return bytes;
}

ses_traffic ses_plan_traffic(const ses_plan *p, const cost_work *work, const double *us)
{
    const gr_graph *g = &p->graph;
    ses_traffic t = {0};
    uint64_t weights = 0;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        t.read += work[i].read;
        t.written += work[i].written;
        t.us += us[i];
        weights += work[i].weights;
    }
    add_transfers(p, &t);
    t.lower_bound = weights + bytes_of(g, g->inputs, g->n_inputs) + bytes_of(g, g->outputs, g->n_outputs);
    if (t.lower_bound > t.read + t.written)
        t.lower_bound = t.read + t.written; /* inputs that hardly are read */
    const cost_rates *device = t.submits ? gpu_rates(p->model->context->limits) : NULL;
    if (device) t.us += t.submits * device->submit_us + (double)t.transfers / device->copy_bytes;
    return t;
}
