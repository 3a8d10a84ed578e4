/* SPDX-License-Identifier: Apache-2.0 */
#include "session/flight.h"

#include "cpu/half.h"
#include "cpu/narrow.h"

#include <stdio.h>
#include <string.h>

/* ---- what is known of the nodes of a plan ---- */

typedef struct figures {   /* by node */
    const ses_step **step; /* NULL on the device */
    cost_work *work;
    double *estimated_us, *us; /* us: measured; -1: not */
} figures;

static void figures_free(figures *f, const vki_allocator *a)
{
    vkb_free(a, f->step);
    vkb_free(a, f->work);
    vkb_free(a, f->estimated_us);
    vkb_free(a, f->us);
}

/* timed: the plan has the times of its dispatches. Conversions for the host belong to no node. */
static void measure(const ses_plan *p, bool timed, figures *f)
{
    const bool profiled = p->options->profile;
    for (gr_id i = 0; i < p->graph.n_nodes; i++) {
        const ses_place *place = &p->places[i];
        f->us[i] = -1;
        if (profiled && place->gpu && timed) f->us[i] = 0;
        if (profiled && !place->gpu && place->view) f->us[i] = 0;
        if (profiled && !place->gpu && !place->view && f->step[i]) f->us[i] = f->step[i]->us;
    }
    for (int d = 0; profiled && timed && d < p->program.n_dispatches; d++) {
        const gr_id node = p->program.dispatches[d].node;
        if (node != GR_NONE && p->places[node].gpu) f->us[node] += p->dispatch_us[d];
    }
}

static bool figures_make(figures *f, const ses_plan *p, bool timed)
{
    const size_t n = (size_t)p->graph.n_nodes;
    f->step = vkb_calloc(p->allocator, n, sizeof *f->step);
    f->work = vkb_calloc(p->allocator, n, sizeof *f->work);
    f->estimated_us = vkb_calloc(p->allocator, n, sizeof *f->estimated_us);
    f->us = vkb_calloc(p->allocator, n, sizeof *f->us);
    if (!f->step || !f->work || !f->estimated_us || !f->us) return false;
    for (int i = 0; i < p->n_steps; i++) f->step[p->steps[i].node] = &p->steps[i];
    ses_nodes_work(p, f->work, f->estimated_us);
    measure(p, timed, f);
    return true;
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

static bool fill_names(const gr_graph *g, const gr_node *n, name_list *names)
{
    if (!VKB_GROW(g->allocator, names->items, names->capacity, n->n_in + n->n_out + 1)) return false;
    const char **next = names->items;
    for (int i = 0; i < n->n_in; i++) *next++ = n->in[i] == GR_NONE ? NULL : g->tensors[n->in[i]].name;
    for (int i = 0; i < n->n_out; i++) *next++ = n->out[i] == GR_NONE ? NULL : g->tensors[n->out[i]].name;
    return true;
}

static const char *kernel_name(const ses_place *place, const ses_step *step)
{
    if (place->gpu) return place->kernel->name;
    if (place->merged) return place->merged;
    if (place->view) return "view";
    return step && step->kernel ? step->kernel->name : "reference";
}

/* ---- why this kernel ---- */

typedef struct text {
    char text[640];
    size_t used;
} text;

static void append(text *t, const char *a, const char *b, const char *c)
{
    int n = snprintf(t->text + t->used, sizeof t->text - t->used, "%s%s%s", a, b, c);
    if (n > 0) t->used = (size_t)vkb_min((int64_t)t->used + n, (int64_t)sizeof t->text - 1);
}

/* Else it is a kernel of several nodes. */
static bool is_candidate(const gr_node *n, const gpu_kernel *kernel)
{
    const gpu_kernel *k = gpu_op_of(n->op)->kernels;
    while (k && k->name && k != kernel) k++;
    return k && k->name;
}

/* The candidates before the one that was chosen, and what they cannot take. b: of the plan's graph, with the
 * nodes before this one emitted, as it was then. */
static void skipped_on_device(text *t, const gpu_builder *b, const gr_node *n, const gpu_kernel *chosen)
{
    for (const gpu_kernel *k = gpu_op_of(n->op)->kernels; is_candidate(n, chosen) && k != chosen; k++) {
        const char *why = "";
        append(t, "; not ", k->name, "");
        if (!gpu_takes(b, n, k, &why) && *why) append(t, " (", why, ")");
    }
}

static void skipped_on_cpu(text *t, const gr_node *n, const ses_step *step)
{
    const cpu_kernel *k = cpu_op_of(n->op)->kernels;
    if (step &&
        (step->kernel == &cpu_expansion || step->kernel == &cpu_matmul_narrow || cpu_is_half(step->kernel)))
        return; /* of no list */
    for (; step && step->kernel && k != step->kernel; k++) append(t, "; not ", k->name, "");
}

static void report_node(const ses_plan *p, gr_id i, const figures *f, const gpu_builder *b,
                        const name_list *names, vki_report_fn fn, void *user)
{
    const gr_graph *g = &p->graph;
    const gr_node *n = &g->nodes[i];
    const ses_place *place = &p->places[i];
    const ses_step *step = f->step[i];
    const cost_work work = f->work[i];
    op_cost cost;
    op_cost_of(g, n, &cost);
    text reason = {"", 0};
    append(&reason, place->reason, "", "");
    if (place->gpu)
        skipped_on_device(&reason, b, n, place->kernel);
    else if (!place->view && !p->options->reference)
        skipped_on_cpu(&reason, n, step);
    bool narrow;
    const char *storage = ses_storage_text(p, i, step, &narrow);
    if (storage) append(&reason, narrow ? "; weights as " : "; weights as fp32: ", storage, "");
    const char *single = ses_half_text(p, i, step);
    if (single) append(&reason, "; arithmetic in fp32: ", single, "");
    bool free_of_cost = place->view && !place->merged && !place->n_dispatches;
    vki_node_report r = {
        .name = n->name,
        .op = op_get(n->op)->name,
        .place = free_of_cost ? "none"
                 : place->gpu ? "vulkan"
                              : "cpu",
        .kernel = kernel_name(place, step),
        .reason = reason.text,
        .output = n->n_out && n->out[0] != GR_NONE ? g->tensors[n->out[0]].name : "",
        .us = f->us[i],
        .macs = cost.macs,
        .bytes = work.read + work.written,
        .dispatches = place->n_dispatches,
        .segment = segment_of(p, i),
        .arena_offset = n->n_out ? offset_of(p, place, n->out[0]) : -1,
        .inputs = names->items,
        .outputs = names->items + n->n_in,
        .input_count = n->n_in,
        .output_count = n->n_out,
        .fused = n->fused,
        .read_bytes = work.read,
        .written_bytes = work.written,
        .estimated_us = f->estimated_us[i],
    };
    fn(user, &r);
}

static void report_loop(const gr_graph *g, const name_list *names, vki_report_fn fn, void *user)
{
    const gr_node *n = &g->nodes[0];
    vki_node_report r = {
        .name = n->name,
        .op = op_get(n->op)->name,
        .place = "cpu",
        .kernel = "loop",
        .reason = "the host counts; the nodes of the body run as plans of their own",
        .output = g->tensors[n->out[0]].name,
        .us = -1,
        .segment = -1,
        .arena_offset = -1,
        .inputs = names->items,
        .outputs = names->items + n->n_in,
        .input_count = n->n_in,
        .output_count = n->n_out,
        .fused = "",
    };
    fn(user, &r);
}

typedef struct report {
    bool ran;
    vki_report_fn fn;
    void *user;
    name_list names;
    vki_status status;
} report;

static void report_stage(void *user, ses_stage *stage)
{
    report *r = user;
    const ses_plan *p = stage->plan;
    const gr_graph *g = p ? &p->graph : &stage->loop;
    const gpu_limits *limits = p ? p->model->context->limits : NULL;
    gpu_builder b = {0};
    gpu_program none = {0};
    if (limits && r->status == VKI_OK)
        r->status = gpu_builder_init(&b, g, limits, p->options->half, &none, NULL);
    figures f = {0};
    bool timed = p && p->device && r->ran && vkr_plan_times(p->device, p->dispatch_us);
    if (p && r->status == VKI_OK && !figures_make(&f, p, timed)) r->status = VKI_E_NOMEM;
    for (gr_id i = 0; i < g->n_nodes && r->status == VKI_OK; i++) {
        if (!fill_names(g, &g->nodes[i], &r->names))
            r->status = VKI_E_NOMEM;
        else if (p)
            report_node(p, i, &f, &b, &r->names, r->fn, r->user);
        else
            report_loop(g, &r->names, r->fn, r->user);
        const ses_place *place = p ? &p->places[i] : NULL;
        if (r->status == VKI_OK && place && place->gpu && is_candidate(&g->nodes[i], place->kernel))
            r->status = gpu_foresee(&b, i, place->kernel);
    }
    figures_free(&f, g->allocator);
    gpu_program_free(&none, g->allocator);
    gpu_builder_free(&b);
}

vki_status vki_session_report(const vki_session *s, vki_report_fn fn, void *user)
{
    if (!s || !fn) return VKI_E_ARG;
    if (!s->plan || ses_in_flight(s)) return VKI_E_STATE;
    report r = {.ran = s->last != NULL, .fn = fn, .user = user};
    ses_stages_each(s, report_stage, &r);
    vkb_free(s->plan->allocator, r.names.items);
    return r.status;
}

typedef struct sums {
    vki_session_stats *stats;
    vki_status status;
} sums;

static void count_stage(void *user, ses_stage *stage)
{
    sums *sum = user;
    vki_session_stats *t = sum->stats;
    const ses_plan *p = stage->plan;
    figures f = {0};
    t->nodes += p ? p->graph.n_nodes : stage->loop.n_nodes;
    if (!p) return;
    vkr_plan_info info = {0};
    if (p->device) vkr_plan_info_get(p->device, &info);
    if (!figures_make(&f, p, false)) {
        sum->status = VKI_E_NOMEM;
        figures_free(&f, p->allocator);
        return;
    }
    const ses_traffic traffic = ses_plan_traffic(p, f.work, f.estimated_us);
    figures_free(&f, p->allocator);
    t->submits += traffic.submits;
    t->read_bytes += traffic.read;
    t->written_bytes += traffic.written;
    t->traffic_lower_bound += traffic.lower_bound;
    t->transfer_bytes += traffic.transfers;
    t->estimated_ms += traffic.us * 1e-3;
    uint64_t weights = ses_plan_weight_bytes(p);
    if (weights > t->weight_bytes) t->weight_bytes = weights; /* most of them belong to all stages */
    t->activation_bytes += p->host_bytes + p->arena_bytes;
    t->staging_bytes += p->staging_bytes;
    t->activation_lower_bound += p->host_lower_bound + p->arena_lower_bound;
    t->dispatches += p->program.n_dispatches;
    t->barriers += p->barriers;
    t->pipelines += p->pipelines;
    t->segments += p->n_segments;
    t->plan_ms += p->plan_ms;
    t->pipelines_ms += info.pipelines_ms;
}

vki_status vki_session_stats_get(const vki_session *s, vki_session_stats *out)
{
    if (!s || !out || out->size != sizeof *out) return VKI_E_ARG;
    if (!s->plan || ses_in_flight(s)) return VKI_E_STATE;
    *out = (vki_session_stats){.size = sizeof *out,
                               .load_ms = s->model->load_ms,
                               .first_run_ms = s->first_run_ms,
                               .staging_bytes = s->flights->bytes};
    memcpy(out->placement, s->choice.text, sizeof out->placement);
    out->reserved_bytes = ses_reserve_bytes(s->reserve);
    out->stages_follow = !s->root->last;
    for (int i = 0; i < s->n_stages; i++)
        if (s->stages[i]->plan) out->unreserved_bytes += ses_plan_own_bytes(s->stages[i]->plan);
    sums sum = {out, VKI_OK};
    ses_stages_each(s, count_stage, &sum);
    return sum.status;
}
