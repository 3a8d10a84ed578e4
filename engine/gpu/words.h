/* SPDX-License-Identifier: Apache-2.0
 * Element-wise functions of one or two operands of integers or bool, and comparisons, of floats too. */
#ifndef GPU_WORDS_H
#define GPU_WORDS_H

#include "gpu/gpu.h"

enum gpu_kind { GPU_SIGNED = 0, GPU_UNSIGNED, GPU_FLOAT }; /* how shaders read a word */
/* Of 64-bit integers the device has what int32 holds. */
uint32_t gpu_kind_of(vki_dtype dtype);
/* 8, 16, 32, 64; of bool 8 */
uint32_t gpu_bits_of(vki_dtype dtype);

/* A kernel of the families binary, unary and compare; it takes integers and bool, and compare's also floats.
 */
bool gpu_words_fit(const gpu_builder *b, const gr_node *n, const char **why);
void gpu_words_emit(gpu_builder *b, const gr_node *n);

#endif
