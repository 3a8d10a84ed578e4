/* SPDX-License-Identifier: Apache-2.0
 * Convolutions most of whose taps read padding at most outputs, as those of a large dilation on a small
 * input. The outputs are sorted by the taps that meet the input there, so that panels of im2col hold outputs
 * of one region; what a panel's outputs do not have is neither packed nor multiplied. The product is then put
 * in its order. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum {
    LEAST_CHANNELS = 32,    /* of a group: with fewer, the sorting costs more than it saves */
    MOST_TAPS = 63,         /* a bit each, and one value that no region has */
    MOST_PIXELS = 1 << 14,  /* of an output: regions of a large one are found too slowly */
    MOST_SHARE_PERCENT = 80 /* of the products that are left, for this to pay */
};

typedef struct regions {
    cpu_conv conv;
    int32_t *order;      /* the pixel of each column */
    uint64_t *parts;     /* by panel */
    uint64_t out_floats; /* of the product, first in scratch */
} regions;

/* Bits of the taps along one dimension that meet the input at output o. */
static uint64_t taps_at(int64_t o, int64_t stride, int64_t pad, int64_t kernel, int64_t dilation, int64_t in)
{
    uint64_t bits = 0;
    for (int64_t k = 0; k < kernel; k++) {
        const int64_t at = o * stride - pad + k * dilation;
        bits |= (uint64_t)(at >= 0 && at < in) << k;
    }
    return bits;
}

/* The same of a pixel, row by row of the kernel. */
static uint64_t taps_of(const op_window *w, int64_t pixel)
{
    const uint64_t rows =
        taps_at(pixel / w->out_w, w->stride_h, w->pad_top, w->kernel_h, w->dilation_h, w->in_h);
    const uint64_t cols =
        taps_at(pixel % w->out_w, w->stride_w, w->pad_left, w->kernel_w, w->dilation_w, w->in_w);
    uint64_t bits = 0;
    for (int64_t y = 0; y < w->kernel_h; y++)
        if (rows >> y & 1) bits |= cols << (y * w->kernel_w);
    return bits;
}

static int64_t count_bits(uint64_t bits)
{
    int64_t n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

bool cpu_conv2d_regions_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_conv2d_gemm_fits(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, &w)) return false;
    const int64_t taps = op_window_taps(&w), pixels = w.out_h * w.out_w;
    if (w.in_c / w.group < LEAST_CHANNELS || w.dilation_h * w.dilation_w == 1) return false;
    if (taps < 2 || taps > MOST_TAPS || w.out_h > MOST_PIXELS / w.out_w) return false;
    int64_t rows = 0, cols = 0;
    for (int64_t y = 0; y < w.out_h; y++)
        rows += count_bits(taps_at(y, w.stride_h, w.pad_top, w.kernel_h, w.dilation_h, w.in_h));
    for (int64_t x = 0; x < w.out_w; x++)
        cols += count_bits(taps_at(x, w.stride_w, w.pad_left, w.kernel_w, w.dilation_w, w.in_w));
    return rows * cols * 100 <= pixels * taps * MOST_SHARE_PERCENT;
}

/* Pixels region by region, in the order of the regions' first pixels. */
static void sort_pixels(const regions *s, uint64_t *taps)
{
    const int64_t pixels = s->conv.gemm.n;
    int64_t column = 0;
    for (int64_t i = 0; i < pixels; i++) taps[i] = taps_of(&s->conv.w, i);
    for (int64_t first = 0; first < pixels; first++) {
        const uint64_t region = taps[first];
        if (region == UINT64_MAX) continue; /* taken */
        for (int64_t i = first; i < pixels; i++) {
            if (taps[i] != region) continue;
            taps[i] = UINT64_MAX;
            s->parts[column / CPU_NR] |= region;
            s->order[column++] = (int32_t)i;
        }
    }
    for (int64_t i = 0; i < vkb_ceil_div(pixels, CPU_NR); i++)
        if (!s->parts[i]) s->parts[i] = 1; /* nothing but padding: one tap of zeros */
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    cpu_conv_pack(dst, g->tensors[n->in[1]].data, &((const regions *)state)->conv.w);
}

vki_status cpu_conv2d_regions_prepare(cpu_prep *p, vki_error *err)
{
    regions *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    cpu_conv_plan(&s->conv, &w, p->threads);
    const uint64_t pixels = (uint64_t)s->conv.gemm.n;
    uint64_t *taps = vkb_arena_alloc(p->arena, pixels * sizeof *taps);
    s->order = vkb_arena_alloc(p->arena, pixels * sizeof *s->order);
    s->parts = vkb_arena_alloc(p->arena, (pixels / CPU_NR + 1) * sizeof *s->parts);
    if (!taps || !s->order || !s->parts) return vkb_nomem(err, pixels * sizeof *taps);
    sort_pixels(s, taps);
    cpu_gemm_skip(&s->conv.gemm, w.in_c / w.group, s->parts);
    p->state = s;
    s->out_floats = vkb_round_up((uint64_t)(w.batch * w.out_c) * pixels, 16);
    cpu_prepare_weights(p, cpu_conv_weight_floats(&w) * sizeof(float), pack,
                        cpu_pack_key("conv2d", (int64_t[]){w.out_c, w.in_c, w.group, op_window_taps(&w)}, 4));
    p->scratch_bytes = s->out_floats * sizeof(float) + cpu_gemm_scratch(&s->conv.gemm, p->threads);
    return VKI_OK;
}

/* ---- the run ---- */

static void regions_job(const void *user, int64_t index, cpu_gemm_job *job)
{
    const cpu_call *c = user;
    const regions *s = c->state;
    const int64_t group = index % s->conv.w.group, m = s->conv.gemm.m;
    const float *bias = cpu_own_input(c, 2);
    job->a = (const float *)c->weights + group * m * s->conv.gemm.k;
    job->c = (float *)c->scratch + index * m * s->conv.gemm.n;
    if (bias) job->bias_row = bias + group * m;
}

/* Where eight columns read with a tap. */
static void lanes_of(cpu_lanes *lanes, const regions *s, int64_t tap, int64_t col, int64_t cols)
{
    const op_window *w = &s->conv.w;
    const int64_t dy = tap / w->kernel_w * w->dilation_h - w->pad_top;
    const int64_t dx = tap % w->kernel_w * w->dilation_w - w->pad_left;
    *lanes = (cpu_lanes){{0}, {0}};
    for (int j = 0; j < vkb_min(cols, 8); j++) {
        const int64_t pixel = s->order[col + j];
        const int64_t y = pixel / w->out_w * w->stride_h + dy, x = pixel % w->out_w * w->stride_w + dx;
        if (y < 0 || y >= w->in_h || x < 0 || x >= w->in_w) continue;
        lanes->offset[j] = (int32_t)(y * w->in_w + x);
        lanes->mask[j] = -1;
    }
}

/* A block of one tap's channels: cpu_gemm_skip sees to that. */
static void pack_columns(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t col,
                         int cols, int width)
{
    const cpu_call *c = user;
    const regions *s = c->state;
    const op_window *w = &s->conv.w;
    const int64_t channels = w->in_c / w->group, plane = w->in_h * w->in_w;
    const float *x = (const float *)c->in[0] + (job * channels + k0 % channels) * plane;
    for (int first = 0; first < width; first += 8) {
        cpu_lanes lanes;
        lanes_of(&lanes, s, k0 / channels, col + first, cols - first);
        s->conv.gemm.micro->gather(dst + first, width, x, plane, kc, &lanes);
    }
}

static void put_in_order(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const regions *s = c->state;
    const int64_t pixels = s->conv.gemm.n;
    const float *residual = cpu_residual(c);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const float *from = (const float *)c->scratch + i * pixels;
        float *y = (float *)c->out[0] + i * pixels;
        for (int64_t k = 0; k < pixels; k++) y[s->order[k]] = from[k];
        if (cpu_has_epilogue(c->n))
            s->conv.gemm.micro->epilogue(y, y, residual ? residual + i * pixels : NULL, pixels,
                                         &c->n->epilogue);
    }
}

void cpu_conv2d_regions_run(const cpu_call *c)
{
    const regions *s = c->state;
    const gr_epilogue none = {.act = GR_ACT_NONE};
    const cpu_gemm_source source = {.user = c, .epilogue = &none, .job = regions_job, .pack_b = pack_columns};
    cpu_call call = *c;
    cpu_gemm_run(&s->conv.gemm, &source, (float *)c->scratch + s->out_floats, c->pool);
    vkb_parallel_for(c->pool, s->conv.w.batch * s->conv.w.out_c,
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->conv.gemm.n), put_in_order, &call);
}
