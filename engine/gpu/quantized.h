/* SPDX-License-Identifier: Apache-2.0
 * Scales and zero points for the kernels that quantize. Scales are fp32 on the device, in half plans too. */
#ifndef GPU_QUANTIZED_H
#define GPU_QUANTIZED_H

#include "gpu/gpu.h"
#include "graph/ops/quantized.h"

/* Loops that lavapipe would end after 65535 rounds (Mesa 22.3, 2026) are kept below half of that. */
enum { GPU_MOST_ROUNDS = 32768 };

/* Input i as fp32: a constant, or computed at run time where the plan stores fp32. */
bool gpu_scale_fits(const gpu_builder *b, const gr_node *n, int i);
gpu_bind gpu_scale_in(gpu_builder *b, const gr_node *n, int i);
/* Input i as words; if it is absent (or -1), one zero. *step: 0 if there is one element for all. */
gpu_bind gpu_zero_in(gpu_builder *b, const gr_node *n, int i, int64_t *step);
void gpu_byte_range(vki_dtype dtype, int *low, int *high); /* of types of 8 and 16 bits */

/* Whether the sums of a quantized product can be brought to its output: scales and the output's zero point
 * are constants, the left factor's scale is one value. */
bool gpu_requantize_fits(const gpu_builder *b, const gr_node *n, const char **why);
/* The multipliers; *step as above. One zero for operators that do not requantize. */
gpu_bind gpu_multipliers(gpu_builder *b, const gr_node *n, int64_t *step);
/* y_zero, low and high of shaders/q*_words.comp. */
void gpu_push_output(gpu_builder *b, gpu_dispatch *d, const gr_node *n);

#endif
