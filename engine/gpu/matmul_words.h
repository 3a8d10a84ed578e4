/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GPU_MATMUL_WORDS_H
#define GPU_MATMUL_WORDS_H

#include "gpu/gpu.h"

/* A kernel of the family matmul, for integers. */
bool gpu_matmul_words_fit(const gpu_builder *b, const gr_node *n, const char **why);
void gpu_matmul_words_emit(gpu_builder *b, const gr_node *n);

#endif
