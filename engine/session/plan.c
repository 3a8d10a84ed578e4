/* SPDX-License-Identifier: Apache-2.0
 * From a graph with concrete shapes to a plan. */
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

bool ses_plan_is_view(const ses_plan *p, gr_id node)
{
    return op_get(p->graph.nodes[node].op)->flags & OP_VIEW;
}

void ses_find_cpu_reads(const ses_plan *p, bool *read)
{
    for (gr_id i = 0; i < p->graph.n_nodes; i++) {
        const gr_node *n = &p->graph.nodes[i];
        for (int k = 0; k < n->n_in && !p->places[i].gpu; k++)
            if (n->in[k] != GR_NONE) read[n->in[k]] = true;
    }
}

/* Several runs share the memory of a plan if it is one stretch of commands, which the device runs in order;
 * what is looked at between or after its dispatches would be of any of the runs. */
static bool runs_in_order(const ses_plan *p)
{
    const gr_graph *g = &p->graph;
    for (int i = 0; i < g->n_inputs; i++)
        if (g->tensors[g->inputs[i]].flags & GR_OUTPUT) return false;
    return p->n_segments == 1 && p->segments[0].gpu && !p->options->keep && !p->options->profile;
}

uint64_t ses_plan_weight_bytes(const ses_plan *p)
{
    uint64_t bytes = p->cpu_constant_bytes + ses_cpu_weights_bytes(p->model->cpu_weights);
    if (p->model->device_weights) return bytes + vkr_weights_bytes(p->model->device_weights);
    for (int i = 0; i < p->program.n_weights; i++) bytes += p->program.weights[i].bytes; /* planned only */
    return bytes;
}

typedef struct brought { /* packed weights that a plan brings */
    uint64_t key, bytes;
} brought;

static int by_key(const void *a, const void *b)
{
    const brought *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* The same once the plan is made, packed weights that it brings included, each once. */
static vki_status weight_bytes_then(const ses_plan *p, uint64_t *bytes, vki_error *err)
{
    int n = 0;
    brought *list = vkb_calloc(p->allocator, (size_t)p->n_steps + 1, sizeof *list);
    if (!list) return vkb_nomem(err, (uint64_t)p->n_steps * sizeof *list);
    *bytes = ses_plan_weight_bytes(p);
    if (p->model->device_weights)
        *bytes += vkr_weights_missing(p->model->device_weights, &p->graph, p->program.weights,
                                      p->program.n_weights);
    for (int i = 0; i < p->n_steps; i++) {
        const cpu_prep *prep = p->steps[i].prep;
        if (prep && !ses_cpu_weights_have(p->model->cpu_weights, prep))
            list[n++] = (brought){ses_cpu_weights_key(prep), prep->weight_bytes};
    }
    qsort(list, (size_t)n, sizeof *list, by_key);
    for (int i = 0; i < n; i++)
        if (!i || list[i].key != list[i - 1].key) *bytes += list[i].bytes;
    vkb_free(p->allocator, list);
    return VKI_OK;
}

static uint64_t beyond(uint64_t bytes, uint64_t reserved)
{
    return bytes > reserved ? bytes : 0;
}

uint64_t ses_plan_own_bytes(const ses_plan *p)
{
    const ses_reserve none = {0}, *r = p->reserve ? p->reserve : &none;
    return beyond(p->host_bytes, r->host_bytes) + beyond(p->arena_bytes, r->arena_bytes) +
           beyond(p->staging_bytes, r->staging_bytes);
}

static uint64_t memory_bytes(const ses_plan *p)
{
    bool measuring = p->reserve && p->reserve->measuring;
    return measuring ? p->host_bytes + p->arena_bytes + p->staging_bytes
                     : ses_plan_own_bytes(p) + ses_reserve_bytes(p->reserve);
}

/* Before anything large is allocated: whether the plan is within the limit; if not, whether it is with the
 * CPU kernels that take the least memory. */
static vki_status fit_limit(ses_plan *p, vki_error *err)
{
    const uint64_t limit = p->options->memory_limit;
    uint64_t weights;
    if (!limit) return VKI_OK;
    VKB_TRY(weight_bytes_then(p, &weights, err));
    if (weights + memory_bytes(p) <= limit) return VKI_OK;
    if (p->n_steps && !p->options->reference) {
        p->thrifty = true;
        ses_host_forget(p);
        VKB_TRY(ses_host_plan(p, err));
        VKB_TRY(weight_bytes_then(p, &weights, err));
    }
    uint64_t memory = memory_bytes(p);
    if (weights + memory <= limit) return VKI_OK;
    return vkb_fail(err, VKI_E_NOMEM,
                    "the plan needs %llu bytes (weights %llu, activations and staging %llu), more than "
                    "the memory_limit of %llu",
                    (unsigned long long)(weights + memory), (unsigned long long)weights,
                    (unsigned long long)memory, (unsigned long long)limit);
}

/* Where all is in one place, the order is open: the one that takes the least memory. Else it is made for few
 * crossings (order.c). */
static vki_status place(ses_plan *p, vki_error *err)
{
    VKB_TRY(ses_place_nodes(p, err));
    bool wanted = !p->options->reference && gr_pass_is_on(&pass_memory_order, p->options->disable_passes);
    if (!wanted || p->n_segments != 1) return VKI_OK;
    VKB_TRY(gr_order_for_memory(&p->graph, err));
    vkb_free(p->allocator, p->places);
    p->places = NULL;
    p->n_segments = 0;
    return ses_place_nodes(p, err);
}

static vki_status build(ses_plan *p, vki_error *err)
{
    VKB_TRY(place(p, err));
    if (!runs_in_order(p)) p->slots = 1;
    p->unified = p->model->context->unified && p->slots == 1;
    VKB_TRY(ses_device_plan(p, err));
    VKB_TRY(ses_host_plan(p, err));
    VKB_TRY(fit_limit(p, err));
    if (p->reserve && p->reserve->measuring) {
        ses_reserve_measure(p->reserve, p);
        return VKI_OK;
    }
    VKB_TRY(ses_device_make(p, err));
    return ses_host_make(p, err);
}

vki_status ses_plan_create(vki_model *model, const ses_options *options, gr_graph *graph, ses_bond *bonds,
                           int n_bonds, int slots, ses_reserve *reserve, double start_ms, ses_plan **out,
                           vki_error *err)
{
    *out = NULL;
    const vki_allocator *a = &model->context->allocator;
    ses_plan *p = vkb_calloc(a, 1, sizeof *p);
    if (!p) return vkb_nomem(err, sizeof *p);
    p->allocator = a;
    p->model = model;
    p->options = options;
    p->graph = *graph;
    p->bonds = bonds;
    p->n_bonds = n_bonds;
    p->slots = slots;
    p->reserve = reserve;
    gr_init(graph, a);
    vki_status status = build(p, err);
    if (status != VKI_OK) {
        ses_plan_destroy(&p);
        return status;
    }
    p->plan_ms = vkb_now_ms() - start_ms;
    if (p->device) {
        vkr_plan_info info;
        vkr_plan_info_get(p->device, &info);
        p->plan_ms -= info.pipelines_ms;
    }
    *out = p;
    return VKI_OK;
}

void ses_plan_destroy(ses_plan **plan)
{
    ses_plan *p = *plan;
    if (!p) return;
    const vki_allocator *a = p->allocator;
    vkr_plan_destroy(&p->device);
    gpu_program_free(&p->program, a);
    for (int i = 0; i < p->n_segments; i++) {
        vkb_free(a, p->segments[i].uploads);
        vkb_free(a, p->segments[i].downloads);
    }
    vkb_free(a, p->segments);
    vkb_free(a, p->places);
    ses_host_forget(p);
    vkb_free(a, p->dims);
    if (!p->reserve || p->host_arena != p->reserve->host) vkb_free(a, p->host_arena);
    vkb_free(a, p->down);
    vkb_free(a, p->dispatch_us);
    gr_free(&p->graph);
    vkb_free(a, p);
    *plan = NULL;
}
