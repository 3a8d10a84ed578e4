/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <string.h>

#include "graph/format/vkm.h"
#ifdef VKI_HAVE_ONNX
#include "graph/import/onnx/onnx_import.h"
#endif

const gr_evaluator ses_evaluator = {cpu_evaluate, NULL, cpu_evaluate_dims};

static vki_status read_graph(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                             const char *directory, vkb_store *constants, vki_error *err)
{
    if (vkm_is(bytes, n)) return vkm_read(g, a, bytes, n, err);
#ifdef VKI_HAVE_ONNX
    return onnx_import_stored(g, a, bytes, n, directory, constants, err);
#else
    (void)directory;
    (void)constants;
    return vkb_fail(err, VKI_E_FORMAT,
                    "not a .vkm file, and this build has no ONNX importer: convert the model with a "
                    "vkinfer command built with VKI_ONNX=ON");
#endif
}

static vki_status fill(vki_model *m, vki_context *c, vkb_file *file, const void *bytes, size_t n,
                       const char *directory, vki_error *err)
{
    if (file) VKB_TRY(vkb_store_create(&c->allocator, file, &m->constants, err));
    VKB_TRY(read_graph(&m->source, &c->allocator, bytes, n, directory, m->constants, err));
    if (!vkm_is(bytes, n) && !vkb_store_has_copies(m->constants))
        vkb_store_destroy(&m->constants); /* all is in memory: the file is free */
    VKB_TRY(gr_clone(&m->optimized, &m->source, err));
    const gr_pass_options passes = {.evaluator = &ses_evaluator, .for_devices = c->limits != NULL};
    m->optimized.store = m->constants;
    VKB_TRY(gr_optimize(&m->optimized, &passes, err));
    VKB_TRY(ses_cpu_weights_create(&c->allocator, &m->cpu_weights, err));
    if (c->device) VKB_TRY(vkr_weights_create(c->device, &m->device_weights, err));
    return VKI_OK;
}

static void dispose(vki_model *m, const vki_allocator *a)
{
    vkr_weights_destroy(&m->device_weights);
    ses_cpu_weights_destroy(&m->cpu_weights);
    gr_free(&m->optimized);
    gr_free(&m->source);
    vkb_store_destroy(&m->constants);
    vkb_free(a, m);
}

static vki_status load(vki_context *c, vkb_file *file, const void *bytes, size_t n, const char *directory,
                       vki_model **out, vki_error *err)
{
    double start = vkb_now_ms();
    vki_model *m = vkb_calloc(&c->allocator, 1, sizeof *m);
    if (!m) return vkb_nomem(err, sizeof *m);
    atomic_init(&m->references, 1);
    gr_init(&m->source, &c->allocator);
    gr_init(&m->optimized, &c->allocator);
    vki_status status = fill(m, c, file, bytes, n, directory, err);
    if (status != VKI_OK) {
        dispose(m, &c->allocator);
        return status;
    }
    m->context = c;
    atomic_fetch_add(&c->references, 1);
    m->load_ms = vkb_now_ms() - start;
    *out = m;
    return VKI_OK;
}

vki_status vki_model_load_memory(vki_context *context, const void *bytes, size_t n, vki_model **out,
                                 vki_error *err)
{
    if (!out) return vkb_fail(err, VKI_E_ARG, "vki_model_load_memory: `out` is NULL");
    *out = NULL;
    if (!context || !bytes || !n)
        return vkb_fail(err, VKI_E_ARG, "vki_model_load_memory needs a context and at least one byte");
    if (vkm_is(bytes, n) && (uintptr_t)bytes % 64)
        return vkb_fail(err, VKI_E_ARG,
                        "a .vkm in memory must lie at a multiple of 64 bytes; this one lies at %p", bytes);
    return load(context, NULL, bytes, n, NULL, out, err);
}

vki_status vki_model_load_file(vki_context *context, const char *path, vki_model **out, vki_error *err)
{
    if (!out) return vkb_fail(err, VKI_E_ARG, "vki_model_load_file: `out` is NULL");
    *out = NULL;
    if (!context || !path) return vkb_fail(err, VKI_E_ARG, "vki_model_load_file needs a context and a path");
    vkb_file file;
    VKB_TRY(vkb_file_map(&file, path, err));
    if (!file.bytes) return vkb_fail(err, VKI_E_FORMAT, "%s is empty", path);
    const char *slash = strrchr(path, '/');
    char *directory = slash ? vkb_alloc(&context->allocator, (size_t)(slash - path) + 2) : NULL;
    if (directory) {
        memcpy(directory, path, (size_t)(slash - path) + 1);
        directory[slash - path + 1] = 0;
    } else if (slash) {
        vkb_file_unmap(&file);
        return vkb_nomem(err, (uint64_t)(slash - path));
    }
    vki_status status = load(context, &file, file.data, file.bytes, directory ? directory : ".", out, err);
    vkb_free(&context->allocator, directory);
    vkb_file_unmap(&file); /* empty by now if the model took it */
    if (status == VKI_E_FORMAT && err && !err->node[0])
        return vkb_fail(err, status, "%s: %s", path, err->text); /* which one, of several */
    return status;
}

void ses_model_release(vki_model *m)
{
    if (atomic_fetch_sub(&m->references, 1) != 1) return;
    vki_context *c = m->context;
    dispose(m, &c->allocator);
    ses_context_release(c);
}

void vki_model_destroy(vki_model **model)
{
    if (!model || !*model) return;
    ses_model_release(*model);
    *model = NULL;
}

void ses_describe(const gr_graph *g, gr_id id, vki_tensor_info *out)
{
    const gr_tensor *t = &g->tensors[id];
    *out = (vki_tensor_info){.name = t->name, .dtype = t->dtype, .rank = t->rank};
    for (int i = 0; i < t->rank; i++) {
        out->dims[i] = t->dims[i] >= 0 ? t->dims[i] : -1;
        out->symbol[i] = gr_symbol_name(g, t->dims[i]);
    }
}

int vki_model_input_count(const vki_model *m)
{
    return m ? m->source.n_inputs : 0;
}
int vki_model_output_count(const vki_model *m)
{
    return m ? m->source.n_outputs : 0;
}

vki_status vki_model_input(const vki_model *m, int index, vki_tensor_info *out)
{
    if (!m || !out || index < 0 || index >= m->source.n_inputs) return VKI_E_ARG;
    ses_describe(&m->source, m->source.inputs[index], out);
    return VKI_OK;
}

vki_status vki_model_output(const vki_model *m, int index, vki_tensor_info *out)
{
    if (!m || !out || index < 0 || index >= m->source.n_outputs) return VKI_E_ARG;
    ses_describe(&m->source, m->source.outputs[index], out);
    return VKI_OK;
}

const char *vki_model_metadata(const vki_model *m, const char *key)
{
    return m && key ? gr_get_meta(&m->source, key) : NULL;
}
