/* SPDX-License-Identifier: Apache-2.0
 * ONNX files to graphs: opsets 1 to 25 lifted to the newest semantics. */
#ifndef GRAPH_IMPORT_ONNX_IMPORT_H
#define GRAPH_IMPORT_ONNX_IMPORT_H

#include "base/store.h"
#include "graph/graph.h"

/* Everything is copied into the graph. directory: where external data lies; NULL: external data is an error.
 * VKI_E_FORMAT: not a valid model. VKI_E_UNSUPPORTED: lists every node that cannot be taken (as many as fit
 * the text). On failure g is empty. */
vki_status onnx_import(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                       const char *directory, vki_error *err);
/* The same for bytes that are the file of `store`, which large constants are copied to and which must outlive
 * the graph. */
vki_status onnx_import_stored(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                              const char *directory, vkb_store *store, vki_error *err);
/* The same with values for some of the inputs, which become constants: those from number `first` on, in the
 * model's order, that `given` has under their name (or, where its name is "", at their number) with their
 * type. The tensors in `given` have data, of any alignment. */
vki_status onnx_import_with(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                            const char *directory, const gr_tensor *given, int count, int first,
                            vki_error *err);
/* The values of a file's graph and of the bodies in it, with the element type that the file declares: a
 * vki_dtype or another of ONNX's numbers, 0 if it says nothing (a name may stand twice then), ONNX_NO_TENSOR.
 * In `arena`. */
enum { ONNX_NO_TENSOR = -1 };
typedef struct onnx_declared {
    const char *name;
    int32_t type;
} onnx_declared;
vki_status onnx_declared_types(vkb_arena *arena, const void *bytes, size_t n, onnx_declared **list,
                               int *count, vki_error *err);
/* One serialized TensorProto (test data): a constant added to g; *id is its tensor. */
vki_status onnx_read_tensor(gr_graph *g, const void *bytes, size_t n, gr_id *id, vki_error *err);

#endif
