/* SPDX-License-Identifier: Apache-2.0
 * A convolution and the pool over it in one dispatch, in slices of four channels: what lies between never
 * reaches memory. */
#include "gpu/pack_conv.h"
#include "gpu/texels.h"

enum { MOST_ROUNDS = 32768 /* of the loops of an invocation: see docs/design.md */, MESA = 0x10005 };

typedef struct conv_pool { /* a node, and how it is cut */
    op_window conv, pool;
    bool all; /* the window is all positions */
    uint32_t lx, ly;
    uint8_t pixels, slices; /* of an invocation: PX, SL in shaders/lib/conv_tile.glsl */
    int64_t cols, rows;     /* pooled pixels of an invocation */
    int64_t strips_w, strips;
} conv_pool;

enum { MOST_WINDOW = 16 /* along the width: so many sums are in registers */ };

/* lavapipe computes 4 to 16 lanes at a time, the idle ones too: it wants few lanes of many pixels. */
static void cut_all(const gpu_builder *b, conv_pool *c)
{
    const bool mesa = b->limits->vendor == MESA;
    const int64_t positions = c->pool.in_h * c->pool.in_w, most = mesa ? 8 : 4;
    c->lx = mesa ? 8 : 64;
    c->ly = 1;
    const int64_t rounds = vkb_ceil_div(positions, (int64_t)c->lx * most);
    c->pixels = (uint8_t)vkb_ceil_div(positions, (int64_t)c->lx * rounds);
}

/* Strips of several rows where windows overlap, so that less is computed twice. */
static void cut_strips(const gpu_builder *b, conv_pool *c)
{
    const op_window *w = &c->pool;
    const bool mesa = b->limits->vendor == MESA;
    const int64_t most = mesa ? 9 : 5; /* as two, or four, windows of 3 that overlap by 1 */
    c->lx = mesa ? 8 : 16;
    c->ly = 4;
    c->cols = vkb_max((most - w->kernel_w) / w->stride_w + 1, 1);
    if (w->kernel_w > most) c->cols = 1;
    c->cols = vkb_min(c->cols, w->out_w);
    c->pixels = (uint8_t)((c->cols - 1) * w->stride_w + w->kernel_w);
    c->rows = w->kernel_h > w->stride_h && w->kernel_h <= 2 * w->stride_h ? (mesa ? 8 : 4) : 1;
    c->strips_w = vkb_ceil_div(w->out_w, c->cols);
    c->strips = c->strips_w * vkb_ceil_div(w->out_h, c->rows);
}

static bool conv_pool_of(const gpu_builder *b, const gr_node *n, conv_pool *c)
{
    *c = (conv_pool){0};
    if (!op_conv_pool_of(b->g, n, &c->conv, &c->pool)) return false;
    const op_window *p = &c->pool;
    if (!op_window_is_flat(&c->conv) || !op_window_is_flat(p) || c->conv.group != 1) return false;
    c->all = p->kernel_h == p->in_h && p->kernel_w == p->in_w && p->out_h * p->out_w == 1 &&
             !(p->pad_top | p->pad_left | p->pad_bottom | p->pad_right);
    c->slices = c->conv.out_c > 4 ? 2 : 1;
    if (c->all)
        cut_all(b, c);
    else if (p->kernel_w <= MOST_WINDOW)
        cut_strips(b, c);
    return c->lx > 0;
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why, bool all)
{
    conv_pool c;
    op_window w;
    if (!gpu_conv_window(b, n, &w, why)) return false;
    *why = "groups, more than two spatial dimensions, or a window of more than 16 columns";
    if (!conv_pool_of(b, n, &c)) return false;
    *why = all ? "the pool's window is not all positions" : "the pool's window is all positions";
    if (c.all != all) return false;
    *why = "more positions, channels and taps than a shader's loops may have rounds";
    const int64_t once = op_window_taps(&c.conv) * vkb_ceil_div(c.conv.in_c, 4);
    const int64_t times = all ? vkb_ceil_div(c.pool.in_h * c.pool.in_w, (int64_t)c.lx * c.pixels)
                              : (c.rows - 1) * c.pool.stride_h + c.pool.kernel_h;
    return once <= MOST_ROUNDS / times;
}

static bool fits_all(const gpu_builder *b, const gr_node *n, const char **why)
{
    return fits(b, n, why, true);
}

static bool fits_strip(const gpu_builder *b, const gr_node *n, const char **why)
{
    return fits(b, n, why, false);
}

/* What both shaders are told of the convolution. */
static void push_conv(gpu_dispatch *d, const op_window *w)
{
    const int64_t words[] = {w->in_w,     w->in_h,       vkb_ceil_div(w->in_c, 4),
                             w->out_w,    w->out_h,      vkb_ceil_div(w->out_c, 4),
                             w->kernel_w, w->kernel_h,   w->stride_w,
                             w->stride_h, w->dilation_w, w->dilation_h,
                             w->pad_left, w->pad_top};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static void push_pool(gpu_dispatch *d, const conv_pool *c)
{
    const op_window *w = &c->pool;
    const int64_t words[] = {w->out_w,   w->out_h,    w->kernel_h, w->stride_h, w->pad_left,
                             w->pad_top, c->strips_w, c->strips,   c->rows};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

/* One dispatch for the tiles [s->first_tile, + s->tiles). */
static void emit_part(gpu_builder *b, const gr_node *n, const conv_pool *c, const gpu_conv_shape *s)
{
    const op_conv_pool_attrs *a = n->attrs;
    gpu_bind bias = gpu_pack_bias(b, n, vkb_ceil_div(c->conv.out_c, 4));
    gpu_bind weights = gpu_pack_conv(b, n->in[1], s);
    uint8_t access = gpu_read_access(b, n, GPU_C4, &weights);
    gpu_dispatch *d = gpu_dispatch_begin(b, c->all ? GPU_SHADER_FOR(b, access, conv_pool_all)
                                                   : GPU_SHADER_FOR(b, access, conv_pool_strip));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_C4), access);
    gpu_bind_add(d, weights, access);
    gpu_bind_add(d, bias, access);
    gpu_grid(b, d, c->all ? c->lx : c->strips, s->tiles, c->conv.batch, c->lx, c->ly, 1);
    push_conv(d, &c->conv);
    if (!c->all) push_pool(d, c);
    gpu_push(d, s->first_tile);
    if (!c->all) gpu_push(d, s->tiles);
    gpu_push_f32(d, a->alpha);
    gpu_push_f32(d, a->beta);
    gpu_spec(d, (uint32_t)a->activation);
    gpu_spec(d, GR_RESIDUAL_NONE);
    gpu_spec(d, c->pixels);
    gpu_spec(d, c->slices);
    gpu_spec(d, a->pool == OP_CONV_POOL_AVERAGE);
    if (c->all) {
        gpu_spec(d, c->lx);
    } else {
        gpu_spec(d, (uint32_t)c->cols);
        gpu_spec(d, (uint32_t)c->pool.kernel_w);
        gpu_spec(d, (uint32_t)c->pool.stride_w);
    }
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    conv_pool c;
    gpu_conv_shape s;
    if (!conv_pool_of(b, n, &c) || !gpu_conv_shape_of(&c.conv, c.slices, false, &s)) return;
    int32_t tiles = s.tiles, step = gpu_conv_tiles_in_range(b, &s);
    for (s.first_tile = 0; s.first_tile < tiles && !b->failed; s.first_tile += step) {
        s.tiles = (int32_t)vkb_min(step, tiles - s.first_tile);
        emit_part(b, n, &c, &s);
    }
}

static const gpu_kernel kernels[] = {
    {"conv_pool_all", fits_all, emit, GPU_FLOATS},
    {"conv_pool_strip", fits_strip, emit, GPU_FLOATS},
    {0},
};
const gpu_op gpu_op_conv_pool = {kernels};
