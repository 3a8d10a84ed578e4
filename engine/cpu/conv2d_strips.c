/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolutions of 3x3, 5x5 and 7x7 kernels, with a channel multiplier or without. Input and weights
 * are used where they lie: see depthwise_tmpl.h. Planes are taken together as far as they stay in the
 * first-level cache. */
#include "cpu/conv2d_strips.h"

#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum {
    GRAIN_MACS = 50000, /* a loop range that is worth a thread */
    TASKS = 4           /* a thread, at least */
};

typedef struct strips_state {
    const cpu_micro *micro;
    op_window w;
    int64_t planes, groups; /* output planes worked on at once; groups of them in an image */
    int64_t rows, bands;    /* output rows worked on at once; bands of them */
} strips_state;

static bool sizes_fit(const op_window *w)
{
    if (w->stride_h == 2) return w->dilation_h == 1 && (w->kernel_h == 3 || w->kernel_h == 5);
    return w->stride_h == 1 && (w->kernel_h == 3 || w->kernel_h == 5 || w->kernel_h == 7);
}

bool cpu_conv2d_strips_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_all_f32(g, n) && op_window_2d_of(g, n, &w) && cpu_conv_fits(&w) && w.group == w.in_c &&
           w.group > 1 && w.kernel_h == w.kernel_w && w.stride_h == w.stride_w &&
           w.dilation_h == w.dilation_w && sizes_fit(&w);
}

vki_status cpu_conv2d_strips_prepare(cpu_prep *p, vki_error *err)
{
    strips_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (strips_state){.micro = cpu_micro_get()};
    op_window *w = &s->w;
    if (!op_window_of(p->g, p->n, w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const int64_t filters = w->out_c / w->in_c, floats = w->in_h * w->in_w + w->out_h * w->out_w;
    const int64_t most = vkb_max(1, w->batch * w->out_c / (TASKS * p->threads));
    const vkb_caches *caches = cpu_caches_get();
    /* floats of planes that are taken together, and of a larger plane at once, with what comes of them */
    const int64_t cached = caches->first / 2 / (int64_t)sizeof(float),
                  band = caches->second / 8 / (int64_t)sizeof(float);
    s->planes = filters > 1 ? filters : vkb_max(1, vkb_min(vkb_min(w->out_c, most), cached / floats));
    s->groups = vkb_ceil_div(w->out_c, s->planes);
    s->rows = w->out_h;
    if (floats > band) {
        const int64_t line = w->stride_h * w->in_w + w->out_w, least = 2 * w->kernel_h * w->dilation_h;
        s->rows = vkb_min(w->out_h, vkb_max(least, band / line));
    }
    s->bands = vkb_ceil_div(w->out_h, s->rows);
    s->rows = vkb_ceil_div(w->out_h, s->bands);
    if (p->means) {
        const int64_t stretch = cpu_means_of(w).rows;
        s->rows = vkb_ceil_div(s->rows, stretch) * stretch;
        s->bands = vkb_ceil_div(w->out_h, s->rows);
        p->scratch_bytes = cpu_means_bytes(w);
    }
    p->state = s;
    return VKI_OK;
}

bool cpu_means_fit(const gr_graph *g, const gr_node *first, const gr_node *second)
{
    return first->op == OP_Conv && second->op == OP_GlobalAveragePool && cpu_conv2d_strips_fits(g, first) &&
           cpu_all_f32(g, second) && !cpu_has_epilogue(second);
}

cpu_means cpu_means_of(const op_window *w)
{
    enum { LEAST_FLOATS = 784 }; /* of a stretch; fewer are not worth the call */
    int64_t stretches = 1;
    while (2 * stretches * LEAST_FLOATS <= w->out_h * w->out_w && 2 * stretches <= w->out_h) stretches *= 2;
    const int64_t rows = vkb_ceil_div(w->out_h, stretches);
    return (cpu_means){rows, vkb_ceil_div(w->out_h, rows)};
}

uint64_t cpu_means_bytes(const op_window *w)
{
    return vkb_round_up((uint64_t)(w->batch * w->out_c * cpu_means_of(w).stretches) * sizeof(float), 64);
}

void cpu_means_finish(const cpu_call *c, const op_window *w, const float *sums)
{
    const int64_t stretches = cpu_means_of(w).stretches;
    for (int64_t i = 0; i < w->batch * w->out_c; i++) {
        double sum = 0;
        for (int64_t k = 0; k < stretches; k++) sum += (double)*sums++;
        c->means[i] = (float)(sum / (double)(w->out_h * w->out_w));
    }
}

static void add_up(const cpu_strips *s, const float *y)
{
    const op_window *w = s->w;
    const cpu_means m = cpu_means_of(w);
    float *sums = s->sums + (s->batch * w->out_c + s->channel) * m.stretches + s->row / m.rows;
    for (int64_t i = 0; i < s->planes; i++, y += w->out_h * w->out_w, sums += m.stretches)
        for (int64_t row = 0; row < s->rows; row += m.rows)
            sums[row / m.rows] = s->micro->sum(y + row * w->out_w, vkb_min(m.rows, s->rows - row) * w->out_w);
}

void cpu_strips_run(const cpu_call *c, const cpu_strips *s)
{
    const op_window *w = s->w;
    const gr_epilogue *e = &c->n->epilogue;
    const int64_t first = ((s->batch * w->out_c + s->channel) * w->out_h + s->row) * w->out_w;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    cpu_depthwise d = {.y = (float *)c->out[0] + first,
                       .x = s->x,
                       .weight = (const float *)c->in[1] + s->channel * w->kernel_h * w->kernel_w,
                       .bias = bias ? bias + s->channel : NULL,
                       .planes = s->planes,
                       .x_plane = s->x_plane,
                       .y_plane = w->out_h * w->out_w,
                       .in_h = w->in_h,
                       .in_w = w->in_w,
                       .out_h = w->out_h,
                       .out_w = w->out_w,
                       .row = s->row,
                       .rows = s->rows,
                       .top = s->top,
                       .pad_top = w->pad_top,
                       .pad_left = w->pad_left,
                       .dilation = w->dilation_h,
                       .size = (int)w->kernel_h,
                       .stride = (int)w->stride_h};
    d.hardswish = cpu_is_hardswish(e);
    const bool rest = cpu_clamp_of(e, &d.low, &d.high) && !d.hardswish;
    s->micro->depthwise(&d);
    for (int64_t i = 0; rest && i < s->planes; i++) {
        const int64_t at = i * d.y_plane;
        s->micro->epilogue(d.y + at, d.y + at, residual ? residual + first + at : NULL, s->rows * w->out_w,
                           e);
    }
    if (s->sums) add_up(s, d.y);
}

static void on_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const strips_state *s = c->state;
    const op_window *w = &s->w;
    const int64_t filters = w->out_c / w->in_c, plane = w->in_h * w->in_w;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        cpu_strips part = {.micro = s->micro, .w = w, .x_plane = filters > 1 ? 0 : plane};
        part.batch = i / s->bands / s->groups;
        part.channel = i / s->bands % s->groups * s->planes;
        part.planes = vkb_min(s->planes, w->out_c - part.channel);
        part.row = i % s->bands * s->rows;
        part.rows = vkb_min(s->rows, w->out_h - part.row);
        part.sums = c->means ? c->scratch : NULL;
        part.x = (const float *)c->in[0] + (part.batch * w->in_c + part.channel / filters) * plane;
        cpu_strips_run(c, &part);
    }
}

void cpu_conv2d_strips_run(const cpu_call *c)
{
    const strips_state *s = c->state;
    const op_window *w = &s->w;
    const int64_t macs = s->planes * s->rows * w->out_w * w->kernel_h * w->kernel_w;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, w->batch * s->groups * s->bands, vkb_ceil_div(GRAIN_MACS, macs), on_tasks,
                     &call);
    if (c->means) cpu_means_finish(c, w, c->scratch);
}
