/* SPDX-License-Identifier: Apache-2.0
 * ONNX files to graphs: opsets 7 to 21 lifted to the newest semantics. */
#ifndef GRAPH_IMPORT_ONNX_IMPORT_H
#define GRAPH_IMPORT_ONNX_IMPORT_H

#include "graph/graph.h"

/* Everything is copied into the graph. directory: where external data lies; NULL: external data is an error.
 * VKI_E_FORMAT: not a valid model. VKI_E_UNSUPPORTED: lists every node that cannot be taken (as many as fit
 * the text). On failure g is empty. */
vki_status onnx_import(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                       const char *directory, vki_error *err);
/* One serialized TensorProto (test data): a constant added to g; *id is its tensor. */
vki_status onnx_read_tensor(gr_graph *g, const void *bytes, size_t n, gr_id *id, vki_error *err);

#endif
