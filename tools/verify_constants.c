/* SPDX-License-Identifier: Apache-2.0
 * Models with some inputs made constants. The ONNX project's operator tests give axes, sizes and the like as
 * inputs, although networks hold them as constants. */
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/format/vkm.h"
#include "testdata.h"
#ifdef VKI_HAVE_ONNX
#include "graph/import/onnx/onnx_import.h"

static vki_status make_constants(gr_graph *g, const testdata *data, int first, vki_error *err)
{
    int kept = 0, n = g->n_inputs;
    for (int i = 0; i < n; i++) {
        gr_id id = g->inputs[i];
        gr_tensor *t = &g->tensors[id];
        const testdata_item *item = testdata_find(data->inputs, data->n_inputs, t->name, i);
        if (i < first || !item || item->array.dtype != t->dtype || t->flags & GR_OUTPUT) {
            g->inputs[kept++] = id;
            continue;
        }
        t->flags &= ~(uint32_t)GR_INPUT;
        t->rank = item->array.rank;
        memcpy(t->dims, item->array.dims, sizeof t->dims);
        if (!gr_make_const(g, id, item->array.data, true)) return vkb_nomem(err, item->array.bytes);
    }
    g->n_inputs = kept;
    return VKI_OK;
}

/* Through a .vkm file, which the model maps and which is gone when it closes it. */
static vki_status load_graph(vki_context *context, const gr_graph *g, vki_model **out, vki_error *err)
{
    char path[] = "/tmp/vkinfer_verify_XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) return vkb_fail(err, VKI_E_IO, "cannot create a file in /tmp");
    close(fd);
    vki_status status = vkm_write(g, path, NULL, err);
    if (status == VKI_OK) status = vki_model_load_file(context, path, out, err);
    unlink(path);
    return status;
}

vki_status verify_load_constants(vki_context *context, const char *path, const testdata *data, int first,
                                 vki_model **out, vki_error *err)
{
    vkb_file file;
    gr_graph g;
    *out = NULL;
    VKB_TRY(vkb_file_map(&file, path, err));
    vki_status status = onnx_import(&g, &vkb_libc_allocator, file.data, file.bytes, NULL, err);
    vkb_file_unmap(&file);
    if (status == VKI_OK) status = make_constants(&g, data, first, err);
    if (status == VKI_OK) status = load_graph(context, &g, out, err);
    gr_free(&g);
    return status;
}
#else
vki_status verify_load_constants(vki_context *context, const char *path, const testdata *data, int first,
                                 vki_model **out, vki_error *err)
{
    (void)context;
    (void)data;
    (void)first;
    *out = NULL;
    return vkb_fail(err, VKI_E_UNSUPPORTED, "%s: this build has no ONNX importer", path);
}
#endif
