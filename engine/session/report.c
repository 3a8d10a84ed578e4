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

static void report_node(const ses_plan *p, gr_id i, bool timed, vki_report_fn fn, void *user)
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
        .kernel = place->view && !place->gpu ? "view"
                  : place->gpu               ? place->kernel->name
                  : step && step->kernel     ? step->kernel->name
                                             : "reference",
        .reason = reason,
        .output = n->n_out && n->out[0] != GR_NONE ? g->tensors[n->out[0]].name : "",
        .us = node_us(p, i, step, timed),
        .macs = cost.macs,
        .bytes = free_of_cost ? 0 : cost.bytes,
        .dispatches = place->n_dispatches,
    };
    fn(user, &r);
}

vki_status vki_session_report(const vki_session *s, vki_report_fn fn, void *user)
{
    if (!s || !fn) return VKI_E_ARG;
    if (!s->plan) return VKI_E_STATE;
    ses_plan *p = s->plan;
    bool timed = p->device && s->ran && vkr_plan_times(p->device, p->dispatch_us);
    for (gr_id i = 0; i < p->graph.n_nodes; i++) report_node(p, i, timed, fn, user);
    return VKI_OK;
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
        .dispatches = info.dispatches,
        .barriers = info.barriers,
        .pipelines = info.pipelines,
        .segments = p->n_segments,
        .load_ms = s->model->load_ms,
        .plan_ms = p->plan_ms,
        .pipelines_ms = info.pipelines_ms,
        .first_run_ms = s->first_run_ms,
    };
    return VKI_OK;
}
