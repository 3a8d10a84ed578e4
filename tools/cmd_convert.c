/* SPDX-License-Identifier: Apache-2.0
 * vkinfer convert: an .onnx file becomes a .vkm file, which is then checked against the original. */
#include "verify.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compare.h"
#include "graph/format/vkm.h"
#include "session/session.h"

static const char about[] =
    "Imports the model, simplifies its graph, and writes a .vkm file, which loads without\n"
    "parsing. The file is then loaded, run on random input on the CPU, and compared with the\n"
    "original on the reference; the largest error is printed.\n"
    "--shape makes a dynamic input's shape part of the file. Where dimensions stay open, the\n"
    "check takes 1 for the first and 64 for others, or the shape that --check-shape gives.\n";

typedef struct convert_options {
    const char *in, *out;
    opt_shapes shapes, check_shapes;
    bool half, no_check;
} convert_options;

static vki_status write_file(const convert_options *o, const vki_model *model, vki_error *err)
{
    gr_graph g;
    ses_held held = {0}; /* constants that may have left memory when the model was loaded */
    VKB_TRY(gr_clone(&g, &model->source, err));
    vki_status status = ses_hold(model->constants, &g, &held, err);
    if (status == VKI_OK && o->shapes.count)
        status = gr_bind_shapes(&g, o->shapes.items, o->shapes.count, err);
    /* whether integers pay depends on the device, which is not known yet */
    const gr_pass_options passes = {.evaluator = &ses_evaluator, .for_devices = true};
    if (status == VKI_OK) status = gr_optimize(&g, &passes, err);
    if (status == VKI_OK) status = vkm_write(&g, o->out, &(vkm_write_options){.half_weights = o->half}, err);
    if (status == VKI_OK) {
        struct stat st;
        printf("%s: %d nodes", o->in, model->source.n_nodes);
        if (stat(o->in, &st) == 0) printf(", %.2f MiB", (double)st.st_size / 1048576);
        printf("\n%s: %d nodes", o->out, g.n_nodes);
        if (stat(o->out, &st) == 0) printf(", %.2f MiB", (double)st.st_size / 1048576);
        putchar('\n');
    }
    ses_unhold(model->constants, g.allocator, &held);
    gr_free(&g);
    return status;
}

/* ---- the check ---- */

static const vki_shape *find_shape(const opt_shapes *shapes, const char *name)
{
    for (int i = 0; i < shapes->count; i++)
        if (strcmp(shapes->items[i].input, name) == 0) return &shapes->items[i];
    return NULL;
}

/* Concrete shapes of all inputs; the same symbol gets the same size. */
static vki_status choose_shapes(const convert_options *o, const vki_model *model, vki_shape *shapes,
                                vki_error *err)
{
    for (int i = 0; i < vki_model_input_count(model); i++) {
        vki_tensor_info info;
        vki_model_input(model, i, &info);
        const vki_shape *given = find_shape(&o->shapes, info.name);
        if (!given) given = find_shape(&o->check_shapes, info.name);
        shapes[i] = given ? *given : (vki_shape){.input = info.name, .rank = info.rank};
        if (given) continue;
        if (info.rank < 0)
            return vkb_fail(err, VKI_E_SHAPE, "the input %s has no known rank: give --check-shape %s=...",
                            info.name, info.name);
        for (int d = 0; d < info.rank; d++) shapes[i].dims[d] = info.dims[d] > 0 ? info.dims[d] : d ? 64 : 1;
    }
    return VKI_OK;
}

static vki_status run(vki_model *model, const vki_shape *shapes, bool reference, vki_session **session,
                      vki_error *err)
{
    vki_session_options options = {.size = sizeof options,
                                   .reference = reference,
                                   .placement = VKI_PLACE_CPU_ONLY,
                                   .shapes = shapes,
                                   .shape_count = vki_model_input_count(model)};
    VKB_TRY(vki_session_create(model, &options, session, err));
    VKB_TRY(verify_write_random(*session, vki_model_input_count(model), err));
    return vki_session_run(*session, 0, err);
}

static vki_status compare_output(vki_session *a, vki_session *b, int index, compare_result *r, vki_error *err)
{
    vki_tensor_info ia, ib;
    if (vki_session_output(a, index, &ia) != VKI_OK || vki_session_output(b, index, &ib) != VKI_OK ||
        ia.dtype != ib.dtype || verify_elements(&ia) != verify_elements(&ib))
        return vkb_fail(err, VKI_E_INTERNAL, "output %d of the two files is not the same kind of tensor",
                        index);
    uint64_t count = verify_elements(&ia);
    size_t bytes = (size_t)count * vki_dtype_size(ia.dtype);
    char *values = vkb_alloc(&vkb_libc_allocator, 2 * bytes);
    if (!values) return vkb_nomem(err, 2 * bytes);
    vki_status status = vki_session_read(a, index, values, bytes, err);
    if (status == VKI_OK) status = vki_session_read(b, index, values + bytes, bytes, err);
    if (status == VKI_OK) *r = compare_tensors(values + bytes, ia.dtype, values, ia.dtype, count);
    vkb_free(&vkb_libc_allocator, values);
    return status;
}

/* Prints the largest error. VKI_E_INTERNAL if it is out of bounds: what was written would be wrong. */
static vki_status compare_sessions(const convert_options *o, vki_session *original, vki_session *written,
                                   int outputs, vki_error *err)
{
    double rtol = o->half ? 0.2 : 1e-3; /* rounded weights do change results; a wrong file is far off */
    compare_result worst = {.exact = false};
    bool passed = true;
    for (int i = 0; i < outputs; i++) {
        compare_result r = {.exact = false};
        VKB_TRY(compare_output(original, written, i, &r, err));
        passed &= compare_passes(&r, rtol);
        if (r.rel >= worst.rel) worst = r;
    }
    printf("checked on random input: largest error %.2e, relative to the largest output %.2e\n",
           worst.max_abs, worst.rel);
    if (passed) return VKI_OK;
    return vkb_fail(
        err, VKI_E_INTERNAL,
        "the written file gives other results than the original (tolerance %.0e): do not use it, and "
        "report it with the model",
        rtol);
}

static vki_status check(const convert_options *o, vki_context *context, vki_model *model, vki_error *err)
{
    vki_model *written = NULL;
    vki_session *original = NULL, *converted = NULL;
    int n = vki_model_input_count(model);
    vki_shape *shapes = vkb_calloc(&vkb_libc_allocator, (size_t)n, sizeof *shapes);
    if (!shapes) return vkb_nomem(err, (uint64_t)n * sizeof *shapes);
    vki_status status = choose_shapes(o, model, shapes, err);
    if (status == VKI_OK) status = vki_model_load_file(context, o->out, &written, err);
    if (status == VKI_OK) status = run(model, shapes, true, &original, err);
    if (status == VKI_OK) status = run(written, shapes, false, &converted, err);
    if (status == VKI_OK)
        status = compare_sessions(o, original, converted, vki_model_output_count(model), err);
    vki_session_destroy(&original);
    vki_session_destroy(&converted);
    vki_model_destroy(&written);
    vkb_free(&vkb_libc_allocator, shapes);
    return status;
}

int cmd_convert(int argc, char **argv)
{
    convert_options o = {.in = NULL};
    const opt_row rows[] = {
        {"--output", 'o', OPT_STRING, &o.out, "FILE", "the .vkm file to write", 0, 0},
        {"--shape", 0, OPT_SHAPES, &o.shapes, "NAME=1x3x224x224", "fix the shape of a dynamic input", 0, 0},
        {"--fp16", 0, OPT_FLAG, &o.half, NULL, "store weights in 16 bits: half the size", 0, 0},
        {"--check-shape", 0, OPT_SHAPES, &o.check_shapes, "NAME=1x3x224x224",
         "shape of a dynamic input in the check", 0, 0},
        {"--no-check", 0, OPT_FLAG, &o.no_check, NULL, "do not compare the result with the original", 0, 0},
    };
    opt_line line = {.command = "convert",
                     .usage = "IN.onnx -o OUT.vkm [options]",
                     .about = about,
                     .rows = rows,
                     .row_count = VKB_COUNT(rows),
                     .min_args = 1,
                     .max_args = 1};
    int code = options_parse(&line, argc, argv);
    if (code != OPT_GO_ON) return code;
    o.in = line.args[0];
    if (!o.out) return options_wrong(&line, "give the file to write: -o OUT.vkm");
    vki_error err;
    vki_context *context = NULL;
    vki_model *model = NULL;
    vki_context_options on_cpu = {.size = sizeof on_cpu, .backend = VKI_BACKEND_CPU};
    vki_status status = vki_context_create(&on_cpu, &context, &err);
    if (status == VKI_OK) status = vki_model_load_file(context, o.in, &model, &err);
    if (status == VKI_OK) status = write_file(&o, model, &err);
    if (status == VKI_OK && !o.no_check) status = check(&o, context, model, &err);
    vki_model_destroy(&model);
    vki_context_destroy(&context);
    return status == VKI_OK ? TOOL_OK : tool_failed(&err);
}
