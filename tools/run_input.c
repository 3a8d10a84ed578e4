/* SPDX-License-Identifier: Apache-2.0 */
#include "run_io.h"

#include "vkinfer/vkinfer_image.h"

#include <stdlib.h>
#include <string.h>

/* ---- which file for which input ---- */

static int find_input(const vki_model *model, const char *name)
{
    vki_tensor_info info;
    for (int i = 0; vki_model_input(model, i, &info) == VKI_OK; i++)
        if (!strcmp(info.name, name)) return i;
    return -1;
}

/* Where channels, height and width stand in a shape that takes a picture; false if it takes none. */
static bool picture_axes(const vki_tensor_info *info, int *channels, int *height, int *width)
{
    *channels = *height = *width = 0;
    if (info->rank != 4 || (info->dims[0] != 1 && info->dims[0] >= 0)) return false;
    bool planes = info->dims[1] == 1 || info->dims[1] == 3, last = info->dims[3] == 1 || info->dims[3] == 3;
    if (!planes && !last) return false;
    *channels = planes ? 1 : 3;
    *height = planes ? 2 : 1;
    *width = planes ? 3 : 2;
    return true;
}

static vki_status claim(run_inputs *inputs, const vki_model *model, int index, const char *name,
                        const char *path, vki_error *err)
{
    char list[512] = "";
    vki_tensor_info info;
    if (index < 0) {
        for (int i = 0; i < inputs->count; i++) {
            VKB_TRY(vki_model_input(model, i, &info));
            size_t at = strlen(list);
            if (at + strlen(info.name) + 5 < sizeof list) {
                strcat(list, i ? ", '" : "'");
                strcat(strcat(list, info.name), "'");
            }
        }
        return vkb_fail(err, VKI_E_ARG, "the model has no input '%s'; it has %s", name, list);
    }
    if (inputs->sources[index].path)
        return vkb_fail(err, VKI_E_ARG, "the input '%s' is given twice: %s and %s", name,
                        inputs->sources[index].path, path);
    inputs->sources[index].path = path;
    return VKI_OK;
}

static vki_status open_arrays(run_inputs *inputs, const run_job *job, const vki_model *model, vki_error *err)
{
    for (int i = 0; i < job->inputs.count; i++) {
        char name[1024];
        const char *path = opt_pair_split(job->inputs.items[i], name, sizeof name);
        int index = find_input(model, name);
        VKB_TRY(claim(inputs, model, index, name, path, err));
        VKB_TRY(npy_load(&inputs->sources[index].array, path, err));
    }
    return VKI_OK;
}

static vki_status open_pictures(run_inputs *inputs, const run_job *job, const vki_model *model,
                                vki_error *err)
{
    for (int i = 0; i < job->images.count; i++) {
        char name[1024];
        const char *path = opt_pair_split(job->images.items[i], name, sizeof name);
        int index = *path ? find_input(model, name) : -1, c, h, w;
        vki_tensor_info info;
        if (!*path) {
            path = job->images.items[i];
            for (int k = inputs->count - 1; k >= 0; k--)
                if (!inputs->sources[k].path && vki_model_input(model, k, &info) == VKI_OK &&
                    picture_axes(&info, &c, &h, &w))
                    index = k;
            if (index < 0)
                return vkb_fail(err, VKI_E_ARG, "no input is left that takes the picture %s", path);
        }
        VKB_TRY(claim(inputs, model, index, name, path, err));
        VKB_TRY(vki_model_input(model, index, &info));
        if (!picture_axes(&info, &c, &h, &w)) {
            char text[256];
            return vkb_fail(err, VKI_E_ARG,
                            "the input '%s' %s takes no picture: its shape is not [1,C,H,W] or [1,H,W,C] "
                            "with C 1 or 3",
                            info.name, tensor_text(&info, text, sizeof text));
        }
        VKB_TRY(picture_read(&inputs->sources[index].image, path, err));
    }
    return VKI_OK;
}

/* ---- shapes ---- */

/* The shape that a file gives to a dynamic input, unless --shape does. */
static vki_status add_shape(run_job *job, const vki_tensor_info *info, const run_source *source,
                            vki_error *err)
{
    bool dynamic = info->rank < 0;
    for (int i = 0; i < info->rank; i++) dynamic = dynamic || info->dims[i] < 0;
    for (int i = 0; i < job->engine.shapes.count; i++)
        if (!strcmp(job->engine.shapes.items[i].input, info->name)) return VKI_OK;
    if (!dynamic) return VKI_OK;
    vki_shape shape = {.input = info->name, .rank = info->rank};
    if (source->image.rgb) {
        int c, h, w;
        picture_axes(info, &c, &h, &w);
        memcpy(shape.dims, info->dims, sizeof shape.dims);
        shape.dims[0] = 1;
        if (shape.dims[h] < 0) shape.dims[h] = source->image.height;
        if (shape.dims[w] < 0) shape.dims[w] = source->image.width;
    } else {
        shape.rank = source->array.rank;
        memcpy(shape.dims, source->array.dims, sizeof shape.dims);
    }
    if (job->engine.shapes.count == OPT_MAX_LIST)
        return vkb_fail(err, VKI_E_ARG, "more than %d shapes", OPT_MAX_LIST);
    job->engine.shapes.items[job->engine.shapes.count++] = shape;
    job->engine.session.shape_count = job->engine.shapes.count;
    return VKI_OK;
}

vki_status run_inputs_open(run_inputs *inputs, run_job *job, const vki_model *model, vki_error *err)
{
    int count = vki_model_input_count(model);
    *inputs = (run_inputs){.sources = calloc((size_t)count + 1, sizeof(run_source)), .count = count};
    if (!inputs->sources) return vkb_nomem(err, (uint64_t)count * sizeof(run_source));
    VKB_TRY(open_arrays(inputs, job, model, err));
    VKB_TRY(open_pictures(inputs, job, model, err));
    for (int i = 0; i < count; i++) {
        vki_tensor_info info;
        char text[256];
        VKB_TRY(vki_model_input(model, i, &info));
        if (!inputs->sources[i].path && opt_is_tied(&job->engine, info.name)) continue; /* zeros */
        if (!inputs->sources[i].path)
            return vkb_fail(err, VKI_E_ARG,
                            "the input '%s' %s is missing; give it with --input %s=FILE.npy%s", info.name,
                            tensor_text(&info, text, sizeof text), info.name,
                            picture_axes(&info, &(int){0}, &(int){0}, &(int){0}) ? " or --image FILE" : "");
        VKB_TRY(add_shape(job, &info, &inputs->sources[i], err));
    }
    return VKI_OK;
}

void run_inputs_close(run_inputs *inputs)
{
    for (int i = 0; i < inputs->count && inputs->sources; i++) {
        npy_free(&inputs->sources[i].array);
        picture_free(&inputs->sources[i].image);
    }
    free(inputs->sources);
    *inputs = (run_inputs){0};
}

/* ---- values ---- */

static vki_status check_array(const vki_tensor_info *info, const run_source *source, vki_error *err)
{
    const npy_array *a = &source->array;
    vki_tensor_info have = {.name = info->name, .dtype = a->dtype, .rank = a->rank};
    memcpy(have.dims, a->dims, sizeof have.dims);
    bool same = a->rank == info->rank;
    for (int i = 0; i < info->rank && same; i++) same = a->dims[i] == info->dims[i];
    char wanted[256], given[256];
    if (!same)
        return vkb_fail(err, VKI_E_SHAPE, "%s holds %s, but the input '%s' is %s", source->path,
                        tensor_text(&have, given, sizeof given), info->name,
                        tensor_text(info, wanted, sizeof wanted));
    return VKI_OK;
}

static vki_status picture_values(const vki_tensor_info *info, const run_source *source, const run_job *job,
                                 float *values, size_t n, vki_error *err)
{
    int c, h, w;
    char text[256];
    if (!picture_axes(info, &c, &h, &w) || info->dims[h] > VKI_IMAGE_MAX_SIDE ||
        info->dims[w] > VKI_IMAGE_MAX_SIDE)
        return vkb_fail(err, VKI_E_SHAPE, "no picture fits the input '%s' %s", info->name,
                        tensor_text(info, text, sizeof text));
    vki_image_options how = {.size = sizeof how,
                             .width = (int)info->dims[w],
                             .height = (int)info->dims[h],
                             .layout = c == 1 ? VKI_LAYOUT_NCHW : VKI_LAYOUT_NHWC,
                             .fit = job->letterbox ? VKI_FIT_LETTERBOX : VKI_FIT_STRETCH,
                             .pad = 114};
    how.channels = info->dims[c] == 1 ? VKI_CHANNELS_GRAY : job->bgr ? VKI_CHANNELS_BGR : VKI_CHANNELS_RGB;
    for (int k = 0; k < 3; k++) {
        how.mean[k] = job->mean.values[job->mean.count == 3 ? k : 0];
        how.scale[k] = job->scale.values[job->scale.count == 3 ? k : 0];
    }
    vki_image image = {
        .pixels = source->image.rgb, .width = source->image.width, .height = source->image.height};
    return vki_image_to_tensor(&image, &how, values, n, NULL, err);
}

/* Fills `data`, of the input's own type, from the source. */
static vki_status source_values(const vki_tensor_info *info, const run_source *source, const run_job *job,
                                void *data, size_t n, vki_error *err)
{
    const npy_array *a = &source->array;
    if (source->image.rgb) {
        float *pixels = malloc(n * sizeof *pixels + 1);
        if (!pixels) return vkb_nomem(err, (uint64_t)n * sizeof *pixels);
        vki_status status = picture_values(info, source, job, pixels, n, err);
        if (status == VKI_OK) tensor_convert(data, info->dtype, pixels, VKI_F32, n);
        free(pixels);
        return status;
    }
    VKB_TRY(check_array(info, source, err));
    bool floats = tensor_is_float(a->dtype) && tensor_is_float(info->dtype);
    if (a->dtype != info->dtype && !floats)
        return vkb_fail(err, VKI_E_SHAPE, "%s holds %s, but the input '%s' is %s; convert the file",
                        source->path, vki_dtype_name(a->dtype), info->name, vki_dtype_name(info->dtype));
    tensor_convert(data, info->dtype, a->data, a->dtype, n);
    return VKI_OK;
}

static vki_status write_input(const run_source *source, const run_job *job, vki_session *session, int index,
                              vki_error *err)
{
    vki_tensor_info info;
    size_t n, bytes;
    VKB_TRY(vki_session_input(session, index, &info));
    VKB_TRY(tensor_size(&info, &n, &bytes, err));
    void *data = malloc(bytes + 1);
    if (!data) return vkb_nomem(err, bytes);
    vki_status status = source_values(&info, source, job, data, n, err);
    if (status == VKI_OK) status = vki_session_write(session, index, data, bytes, err);
    free(data);
    return status;
}

vki_status run_inputs_write(const run_inputs *inputs, const run_job *job, vki_session *session,
                            vki_error *err)
{
    for (int i = 0; i < inputs->count; i++)
        if (inputs->sources[i].path) VKB_TRY(write_input(&inputs->sources[i], job, session, i, err));
    return VKI_OK;
}
