/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/kernels.h"

#include "cpu/fast.h"

#define KERNEL(name)                                                                                         \
    {                                                                                                        \
#name, cpu_##name##_fits, cpu_##name##_prepare, cpu_##name##_run                                     \
    }
#define END                                                                                                  \
    {                                                                                                        \
        0                                                                                                    \
    }

const cpu_kernel cpu_conv2d_kernels[] = {KERNEL(conv2d_gemm), END};
const cpu_kernel cpu_deconv2d_kernels[] = {END};
const cpu_kernel cpu_pool_kernels[] = {END};
const cpu_kernel cpu_matmul_kernels[] = {END};
const cpu_kernel cpu_unary_kernels[] = {END};
const cpu_kernel cpu_binary_kernels[] = {END};
const cpu_kernel cpu_norm_kernels[] = {END};
const cpu_kernel cpu_softmax_kernels[] = {END};
