/* SPDX-License-Identifier: Apache-2.0
 * The conversion of elements from floats to words and back, for Cast and for what can be seen as one. */
#ifndef GPU_CAST_H
#define GPU_CAST_H

#include "gpu/gpu.h"

/* Integer input i of the node as floats, as the plan stores them: among the weights, or in scratch. */
gpu_bind gpu_in_as_float(gpu_builder *b, const gr_node *n, int i);

/* A kernel for IsNaN and IsInf. */
bool gpu_tests_fit(const gpu_builder *b, const gr_node *n, const char **why);
void gpu_tests_emit(gpu_builder *b, const gr_node *n);

#endif
