/* SPDX-License-Identifier: Apache-2.0
 * Convolutions and matrix products by constants in fp16 or bf16 arithmetic, where the session asks for it and
 * the CPU has it (`half` of its table): twice the multiply-adds an instruction. What lies between nodes stays
 * fp32; weights are packed as numbers of two bytes, activations rounded as they are packed. Sums of fp16 are
 * fp16 for CPU_F16_STEPS steps, then fp32, and magnitudes beyond 65504 become infinite; those of bf16, which
 * has fewer digits and the range of fp32, are fp32. */
#ifndef CPU_HALF_H
#define CPU_HALF_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

bool cpu_has_half(cpu_half half);
bool cpu_is_half(const cpu_kernel *k); /* one of these kernels */

/* The kernel that takes the node, or NULL and why not; *why is NULL of operators that are no products. */
const cpu_kernel *cpu_half_kernel(const gr_graph *g, const gr_node *n, const char **why);

/* What a node is prepared for. */
static inline cpu_half cpu_half_wanted(const cpu_prep *p)
{
    return p->bf16 ? CPU_BF16 : CPU_F16;
}
static inline const char *cpu_half_name(cpu_half half)
{
    return half == CPU_BF16 ? "bf16" : "fp16";
}

/* dst[p * step] = element 2p and 2p + 1 of a line of `count` elements, src[i * stride], times `scale`; 0
 * beyond. */
void cpu_pack_halves(float *dst, int64_t step, const float *src, int64_t stride, int64_t count, int64_t pairs,
                     float scale, const cpu_half_math *math);

/* ---- conv2d_half.c, matmul_half.c; NULL: the kernel takes the node. Else why not ---- */
const char *cpu_conv2d_half_refusal(const gr_graph *g, const gr_node *n);
const char *cpu_matmul_half_refusal(const gr_graph *g, const gr_node *n);
extern const cpu_kernel cpu_conv2d_half, cpu_matmul_half;

#endif
