/* SPDX-License-Identifier: Apache-2.0
 * Convolution over one to three spatial dimensions, in slices of four channels. */
#include "gpu/conv_tile.h"
#include "gpu/gemv.h"
#include "gpu/merges.h"
#include "gpu/pack_conv.h"
#include "gpu/texels.h"
#include "graph/ops/schema.h"

/* ---- conv2d_1x1, conv2d_direct: register tiles over pixels and output slices ---- */

static bool fits_direct(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    return gpu_conv_window(b, n, &w, why);
}

/* A window that keeps its place along the depth is two-dimensional, the depth being part of the height, if it
 * does the same along the height. */
static bool window_1x1(const gpu_builder *b, const gr_node *n, op_window *w)
{
    if (!op_window_of(b->g, n, w)) return false;
    if (w->kernel_d == 1 && w->kernel_h == 1 && w->in_d == w->out_d && w->in_h == w->out_h && !w->pad_front &&
        !w->pad_top) {
        w->in_h = w->out_h = w->in_h * w->in_d;
        w->in_d = w->out_d = w->stride_d = w->stride_h = w->dilation_d = 1;
    }
    return true;
}

static bool fits_1x1(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    if (!gpu_conv_window(b, n, &w, why) || !window_1x1(b, n, &w)) return false;
    *why = "not an ungrouped 1x1 kernel without padding";
    return w.group == 1 && op_window_taps(&w) == 1 && op_window_is_flat(&w) &&
           !(w.pad_top | w.pad_left | w.pad_bottom | w.pad_right);
}

/* ---- conv2d_gemv: 1x1 at a single position, where C4 is a row-major matrix with padded rows ---- */

static bool fits_gemv(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    if (!fits_1x1(b, n, why) || !gpu_conv_window(b, n, &w, why)) return false;
    *why = "more than one position, or more than four batches, or the weights are not constant";
    return gr_is_const(b->g, n->in[1]) && w.in_d * w.in_h * w.in_w == 1 && w.batch <= GPU_GEMV_ROWS;
}

static void emit_gemv(gpu_builder *b, const gr_node *n)
{
    op_window w;
    if (!op_window_of(b->g, n, &w)) return;
    int64_t in_lanes = vkb_ceil_div(w.in_c, 4) * 4, out_slices = vkb_ceil_div(w.out_c, 4);
    gpu_gemv g = {.matrix = {n->in[1], w.in_c, w.out_c, 1, w.in_c, in_lanes},
                  .rows = w.batch,
                  .columns = out_slices * 4,
                  .a_row = in_lanes,
                  .a_col = 1,
                  .layout = GPU_C4,
                  .has_c = op_has_own(n, 2),
                  .c_col = 1,
                  .scale = 1.0f,
                  .scale_c = 1.0f};
    if (g.has_c) g.c = gpu_pack_bias(b, n, out_slices);
    gpu_emit_gemv(b, n, &g);
}

static void push_1x1(gpu_dispatch *d, const op_window *w)
{
    gpu_push(d, w->in_w);
    gpu_push(d, w->in_w * w->in_h);
    gpu_push(d, vkb_ceil_div(w->in_c, 4));
    gpu_push(d, w->out_w);
    gpu_push(d, w->out_w * w->out_h);
    gpu_push(d, vkb_ceil_div(w->out_c, 4));
    gpu_push(d, w->stride_w);
    gpu_push(d, w->stride_h);
}

static void push_direct(gpu_dispatch *d, const op_window *w, const gpu_conv_shape *s)
{
    const int64_t words[] = {w->in_w,
                             w->in_h,
                             vkb_ceil_div(w->in_c, 4),
                             w->out_w,
                             w->out_w * w->out_h * w->out_d,
                             vkb_ceil_div(w->out_c, 4),
                             w->kernel_w,
                             w->kernel_h,
                             w->stride_w,
                             w->stride_h,
                             w->dilation_w,
                             w->dilation_h,
                             w->pad_left,
                             w->pad_top,
                             w->in_d,
                             w->out_h,
                             w->kernel_d,
                             w->stride_d,
                             w->dilation_d,
                             w->pad_front,
                             s->group_in,
                             s->group_out,
                             s->depth};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

/* Which input of a Mul of [N, C, ...] and [N, C, 1, ...] is the latter; -1: it is no such Mul. */
static int gate_of(const gr_graph *g, const gr_node *mul)
{
    const gr_tensor *y = &g->tensors[mul->out[0]];
    for (int i = 1; i >= 0; i--) {
        const gr_tensor *x = &g->tensors[mul->in[1 - i]], *s = &g->tensors[mul->in[i]];
        if (x->data || s->data || s->rank != y->rank || y->rank < 2 || !gr_same_shape(x, y)) continue;
        if (s->dims[0] == y->dims[0] && s->dims[1] == y->dims[1] && gr_elements(s) == y->dims[0] * y->dims[1])
            return i;
    }
    return -1;
}

/* One dispatch for the tiles [s->first_tile, + s->tiles). `gate` (NULL: none) is the Mul by a number a
 * channel whose result is the input: it is done here, too. */
static void emit_part(gpu_builder *b, const gr_node *n, const op_window *w, const gpu_conv_shape *s,
                      gpu_conv_tile tile, bool is_1x1, const gr_node *gate)
{
    gpu_bind bias = gpu_pack_bias(b, n, vkb_ceil_div(w->out_c, 4));
    gpu_bind weights = gpu_pack_conv(b, n->in[1], s);
    uint8_t access = gpu_read_access(b, n, GPU_C4, &weights);
    gpu_dispatch *d = gpu_dispatch_begin(b, is_1x1 ? GPU_SHADER_FOR(b, access, conv2d_1x1)
                                                   : GPU_SHADER_FOR(b, access, conv2d_direct));
    gpu_bind_add(d, gate ? gpu_in(b, gate, 1 - gate_of(b->g, gate), GPU_C4) : gpu_in(b, n, 0, GPU_C4),
                 access);
    gpu_bind_add(d, weights, access);
    gpu_bind_add(d, bias, access);
    gpu_grid(b, d, vkb_ceil_div(w->out_w * w->out_h * w->out_d, tile.pixels), s->tiles, w->batch, tile.lx,
             tile.ly, 1);
    if (is_1x1)
        push_1x1(d, w);
    else
        push_direct(d, w, s);
    gpu_push(d, s->first_tile);
    gpu_push(d, s->tiles);
    gpu_epilogue_as(b, d, n, GPU_C4, bias, access);
    gpu_spec(d, tile.pixels);
    gpu_spec(d, tile.slices);
    gpu_spec(d, is_1x1 ? gate != NULL : !op_window_is_flat(w));
    if (is_1x1) gpu_bind_add(d, gate ? gpu_in(b, gate, gate_of(b->g, gate), GPU_C4) : bias, access);
    gpu_out_channels(b, d, n, w->out_c);
}

static void emit_tiled(gpu_builder *b, const gr_node *n, bool is_1x1, const gr_node *gate)
{
    op_window w;
    gpu_conv_shape s;
    if (!(is_1x1 ? window_1x1(b, n, &w) : op_window_of(b->g, n, &w))) return;
    gpu_conv_tile tile =
        gpu_conv_tile_of(b->limits, w.out_w * w.out_h * w.out_d, w.batch, vkb_ceil_div(w.out_c, 4));
    if (!gpu_conv_shape_of(&w, tile.slices, false, &s)) return;
    int32_t all = s.tiles, step = gpu_conv_tiles_in_range(b, &s);
    for (s.first_tile = 0; s.first_tile < all && !b->failed; s.first_tile += step) {
        s.tiles = (int32_t)vkb_min(step, all - s.first_tile);
        emit_part(b, n, &w, &s, tile, is_1x1, gate);
    }
}

static void emit_1x1(gpu_builder *b, const gr_node *n)
{
    emit_tiled(b, n, true, NULL);
}

static void emit_gated(gpu_builder *b, const gr_node *n)
{
    emit_tiled(b, n, true, &b->g->nodes[b->merges[b->node].first]);
}

static const gpu_kernel gated_kernel = {.name = "conv2d_1x1", .emit = emit_gated};

/* A Mul of [N, C, ...] by [N, C, 1, ...] that only a 1x1 convolution reads. */
void gpu_merge_gate(gpu_merger *m, gr_id node)
{
    const gr_graph *g = m->b->g;
    const gr_node *n = &g->nodes[node];
    if (n->op != OP_Conv || !gpu_merge_is_free(m, node) || m->kernel_of(m->user, node)->emit != emit_1x1)
        return;
    gr_id mul = gpu_merge_maker(m, n->in[0], OP_Mul);
    if (mul == GR_NONE || gpu_merge_reader(m, n->in[0], OP_Conv) != node) return;
    const gr_node *gate = &g->nodes[mul];
    if (gate->epilogue.act != GR_ACT_NONE || gate->epilogue.residual != GR_RESIDUAL_NONE) return;
    if (gate_of(g, gate) < 0) return;
    m->b->merges[mul].into = node;
    m->b->merges[node].kernel = &gated_kernel;
    m->b->merges[node].first = mul;
}

static void emit_direct(gpu_builder *b, const gr_node *n)
{
    emit_tiled(b, n, false, NULL);
}

/* ---- conv2d_depthwise: one kernel a channel ---- */

enum { DEPTHWISE_PX = 4, ROW_KERNEL_MAX = 7 };

static bool fits_depthwise(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    if (!gpu_conv_window(b, n, &w, why)) return false;
    *why = "not one kernel a channel";
    return w.group == w.in_c && w.in_c == w.out_c;
}

/* The row kernel keeps the input row of its outputs in registers, so that neighbours share loads. */
static bool fits_depthwise_row(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    if (!fits_depthwise(b, n, why) || !op_window_of(b->g, n, &w)) return false;
    *why = "three dimensions";
    if (!op_window_is_flat(&w)) return false;
    *why = "kernel width not 3, 5 or 7, or dilated, or stride over 2, or too narrow an output";
    bool width = w.kernel_w == 3 || w.kernel_w == 5 || w.kernel_w == ROW_KERNEL_MAX;
    return width && w.dilation_w == 1 && w.stride_w <= 2 && w.out_w >= DEPTHWISE_PX;
}

static void emit_depthwise_as(gpu_builder *b, const gr_node *n, bool row)
{
    op_window w;
    if (!op_window_of(b->g, n, &w)) return;
    int64_t slices = vkb_ceil_div(w.out_c, 4);
    int64_t invocations = row ? vkb_ceil_div(w.out_w, DEPTHWISE_PX) * w.out_h
                              : vkb_ceil_div(w.out_w * w.out_h * w.out_d, DEPTHWISE_PX);
    gpu_bind bias = gpu_pack_bias(b, n, slices);
    gpu_bind weights = gpu_pack_depthwise(b, n->in[1], (int32_t)w.out_c, (int32_t)op_window_taps(&w));
    uint8_t access = gpu_read_access(b, n, GPU_C4, &weights);
    gpu_dispatch *d = gpu_dispatch_begin(b, row ? GPU_SHADER_FOR(b, access, conv2d_depthwise_row)
                                                : GPU_SHADER_FOR(b, access, conv2d_depthwise));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_C4), access);
    gpu_bind_add(d, weights, access);
    gpu_bind_add(d, bias, access);
    gpu_grid(b, d, invocations, slices, w.batch, 16, 4, 1);
    const int64_t words[] = {w.in_w,       w.in_h,     w.out_w,    w.out_h,    slices,
                             w.kernel_w,   w.kernel_h, w.stride_w, w.stride_h, w.dilation_w,
                             w.dilation_h, w.pad_left, w.pad_top};
    const int64_t volume[] = {w.in_d, w.out_d, w.kernel_d, w.stride_d, w.dilation_d, w.pad_front};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    for (size_t i = 0; i < VKB_COUNT(volume) && !row; i++) gpu_push(d, volume[i]);
    gpu_epilogue_as(b, d, n, GPU_C4, bias, access);
    gpu_spec(d, DEPTHWISE_PX);
    if (row) {
        gpu_spec(d, (uint32_t)w.kernel_w);
        gpu_spec(d, (uint32_t)w.stride_w);
        gpu_out_channels(b, d, n, w.out_c);
    } else {
        gpu_spec(d, !op_window_is_flat(&w));
        gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
    }
}

static void emit_depthwise_row(gpu_builder *b, const gr_node *n)
{
    emit_depthwise_as(b, n, true);
}

static void emit_depthwise(gpu_builder *b, const gr_node *n)
{
    emit_depthwise_as(b, n, false);
}

static const gpu_kernel kernels[] = {
    {"conv2d_depthwise_row", fits_depthwise_row, emit_depthwise_row, GPU_FLOATS},
    {"conv2d_depthwise", fits_depthwise, emit_depthwise, GPU_FLOATS},
    {"conv2d_gemv", fits_gemv, emit_gemv, GPU_FLOATS},
    {"conv2d_1x1", fits_1x1, emit_1x1, GPU_FLOATS},
    {"conv2d_direct", fits_direct, emit_direct, GPU_FLOATS},
    {0},
};
const gpu_op gpu_op_conv2d = {kernels};
