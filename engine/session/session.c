/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <string.h>

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
    if ((unsigned)o->placement > VKI_PLACE_CPU_ONLY || (unsigned)o->precision > VKI_PRECISION_INT8)
        return vkb_fail(err, VKI_E_ARG,
                        "vki_session_options: placement %d or precision %d is not a value of its enum",
                        (int)o->placement, (int)o->precision);
    if (o->shape_count < 0 || (o->shape_count && !o->shapes))
        return vkb_fail(err, VKI_E_ARG, "vki_session_options: shape_count is %d but shapes is NULL",
                        o->shape_count);
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
    default:
        return vkb_fail(err, VKI_E_UNSUPPORTED, "precision %s is not in this version; use FP32 or FP16_STORE",
                        o->precision == VKI_PRECISION_FP16 ? "FP16" : "INT8");
    }
}

static vki_status take_options(vki_session *s, const vki_session_options *o, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    s->options = (ses_options){.placement = o->reference ? VKI_PLACE_CPU_ONLY : o->placement,
                               .profile = o->profile,
                               .reference = o->reference,
                               .keep = o->keep_intermediates,
                               .memory_limit = o->memory_limit};
    VKB_TRY(resolve_precision(o, s->model, &s->options, err));
    if (o->disable_passes) {
        size_t n = strlen(o->disable_passes) + 1;
        s->disable_passes = vkb_alloc(a, n);
        if (!s->disable_passes) return vkb_nomem(err, n);
        memcpy(s->disable_passes, o->disable_passes, n);
        s->options.disable_passes = s->disable_passes;
    }
    VKB_TRY(vkb_pool_create(a, o->threads, &s->pool, err));
    s->options.threads = vkb_pool_threads(s->pool);
    return VKI_OK;
}

static vki_status init_shapes(vki_session *s, vki_error *err)
{
    const gr_graph *g = &s->model->source;
    const vki_allocator *a = &s->model->context->allocator;
    s->shapes = vkb_calloc(a, (size_t)g->n_inputs, sizeof *s->shapes);
    s->written = vkb_calloc(a, (size_t)g->n_inputs, sizeof *s->written);
    if (!s->shapes || !s->written) return vkb_nomem(err, (uint64_t)g->n_inputs * sizeof *s->shapes);
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
        if (shape->dims[i] <= 0)
            return vkb_fail(err, VKI_E_ARG,
                            "the shape given for input %s has dimension %d = %lld; it must be positive",
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

static vki_status plan(vki_session *s, const vki_shape *shapes, int count, bool need_all, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    int n = s->model->source.n_inputs;
    vki_shape *merged = vkb_calloc(a, (size_t)n, sizeof *merged);
    if (!merged) return vkb_nomem(err, (uint64_t)n * sizeof *merged);
    bool all = false;
    ses_plan *fresh = NULL;
    vki_status status = merge_shapes(s, shapes, count, merged, &all, err);
    if (status == VKI_OK && !all && need_all)
        status =
            vkb_fail(err, VKI_E_SHAPE, "some inputs still have no shape: give all dynamic inputs' shapes");
    if (status == VKI_OK && all) status = ses_plan_create(s->model, &s->options, merged, n, &fresh, err);
    if (fresh) {
        ses_plan_destroy(&s->plan);
        s->plan = fresh;
        memset(s->written, 0, (size_t)n * sizeof *s->written);
        s->ran = false;
        s->first_run_ms = -1;
    }
    if (status == VKI_OK) memcpy(s->shapes, merged, (size_t)n * sizeof *merged);
    vkb_free(a, merged);
    return status;
}

vki_status vki_session_create(vki_model *model, const vki_session_options *options, vki_session **out,
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
    if (status == VKI_OK) status = init_shapes(s, err);
    if (status == VKI_OK) status = plan(s, o.shapes, o.shape_count, false, err);
    if (status != VKI_OK) {
        vki_session_destroy(&s);
        return status;
    }
    *out = s;
    return VKI_OK;
}

void vki_session_destroy(vki_session **session)
{
    if (!session || !*session) return;
    vki_session *s = *session;
    vki_model *model = s->model;
    const vki_allocator *a = &model->context->allocator;
    ses_plan_destroy(&s->plan);
    vkb_pool_destroy(&s->pool);
    vkb_free(a, s->disable_passes);
    vkb_free(a, s->shapes);
    vkb_free(a, s->written);
    vkb_free(a, s);
    ses_model_release(model);
    *session = NULL;
}

vki_status vki_session_reshape(vki_session *s, const vki_shape *shapes, int count, vki_error *err)
{
    if (!s || count < 0 || (count && !shapes))
        return vkb_fail(err, VKI_E_ARG, "vki_session_reshape needs a session, and shapes for a count of %d",
                        count);
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

static vki_status describe(const vki_session *s, bool input, int index, vki_tensor_info *out)
{
    if (!s || !out) return VKI_E_ARG;
    if (!s->plan) return VKI_E_STATE;
    const gr_graph *g = &s->plan->graph;
    if (index < 0 || index >= (input ? g->n_inputs : g->n_outputs)) return VKI_E_ARG;
    ses_describe(g, input ? g->inputs[index] : g->outputs[index], out);
    return VKI_OK;
}

vki_status vki_session_input(const vki_session *s, int index, vki_tensor_info *out)
{
    return describe(s, true, index, out);
}
vki_status vki_session_output(const vki_session *s, int index, vki_tensor_info *out)
{
    return describe(s, false, index, out);
}

static vki_status check_bytes(const gr_tensor *t, size_t bytes, const void *data, vki_error *err)
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
    VKB_TRY(check_bytes(&g->tensors[g->inputs[index]], bytes, data, err));
    s->written[index] = false; /* if it fails, part of it may have been written */
    VKB_TRY(ses_write_input(s->plan, g->inputs[index], data, err));
    s->written[index] = true;
    return VKI_OK;
}

vki_status vki_session_run(vki_session *s, uint64_t timeout_ns, vki_error *err)
{
    if (!s) return vkb_fail(err, VKI_E_ARG, "vki_session_run: `session` is NULL");
    VKB_TRY(check_runnable(s, err));
    const gr_graph *g = &s->plan->graph;
    for (int i = 0; i < g->n_inputs; i++)
        if (!s->written[i])
            return vkb_fail(err, VKI_E_STATE, "input %d (%s) was never written since the plan was made", i,
                            g->tensors[g->inputs[i]].name);
    double start = vkb_now_ms();
    s->ran = false; /* a run that fails leaves nothing to read */
    VKB_TRY(ses_run(s->plan, s->pool, timeout_ns, err));
    if (s->first_run_ms < 0) s->first_run_ms = vkb_now_ms() - start;
    s->ran = true;
    return VKI_OK;
}

vki_status vki_session_read(vki_session *s, int index, void *data, size_t bytes, vki_error *err)
{
    if (!s) return vkb_fail(err, VKI_E_ARG, "vki_session_read: `session` is NULL");
    if (!s->plan) return no_plan(err);
    const gr_graph *g = &s->plan->graph;
    if (index < 0 || index >= g->n_outputs)
        return vkb_fail(err, VKI_E_ARG, "there is no output %d; the model has %d", index, g->n_outputs);
    if (!s->ran) return not_run(err);
    VKB_TRY(check_bytes(&g->tensors[g->outputs[index]], bytes, data, err));
    ses_read(s->plan, g->outputs[index], data);
    return VKI_OK;
}

vki_status vki_session_read_tensor(vki_session *s, const char *name, vki_tensor_info *info, void *data,
                                   size_t bytes, vki_error *err)
{
    if (!s || !name) return vkb_fail(err, VKI_E_ARG, "vki_session_read_tensor needs a session and a name");
    if (!s->plan) return no_plan(err);
    const gr_graph *g = &s->plan->graph;
    gr_id id = gr_find_tensor(g, name);
    if (id == GR_NONE || !ses_readable(s->plan, id))
        return vkb_fail(err, VKI_E_ARG,
                        "the plan has no readable tensor named \"%s\" (fused away, or keep_intermediates "
                        "was not set)",
                        name);
    if (info) ses_describe(g, id, info);
    if (!data) return VKI_OK;
    if (!s->ran) return not_run(err);
    VKB_TRY(check_bytes(&g->tensors[id], bytes, data, err));
    ses_read(s->plan, id, data);
    return VKI_OK;
}
