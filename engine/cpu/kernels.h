/* SPDX-License-Identifier: Apache-2.0
 * The lists of fast kernels, best first, each ended by an entry without a name. engine/cpu/<family>.c puts a
 * list into its cpu_op beside the reference. */
#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H

#include "cpu/cpu.h"

extern const cpu_kernel cpu_conv2d_kernels[];
extern const cpu_kernel cpu_deconv2d_kernels[];
extern const cpu_kernel cpu_conv_pool_kernels[];
extern const cpu_kernel cpu_pool_kernels[];
extern const cpu_kernel cpu_matmul_kernels[];
extern const cpu_kernel cpu_qconv_kernels[];
extern const cpu_kernel cpu_qmatmul_kernels[];
extern const cpu_kernel cpu_quantize_kernels[];
extern const cpu_kernel cpu_unary_kernels[];
extern const cpu_kernel cpu_binary_kernels[];
extern const cpu_kernel cpu_norm_kernels[];
extern const cpu_kernel cpu_lrn_kernels[];
extern const cpu_kernel cpu_reduce_kernels[];
extern const cpu_kernel cpu_softmax_kernels[];
extern const cpu_kernel cpu_attention_kernels[];
extern const cpu_kernel cpu_resize_kernels[];
extern const cpu_kernel cpu_recurrent_kernels[];
extern const cpu_kernel cpu_dft_kernels[];
extern const cpu_kernel cpu_grid_kernels[];
extern const cpu_kernel cpu_roi_kernels[];
extern const cpu_kernel cpu_deform_kernels[];
extern const cpu_kernel cpu_nms_kernels[];
extern const cpu_kernel cpu_unique_kernels[];

#endif
