/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/quantized.h"

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    *why = "more than two spatial dimensions";
    if (!op_window_2d_of(b->g, n, &w)) return false;
    *why = "sums of too many products";
    if (w.in_c / w.group > GPU_MOST_ROUNDS || op_window_taps(&w) > GPU_MOST_ROUNDS) return false;
    return gpu_requantize_fits(b, n, why);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const op_quantized q = op_quantized_of(n->op);
    op_window w;
    int64_t one, zero_step, scale_step, bias_step;
    if (!op_window_2d_of(b->g, n, &w)) return;
    const gpu_bind binds[] = {gpu_in(b, n, q.a, GPU_ROW),         gpu_in(b, n, q.b, GPU_ROW),
                              gpu_zero_in(b, n, q.a_zero, &one),  gpu_zero_in(b, n, q.b_zero, &zero_step),
                              gpu_multipliers(b, n, &scale_step), gpu_zero_in(b, n, q.bias, &bias_step)};
    const int64_t count = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_dispatch *d = gpu_dispatch_begin(b, SH_qconv_words_i32);
    gpu_grid_flat(b, d, count);
    gpu_spec(d, op_requantizes(n->op));
    for (size_t i = 0; i < VKB_COUNT(binds); i++) gpu_bind_add(d, binds[i], GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    const int64_t words[] = {count,      w.in_c / w.group, w.in_h,       w.in_w,       w.out_c,
                             w.out_h,    w.out_w,          w.group,      w.kernel_h,   w.kernel_w,
                             w.stride_h, w.stride_w,       w.dilation_h, w.dilation_w, w.pad_top,
                             w.pad_left, zero_step,        scale_step,   bias_step};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_push_output(b, d, n);
}

static const gpu_kernel kernels[] = {{"qconv_words", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_qconv = {kernels};
