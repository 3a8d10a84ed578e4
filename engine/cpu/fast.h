/* SPDX-License-Identifier: Apache-2.0
 * What the fast kernels share. */
#ifndef CPU_FAST_H
#define CPU_FAST_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

bool cpu_all_f32(const gr_graph *g, const gr_node *n); /* every tensor concrete, fp32 and not empty */
uint64_t cpu_pack_key(const char *form, const int64_t *sizes, int count);
const void *cpu_own_input(const cpu_call *c, int i); /* NULL if absent, or if that is the residual */
const float *cpu_residual(const cpu_call *c);        /* NULL if the epilogue has none */
bool cpu_has_epilogue(const gr_node *n);
/* What a kernel does of the epilogue as it stores a sum: clamps it to *low .. *high, infinite if there is
 * nothing to do. true: more of the epilogue is left. */
bool cpu_clamp_of(const gr_epilogue *e, float *low, float *high);
bool cpu_is_hardswish(const gr_epilogue *e); /* and nothing else, which some kernels do as they store, too */

/* Sums of a row of any length: blocks in fp32, their sums in double. */
double cpu_row_sum(const cpu_micro *m, const float *x, int64_t n);
double cpu_row_sum_sq(const cpu_micro *m, const float *x, int64_t n, float mean); /* of (x - mean)^2 */

/* Elementwise loops: fn gets ranges of whole cache lines. */
typedef void (*cpu_range_fn)(const cpu_call *c, int64_t begin, int64_t end);
void cpu_parallel_elements(const cpu_call *c, int64_t count, cpu_range_fn fn);

/* The hooks of each kernel, for the lists in kernels.c. */
#define CPU_KERNEL(name)                                                                                     \
    bool cpu_##name##_fits(const gr_graph *g, const gr_node *n);                                             \
    vki_status cpu_##name##_prepare(cpu_prep *p, vki_error *err);                                            \
    void cpu_##name##_run(const cpu_call *c);
CPU_KERNEL(conv2d_winograd)
CPU_KERNEL(conv2d_few)
CPU_KERNEL(conv2d_gemm)
CPU_KERNEL(conv2d_lines)
CPU_KERNEL(conv2d_pixels)
CPU_KERNEL(conv2d_dots)
CPU_KERNEL(conv2d_regions)
CPU_KERNEL(conv2d_strips)
CPU_KERNEL(conv2d_depthwise)
CPU_KERNEL(conv2d_padded)
CPU_KERNEL(deconv2d_pixel)
CPU_KERNEL(conv2d_karatsuba)
CPU_KERNEL(deconv2d_karatsuba)
CPU_KERNEL(deconv2d_scatter)
CPU_KERNEL(deconv2d_phases)
CPU_KERNEL(conv_pool_parts)
CPU_KERNEL(pool_window)
CPU_KERNEL(pool_positions)
CPU_KERNEL(pool_global)
CPU_KERNEL(matmul_nonzero)
CPU_KERNEL(matmul_rows)
CPU_KERNEL(matmul_gemm)
CPU_KERNEL(qconv_depthwise)
CPU_KERNEL(qconv_gemm)
CPU_KERNEL(qmatmul_gemm)
CPU_KERNEL(quantize_rows)
CPU_KERNEL(unary_map)
CPU_KERNEL(binary_rows)
CPU_KERNEL(norm_rows)
CPU_KERNEL(lrn_rows)
CPU_KERNEL(reduce_rows)
CPU_KERNEL(softmax_rows)
CPU_KERNEL(attention_rows)
CPU_KERNEL(recurrent_steps)
#undef CPU_KERNEL

#endif
