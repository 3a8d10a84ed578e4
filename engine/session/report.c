/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <stdio.h>
#include <string.h>

/* step: the node's, NULL on the device */
static double node_us(const ses_plan *p, gr_id node, const ses_step *step, bool timed)
{
    const ses_place *place = &p->places[node];
    if (!p->options->profile) return -1;
    if (place->gpu) {
        double us = timed ? 0 : -1;
        for (int d = 0; timed && d < p->program.n_dispatches; d++) /* conversions for the host stand apart */
            if (p->program.dispatches[d].node == node) us += p->dispatch_us[d];
        return us;
    }
    if (place->view) return 0;
    return step ? step->us : -1;
}

static const ses_step *step_of(const ses_plan *p, gr_id node)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].node == node) return &p->steps[i];
    return NULL;
}

/* Where the tensor starts in the arena it lies in; -1 if it lies in none (constants, inputs of the caller's).
 */
static int64_t offset_of(const ses_plan *p, const ses_place *place, gr_id tensor)
{
    if (tensor == GR_NONE) return -1;
    if (place->gpu) {
        for (int i = 0; i < p->program.n_bufs; i++)
            if (p->program.bufs[i].tensor == tensor) return (int64_t)gpu_buf_offset(&p->program, i);
        return -1;
    }
    const char *at = p->host[tensor], *arena = p->host_arena;
    return at && arena && at >= arena && at < arena + p->host_bytes ? at - arena : -1;
}

static int segment_of(const ses_plan *p, gr_id node)
{
    for (int i = 0; i < p->n_segments; i++)
        if (node >= p->segments[i].first && node < p->segments[i].first + p->segments[i].count) return i;
    return -1;
}

/* Names of a node's tensors, as vki_node_report lists them. */
typedef struct name_list {
    const char **items;
    int capacity;
} name_list;

static bool fill_names(const ses_plan *p, const gr_node *n, name_list *names)
{
    if (!VKB_GROW(p->allocator, names->items, names->capacity, n->n_in + n->n_out + 1)) return false;
    const char **next = names->items;
    for (int i = 0; i < n->n_in; i++) *next++ = n->in[i] == GR_NONE ? NULL : p->graph.tensors[n->in[i]].name;
    for (int i = 0; i < n->n_out; i++)
        *next++ = n->out[i] == GR_NONE ? NULL : p->graph.tensors[n->out[i]].name;
    return true;
}

static const char *kernel_name(const ses_place *place, const ses_step *step)
{
    if (place->gpu) return place->kernel->name;
    if (place->view) return "view";
    return step && step->kernel ? step->kernel->name : "reference";
}

static void report_node(const ses_plan *p, gr_id i, bool timed, const name_list *names, vki_report_fn fn,
                        void *user)
{
    const gr_graph *g = &p->graph;
    const gr_node *n = &g->nodes[i];
    const ses_place *place = &p->places[i];
    const ses_step *step = place->gpu ? NULL : step_of(p, i);
    op_cost cost;
    op_cost_of(g, n, &cost);
    char reason[512];
    snprintf(reason, sizeof reason, "%s%s%s", place->reason, *n->fused ? "; fused: " : "", n->fused);
    bool free_of_cost = place->view && !place->n_dispatches;
    vki_node_report r = {
        .name = n->name,
        .op = op_get(n->op)->name,
        .place = free_of_cost ? "none"
                 : place->gpu ? "vulkan"
                              : "cpu",
        .kernel = kernel_name(place, step),
        .reason = reason,
        .output = n->n_out && n->out[0] != GR_NONE ? g->tensors[n->out[0]].name : "",
        .us = node_us(p, i, step, timed),
        .macs = cost.macs,
        .bytes = free_of_cost ? 0 : cost.bytes,
        .dispatches = place->n_dispatches,
        .segment = segment_of(p, i),
        .arena_offset = n->n_out ? offset_of(p, place, n->out[0]) : -1,
        .inputs = names->items,
        .outputs = names->items + n->n_in,
        .input_count = n->n_in,
        .output_count = n->n_out,
    };
    fn(user, &r);
}

vki_status vki_session_report(const vki_session *s, vki_report_fn fn, void *user)
{
    if (!s || !fn) return VKI_E_ARG;
    if (!s->plan) return VKI_E_STATE;
    ses_plan *p = s->plan;
    bool timed = p->device && s->ran && vkr_plan_times(p->device, p->dispatch_us);
    vki_status status = VKI_OK;
    name_list names = {0};
    for (gr_id i = 0; i < p->graph.n_nodes && status == VKI_OK; i++) {
        if (fill_names(p, &p->graph.nodes[i], &names))
            report_node(p, i, timed, &names, fn, user);
        else
            status = VKI_E_NOMEM;
    }
    vkb_free(p->allocator, names.items);
    return status;
}

vki_status vki_session_stats_get(const vki_session *s, vki_session_stats *out)
{
    if (!s || !out || out->size != sizeof *out) return VKI_E_ARG;
    if (!s->plan) return VKI_E_STATE;
    const ses_plan *p = s->plan;
    vkr_plan_info info = {0};
    if (p->device) vkr_plan_info_get(p->device, &info);
    *out = (vki_session_stats){
        .size = sizeof *out,
        .weight_bytes = ses_plan_weight_bytes(p),
        .activation_bytes = p->host_bytes + p->scratch_bytes + p->arena_bytes,
        .staging_bytes = p->staging_bytes,
        .activation_lower_bound = p->host_lower_bound + p->scratch_bytes + p->arena_lower_bound,
        .nodes = p->graph.n_nodes,
        .dispatches = p->program.n_dispatches,
        .barriers = p->barriers,
        .pipelines = p->pipelines,
        .segments = p->n_segments,
        .load_ms = s->model->load_ms,
        .plan_ms = p->plan_ms,
        .pipelines_ms = info.pipelines_ms,
        .first_run_ms = s->first_run_ms,
    };
    return VKI_OK;
}
