/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_report.h"
#include "run_io.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TOP = 5 };

typedef struct output {
    vki_tensor_info info;
    char file[4096];
    void *data;
    size_t elements, bytes;
    double low, high, mean; /* of the finite elements */
    size_t not_finite;
    size_t top[TOP]; /* indices of the largest, of an output that looks like classes */
    int top_count;
} output;

static void summarize(output *o)
{
    double sum = 0;
    size_t finite = 0;
    o->low = INFINITY;
    o->high = -INFINITY;
    for (size_t i = 0; i < o->elements; i++) {
        double v = tensor_value(o->data, o->info.dtype, i);
        if (!isfinite(v)) {
            o->not_finite++;
            continue;
        }
        o->low = fmin(o->low, v);
        o->high = fmax(o->high, v);
        sum += v;
        finite++;
    }
    o->mean = finite ? sum / (double)finite : 0;
    if (!finite) o->low = o->high = 0;
}

/* One row of at least five scores: [1,C], or [1,C,1,1] as older networks end. */
static bool is_classes(const vki_tensor_info *info)
{
    if (info->rank < 2 || info->dims[0] != 1 || info->dims[1] < TOP || info->dims[1] > 100000) return false;
    for (int i = 2; i < info->rank; i++)
        if (info->dims[i] != 1) return false;
    return info->dtype == VKI_F32 || info->dtype == VKI_F16 || info->dtype == VKI_F64;
}

static void find_top(output *o)
{
    if (!is_classes(&o->info)) return;
    for (size_t i = 0; i < o->elements; i++) {
        double v = tensor_value(o->data, o->info.dtype, i);
        int at = o->top_count;
        while (at > 0 && v > tensor_value(o->data, o->info.dtype, o->top[at - 1])) at--;
        if (at == TOP) continue;
        if (o->top_count < TOP) o->top_count++;
        memmove(o->top + at + 1, o->top + at, (size_t)(o->top_count - 1 - at) * sizeof *o->top);
        o->top[at] = i;
    }
}

/* A file of its own for each output, although names that differ may become the same. */
static vki_status name_file(output *all, int index, const char *folder, vki_error *err)
{
    char name[1024];
    tensor_file_name(all[index].info.name, name, sizeof name);
    for (int copy = 1;; copy++) {
        char suffix[16] = "";
        if (copy > 1) snprintf(suffix, sizeof suffix, "_%d", copy);
        int n = snprintf(all[index].file, sizeof all[index].file, "%s/%s%s.npy", folder, name, suffix);
        if (n < 0 || (size_t)n >= sizeof all[index].file)
            return vkb_fail(err, VKI_E_ARG, "the file name for the output '%s' is too long",
                            all[index].info.name);
        int same = 0;
        for (int i = 0; i < index; i++) same += !strcmp(all[i].file, all[index].file);
        if (!same) return VKI_OK;
    }
}

/* .npy has no bfloat16: such an output is written as float32. */
static vki_status save(const output *o, vki_error *err)
{
    if (o->info.dtype != VKI_BF16)
        return npy_save(o->file, o->info.dtype, o->info.rank, o->info.dims, o->data, err);
    float *wide = malloc(2 * o->bytes + 1);
    if (!wide) return vkb_nomem(err, 2 * o->bytes);
    for (size_t i = 0; i < o->elements; i++) wide[i] = vkb_bf16_to_f32(((const uint16_t *)o->data)[i]);
    vki_status status = npy_save(o->file, VKI_F32, o->info.rank, o->info.dims, wide, err);
    free(wide);
    return status;
}

static vki_status take_output(output *all, int index, const run_job *job, vki_session *session,
                              vki_error *err)
{
    output *o = &all[index];
    VKB_TRY(vki_session_output(session, index, &o->info));
    VKB_TRY(tensor_size(&o->info, &o->elements, &o->bytes, err));
    o->data = malloc(o->bytes + 1);
    if (!o->data) return vkb_nomem(err, o->bytes);
    VKB_TRY(vki_session_read(session, index, o->data, o->bytes, err));
    summarize(o);
    find_top(o);
    VKB_TRY(name_file(all, index, job->output_dir, err));
    return save(o, err);
}

static void print_output(const output *o)
{
    char text[256];
    printf("%s %s -> %s\n  min %g, max %g, mean %g", o->info.name, tensor_text(&o->info, text, sizeof text),
           o->file, o->low, o->high, o->mean);
    if (o->not_finite) printf(", %zu elements are not finite", o->not_finite);
    putchar('\n');
    for (int i = 0; i < o->top_count; i++)
        printf("  %d. class %zu: %.6g\n", i + 1, o->top[i], tensor_value(o->data, o->info.dtype, o->top[i]));
}

static cJSON *output_json(const output *o)
{
    cJSON *entry = cJSON_CreateObject(), *shape = cJSON_CreateArray();
    cJSON_AddStringToObject(entry, "name", o->info.name);
    cJSON_AddStringToObject(entry, "file", o->file);
    cJSON_AddStringToObject(entry, "dtype", vki_dtype_name(o->info.dtype));
    for (int i = 0; i < o->info.rank; i++)
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)o->info.dims[i]));
    cJSON_AddItemToObject(entry, "shape", shape);
    cJSON_AddNumberToObject(entry, "min", o->low);
    cJSON_AddNumberToObject(entry, "max", o->high);
    cJSON_AddNumberToObject(entry, "mean", o->mean);
    cJSON_AddNumberToObject(entry, "not_finite", (double)o->not_finite);
    cJSON *top = o->top_count ? cJSON_AddArrayToObject(entry, "top") : NULL;
    for (int i = 0; i < o->top_count; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "class", (double)o->top[i]);
        cJSON_AddNumberToObject(item, "value", tensor_value(o->data, o->info.dtype, o->top[i]));
        cJSON_AddItemToArray(top, item);
    }
    return entry;
}

static vki_status print_json(const output *all, int count, const run_job *job, const plan_report *plan,
                             double ms, vki_error *err)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "model", job->model);
    cJSON_AddItemToObject(root, "device", device_json(&plan->device));
    cJSON_AddNumberToObject(root, "first_run_ms", ms);
    cJSON *outputs = cJSON_AddArrayToObject(root, "outputs");
    for (int i = 0; i < count; i++) cJSON_AddItemToArray(outputs, output_json(&all[i]));
    if (job->report) cJSON_AddItemToObject(root, "plan", plan_report_object(plan));
    return json_write(root, NULL, err);
}

static vki_status print_all(const output *all, int count, const run_job *job, const vki_context *context,
                            const vki_session *session, double ms, vki_error *err)
{
    plan_report plan;
    vki_status status = plan_report_make(&plan, job->model, context, session, err);
    if (status == VKI_OK && job->json) {
        status = print_json(all, count, job, &plan, ms, err);
    } else if (status == VKI_OK) {
        for (int i = 0; i < count; i++) print_output(&all[i]);
        printf("first run on %s: %.2f ms\n", plan.device.name, ms);
        if (job->report) plan_report_print(&plan);
    }
    plan_report_free(&plan);
    return status;
}

vki_status run_outputs(const run_job *job, const vki_context *context, const vki_model *model,
                       vki_session *session, double ms, vki_error *err)
{
    int count = vki_model_output_count(model);
    if (mkdir(job->output_dir, 0755) != 0 && errno != EEXIST)
        return vkb_fail(err, VKI_E_IO, "cannot make the folder %s: %s", job->output_dir, strerror(errno));
    output *all = calloc((size_t)count + 1, sizeof *all);
    if (!all) return vkb_nomem(err, (uint64_t)count * sizeof *all);
    vki_status status = VKI_OK;
    for (int i = 0; i < count && status == VKI_OK; i++) status = take_output(all, i, job, session, err);
    if (status == VKI_OK) status = print_all(all, count, job, context, session, ms, err);
    for (int i = 0; i < count; i++) free(all[i].data);
    free(all);
    return status;
}
