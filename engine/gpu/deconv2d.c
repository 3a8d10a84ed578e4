/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolution over one to three spatial dimensions, one small convolution an output phase. */
#include "gpu/conv_tile.h"
#include "gpu/pack_conv.h"
#include "gpu/texels.h"

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t phases_of(const op_window *w)
{
    return w->stride_d * w->stride_h * w->stride_w;
}

static int64_t phase_positions(const op_window *w) /* outputs of the largest phase */
{
    return vkb_ceil_div(w->out_d, w->stride_d) * vkb_ceil_div(w->out_h, w->stride_h) *
           vkb_ceil_div(w->out_w, w->stride_w);
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    if (!gpu_conv_window(b, n, &w, why)) return false;
    *why = "a stride beyond the shader's 32-bit addresses";
    const int64_t largest = INT32_MAX / 64;
    return w.stride_d <= largest && w.stride_h <= largest && w.stride_w <= largest &&
           w.stride_d * w.stride_h <= largest / w.stride_w &&
           phases_of(&w) * w.batch <= b->limits->max_groups[2];
}

static void push_shape(gpu_dispatch *d, const op_window *w, const gpu_conv_shape *s)
{
    const int64_t words[] = {w->in_w,
                             w->in_h,
                             w->in_d,
                             vkb_ceil_div(w->in_c, 4),
                             w->out_w,
                             w->out_h,
                             w->out_d,
                             vkb_ceil_div(w->out_c, 4),
                             w->kernel_w,
                             w->kernel_h,
                             w->kernel_d,
                             w->stride_w,
                             w->stride_h,
                             w->stride_d,
                             w->dilation_w,
                             w->dilation_h,
                             w->dilation_d,
                             w->pad_left,
                             w->pad_top,
                             w->pad_front,
                             gcd(w->stride_w, w->dilation_w),
                             gcd(w->stride_h, w->dilation_h),
                             gcd(w->stride_d, w->dilation_d),
                             s->group_in,
                             s->group_out,
                             s->depth,
                             s->first_tile,
                             s->tiles};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static void emit_part(gpu_builder *b, const gr_node *n, const op_window *w, const gpu_conv_shape *s,
                      gpu_conv_tile tile)
{
    gpu_bind bias = gpu_pack_bias(b, n, vkb_ceil_div(w->out_c, 4));
    gpu_bind weights = gpu_pack_conv(b, n->in[1], s);
    uint8_t access = gpu_read_access(b, n, GPU_C4, &weights);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, deconv2d_phase));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_C4), access);
    gpu_bind_add(d, weights, access);
    gpu_bind_add(d, bias, access);
    gpu_grid(b, d, vkb_ceil_div(phase_positions(w), tile.pixels), s->tiles, w->batch * phases_of(w), tile.lx,
             tile.ly, 1);
    push_shape(d, w, s);
    gpu_epilogue_as(b, d, n, GPU_C4, bias, access);
    gpu_spec(d, tile.pixels);
    gpu_spec(d, tile.slices);
    gpu_spec(d, !op_window_is_flat(w));
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    op_window w;
    gpu_conv_shape s;
    if (!op_window_of(b->g, n, &w)) return;
    gpu_conv_tile tile =
        gpu_conv_tile_of(b->limits, phase_positions(&w), w.batch * phases_of(&w), vkb_ceil_div(w.out_c, 4));
    if (!gpu_conv_shape_of(&w, tile.slices, true, &s)) return;
    int32_t all = s.tiles, step = gpu_conv_tiles_in_range(b, &s);
    for (s.first_tile = 0; s.first_tile < all && !b->failed; s.first_tile += step) {
        s.tiles = (int32_t)vkb_min(step, all - s.first_tile);
        emit_part(b, n, &w, &s, tile);
    }
}

static const gpu_kernel kernels[] = {
    {"deconv2d_phase", fits, emit, GPU_FLOATS},
    {0},
};
const gpu_op gpu_op_deconv2d = {kernels};
