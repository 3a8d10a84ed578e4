/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: ONNX files; after a leading 't', TensorProto files. */
#include "graph/import/onnx/onnx_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_graph g;
    vki_error err;
    if (size == 0) return 0;
    if (data[0] == 't') {
        gr_id id;
        gr_init(&g, &vkb_libc_allocator);
        onnx_read_tensor(&g, data + 1, size - 1, &id, &err);
    } else if (onnx_import(&g, &vkb_libc_allocator, data, size, NULL, &err) == VKI_OK) {
        if (gr_check(&g, &err) != VKI_OK) __builtin_trap(); /* the importer promises a valid graph */
        gr_infer(&g, &err);
    }
    gr_free(&g);
    return 0;
}
