/* SPDX-License-Identifier: Apache-2.0
 * Small ONNX models made in code, with the generated protobuf structs. Everything lives in the builder's
 * arena; memory exhaustion fails the test. */
#ifndef TESTS_COMMON_ONNX_BUILD_H
#define TESTS_COMMON_ONNX_BUILD_H

#ifdef VKI_HAVE_ONNX
#include "graph/graph.h"
#include "onnx.pb-c.h"

typedef Onnx__NodeProto ob_node_t;
typedef Onnx__TensorProto ob_tensor_t;

typedef struct ob {
    vkb_arena arena;
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
} ob;

void ob_start(ob *b, int64_t opset);
void ob_end(ob *b);
/* inputs, outputs: names separated by commas; an empty name is an absent one; "" is none at all. */
ob_node_t *ob_node(ob *b, const char *op, const char *inputs, const char *outputs);
void ob_inputs(ob *b, ob_node_t *n, const char *inputs); /* instead of those given */
void ob_outputs(ob *b, ob_node_t *n, const char *outputs);
Onnx__AttributeProto *ob_attr(ob *b, ob_node_t *n, const char *name,
                              Onnx__AttributeProto__AttributeType type);
void ob_int(ob *b, ob_node_t *n, const char *name, int64_t value);
void ob_float(ob *b, ob_node_t *n, const char *name, float value);
void ob_text(ob *b, ob_node_t *n, const char *name, const char *value);
void ob_ints(ob *b, ob_node_t *n, const char *name, int count, const int64_t *values);
void ob_floats(ob *b, ob_node_t *n, const char *name, int count, const float *values);
void ob_tensor_attr(ob *b, ob_node_t *n, const char *name, ob_tensor_t *t);
/* The graph of another builder, which must live until this one is packed, as an attribute... */
void ob_graph_attr(ob *b, ob_node_t *n, const char *name, ob *body);
/* ... or as a function of the model, with the inputs, outputs and operator set of that builder. */
Onnx__FunctionProto *ob_function(ob *b, const char *domain, const char *name, ob *body);
/* The attribute takes the value of the function's attribute `ref`. */
void ob_ref(ob *b, ob_node_t *n, const char *name, const char *ref);
/* dims: "1,3,H"; "" is a scalar; "?" in an input a missing dimension. Tensors have raw data, copied. */
ob_tensor_t *ob_tensor(ob *b, const char *name, vki_dtype dtype, const char *dims, const void *data);
ob_tensor_t *ob_initializer(ob *b, const char *name, vki_dtype dtype, const char *dims, const void *data);
void ob_input(ob *b, const char *name, vki_dtype dtype, const char *dims);   /* dims NULL: no shape */
void ob_output(ob *b, const char *name, vki_dtype dtype, const char *dims);  /* dtype NONE: no type */
void ob_external(ob *b, ob_tensor_t *t, const char *key, const char *value); /* makes the tensor external */
uint8_t *ob_pack(ob *b, size_t *n);
/* x [N,2,3,?] -> Conv (w, b; strides) -> Reshape by a Constant -> Relu -> y: one of everything. Opset 13. */
void ob_small_model(ob *b);
/* Packs and imports. */
vki_status ob_import(ob *b, gr_graph *g, const char *directory, vki_error *err);
#endif
#endif
