/* SPDX-License-Identifier: Apache-2.0
 * A 1x1 convolution and the depthwise one that alone reads it, as in the inverted residual blocks of Sandler
 * et al., "MobileNetV2" (2018): the tensor between them is several times as large as either end. It is made
 * some channels and rows at a time in scratch that stays in the second-level cache. Rows that two bands need
 * are computed twice; which they are does not depend on the number of threads. */
#include "cpu/conv2d_gemm.h"
#include "cpu/conv2d_strips.h"
#include "cpu/fast.h"
#include "graph/ops/schema.h"

enum {
    LEAST_FLOATS = 96 * 1024,  /* of the tensor between: a smaller one stays in most second-level caches */
    MOST_CHANNELS = 256,       /* of the input: one block of the GEMM */
    TASKS = 4,                 /* a thread, at least, as far as there are panels */
    USUAL_FLOATS = 160 * 1024, /* of input for a band, with 512 KiB of cache */
    MOST_TWICE = 10 /* percent of the rows between that may be computed twice then: YuNet's layers lose
                       with 14, and gain with 7 (Zen 3, Nov 2026) */
};

typedef struct expansion_state {
    const cpu_micro *micro;
    const gr_node *before;
    op_window wide, w;     /* of the 1x1 convolution; of the depthwise one */
    const float *bias;     /* of the first; NULL: 0 */
    int64_t rows, bands;   /* output rows of a band */
    int64_t panels, parts; /* panels of channels worked on at once; parts of all panels */
    uint64_t floats;       /* scratch a thread */
} expansion_state;

static bool reads_pixels(const op_window *w)
{
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 && w->group == 1 &&
           !w->pad_top && !w->pad_left && w->out_h == w->in_h && w->out_w == w->in_w;
}

/* Lines that make a panel of the GEMM at least. */
static int64_t least_rows(const op_window *w)
{
    return vkb_ceil_div(CPU_NR, w->in_w);
}

static int64_t rows_between(const op_window *w, int64_t rows)
{
    const int64_t reach = (rows - 1) * w->stride_h + (w->kernel_h - 1) * w->dilation_h + 1;
    return vkb_min(w->in_h, vkb_max(reach, least_rows(w)));
}

/* Output rows of a band, for so much of the input at once. */
static int64_t rows_of_band(const op_window *wide, const op_window *w, int64_t input)
{
    const int64_t line = wide->in_c * w->in_w, reach = (w->kernel_h - 1) * w->dilation_h;
    if (line * w->in_h <= input) return w->out_h;
    const int64_t room = vkb_max(input / 2 / line, 4 * reach); /* rows between */
    if (room >= w->in_h) return w->out_h;
    const int64_t rows = vkb_max(1, vkb_min(w->out_h, (room - reach) / w->stride_h));
    return vkb_ceil_div(w->out_h, vkb_ceil_div(w->out_h, rows));
}

/* The same answer whatever the caches of this CPU, which must not decide on kernels. */
static bool few_rows_twice(const op_window *wide, const op_window *w)
{
    const int64_t rows = rows_of_band(wide, w, USUAL_FLOATS), others = vkb_ceil_div(w->out_h, rows) - 1;
    const int64_t all = others * rows_between(w, rows) + rows_between(w, w->out_h - others * rows);
    return all <= w->in_h + w->in_h * MOST_TWICE / 100;
}

bool cpu_expansion_fits(const gr_graph *g, const gr_node *first, const gr_node *second)
{
    op_window wide, w;
    if (first->op != OP_Conv || second->op != OP_Conv || !cpu_all_f32(g, first) ||
        !op_window_2d_of(g, first, &wide))
        return false;
    if (!cpu_conv2d_strips_fits(g, second) || !op_window_of(g, second, &w) || w.in_c != w.out_c) return false;
    for (int i = 1; i < first->n_in; i++)
        if (first->in[i] != GR_NONE && !gr_is_const(g, first->in[i])) return false;
    return reads_pixels(&wide) && cpu_conv_fits(&wide) && first->epilogue.residual == GR_RESIDUAL_NONE &&
           wide.in_c <= MOST_CHANNELS && wide.out_h * wide.out_w >= CPU_NR &&
           wide.out_c * wide.out_h * wide.out_w >= LEAST_FLOATS && few_rows_twice(&wide, &w);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const expansion_state *s = state;
    (void)n;
    cpu_conv_pack(dst, g->tensors[s->before->in[1]].data, &s->wide);
}

static void plan_tasks(expansion_state *s, int threads)
{
    const op_window *w = &s->w;
    const int64_t mr = s->micro->mr, panels = cpu_panels(w->in_c, s->micro->mr);
    const int64_t cache = cpu_caches_get()->second / (int64_t)sizeof(float);
    const int64_t input = cache * 5 / 4, between = cache * 3 / 16; /* of a band; of a task */
    s->rows = rows_of_band(&s->wide, w, input);
    s->bands = vkb_ceil_div(w->out_h, s->rows);
    const int64_t floats = rows_between(w, s->rows) * w->in_w; /* of a channel */
    s->panels = vkb_max(1, vkb_min(panels, between / (floats * mr)));
    s->parts = vkb_max(vkb_ceil_div(panels, s->panels), vkb_min(panels, TASKS * threads / s->bands));
    s->panels = vkb_ceil_div(panels, s->parts);
    s->parts = vkb_ceil_div(panels, s->panels);
    s->floats = vkb_round_up((uint64_t)(s->panels * mr * floats), 16);
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    expansion_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (expansion_state){.micro = cpu_micro_get(), .before = p->before};
    if (!op_window_of(p->g, p->before, &s->wide) || !op_window_of(p->g, p->n, &s->w))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    if (op_has_own(p->before, 2)) s->bias = p->g->tensors[p->before->in[2]].data;
    plan_tasks(s, p->threads);
    const int64_t sizes[] = {s->wide.out_c, s->wide.in_c, (int64_t)p->g->tensors[p->before->in[1]].const_key};
    p->state = s;
    p->scratch_bytes = s->floats * sizeof(float) * (uint64_t)p->threads;
    p->weight_bytes = cpu_conv_weight_floats(&s->wide) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->before->in[1]];
    p->pack_key = cpu_pack_key("expansion", sizes, 3);
    return VKI_OK;
}

/* Channels of panels first..end at n pixels from x on, to `between`. Each panel goes along all pixels: these
 * come from the second level as fast as the first would give them, and calls cost more. */
static void expand(const cpu_call *c, const float *x, float *between, int64_t n, int64_t first, int64_t end)
{
    const expansion_state *s = c->state;
    const int64_t channels = s->wide.out_c, k = s->wide.in_c;
    cpu_tile t = {.b = x, .k = k, .b_stride = s->wide.in_h * s->wide.in_w, .c = between, .c_stride = n};
    t.cols = (int)n;
    t.epilogue = &s->before->epilogue;
    for (int64_t i = first; i < end; i++, t.c += t.rows * n) {
        const int64_t row = cpu_panel_row(channels, s->micro->mr, i);
        t.rows = (int)(cpu_panel_row(channels, s->micro->mr, i + 1) - row);
        t.a = (const float *)c->weights + row * k;
        t.bias_row = s->bias ? s->bias + row : NULL;
        s->micro->gemm_line(&t);
    }
}

static void on_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const expansion_state *s = c->state;
    const op_window *w = &s->w;
    const int mr = s->micro->mr;
    const int64_t panels = cpu_panels(w->in_c, mr), reach = (w->kernel_h - 1) * w->dilation_h;
    float *between = (float *)c->scratch + (uint64_t)thread * s->floats;
    for (int64_t i = begin; i < end; i++) {
        const int64_t part = i % s->parts, batch = i / s->parts / s->bands;
        const int64_t panel = part * s->panels, last = vkb_min(panels, panel + s->panels);
        cpu_strips strips = {.micro = s->micro, .w = w, .x = between, .batch = batch};
        strips.row = i / s->parts % s->bands * s->rows;
        strips.rows = vkb_min(s->rows, w->out_h - strips.row);
        strips.channel = cpu_panel_row(w->in_c, mr, panel);
        strips.planes = cpu_panel_row(w->in_c, mr, last) - strips.channel;
        const int64_t top = strips.row * w->stride_h - w->pad_top;
        const int64_t bottom = vkb_min(w->in_h, top + (strips.rows - 1) * w->stride_h + reach + 1);
        strips.top = vkb_max(0, vkb_min(top, w->in_h - least_rows(w)));
        const int64_t n = vkb_max(least_rows(w), bottom - strips.top) * w->in_w;
        strips.x_plane = n;
        const float *x = (const float *)c->in[0] + batch * s->wide.in_c * w->in_h * w->in_w;
        expand(c, x + strips.top * w->in_w, between, n, panel, last);
        cpu_strips_run(c, &strips);
    }
}

static void run(const cpu_call *c)
{
    const expansion_state *s = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, s->w.batch * s->bands * s->parts, 1, on_tasks, &call);
}

const cpu_kernel cpu_expansion = {.name = "conv2d_expansion", .prepare = prepare, .run = run};
