/* SPDX-License-Identifier: Apache-2.0
 * Whether all tensors of a model are fp32 or fp16: those it declares, and those in between whose type
 * follows. */
#include "verify.h"

#ifdef VKI_HAVE_ONNX
#include "graph/import/onnx/onnx_import.h"

static bool is_float(int32_t type)
{
    return type == VKI_F32 || type == VKI_F16;
}

/* g: the model as imported, or empty: then what is not declared is not known. */
static bool all_floats(const onnx_declared *list, int count, const gr_graph *g)
{
    for (int i = 0; i < count; i++) {
        int32_t type = list[i].type;
        gr_id id = type || !g ? GR_NONE : gr_find_tensor(g, list[i].name);
        if (id != GR_NONE) type = (int32_t)g->tensors[id].dtype;
        if (type && !is_float(type)) return false;
    }
    return true;
}

bool verify_only_floats(const char *path)
{
    vkb_file file;
    vkb_arena arena;
    vki_error err;
    gr_graph g;
    onnx_declared *list = NULL;
    int count = 0;
    if (vkb_file_map(&file, path, &err) != VKI_OK) return false;
    vkb_arena_init(&arena, &vkb_libc_allocator);
    bool floats = onnx_declared_types(&arena, file.data, file.bytes, &list, &count, &err) == VKI_OK;
    bool imported = onnx_import(&g, &vkb_libc_allocator, file.data, file.bytes, NULL, &err) == VKI_OK;
    floats = floats && all_floats(list, count, imported ? &g : NULL);
    gr_free(&g);
    vkb_arena_free(&arena);
    vkb_file_unmap(&file);
    return floats;
}
#else
bool verify_only_floats(const char *path)
{
    (void)path;
    return false;
}
#endif
