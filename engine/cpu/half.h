/* SPDX-License-Identifier: Apache-2.0
 * Convolutions and matrix products by constants in fp16 arithmetic, where the session asks for it and the CPU
 * has it (gemm_f16 of its table): twice the multiply-adds an instruction. What lies between nodes stays fp32;
 * weights are packed as fp16, activations rounded as they are packed, and sums are fp16 for CPU_F16_STEPS
 * steps, then fp32. Magnitudes beyond 65504 become infinite. */
#ifndef CPU_HALF_H
#define CPU_HALF_H

#include "cpu/cpu.h"

bool cpu_has_half(void);
bool cpu_is_half(const cpu_kernel *k); /* one of these kernels */

/* The kernel that takes the node, or NULL and why not; *why is NULL of operators that are no products. */
const cpu_kernel *cpu_half_kernel(const gr_graph *g, const gr_node *n, const char **why);

/* dst[p * step] = element 2p and 2p + 1 of a line of `count` elements, src[i * stride], times `scale`; 0
 * beyond. */
void cpu_pack_halves(float *dst, int64_t step, const float *src, int64_t stride, int64_t count, int64_t pairs,
                     float scale);

/* ---- conv2d_half.c, matmul_half.c; NULL: the kernel takes the node. Else why not ---- */
const char *cpu_conv2d_half_refusal(const gr_graph *g, const gr_node *n);
const char *cpu_matmul_half_refusal(const gr_graph *g, const gr_node *n);
extern const cpu_kernel cpu_conv2d_half, cpu_matmul_half;

#endif
