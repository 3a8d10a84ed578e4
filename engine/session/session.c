/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/half.h"
#include "session/choice.h"
#include "session/flight.h"

static vki_status read_options(const vki_session_options *given, const vki_model *m, vki_session_options *o,
                               vki_error *err)
{
    memset(o, 0, sizeof *o);
    if (given) {
        if (given->size != sizeof *o)
            return vkb_fail(err, VKI_E_ARG,
                            "vki_session_options.size is %zu, this library expects %zu: set it to "
                            "sizeof(vki_session_options) and build against this library's header",
                            given->size, sizeof *o);
        *o = *given;
    }
    if (o->threads < 0 || o->threads > 1024)
        return vkb_fail(err, VKI_E_ARG, "vki_session_options.threads is %d; it must be 0 to 1024",
                        o->threads);
    if ((unsigned)o->placement > VKI_PLACE_GPU_FIRST || (unsigned)o->precision > VKI_PRECISION_BF16)
        return vkb_fail(err, VKI_E_ARG,
                        "vki_session_options: placement %d or precision %d is not a value of its enum",
                        (int)o->placement, (int)o->precision);
    if ((unsigned)o->weights > VKI_WEIGHTS_INT8)
        return vkb_fail(err, VKI_E_ARG, "vki_session_options: weights %d is not a value of its enum",
                        (int)o->weights);
    if (o->shape_count < 0 || (o->shape_count && !o->shapes))
        return vkb_fail(err, VKI_E_ARG, "vki_session_options: shape_count is %d but shapes is NULL",
                        o->shape_count);
    if (o->range_count < 0 || (o->range_count && !o->ranges))
        return vkb_fail(err, VKI_E_ARG, "vki_session_options: range_count is %d but ranges is NULL",
                        o->range_count);
    if (o->tie_count < 0 || (o->tie_count && !o->ties))
        return vkb_fail(err, VKI_E_ARG, "vki_session_options: tie_count is %d but ties is NULL",
                        o->tie_count);
    if (o->packed_percent < 0)
        return vkb_fail(err, VKI_E_ARG, "vki_session_options.packed_percent is %d; it must not be negative",
                        o->packed_percent);
    if (o->runs_in_flight < 0 || o->runs_in_flight > SES_FLIGHTS_MAX)
        return vkb_fail(err, VKI_E_ARG, "vki_session_options.runs_in_flight is %d; it must be 0 to %d",
                        o->runs_in_flight, SES_FLIGHTS_MAX);
    if (o->placement == VKI_PLACE_GPU_ONLY && !m->context->limits)
        return vkb_fail(err, VKI_E_UNSUPPORTED,
                        "placement is GPU_ONLY, but the context runs on the CPU: create it with "
                        "VKI_BACKEND_VULKAN");
    return VKI_OK;
}

static vki_status resolve_precision(const vki_session_options *o, const vki_model *m, ses_options *out,
                                    vki_error *err)
{
    bool on_gpu = m->context->limits && o->placement != VKI_PLACE_CPU_ONLY;
    switch (o->precision) {
    case VKI_PRECISION_AUTO:
    case VKI_PRECISION_FP32:
        return VKI_OK;
    case VKI_PRECISION_FP16_STORE:
        if (!on_gpu)
            return vkb_fail(err, VKI_E_UNSUPPORTED,
                            "precision FP16_STORE needs a Vulkan device; the CPU computes in fp32");
        if (!m->context->limits->half_storage)
            return vkb_fail(err, VKI_E_UNSUPPORTED,
                            "precision FP16_STORE needs 16-bit storage buffers, which %s does not "
                            "have; use FP32",
                            m->context->info.name);
        out->half = true;
        return VKI_OK;
    case VKI_PRECISION_FP16:
    case VKI_PRECISION_BF16:
        out->bf16 = o->precision == VKI_PRECISION_BF16;
        if (on_gpu)
            return vkb_fail(err, VKI_E_UNSUPPORTED,
                            "precision %s is the CPU's (placement CPU_ONLY); use FP16_STORE on %s",
                            out->bf16 ? "BF16" : "FP16", m->context->info.name);
        if (!cpu_has_half(out->bf16 ? CPU_BF16 : CPU_F16))
            return vkb_fail(err, VKI_E_UNSUPPORTED, "precision %s, which this one has not; use FP32",
                            out->bf16 ? "BF16 needs a CPU with bf16 products (x86 with AVX512-BF16)"
                                      : "FP16 needs a CPU with fp16 arithmetic (64-bit ARM with FEAT_FP16, "
                                        "x86 with AVX512-FP16)");
        out->half_math = !o->reference;
        if (out->half_math && out->weights == VKI_WEIGHTS_FP32) out->weights = VKI_WEIGHTS_FP16;
        return VKI_OK;
    default:
        return vkb_fail(err, VKI_E_UNSUPPORTED, "precision %s is not in this version; use FP32 or FP16_STORE",
                        o->precision == VKI_PRECISION_INT8 ? "INT8" : "of that number");
    }
}

static uint32_t max_submit_us(const vki_session_options *o, const vki_model *m)
{
    if (o->max_submit_us || !m->context->limits) return o->max_submit_us;
    return gpu_max_submit_us(m->context->limits);
}

static vki_status copy_text(const vki_allocator *a, const char *text, char **copy, vki_error *err)
{
    if (!text) return VKI_OK;
    const size_t bytes = strlen(text) + 1;
    *copy = vkb_alloc(a, bytes);
    if (!*copy) return vkb_nomem(err, bytes);
    memcpy(*copy, text, bytes);
    return VKI_OK;
}

static vki_status take_options(vki_session *s, const vki_session_options *o, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    vki_placement placement = o->placement == VKI_PLACE_GPU_FIRST ? VKI_PLACE_AUTO : o->placement;
    ses_choice_init(&s->choice, o, s->model->context);
    s->options = (ses_options){.placement = o->reference ? VKI_PLACE_CPU_ONLY : placement,
                               .islands = s->choice.islands,
                               .profile = o->profile,
                               .reference = o->reference,
                               .keep = o->keep_intermediates,
                               .max_submit_us = max_submit_us(o, s->model),
                               .in_flight = o->runs_in_flight ? o->runs_in_flight : 1,
                               .memory_limit = o->memory_limit,
                               .weights = o->reference ? VKI_WEIGHTS_FP32 : o->weights,
                               .packed_percent = o->packed_percent ? o->packed_percent : 150};
    VKB_TRY(resolve_precision(o, s->model, &s->options, err));
    VKB_TRY(copy_text(a, o->disable_passes, &s->disable_passes, err));
    VKB_TRY(copy_text(a, o->cpu_affinity, &s->cpu_affinity, err));
    s->options.disable_passes = s->disable_passes;
    s->options.cpu_affinity = s->cpu_affinity;
    VKB_TRY(vkb_pool_create_on(a, o->threads, o->cpu_affinity, &s->pool, err));
    s->options.threads = vkb_pool_threads(s->pool);
    return VKI_OK;
}

static vki_status init_shapes(vki_session *s, vki_error *err)
{
    const gr_graph *g = &s->model->source;
    const vki_allocator *a = &s->model->context->allocator;
    s->shapes = vkb_calloc(a, (size_t)g->n_inputs, sizeof *s->shapes);
    s->written = vkb_calloc(a, (size_t)g->n_inputs, sizeof *s->written);
    s->results = vkb_calloc(a, (size_t)g->n_outputs, sizeof *s->results);
    if (!s->shapes || !s->written || !s->results)
        return vkb_nomem(err, (uint64_t)g->n_inputs * sizeof *s->shapes);
    for (int i = 0; i < g->n_inputs; i++) {
        const gr_tensor *t = &g->tensors[g->inputs[i]];
        s->shapes[i] = (vki_shape){t->name, gr_is_concrete(t) ? t->rank : -1, {0}};
        if (t->rank > 0) memcpy(s->shapes[i].dims, t->dims, (size_t)t->rank * sizeof t->dims[0]);
    }
    return VKI_OK;
}

static int find_input(const vki_session *s, const char *name)
{
    for (int i = 0; name && i < s->model->source.n_inputs; i++)
        if (!strcmp(s->shapes[i].input, name)) return i;
    return -1;
}

static vki_status check_shape(const vki_shape *shape, vki_error *err)
{
    if (shape->rank < 0 || shape->rank > VKI_MAX_RANK)
        return vkb_fail(err, VKI_E_ARG, "the shape given for input %s has rank %d; it must be 0 to %d",
                        shape->input, shape->rank, VKI_MAX_RANK);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0)
            return vkb_fail(err, VKI_E_ARG,
                            "the shape given for input %s has dimension %d = %lld; it must be 0 or more",
                            shape->input, i, (long long)shape->dims[i]);
    return VKI_OK;
}

/* Merges the shapes given into those known; plans if all are known then. `merged` has one entry an input. */
static vki_status merge_shapes(const vki_session *s, const vki_shape *shapes, int count, vki_shape *merged,
                               bool *all, vki_error *err)
{
    int n = s->model->source.n_inputs;
    memcpy(merged, s->shapes, (size_t)n * sizeof *merged);
    for (int i = 0; i < count; i++) {
        int input = find_input(s, shapes[i].input);
        if (input < 0)
            return vkb_fail(err, VKI_E_ARG, "the model has no input named \"%s\"",
                            shapes[i].input ? shapes[i].input : "(null)");
        VKB_TRY(check_shape(&shapes[i], err));
        merged[input].rank = shapes[i].rank;
        memcpy(merged[input].dims, shapes[i].dims, sizeof shapes[i].dims);
    }
    *all = true;
    for (int i = 0; i < n; i++) *all &= merged[i].rank >= 0;
    return VKI_OK;
}

/* `scratch` has room for an entry an input. */
static vki_status find_root(vki_session *s, const vki_shape *shapes, ses_value *scratch,
                            const ses_value **inputs, ses_stage **root, vki_error *err)
{
    const ses_options *o = &s->options;
    bool plain = o->reference || (o->disable_passes && *o->disable_passes);
    const gr_graph *g = plain ? &s->model->source : &s->model->optimized;
    for (int i = 0; i < g->n_inputs; i++) {
        scratch[i] = (ses_value){.dtype = g->tensors[g->inputs[i]].dtype, .rank = shapes[i].rank};
        memcpy(scratch[i].dims, shapes[i].dims, sizeof scratch[i].dims);
        inputs[i] = &scratch[i];
    }
    return ses_stage_get(s, NULL, g, inputs, root, err);
}

vki_status ses_root_get(vki_session *s, const vki_shape *shapes, ses_stage **out, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    size_t n = (size_t)s->model->source.n_inputs;
    ses_value *scratch = vkb_calloc(a, n, sizeof *scratch);
    const ses_value **inputs = vkb_calloc(a, n, sizeof *inputs);
    vki_status status = scratch && inputs ? find_root(s, shapes, scratch, inputs, out, err)
                                          : vkb_nomem(err, n * sizeof *scratch);
    vkb_free(a, scratch);
    vkb_free(a, inputs);
    return status;
}

/* Plans that share memory must not run at once: one may be running still after a run timed out. */
static vki_status settle(const vki_session *s, const ses_plan *next, vki_error *err)
{
    bool shared = s->reserve && s->plan && s->plan != next && s->plan->device;
    return shared ? vkr_plan_settle(s->plan->device, 0, err) : VKI_OK;
}

static vki_status make_plan(vki_session *s, const vki_shape *shapes, vki_error *err)
{
    ses_stage *root;
    if (!s->reserve) ses_choose(s, shapes);
    VKB_TRY(ses_root_get(s, shapes, &root, err));
    VKB_TRY(ses_ties_check(s, root, err));
    root->busy++;
    vki_status status = ses_slots_reserve(s, root, err);
    if (status == VKI_OK) status = settle(s, root->plan, err);
    root->busy--;
    if (status != VKI_OK) return status;
    ses_let_go(s);
    s->root = root;
    s->plan = root->plan;
    memset(s->written, 0, (size_t)s->model->source.n_inputs * sizeof *s->written);
    s->first_run_ms = -1;
    ses_slots_clear(s);
    return ses_ties_reset(s, err);
}

static vki_status plan(vki_session *s, const vki_shape *shapes, int count, bool need_all, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    int n = s->model->source.n_inputs;
    vki_shape *merged = vkb_calloc(a, (size_t)n, sizeof *merged);
    if (!merged) return vkb_nomem(err, (uint64_t)n * sizeof *merged);
    bool all = false;
    vki_status status = merge_shapes(s, shapes, count, merged, &all, err);
    if (status == VKI_OK && !all && need_all)
        status =
            vkb_fail(err, VKI_E_SHAPE, "some inputs still have no shape: give all dynamic inputs' shapes");
    if (status == VKI_OK) status = ses_ranges_check(s, merged, err);
    if (status == VKI_OK && s->ranges && !s->reserve) {
        if (all) ses_choose(s, merged); /* once: memory is reserved for that place */
        status = ses_ranges_reserve(s, merged, err);
    }
    if (status == VKI_OK && all) status = make_plan(s, merged, err);
    if (status == VKI_OK) memcpy(s->shapes, merged, (size_t)n * sizeof *merged);
    vkb_free(a, merged);
    return status;
}

static vki_status create(vki_model *model, const vki_session_options *options, bool trial, vki_session **out,
                         vki_error *err)
{
    if (!out) return vkb_fail(err, VKI_E_ARG, "vki_session_create: `out` is NULL");
    *out = NULL;
    if (!model) return vkb_fail(err, VKI_E_ARG, "vki_session_create: `model` is NULL");
    vki_session_options o;
    VKB_TRY(read_options(options, model, &o, err));
    vki_session *s = vkb_calloc(&model->context->allocator, 1, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    s->model = model;
    s->first_run_ms = -1;
    atomic_fetch_add(&model->references, 1);
    vki_status status = take_options(s, &o, err);
    if (trial) s->options.islands = true; /* as it is in earnest */
    if (status == VKI_OK) status = init_shapes(s, err);
    if (status == VKI_OK) status = ses_flights_create(s, err);
    if (status == VKI_OK) status = ses_ranges_init(s, &o, err);
    if (status == VKI_OK) status = ses_ties_init(s, &o, err);
    if (status == VKI_OK) status = plan(s, o.shapes, o.shape_count, false, err);
    if (status != VKI_OK) {
        vki_session_destroy(&s);
        return status;
    }
    *out = s;
    return VKI_OK;
}

vki_status vki_session_create(vki_model *model, const vki_session_options *options, vki_session **out,
                              vki_error *err)
{
    return create(model, options, false, out, err);
}

vki_status ses_trial_create(vki_model *model, const vki_session_options *options, vki_session **out,
                            vki_error *err)
{
    return create(model, options, true, out, err);
}

void ses_session_free(vki_session *s)
{
    vki_model *model = s->model;
    const vki_allocator *a = &model->context->allocator;
    ses_stages_free(s);
    ses_flights_free(s);
    vkb_pool_destroy(&s->pool);
    vkb_free(a, s->disable_passes);
    vkb_free(a, s->cpu_affinity);
    vkb_free(a, s->shapes);
    vkb_free(a, s->written);
    vkb_free(a, s->results);
    ses_ties_free(s);
    ses_reserve_free(s);
    vkb_free(a, s);
    ses_model_release(model);
}

void vki_session_destroy(vki_session **session)
{
    if (!session || !*session) return;
    vki_session *s = *session;
    *session = NULL;
    if (ses_flights_stop(s)) ses_session_free(s);
}

vki_status vki_session_reshape(vki_session *s, const vki_shape *shapes, int count, vki_error *err)
{
    if (!s || count < 0 || (count && !shapes))
        return vkb_fail(err, VKI_E_ARG, "vki_session_reshape needs a session, and shapes for a count of %d",
                        count);
    VKB_TRY(ses_check_idle(s, "vki_session_reshape", err));
    return plan(s, shapes, count, true, err);
}

static vki_status no_plan(vki_error *err)
{
    return vkb_fail(err, VKI_E_STATE,
                    "the session has no plan yet: set the shapes of all dynamic inputs with "
                    "vki_session_reshape");
}

/* Whether there is something to write to and to run. */
static vki_status check_runnable(const vki_session *s, vki_error *err)
{
    if (!s->plan) return no_plan(err);
    if (!s->model->context->limits || s->model->context->device) return VKI_OK;
    return vkb_fail(err, VKI_E_STATE,
                    "the context only plans (VKI_BACKEND_PLAN): create one with VKI_BACKEND_VULKAN or "
                    "VKI_BACKEND_CPU to run the network");
}

static vki_status not_run(vki_error *err)
{
    return vkb_fail(err, VKI_E_STATE,
                    "there are no results: the session has not run since its plan was made, or the last run "
                    "failed; call vki_session_run");
}

vki_status vki_session_input(const vki_session *s, int index, vki_tensor_info *out)
{
    if (!s || !out) return VKI_E_ARG;
    if (!s->plan) return VKI_E_STATE;
    const gr_graph *g = &s->plan->graph;
    if (index < 0 || index >= g->n_inputs) return VKI_E_ARG;
    ses_describe(g, g->inputs[index], out);
    return VKI_OK;
}

/* A shape that depends on values is unknown before they are. */
static void forget_dims(const ses_plan *p, gr_id id, vki_tensor_info *out)
{
    for (int d = 0; p->dims && p->dims[id] && d < out->rank; d++) out->dims[d] = -1;
}

/* The run that vki_session_read means; NULL: none. */
static const ses_flight *last_seen(const vki_session *s)
{
    const ses_flights *f = s->flights;
    const ses_flight *flight = f->seen ? &f->slots[ses_slot_of(f, f->seen)] : NULL;
    return flight && flight->ticket == f->seen && flight->status == VKI_OK ? flight : NULL;
}

static void describe_actual(const ses_plan *p, gr_id id, vki_tensor_info *out)
{
    const gr_tensor t = ses_actual(p, id);
    ses_describe(&p->graph, id, out);
    memcpy(out->dims, t.dims, sizeof out->dims);
}

vki_status vki_session_output(const vki_session *s, int index, vki_tensor_info *out)
{
    if (!s || !out) return VKI_E_ARG;
    if (!s->plan) return VKI_E_STATE;
    const gr_graph *source = s->root->source;
    if (index < 0 || index >= source->n_outputs) return VKI_E_ARG;
    const gr_graph *g = &s->plan->graph;
    if (s->flights->count > 1 && last_seen(s))
        return vki_session_read_run((vki_session *)s, s->flights->seen, index, out, NULL, 0, NULL);
    if (!ses_in_flight(s) && s->last) {
        const ses_result *r = &s->results[index];
        describe_actual(r->stage->plan, r->stage->plan->graph.outputs[r->output], out);
        return VKI_OK;
    }
    for (int i = 0; i < s->root->links.n_yields; i++) {
        if (s->root->links.yields[i] != index) continue;
        ses_describe(g, g->outputs[i], out);
        forget_dims(s->plan, g->outputs[i], out);
        return VKI_OK;
    }
    ses_describe(source, source->outputs[index], out);
    for (int d = 0; d < out->rank; d++) out->symbol[d] = NULL;
    return VKI_OK;
}

vki_status ses_check_bytes(const gr_tensor *t, size_t bytes, const void *data, vki_error *err)
{
    if (!data) return vkb_fail(err, VKI_E_ARG, "tensor %s: `data` is NULL", t->name);
    if (bytes == gr_bytes(t)) return VKI_OK;
    char shape[128];
    return vkb_fail(err, VKI_E_ARG, "tensor %s is %s, %llu bytes, but %zu were given", t->name,
                    gr_shape_text(NULL, t, shape, sizeof shape), (unsigned long long)gr_bytes(t), bytes);
}

vki_status vki_session_write(vki_session *s, int index, const void *data, size_t bytes, vki_error *err)
{
    if (!s) return vkb_fail(err, VKI_E_ARG, "vki_session_write: `session` is NULL");
    VKB_TRY(check_runnable(s, err));
    const gr_graph *g = &s->plan->graph;
    if (index < 0 || index >= g->n_inputs)
        return vkb_fail(err, VKI_E_ARG, "there is no input %d; the model has %d", index, g->n_inputs);
    VKB_TRY(ses_check_slot(s, "vki_session_write", err));
    VKB_TRY(ses_check_bytes(&g->tensors[g->inputs[index]], bytes, data, err));
    s->written[index] = false; /* if it fails, part of it may have been written */
    VKB_TRY(ses_slot_write(s, index, data, err));
    s->written[index] = true;
    return VKI_OK;
}

vki_status vki_session_reset(vki_session *s, vki_error *err)
{
    if (!s) return vkb_fail(err, VKI_E_ARG, "vki_session_reset: `session` is NULL");
    VKB_TRY(check_runnable(s, err));
    VKB_TRY(ses_check_idle(s, "vki_session_reset", err));
    ses_slots_forget_given(s);
    return ses_ties_reset(s, err);
}

vki_status ses_check_written(const vki_session *s, vki_error *err)
{
    VKB_TRY(check_runnable(s, err));
    const gr_graph *g = &s->plan->graph;
    for (int i = 0; i < g->n_inputs; i++)
        if (!s->written[i])
            return vkb_fail(err, VKI_E_STATE, "input %d (%s) was never written since the plan was made", i,
                            g->tensors[g->inputs[i]].name);
    return VKI_OK;
}

vki_status vki_session_run(vki_session *s, uint64_t timeout_ns, vki_error *err)
{
    if (!s) return vkb_fail(err, VKI_E_ARG, "vki_session_run: `session` is NULL");
    VKB_TRY(ses_check_written(s, err));
    VKB_TRY(ses_check_idle(s, "vki_session_run", err));
    if (s->flights->count > 1) {
        const vki_submit_options o = {.timeout_ns = timeout_ns};
        uint64_t ticket;
        s->flights->seen = 0; /* a run that fails leaves nothing to read, as below */
        VKB_TRY(ses_submit(s, &o, "vki_session_run", &ticket, err));
        return vki_session_wait(s, ticket, 0, err);
    }
    s->flights->slots[0].ticket = 0; /* what it made goes */
    const ses_watch watch = {.deadline_ms = timeout_ns ? vkb_now_ms() + (double)timeout_ns * 1e-6 : 0};
    return ses_session_run(s, &watch, err);
}

vki_status ses_check_output(const vki_session *s, int index, vki_error *err)
{
    int count = s->model->source.n_outputs;
    if (index >= 0 && index < count) return VKI_OK;
    return vkb_fail(err, VKI_E_ARG, "there is no output %d; the model has %d", index, count);
}

vki_status vki_session_read(vki_session *s, int index, void *data, size_t bytes, vki_error *err)
{
    if (!s) return vkb_fail(err, VKI_E_ARG, "vki_session_read: `session` is NULL");
    if (!s->plan) return no_plan(err);
    VKB_TRY(ses_check_output(s, index, err));
    if (s->flights->count > 1) {
        if (!last_seen(s)) return not_run(err);
        return vki_session_read_run(s, s->flights->seen, index, NULL, data, bytes, err);
    }
    VKB_TRY(ses_check_idle(s, "vki_session_read", err));
    if (!s->last) return not_run(err);
    const ses_result *r = &s->results[index];
    const ses_plan *p = r->stage->plan;
    gr_id id = p->graph.outputs[r->output];
    const gr_tensor t = ses_actual(p, id);
    VKB_TRY(ses_check_bytes(&t, bytes, data, err));
    ses_read(p, id, 0, data);
    return VKI_OK;
}

typedef struct tensor_search {
    const char *name;
    const ses_plan *plan; /* the last one that has it, NULL: none */
    gr_id id;
} tensor_search;

static void search_stage(void *user, ses_stage *stage)
{
    tensor_search *search = user;
    gr_id id = stage->plan ? gr_find_tensor(&stage->plan->graph, search->name) : GR_NONE;
    if (id == GR_NONE || !ses_readable(stage->plan, id)) return;
    search->plan = stage->plan;
    search->id = id;
}

vki_status vki_session_read_tensor(vki_session *s, const char *name, vki_tensor_info *info, void *data,
                                   size_t bytes, vki_error *err)
{
    if (!s || !name) return vkb_fail(err, VKI_E_ARG, "vki_session_read_tensor needs a session and a name");
    if (!s->plan) return no_plan(err);
    VKB_TRY(ses_check_idle(s, "vki_session_read_tensor", err));
    tensor_search found = {name, NULL, GR_NONE};
    ses_stages_each(s, search_stage, &found);
    if (!found.plan)
        return vkb_fail(err, VKI_E_ARG,
                        "the plan has no readable tensor named \"%s\" (fused away, or keep_intermediates "
                        "was not set)",
                        name);
    if (info) describe_actual(found.plan, found.id, info);
    if (!data) return VKI_OK;
    if (!s->last) return not_run(err);
    const gr_tensor t = ses_actual(found.plan, found.id);
    VKB_TRY(ses_check_bytes(&t, bytes, data, err));
    const ses_flight *flight = last_seen(s);
    ses_read(found.plan, found.id,
             found.plan->slots > 1 && flight ? ses_slot_of(s->flights, flight->ticket) : 0, data);
    return VKI_OK;
}
