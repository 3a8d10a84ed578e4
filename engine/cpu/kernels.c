/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/kernels.h"

#include "cpu/fast.h"

#define KERNEL(kernel)                                                                                       \
    {                                                                                                        \
#kernel, cpu_##kernel##_fits, cpu_##kernel##_prepare, cpu_##kernel##_run                             \
    }
#define END                                                                                                  \
    {                                                                                                        \
        0                                                                                                    \
    }

const cpu_kernel cpu_conv2d_kernels[] = {
    KERNEL(conv2d_strips), KERNEL(conv2d_depthwise), KERNEL(conv2d_winograd), KERNEL(conv2d_karatsuba),
    KERNEL(conv2d_padded), KERNEL(conv2d_regions),   KERNEL(conv2d_lines),    KERNEL(conv2d_pixels),
    KERNEL(conv2d_dots),   KERNEL(conv2d_few),       KERNEL(conv2d_gemm),     END};
const cpu_kernel cpu_deconv2d_kernels[] = {KERNEL(deconv2d_pixel), KERNEL(deconv2d_karatsuba),
                                           KERNEL(deconv2d_scatter), KERNEL(deconv2d_phases), END};
const cpu_kernel cpu_conv_pool_kernels[] = {KERNEL(conv_pool_parts), END};
const cpu_kernel cpu_pool_kernels[] = {KERNEL(pool_window), KERNEL(pool_positions), KERNEL(pool_global), END};
const cpu_kernel cpu_matmul_kernels[] = {KERNEL(matmul_nonzero), KERNEL(matmul_rows), KERNEL(matmul_gemm),
                                         END};
const cpu_kernel cpu_qconv_kernels[] = {KERNEL(qconv_depthwise), KERNEL(qconv_gemm), END};
const cpu_kernel cpu_qmatmul_kernels[] = {KERNEL(qmatmul_gemm), END};
const cpu_kernel cpu_quantize_kernels[] = {KERNEL(quantize_rows), END};
const cpu_kernel cpu_unary_kernels[] = {KERNEL(unary_map), END};
const cpu_kernel cpu_binary_kernels[] = {KERNEL(binary_rows), END};
const cpu_kernel cpu_norm_kernels[] = {KERNEL(norm_rows), END};
const cpu_kernel cpu_lrn_kernels[] = {KERNEL(lrn_rows), END};
const cpu_kernel cpu_reduce_kernels[] = {KERNEL(reduce_rows), END};
const cpu_kernel cpu_softmax_kernels[] = {KERNEL(softmax_rows), END};
const cpu_kernel cpu_attention_kernels[] = {KERNEL(attention_rows), END};
const cpu_kernel cpu_recurrent_kernels[] = {KERNEL(recurrent_steps), END};

bool cpu_is_pointwise(const cpu_kernel *k)
{
    return k && (k->run == cpu_conv2d_lines_run || k->run == cpu_conv2d_pixels_run);
}

bool cpu_gives_means(const cpu_kernel *k)
{
    return k->run == cpu_conv2d_strips_run;
}
