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
    gr_tensor *given = vkb_calloc(&vkb_libc_allocator, (size_t)data->n_inputs + 1, sizeof *given);
    if (!given) return vkb_nomem(err, sizeof *given);
    for (int i = 0; i < data->n_inputs; i++) {
        const npy_array *from = &data->inputs[i].array;
        given[i] = (gr_tensor){.name = data->inputs[i].name, .dtype = from->dtype, .rank = from->rank};
        memcpy(given[i].dims, from->dims, sizeof given[i].dims);
        given[i].data = from->data;
    }
    vki_status status = vkb_file_map(&file, path, err);
    if (status == VKI_OK) {
        status = onnx_import_with(&g, &vkb_libc_allocator, file.data, file.bytes, NULL, given, data->n_inputs,
                                  first, err);
        vkb_file_unmap(&file);
        if (status == VKI_OK) status = load_graph(context, &g, out, err);
        gr_free(&g);
    }
    vkb_free(&vkb_libc_allocator, given);
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
