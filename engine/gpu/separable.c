/* SPDX-License-Identifier: Apache-2.0
 * A depthwise convolution and the 1x1 convolution that alone reads it, in one dispatch. */
#include "gpu/conv_tile.h"
#include "gpu/merges.h"
#include "gpu/pack_conv.h"
#include "gpu/texels.h"
#include "graph/ops/schema.h"

enum { MOST_ROUNDS = 32768 /* of an invocation's loops: see docs/design.md */ };

typedef struct separable {
    op_window depthwise, pointwise;
    gpu_conv_tile tile;
    gpu_conv_shape shape; /* of the 1x1 convolution's weights */
} separable;

static bool has_const_weights(const gr_graph *g, const gr_node *n)
{
    return gr_is_const(g, n->in[1]) && (!op_has_own(n, 2) || gr_is_const(g, n->in[2]));
}

static bool is_depthwise(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!op_window_of(g, n, w) || !op_window_is_flat(w) || !has_const_weights(g, n)) return false;
    if (w->group != w->in_c || w->in_c != w->out_c || n->epilogue.residual != GR_RESIDUAL_NONE) return false;
    bool width = w->kernel_w == 3 || w->kernel_w == 5 || w->kernel_w == 7;
    return width && w->dilation_w == 1 && w->stride_w <= 2 && w->out_w >= 4;
}

static bool is_pointwise(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!op_window_of(g, n, w) || !op_window_is_flat(w) || !has_const_weights(g, n)) return false;
    return w->group == 1 && op_window_taps(w) == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->out_h == w->in_h && w->out_w == w->in_w && !w->pad_top && !w->pad_left;
}

static bool separable_of(gpu_builder *b, const gr_node *depthwise, const gr_node *pointwise, separable *s)
{
    if (!is_depthwise(b->g, depthwise, &s->depthwise) || !is_pointwise(b->g, pointwise, &s->pointwise))
        return false;
    const op_window *d = &s->depthwise, *p = &s->pointwise;
    int64_t slices = vkb_ceil_div(d->out_c, 4);
    if (slices * d->kernel_h > MOST_ROUNDS) return false;
    if (!gpu_separable_tile_of(b->limits, p->out_w, vkb_ceil_div(p->out_c, 4), d, &s->tile)) return false;
    return gpu_conv_shape_of(p, s->tile.slices, false, &s->shape) &&
           gpu_conv_tiles_in_range(b, &s->shape) == s->shape.tiles;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_node *first = &b->g->nodes[b->merges[b->node].first];
    separable s;
    if (!separable_of(b, first, n, &s)) return;
    const op_window *d = &s.depthwise, *p = &s.pointwise;
    int64_t slices = vkb_ceil_div(d->out_c, 4), out_slices = vkb_ceil_div(p->out_c, 4);
    gpu_bind taps = gpu_pack_depthwise(b, first->in[1], (int32_t)d->out_c, (int32_t)op_window_taps(d));
    gpu_bind middle = gpu_pack_bias(b, first, slices);
    gpu_bind weights = gpu_pack_conv(b, n->in[1], &s.shape), bias = gpu_pack_bias(b, n, out_slices);
    uint8_t access = gpu_read_access(b, n, GPU_C4, &weights), wide = gpu_read_access(b, first, GPU_C4, &taps);
    if (wide == GPU_READ) access = wide;
    gpu_dispatch *out = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, conv2d_separable));
    gpu_bind_add(out, gpu_in(b, first, 0, GPU_C4), access);
    gpu_bind_add(out, taps, access);
    gpu_bind_add(out, middle, access);
    gpu_bind_add(out, weights, access);
    gpu_bind_add(out, bias, access);
    gpu_grid(b, out, vkb_ceil_div(p->out_w, s.tile.pixels) * p->out_h, s.shape.tiles, p->batch, s.tile.lx,
             s.tile.ly, 1);
    const int64_t words[] = {d->in_w,     d->in_h,     p->out_w,      p->out_h,    slices,     out_slices,
                             d->kernel_h, d->stride_h, d->dilation_h, d->pad_left, d->pad_top, s.shape.tiles};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(out, words[i]);
    gpu_push_f32(out, first->epilogue.alpha);
    gpu_push_f32(out, first->epilogue.beta);
    gpu_epilogue_as(b, out, n, GPU_C4, bias, access);
    gpu_spec(out, s.tile.pixels);
    gpu_spec(out, s.tile.slices);
    gpu_spec(out, (uint32_t)d->kernel_w);
    gpu_spec(out, (uint32_t)d->stride_w);
    gpu_spec(out, (uint32_t)first->epilogue.act);
    gpu_out_channels(b, out, n, p->out_c);
}

static const gpu_kernel kernel = {.name = "conv2d_separable", .emit = emit};

void gpu_merge_separable(gpu_merger *m, gr_id node)
{
    const gr_graph *g = m->b->g;
    const gr_node *n = &g->nodes[node];
    separable s;
    if (n->op != OP_Conv || !gpu_is_float(g->tensors[n->out[0]].dtype)) return;
    gr_id first = gpu_merge_maker(m, n->in[0], OP_Conv);
    if (first == GR_NONE || gpu_merge_reader(m, n->in[0], OP_Conv) != node) return;
    if (!separable_of(m->b, &g->nodes[first], n, &s)) return;
    m->b->merges[first].into = node;
    m->b->merges[node].kernel = &kernel;
    m->b->merges[node].first = first;
}
