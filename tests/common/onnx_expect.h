/* SPDX-License-Identifier: Apache-2.0
 * Models of common/onnx_build.h by value: imported and run on the references. */
#ifndef TESTS_COMMON_ONNX_EXPECT_H
#define TESTS_COMMON_ONNX_EXPECT_H

#ifdef VKI_HAVE_ONNX
#include "common/onnx_build.h"

#define X32(...)  ((const float[]){__VA_ARGS__})
#define I64(...)  ((const int64_t[]){__VA_ARGS__})
#define LEN(list) ((int)(sizeof(list) / sizeof(*(list))))

/* Evaluates every node; results become constants, so that shapes that depend on values are inferred too. */
void oe_evaluate(gr_graph *g);
/* A model x -> node -> y, both float32. */
ob_node_t *oe_start(ob *b, int64_t opset, const char *op, const char *dims);
/* Imports, feeds x (NULL: the model has no input) to input 0 and compares output 0, float32. Ends `b`. */
void oe_expect(ob *b, const float *x, const char *shape, const float *want, int n);
/* The same for outputs of integers and truth values. */
void oe_expect_ints(ob *b, const float *x, vki_dtype dtype, const char *shape, const int64_t *want, int n);
/* The import refuses the model as not supported, with a text that holds `text`. Ends `b`. */
void oe_refuses(ob *b, const char *text);
/* The import fails: the file is damaged. */
void oe_fails(ob *b, const char *text);
#endif
#endif
