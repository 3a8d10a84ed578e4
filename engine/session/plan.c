/* SPDX-License-Identifier: Apache-2.0
 * From a model and concrete input shapes to a plan. */
#include "session/session.h"

#include <string.h>

bool ses_plan_is_view(const ses_plan *p, gr_id node)
{
    return op_get(p->graph.nodes[node].op)->flags & OP_VIEW;
}

/* Everything that reads a shape must know it by now; says what is missing otherwise. */
static vki_status check_concrete(const gr_graph *g, vki_error *err)
{
    gr_id unknown;
    if (gr_all_concrete(g, &unknown)) return VKI_OK;
    for (int i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        for (int o = 0; o < n->n_out; o++)
            if (n->out[o] == unknown)
                return vkb_fail_node(
                    err, VKI_E_UNSUPPORTED, n->name, op_get(n->op)->name,
                    "the shape of %s (output of node %s, %s) depends on values that are only known "
                    "while the network runs; this version needs shapes that follow from the inputs'",
                    g->tensors[unknown].name, n->name, op_get(n->op)->name);
    }
    return vkb_fail(err, VKI_E_SHAPE,
                    "the shape of input %s is not known: give it in the options or by "
                    "vki_session_reshape",
                    g->tensors[unknown].name);
}

static vki_status make_graph(ses_plan *p, const vki_shape *shapes, int count, vki_error *err)
{
    const ses_options *o = p->options;
    bool plain = o->reference || (o->disable_passes && *o->disable_passes);
    VKB_TRY(gr_clone(&p->graph, plain ? &p->model->source : &p->model->optimized, err));
    VKB_TRY(gr_bind_shapes(&p->graph, shapes, count, err));
    gr_pass_options passes = {&ses_evaluator, o->disable_passes, o->reference};
    VKB_TRY(gr_optimize(&p->graph, &passes, err));
    return check_concrete(&p->graph, err);
}

static vki_status build(ses_plan *p, const vki_shape *shapes, int count, vki_error *err)
{
    VKB_TRY(make_graph(p, shapes, count, err));
    VKB_TRY(ses_place_nodes(p, err));
    VKB_TRY(ses_device_plan(p, err));
    return ses_host_plan(p, err);
}

uint64_t ses_plan_weight_bytes(const ses_plan *p)
{
    uint64_t bytes = p->cpu_constant_bytes + ses_cpu_weights_bytes(p->model->cpu_weights);
    if (p->model->device_weights) return bytes + vkr_weights_bytes(p->model->device_weights);
    for (int i = 0; i < p->program.n_weights; i++) bytes += p->program.weights[i].bytes; /* planned only */
    return bytes;
}

static vki_status check_limit(const ses_plan *p, vki_error *err)
{
    uint64_t weights = ses_plan_weight_bytes(p);
    uint64_t total = weights + p->host_bytes + p->scratch_bytes + p->arena_bytes + p->staging_bytes;
    if (!p->options->memory_limit || total <= p->options->memory_limit) return VKI_OK;
    return vkb_fail(err, VKI_E_NOMEM,
                    "the plan needs %llu bytes (weights %llu, activations and staging %llu), more than "
                    "the memory_limit of %llu",
                    (unsigned long long)total, (unsigned long long)weights,
                    (unsigned long long)(total - weights), (unsigned long long)p->options->memory_limit);
}

vki_status ses_plan_create(vki_model *model, const ses_options *options, const vki_shape *shapes, int count,
                           ses_plan **out, vki_error *err)
{
    *out = NULL;
    double start = vkb_now_ms();
    const vki_allocator *a = &model->context->allocator;
    ses_plan *p = vkb_calloc(a, 1, sizeof *p);
    if (!p) return vkb_nomem(err, sizeof *p);
    p->allocator = a;
    p->model = model;
    p->options = options;
    gr_init(&p->graph, a);
    vki_status status = build(p, shapes, count, err);
    if (status == VKI_OK) status = check_limit(p, err);
    if (status != VKI_OK) {
        ses_plan_destroy(&p);
        return status;
    }
    p->plan_ms = vkb_now_ms() - start;
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
    vkb_free(a, p->host);
    vkb_free(a, p->host_arena);
    vkb_free(a, p->scratch);
    vkb_free(a, p->steps);
    vkb_free(a, p->down);
    vkb_free(a, p->dispatch_us);
    gr_free(&p->graph);
    vkb_free(a, p);
    *plan = NULL;
}
