/* SPDX-License-Identifier: Apache-2.0 */
#include "session/choice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void ses_choice_init(ses_choice *choice, const vki_session_options *o, const vki_context *c)
{
    bool ours = c->chosen || o->tune_ms; /* a device that the caller named is what he wants */
    choice->open = o->placement == VKI_PLACE_AUTO && c->device && ours && !o->reference &&
                   o->precision != VKI_PRECISION_FP16_STORE; /* which the CPU has not */
    choice->islands =
        choice->open || (o->placement == VKI_PLACE_AUTO && c->limits && !c->device); /* planned */
    choice->budget_ms = o->tune_ms ? o->tune_ms : SES_TUNE_MS;
    snprintf(choice->text, sizeof choice->text, "as asked for");
}

/* ---- what a verdict holds for ---- */

/* Sizes within a third of each other: two classes an octave. */
static uint32_t size_class(int64_t size)
{
    uint32_t class = 0;
    for (; size > 3; size >>= 1) class += 2;
    return class + (uint32_t)size;
}

static uint64_t key_of(const vki_session *s, const vki_shape *shapes)
{
    const vki_context *c = s->model->context;
    const ses_options *o = &s->options;
    char cpu[128] = "";
    cpu_features_text(cpu, sizeof cpu);
    const uint64_t numbers[] = {VKI_API_VERSION,
                                vkr_shaders_hash(),
                                (uint64_t)o->threads,
                                c->unified,
                                gr_fingerprint(&s->model->optimized),
                                (uint64_t)o->weights};
    uint64_t key = vkb_hash(numbers, sizeof numbers, 0);
    key =
        vkb_hash(&c->info, sizeof c->info, vkb_hash(cpu, sizeof cpu, key)); /* cleared before it was filled */
    if (o->disable_passes) key = vkb_hash(o->disable_passes, strlen(o->disable_passes), key);
    if (o->cpu_affinity) key = vkb_hash(o->cpu_affinity, strlen(o->cpu_affinity), ~key);
    for (int i = 0; i < s->model->source.n_inputs; i++)
        for (int d = 0; d < shapes[i].rank; d++) {
            uint32_t class = size_class(shapes[i].dims[d]);
            key = vkb_hash(&class, sizeof class, key);
        }
    return key;
}

/* ---- trials ---- */

typedef struct trial {
    vki_model model; /* as the session's, with packed weights of its own, which are gone with the trial */
    const vki_session *s;
    const vki_shape *shapes;
    vki_session *session;
    double ms, estimated_ms;
} trial;

/* Numbers between -1 and 1; integers are zero, which as an index exists. */
static vki_status write_input(vki_session *s, int input, vki_error *err)
{
    const gr_graph *g = &s->plan->graph;
    const gr_tensor *t = &g->tensors[g->inputs[input]];
    const vki_allocator *a = g->allocator;
    size_t bytes = (size_t)gr_bytes(t);
    float *data = vkb_calloc(a, bytes + 1, 1);
    if (!data) return vkb_nomem(err, bytes);
    for (int64_t i = 0; t->dtype == VKI_F32 && i < gr_elements(t); i++)
        data[i] = (float)(i * 37 % 101) * 0.0198f - 1;
    vki_status status = vki_session_write(s, input, data, bytes, err);
    vkb_free(a, data);
    return status;
}

static vki_status open_trial(trial *t, vki_placement placement, vki_error *err)
{
    const vki_model *m = t->s->model;
    const ses_options *o = &t->s->options;
    const vki_session_options options = {.size = sizeof options,
                                         .placement = placement,
                                         .threads = o->threads,
                                         .memory_limit = o->memory_limit,
                                         .shapes = t->shapes,
                                         .shape_count = m->source.n_inputs,
                                         .disable_passes = o->disable_passes,
                                         .cpu_affinity = o->cpu_affinity,
                                         .weights = o->weights,
                                         .packed_percent = o->packed_percent};
    t->model = (vki_model){
        .context = m->context, .source = m->source, .optimized = m->optimized, .constants = m->constants};
    atomic_init(&t->model.references, 1);
    VKB_TRY(ses_cpu_weights_create(&m->context->allocator, &t->model.cpu_weights, err));
    VKB_TRY(vkr_weights_create(m->context->device, &t->model.device_weights, err));
    VKB_TRY(ses_trial_create(&t->model, &options, &t->session, err));
    vki_session_stats stats = {.size = sizeof stats};
    VKB_TRY(vki_session_stats_get(t->session, &stats));
    t->estimated_ms = stats.estimated_ms;
    for (int i = 0; i < m->source.n_inputs; i++) VKB_TRY(write_input(t->session, i, err));
    return VKI_OK;
}

static void close_trial(trial *t)
{
    vki_session_destroy(&t->session);
    vkr_weights_destroy(&t->model.device_weights);
    ses_cpu_weights_destroy(&t->model.cpu_weights);
}

/* The least of several runs after one that does not count: it compiles, and touches memory for the first
 * time. Where that alone takes the time there is, it is the answer. */
static vki_status time_runs(trial *t, double budget_ms, vki_error *err)
{
    enum { RUNS = 20 };
    double start = vkb_now_ms(), left = budget_ms;
    t->ms = SES_LATE;
    for (int i = 0; i <= RUNS && left > 0; i++) {
        double begin = vkb_now_ms();
        vki_status status = vki_session_run(t->session, (uint64_t)(left * 1e6) + 1, err);
        if (status == VKI_E_TIMEOUT) break;
        if (status != VKI_OK) return status;
        double now = vkb_now_ms(), ms = now - begin;
        if (i <= 1 || ms < t->ms) t->ms = ms;
        left = budget_ms - (now - start);
    }
    return VKI_OK;
}

static void try_on(trial *t, vki_placement placement, double budget_ms)
{
    vki_error err = {0};
    vki_status status = open_trial(t, placement, &err);
    if (status == VKI_OK && budget_ms > 0) status = time_runs(t, budget_ms, &err);
    if (status != VKI_OK) t->ms = SES_FAILED;
    close_trial(t);
}

/* ---- the verdict ---- */

static void describe(ses_choice *c, const char *how, double gpu_ms, double cpu_ms, bool cpu)
{
    const double ms[] = {gpu_ms, cpu_ms};
    char text[2][40];
    for (int i = 0; i < 2; i++) {
        if (ms[i] == SES_FAILED)
            snprintf(text[i], sizeof text[i], "failed");
        else if (ms[i] == SES_LATE)
            snprintf(text[i], sizeof text[i], "over %d ms", c->budget_ms / 2);
        else
            snprintf(text[i], sizeof text[i], "%.*f ms", ms[i] < 10 ? 2 : 1, ms[i]);
    }
    snprintf(c->text, sizeof c->text, "%s: GPU %s, CPU %s: %s", how, text[0], text[1], cpu ? "CPU" : "GPU");
}

/* What failed or was late takes for ever. */
static double time_of(double ms)
{
    return ms < 0 ? INFINITY : ms;
}

static void settle(vki_session *s, const ses_verdict *v, const char *how)
{
    ses_choice *c = &s->choice;
    bool cpu = time_of(v->cpu_ms) < time_of(v->gpu_ms);
    describe(c, how, v->gpu_ms, v->cpu_ms, cpu);
    s->options.placement = cpu ? VKI_PLACE_CPU_ONLY : VKI_PLACE_AUTO;
    s->options.choice = c->text;
    c->settled = true;
}

static void try_both(vki_session *s, const vki_shape *shapes)
{
    ses_choice *c = &s->choice;
    double budget = c->budget_ms < 0 ? 0 : c->budget_ms / 2.0;
    trial gpu = {.s = s, .shapes = shapes, .ms = SES_LATE}, cpu = gpu;
    try_on(&cpu, VKI_PLACE_CPU_ONLY, budget);
    try_on(&gpu, VKI_PLACE_GPU_FIRST, budget);
    ses_verdict measured = {c->key, gpu.ms, cpu.ms};
    if (gpu.ms >= 0 || cpu.ms >= 0) {
        /* a failure may have been a want of memory: nothing to remember */
        if (gpu.ms != SES_FAILED && cpu.ms != SES_FAILED)
            ses_verdicts_add(s->model->context->verdicts, &measured);
        settle(s, &measured, "measured");
        return;
    }
    ses_verdict estimated = {c->key, gpu.ms == SES_FAILED ? SES_FAILED : gpu.estimated_ms,
                             cpu.ms == SES_FAILED ? SES_FAILED : cpu.estimated_ms};
    settle(s, &estimated, "estimated");
}

void ses_choose(vki_session *s, const vki_shape *shapes)
{
    ses_choice *c = &s->choice;
    ses_verdict known;
    if (!c->open) return;
    c->key = key_of(s, shapes);
    if (ses_verdicts_find(s->model->context->verdicts, c->key, &known))
        settle(s, &known, "remembered");
    else if (!c->settled)
        try_both(s, shapes);
}
