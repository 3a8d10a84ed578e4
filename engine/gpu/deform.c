/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/deform.h"

#include "gpu/gpu.h"

enum {
    CHANNELS = 8,
    ROUNDS = 60000
}; /* output channels of an invocation, as in the shader; rounds of a loop:
      software drivers end it at 65535 */

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_deform d;
    if (!op_deform_of(b->g, n, &d, why)) return false;
    *why = "an output element has more terms than a loop has rounds";
    if (d.in_c / d.group * d.kernel_h * d.kernel_w > ROUNDS) return false;
    *why = "places beyond 24 bits, which fp32 cannot tell apart";
    int64_t limit = 1 << 24;
    return d.in_h < limit && d.in_w < limit && d.out_h * d.stride_h < limit && d.out_w * d.stride_w < limit &&
           d.kernel_h * d.dilation_h < limit && d.kernel_w * d.dilation_w < limit && d.pad_top < limit &&
           d.pad_left < limit;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    op_deform t;
    const char *why;
    if (!op_deform_of(b->g, n, &t, &why)) return;
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, deform_direct));
    gpu_bind x = gpu_in(b, n, 0, GPU_ROW);
    gpu_bind_add(d, x, GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 2, GPU_ROW), GPU_READ);
    gpu_bind_add(d, op_has_in(n, 3) ? gpu_in(b, n, 3, GPU_ROW) : x, GPU_READ);
    gpu_bind_add(d, op_has_in(n, 4) ? gpu_in(b, n, 4, GPU_ROW) : x, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    int64_t chunks = t.group * vkb_ceil_div(t.out_c / t.group, CHANNELS);
    gpu_grid_flat(b, d, t.batch * chunks * t.out_h * t.out_w);
    gpu_spec(d, op_has_in(n, 3));
    gpu_spec(d, op_has_in(n, 4));
    const int64_t words[] = {t.batch * chunks * t.out_h * t.out_w,
                             t.in_c,
                             t.in_h,
                             t.in_w,
                             t.out_c,
                             t.out_h,
                             t.out_w,
                             t.kernel_h,
                             t.kernel_w,
                             t.stride_h,
                             t.stride_w,
                             t.pad_top,
                             t.pad_left,
                             t.dilation_h,
                             t.dilation_w,
                             t.group,
                             t.offset_group};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static const gpu_kernel kernels[] = {{"deform_direct", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_deform = {kernels};
