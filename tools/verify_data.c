/* SPDX-License-Identifier: Apache-2.0
 * A model against stored inputs and outputs. */
#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "session/session.h"
#include "testdata.h"

void verify_line(verify_job *job, const char *verdict, const char *label, const char *format, ...)
{
    verify_totals *t = &job->totals;
    ++*(strcmp(verdict, "PASS") == 0 ? &t->passed : strcmp(verdict, "FAIL") == 0 ? &t->failed : &t->skipped);
    va_list args;
    va_start(args, format);
    printf("%s  %-44s  ", verdict, label);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
}

void verify_error(verify_job *job, const char *label, const vki_error *err)
{
    const char *verdict = err->code == VKI_E_UNSUPPORTED ? "SKIP" : "FAIL";
    char text[sizeof err->text]; /* on one line */
    for (size_t i = 0; i < sizeof text; i++) text[i] = err->text[i] == '\n' ? ' ' : err->text[i];
    if (err->node[0] && !strstr(text, err->node))
        verify_line(job, verdict, label, "%s '%s': %s", err->op, err->node, text);
    else
        verify_line(job, verdict, label, "%s", text);
}

/* ---- one data set ---- */

vki_status verify_open(const verify_job *job, vki_model *model, const testdata *data, vki_session **session,
                       vki_error *err)
{
    int n = vki_model_input_count(model);
    vki_shape *shapes = vkb_calloc(&vkb_libc_allocator, (size_t)n, sizeof *shapes);
    if (!shapes) return vkb_nomem(err, (uint64_t)n * sizeof *shapes);
    vki_status status = VKI_OK;
    for (int i = 0; i < n && status == VKI_OK; i++) {
        vki_tensor_info info;
        vki_model_input(model, i, &info);
        const testdata_item *item = testdata_find(data->inputs, data->n_inputs, info.name, i);
        if (!item) {
            status = vkb_fail(err, VKI_E_ARG, "the data set has no value for the input %s", info.name);
            break;
        }
        shapes[i] = (vki_shape){.input = info.name, .rank = item->array.rank};
        memcpy(shapes[i].dims, item->array.dims, sizeof shapes[i].dims);
    }
    if (status == VKI_OK) {
        vki_session_options options = job->session;
        options.shapes = shapes;
        options.shape_count = n;
        status = vki_session_create(model, &options, session, err);
    }
    vkb_free(&vkb_libc_allocator, shapes);
    return status;
}

/* ONNX's own test data keep the bits of bfloat16 as uint16. */
static npy_array as_declared(npy_array data, vki_dtype dtype)
{
    if (dtype == VKI_BF16 && data.dtype == VKI_U16) data.dtype = VKI_BF16;
    return data;
}

static vki_status write_inputs(vki_session *session, int n, const testdata *data, vki_error *err)
{
    for (int i = 0; i < n; i++) {
        vki_tensor_info info;
        if (vki_session_input(session, i, &info) != VKI_OK)
            return vkb_fail(err, VKI_E_INTERNAL, "the session has a plan, but no input %d", i);
        const testdata_item *item = testdata_find(data->inputs, data->n_inputs, info.name, i);
        uint64_t count = verify_elements(&info);
        size_t bytes = (size_t)count * vki_dtype_size(info.dtype);
        if (!item || item->array.bytes / vki_dtype_size(item->array.dtype) != count)
            return vkb_fail(err, VKI_E_SHAPE, "the data for the input %s does not have its shape", info.name);
        void *values = vkb_alloc(&vkb_libc_allocator, bytes);
        if (!values) return vkb_nomem(err, bytes);
        vki_status status = VKI_OK;
        npy_array from = as_declared(item->array, info.dtype);
        if (!compare_convert(values, info.dtype, from.data, from.dtype, count))
            status = vkb_fail(err, VKI_E_SHAPE, "the input %s is %s, but the data is %s", info.name,
                              vki_dtype_name(info.dtype), vki_dtype_name(from.dtype));
        if (status == VKI_OK) status = vki_session_write(session, i, values, bytes, err);
        vkb_free(&vkb_libc_allocator, values);
        VKB_TRY(status);
    }
    return VKI_OK;
}

static const char *shape_text(vki_dtype dtype, int rank, const int64_t *dims, char *buffer, size_t size)
{
    gr_tensor t = {.dtype = dtype, .rank = rank};
    memcpy(t.dims, dims, sizeof t.dims);
    return gr_shape_text(NULL, &t, buffer, size);
}

static vki_status check_shape(const vki_tensor_info *info, const npy_array *want, vki_error *err)
{
    bool same = info->rank == want->rank && compare_is_float(info->dtype) == compare_is_float(want->dtype) &&
                (compare_is_float(info->dtype) || info->dtype == want->dtype);
    for (int i = 0; same && i < info->rank; i++) same = info->dims[i] == want->dims[i];
    if (same) return VKI_OK;
    char got[128], expected[128];
    return vkb_fail(err, VKI_E_SHAPE, "the output %s is %s, but the data set has %s", info->name,
                    shape_text(info->dtype, info->rank, info->dims, got, sizeof got),
                    shape_text(want->dtype, want->rank, want->dims, expected, sizeof expected));
}

typedef struct worst_output {
    compare_result result;
    char name[64];
    bool passed, any;
} worst_output;

static vki_status compare_outputs(vki_session *session, int n, const testdata *data, double rtol,
                                  worst_output *worst, vki_error *err)
{
    *worst = (worst_output){.passed = true};
    for (int i = 0; i < n; i++) {
        vki_tensor_info info;
        if (vki_session_output(session, i, &info) != VKI_OK)
            return vkb_fail(err, VKI_E_INTERNAL, "the session has a plan, but no output %d", i);
        const testdata_item *item = testdata_find(data->outputs, data->n_outputs, info.name, i);
        if (!item) continue;
        npy_array want = as_declared(item->array, info.dtype);
        VKB_TRY(check_shape(&info, &want, err));
        uint64_t count = verify_elements(&info);
        size_t bytes = (size_t)count * vki_dtype_size(info.dtype);
        void *values = vkb_alloc(&vkb_libc_allocator, bytes);
        if (!values) return vkb_nomem(err, bytes);
        vki_status status = vki_session_read(session, i, values, bytes, err);
        compare_result r = {.rel = 0};
        if (status == VKI_OK) r = compare_tensors(values, info.dtype, want.data, want.dtype, count);
        vkb_free(&vkb_libc_allocator, values);
        VKB_TRY(status);
        bool passed = compare_passes(&r, rtol);
        if (!worst->any || (worst->passed && !passed) ||
            (worst->passed == passed && r.rel > worst->result.rel)) {
            worst->result = r;
            snprintf(worst->name, sizeof worst->name, "%s", info.name);
        }
        worst->any = true;
        worst->passed &= passed;
    }
    if (worst->any) return VKI_OK;
    return vkb_fail(err, VKI_E_FORMAT, "the data set has no output of the model's");
}

static vki_status run_session(const verify_job *job, vki_session *session, const testdata *data,
                              worst_output *worst, vki_error *err)
{
    VKB_TRY(write_inputs(session, vki_model_input_count(session->model), data, err));
    VKB_TRY(vki_session_run(session, 0, err));
    return compare_outputs(session, vki_model_output_count(session->model), data, job->rtol, worst, err);
}

static vki_status run_model(const verify_job *job, vki_model *model, const testdata *data,
                            worst_output *worst, vki_error *err)
{
    vki_session *session = NULL;
    vki_status status = verify_open(job, model, data, &session, err);
    if (status == VKI_OK) status = run_session(job, session, data, worst, err);
    vki_session_destroy(&session);
    return status;
}

/* Whether the CPU, which takes every operator, cannot plan either: then it is for the shapes. */
static bool shapes_need_values(const verify_job *job, vki_model *model, const testdata *data)
{
    verify_job on_cpu = *job;
    on_cpu.session.placement = VKI_PLACE_CPU_ONLY;
    on_cpu.session.precision = VKI_PRECISION_FP32;
    vki_session *session = NULL;
    vki_error err;
    vki_status status = verify_open(&on_cpu, model, data, &session, &err);
    vki_session_destroy(&session);
    return status == VKI_E_UNSUPPORTED;
}

/* A shape that depends on the values of inputs can be planned when they are constants: all but the first, so
 * that something is left to compute; on the CPU all of them, if that is what it takes. model: NULL if it
 * cannot be imported without. */
static vki_status run_with_constants(const verify_job *job, vki_model *model, const char *path,
                                     const testdata *data, worst_output *worst, vki_error *err)
{
    vki_device_info device;
    vki_status status = vki_context_device(job->context, &device);
    int last = status == VKI_OK && device.kind == VKI_DEVICE_CPU ? 0 : 1;
    status = err->code;
    for (int first = 1; first >= last && status == VKI_E_UNSUPPORTED; first--) {
        vki_model *changed = NULL;
        if (model && !shapes_need_values(job, model, data)) break;
        status = verify_load_constants(job->context, path, data, first, &changed, err);
        if (status == VKI_OK) status = run_model(job, changed, data, worst, err);
        vki_model_destroy(&changed);
    }
    return status;
}

static vki_status run_set(const verify_job *job, vki_model *model, const char *path, const char *folder,
                          worst_output *worst, vki_error *err)
{
    testdata data;
    const vki_error why = *err; /* why there is no model */
    vki_status readable = testdata_load(&data, folder, err);
    if (!model) *err = why;
    if (readable != VKI_OK) return err->code;
    vki_status status = model ? run_model(job, model, &data, worst, err) : why.code;
    if (status == VKI_E_UNSUPPORTED && job->constant_inputs)
        status = run_with_constants(job, model, path, &data, worst, err);
    testdata_free(&data);
    return status;
}

static void report_set(verify_job *job, const char *label, const worst_output *worst)
{
    const compare_result *r = &worst->result;
    const char *verdict = worst->passed ? "PASS" : "FAIL";
    if (r->exact)
        verify_line(job, verdict, label, "%llu elements differ, exact is asked for%s%s",
                    (unsigned long long)r->unequal, worst->passed ? "" : "; output ",
                    worst->passed ? "" : worst->name);
    else
        verify_line(job, verdict, label, "abs %.2e  rel %.2e  tolerance %.1e%s%s", r->max_abs, r->rel,
                    job->rtol, worst->passed ? "" : "  output ", worst->passed ? "" : worst->name);
}

vki_status verify_outputs(verify_job *job, vki_session *session, const char *label, const testdata *data,
                          vki_error *err)
{
    worst_output worst;
    VKB_TRY(run_session(job, session, data, &worst, err));
    report_set(job, label, &worst);
    return VKI_OK;
}

void verify_folder(verify_job *job, const char *model_path, const char *folder, const char *label)
{
    vki_error err = {.text = ""};
    testdata_paths sets;
    vki_model *model = NULL;
    if (testdata_sets(&sets, folder, &err) != VKI_OK) {
        verify_error(job, label, &err);
        return;
    }
    vki_error why;
    vki_status loaded = vki_model_load_file(job->context, model_path, &model, &why);
    if (loaded != VKI_OK && !(loaded == VKI_E_UNSUPPORTED && job->constant_inputs)) {
        verify_error(job, label, &why);
        testdata_paths_free(&sets);
        return;
    }
    for (int i = 0; i < sets.count; i++) {
        if (!model) err = why;
        char name[512];
        const char *slash = strrchr(sets.items[i], '/');
        snprintf(name, sizeof name, "%s%s%s", label, *label ? "/" : "", slash ? slash + 1 : sets.items[i]);
        worst_output worst;
        if (run_set(job, model, model_path, sets.items[i], &worst, &err) == VKI_OK)
            report_set(job, name, &worst);
        else
            verify_error(job, name, &err);
        if (model && job->each_pass) verify_each_pass(job, model, name, sets.items[i]);
    }
    vki_model_destroy(&model);
    testdata_paths_free(&sets);
}
