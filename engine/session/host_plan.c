/* SPDX-License-Identifier: Apache-2.0
 * The CPU's side of a plan: which tensors need host memory and where it lies, which kernel runs each node,
 * packed weights and scratch. */
#include "session/session.h"

#include <string.h>

#include "graph/memplan.h"
#include "graph/ops/strided.h"

typedef struct host_tensor {
    gr_id
        root; /* the tensor that this one lies in: itself, a view's source, the whole that it is a part of */
    uint64_t at; /* bytes from the start of that */
    bool needed;
    int32_t first, last; /* of roots: node indices */
} host_tensor;

/* Whose memory it is in the end, and at which offset (may be NULL). */
static gr_id root_at(const host_tensor *t, gr_id id, uint64_t *at)
{
    uint64_t sum = 0;
    for (; t[id].root != id; id = t[id].root) sum += t[id].at;
    if (at) *at = sum;
    return id;
}

static gr_id root_of(const host_tensor *t, gr_id id)
{
    return root_at(t, id, NULL);
}

/* Constants, and views of them, have an address already and need no memory of the plan's. */
static void touch(const ses_plan *p, host_tensor *t, gr_id id, int32_t at)
{
    gr_id memory = root_of(t, id);
    if (p->host[memory]) return;
    host_tensor *root = &t[memory];
    root->needed = true;
    if (at < root->first) root->first = at;
    if (at > root->last) root->last = at;
}

static void touch_uploads(const ses_plan *p, host_tensor *t, const ses_segment *s, int32_t at)
{
    for (int i = 0; i < s->n_uploads; i++)
        if (!(p->graph.tensors[s->uploads[i].tensor].flags & GR_INPUT)) touch(p, t, s->uploads[i].tensor, at);
}

/* A download matters to the host arena only if a CPU node reads it; graph outputs are read from device
 * memory. */
static void touch_downloads(const ses_plan *p, host_tensor *t, const bool *read_on_cpu, const ses_segment *s,
                            int32_t at)
{
    for (int i = 0; i < s->n_downloads; i++)
        if (read_on_cpu[s->downloads[i].tensor]) touch(p, t, s->downloads[i].tensor, at);
}

static bool views_are_on(const ses_plan *p)
{
    return !p->options->reference && gr_pass_is_on(&pass_views, p->options->disable_passes);
}

/* What a view shows, and what Split and Slice cut out in one stretch, lies in the input. */
static void share_memory(ses_plan *p, host_tensor *t, gr_id i)
{
    const gr_node *n = &p->graph.nodes[i];
    bool cuts = views_are_on(p) && (n->op == OP_Split || n->op == OP_Slice);
    uint64_t from = 0, to;
    for (int k = 0; k < (p->places[i].view ? 1 : n->n_out); k++) {
        if (n->out[k] == GR_NONE) continue;
        if (!p->places[i].view && !(cuts && op_strided_stretch(&p->graph, n, k, &from, &to))) continue;
        t[n->out[k]].root = n->in[0];
        t[n->out[k]].at = from;
        char *source = p->host[n->in[0]];
        p->host[n->out[k]] = source ? source + from : NULL;
    }
}

/* What a Concat joins is made in its place, if it has memory of its own and no other place yet. */
static void place_parts(ses_plan *p, host_tensor *t, gr_id i)
{
    const gr_graph *g = &p->graph;
    const gr_node *n = &g->nodes[i];
    for (int k = 0; k < n->n_in && views_are_on(p); k++) {
        uint64_t from, to, at;
        gr_id part = root_at(t, n->in[k], &at);
        const gr_tensor *whole = &g->tensors[part];
        bool own = !p->host[part] && !(whole->flags & GR_INPUT) && root_of(t, n->out[0]) != part;
        if (!own || at || gr_bytes(whole) != gr_bytes(&g->tensors[n->in[k]])) continue;
        if (!op_strided_stretch(g, n, k, &from, &to)) continue;
        t[part].root = n->out[0];
        t[part].at = to;
    }
}

static void touch_cpu_node(ses_plan *p, host_tensor *t, gr_id i)
{
    const gr_node *n = &p->graph.nodes[i];
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] != GR_NONE) touch(p, t, n->in[k], i);
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] != GR_NONE) touch(p, t, n->out[k], i);
}

static void find_lifetimes(ses_plan *p, host_tensor *t, bool *read_on_cpu)
{
    gr_graph *g = &p->graph;
    int32_t end = g->n_nodes;
    for (gr_id i = 0; i < g->n_tensors; i++) {
        t[i] = (host_tensor){.root = i, .first = INT32_MAX, .last = -1};
        p->host[i] = (void *)(uintptr_t)g->tensors[i].data;
    }
    for (gr_id i = 0; i < g->n_nodes; i++)
        if (!p->places[i].gpu) share_memory(p, t, i);
    for (gr_id i = 0; i < g->n_nodes; i++)
        if (!p->places[i].gpu && g->nodes[i].op == OP_Concat) place_parts(p, t, i);
    for (int s = 0; s < p->n_segments; s++)
        for (gr_id i = p->segments[s].first;
             !p->segments[s].gpu && i < p->segments[s].first + p->segments[s].count; i++)
            for (int k = 0; k < g->nodes[i].n_in; k++)
                if (g->nodes[i].in[k] != GR_NONE) read_on_cpu[g->nodes[i].in[k]] = true;
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        if (seg->gpu) {
            touch_uploads(p, t, seg, seg->first);
            touch_downloads(p, t, read_on_cpu, seg, seg->first + seg->count - 1);
        } else {
            for (gr_id i = seg->first; i < seg->first + seg->count; i++) touch_cpu_node(p, t, i);
        }
    }
    /* An input keeps its value between runs; an output stays until the next run. */
    for (int i = 0; i < g->n_inputs; i++) {
        gr_tensor *in = &g->tensors[g->inputs[i]];
        if (read_on_cpu[g->inputs[i]] || in->flags & GR_OUTPUT || p->options->keep) {
            touch(p, t, g->inputs[i], -1);
            touch(p, t, g->inputs[i], end);
        }
    }
    for (gr_id i = 0; i < g->n_tensors; i++) {
        bool stays = g->tensors[i].flags & GR_OUTPUT || p->options->keep;
        if (stays && t[root_of(t, i)].needed) touch(p, t, i, end);
    }
}

static vki_status assign_memory(ses_plan *p, const host_tensor *t, vki_error *err)
{
    gr_graph *g = &p->graph;
    memplan_item *items = vkb_calloc(p->allocator, (size_t)g->n_tensors, sizeof *items);
    if (!items) return vkb_nomem(err, (uint64_t)g->n_tensors * sizeof *items);
    int count = 0;
    for (gr_id i = 0; i < g->n_tensors; i++)
        if (t[i].root == i && t[i].needed)
            items[count++] = (memplan_item){gr_bytes(&g->tensors[i]), t[i].first + 1, t[i].last + 1, 0};
    vki_status status =
        memplan_solve(items, count, 64, p->allocator, &p->host_bytes, &p->host_lower_bound, err);
    if (status == VKI_OK && count) { /* of no bytes, too: all of them have an address */
        p->host_arena = p->host_bytes <= SIZE_MAX ? vkb_alloc(p->allocator, (size_t)p->host_bytes) : NULL;
        if (!p->host_arena) status = vkb_nomem(err, p->host_bytes);
    }
    if (status == VKI_OK) {
        count = 0;
        for (gr_id i = 0; i < g->n_tensors; i++)
            if (t[i].root == i && t[i].needed) p->host[i] = (char *)p->host_arena + items[count++].offset;
        for (gr_id i = 0; i < g->n_tensors; i++)
            if (!p->host[i] && t[i].root != i) {
                uint64_t at;
                char *root = p->host[root_at(t, i, &at)];
                p->host[i] = root ? root + at : NULL;
            }
    }
    vkb_free(p->allocator, items);
    return status;
}

static vki_status choose_kernel(ses_plan *p, ses_step *step, vki_error *err)
{
    gr_node *n = &p->graph.nodes[step->node];
    const cpu_kernel *k = p->options->reference ? NULL : cpu_op_of(n->op)->kernels;
    while (k && k->name && !k->fits(&p->graph, n)) k++;
    step->kernel = k && k->name ? k : NULL;
    p->places[step->node].reason =
        !step->kernel ? "no fast kernel fits: the reference runs" : "first candidate that fits";
    cpu_prep prep = {.g = &p->graph, .n = n, .threads = p->options->threads, .arena = &p->graph.arena};
    if (step->kernel && step->kernel->prepare) VKB_TRY(step->kernel->prepare(&prep, err));
    VKB_TRY(ses_cpu_weights_get(p->model->cpu_weights, &prep, &step->call.weights, err));
    step->call.state = prep.state;
    step->weight_bytes = prep.weight_bytes;
    if (prep.scratch_bytes > p->scratch_bytes) p->scratch_bytes = prep.scratch_bytes;
    for (int i = 0; i < n->n_in && !prep.weight_bytes; i++)
        if (gr_is_const(&p->graph, n->in[i])) p->cpu_constant_bytes += gr_bytes(&p->graph.tensors[n->in[i]]);
    return VKI_OK;
}

/* Room for the dimensions that the kernel tells. */
static vki_status make_dims(ses_plan *p, ses_step *step, const gr_node *n, vki_error *err)
{
    size_t count = (size_t)p->graph.n_tensors;
    if (!(op_get(n->op)->flags & OP_DATA_SHAPED)) return VKI_OK;
    if (!p->dims) p->dims = vkb_calloc(p->allocator, count, sizeof *p->dims);
    step->call.dims = vkb_arena_alloc(&p->graph.arena, (size_t)n->n_out * sizeof *step->call.dims + 1);
    if (!p->dims || !step->call.dims) return vkb_nomem(err, count * sizeof *p->dims);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) p->dims[n->out[i]] = step->call.dims[i];
    return VKI_OK;
}

static vki_status make_step(ses_plan *p, ses_step *step, vki_error *err)
{
    gr_node *n = &p->graph.nodes[step->node];
    const char *reason = p->places[step->node].reason;
    const void **in = vkb_arena_alloc(&p->graph.arena, (size_t)n->n_in * sizeof *in + 1);
    void **out = vkb_arena_alloc(&p->graph.arena, (size_t)n->n_out * sizeof *out + 1);
    if (!in || !out) return vkb_nomem(err, (uint64_t)(n->n_in + n->n_out) * sizeof *in);
    for (int i = 0; i < n->n_in; i++) in[i] = n->in[i] == GR_NONE ? NULL : p->host[n->in[i]];
    for (int i = 0; i < n->n_out; i++) out[i] = n->out[i] == GR_NONE ? NULL : p->host[n->out[i]];
    step->call = (cpu_call){.g = &p->graph, .n = n, .in = in, .out = out};
    if (p->places[step->node].view) return VKI_OK;
    VKB_TRY(make_dims(p, step, n, err));
    VKB_TRY(choose_kernel(p, step, err));
    if (!p->model->context->limits || p->options->placement == VKI_PLACE_CPU_ONLY) return VKI_OK;
    p->places[step->node].reason = reason; /* why it is not on the device says more */
    return VKI_OK;
}

static vki_status make_steps(ses_plan *p, vki_error *err)
{
    int count = 0;
    for (int s = 0; s < p->n_segments; s++) count += p->segments[s].gpu ? 0 : p->segments[s].count;
    p->steps = vkb_calloc(p->allocator, (size_t)count, sizeof *p->steps);
    if (!p->steps) return vkb_nomem(err, (uint64_t)count * sizeof *p->steps);
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        for (gr_id i = seg->first; !seg->gpu && i < seg->first + seg->count; i++) {
            p->steps[p->n_steps].node = i;
            p->steps[p->n_steps].us = -1;
            VKB_TRY(make_step(p, &p->steps[p->n_steps++], err));
        }
    }
    if (!p->scratch_bytes) return VKI_OK;
    p->scratch = p->scratch_bytes <= SIZE_MAX ? vkb_alloc(p->allocator, (size_t)p->scratch_bytes) : NULL;
    return p->scratch ? VKI_OK : vkb_nomem(err, p->scratch_bytes);
}

/* A CPU segment and the GPU segment before it run at once where the first reads nothing of the second: what
 * the one leaves in host memory is alive over both, so nothing of the other lies there. */
static void find_waits(ses_plan *p)
{
    for (int s = 1; s < p->n_segments; s++) {
        ses_segment *seg = &p->segments[s], *before = &p->segments[s - 1];
        for (gr_id i = seg->first; !seg->gpu && i < seg->first + seg->count; i++) {
            const gr_node *n = &p->graph.nodes[i];
            for (int k = 0; k < n->n_in; k++)
                for (int d = 0; d < before->n_downloads; d++)
                    seg->waits = seg->waits || n->in[k] == before->downloads[d].tensor;
        }
    }
}

vki_status ses_host_plan(ses_plan *p, vki_error *err)
{
    size_t n = (size_t)p->graph.n_tensors;
    p->host = vkb_calloc(p->allocator, n, sizeof *p->host);
    host_tensor *t = vkb_calloc(p->allocator, n, sizeof *t);
    bool *read_on_cpu = vkb_calloc(p->allocator, n, sizeof *read_on_cpu);
    vki_status status = p->host && t && read_on_cpu ? VKI_OK : vkb_nomem(err, n * sizeof *t);
    if (status == VKI_OK) {
        find_lifetimes(p, t, read_on_cpu);
        status = assign_memory(p, t, err);
    }
    if (status == VKI_OK) status = make_steps(p, err);
    if (status == VKI_OK) find_waits(p);
    vkb_free(p->allocator, t);
    vkb_free(p->allocator, read_on_cpu);
    return status;
}
