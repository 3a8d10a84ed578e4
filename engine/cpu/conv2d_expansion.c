/* SPDX-License-Identifier: Apache-2.0
 * A 1x1 convolution and the depthwise one that alone reads it, as in the inverted residual blocks of Sandler
 * et al., "MobileNetV2" (2018): the tensor between them is several times as large as either end. It is made
 * some channels and rows at a time in scratch that stays in the second-level cache. A task goes down an image
 * band by band and keeps the rows that the next band needs too; only where tasks meet they are computed
 * twice.
 */
#include "cpu/conv2d_gemm.h"
#include "cpu/conv2d_strips.h"
#include "cpu/fast.h"
#include "graph/ops/schema.h"

enum {
    LEAST_FLOATS = 96 * 1024, /* of the tensor between: a smaller one stays in most second-level caches */
    MOST_CHANNELS = 256,      /* of the input: one block of the GEMM */
    COMMON = 32,              /* of so many rows between one may be computed twice */
    TASKS = 4                 /* a thread, at least, as far as there are panels */
};

typedef struct expansion_state {
    const cpu_micro *micro;
    const gr_node *before;
    op_window wide, w;     /* of the 1x1 convolution; of the depthwise one */
    const float *bias;     /* of the first; NULL: 0 */
    int64_t rows, bands;   /* output rows of a band */
    int64_t runs, parts;   /* tasks of an image: bands in their order, by parts of the panels of channels */
    int64_t panels;        /* worked on at once */
    int64_t kept;          /* rows between of a channel, at most, that the next band needs too */
    int64_t x_stride;      /* from channel to channel of a band's input where it is copied; 0: it is not */
    uint64_t sums;         /* floats of scratch in front of the threads': of sums for means */
    uint64_t between, own; /* floats of a thread's scratch: rows at once; with the kept ones, and the input */
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

static int64_t reach_of(const op_window *w)
{
    return (w->kernel_h - 1) * w->dilation_h + 1;
}

/* Rows between that so many output rows need, at most. */
static int64_t rows_between(const op_window *w, int64_t rows)
{
    return vkb_min(w->in_h, vkb_max((rows - 1) * w->stride_h + reach_of(w), least_rows(w)));
}

typedef struct row_span { /* of rows between */
    int64_t first, end;
} row_span;

/* What output rows from `row` on need, and no fewer than make a panel. */
static row_span span_of(const op_window *w, int64_t row, int64_t rows)
{
    const int64_t top = row * w->stride_h - w->pad_top, least = vkb_min(w->in_h, least_rows(w));
    const int64_t first = vkb_max(0, vkb_min(top, w->in_h - least));
    const int64_t bottom = vkb_min(w->in_h, top + (rows - 1) * w->stride_h + reach_of(w));
    return (row_span){first, vkb_max(first + least, bottom)};
}

/* Lines of the cache that are fetched ahead drive each other out of the first level. A copy of the input for
 * all panels prevents that, and is worth it for many outputs; for few the kernels of two nodes are faster. */
static bool planes_collide(const op_window *wide)
{
    return wide->in_c > cpu_conv_rows_kept(wide->in_h * wide->in_w);
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
           wide.in_c <= MOST_CHANNELS && (!planes_collide(&wide) || wide.out_c >= 2 * wide.in_c) &&
           wide.out_h * wide.out_w >= CPU_NR && wide.out_c * wide.out_h * wide.out_w >= LEAST_FLOATS;
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const expansion_state *s = state;
    (void)n;
    cpu_conv_pack(dst, g->tensors[s->before->in[1]].data, &s->wide);
}

/* Tasks of some rows each find most of their input in the cache of the core that made it, and a band there
 * for all panels; but where tasks meet they have rows in common. */
static int64_t runs_of(const expansion_state *s, int threads)
{
    const op_window *w = &s->w;
    const int64_t common = vkb_max(1, reach_of(w) - w->stride_h);
    const int64_t most = 1 + w->in_h / (COMMON * common);
    const int64_t bands = vkb_ceil_div(w->out_h, s->rows);
    if (threads == 1) return 1;
    for (int64_t runs = vkb_ceil_div(vkb_max(bands, threads), threads) * threads; runs > 1; runs -= threads)
        if (runs <= most) return runs;
    return 1;
}

/* Half of the second level for a band's input, which all panels read, or a quarter where it is copied. */
static void plan_tasks(expansion_state *s, int threads)
{
    const op_window *w = &s->w;
    const int64_t mr = s->micro->mr, panels = cpu_panels(w->in_c, s->micro->mr);
    const int64_t cache = cpu_caches_get()->second / (int64_t)sizeof(float), line = s->wide.in_c * w->in_w;
    const bool copies = planes_collide(&s->wide);
    s->kept = vkb_max(least_rows(w), reach_of(w) - w->stride_h);
    s->rows = w->out_h;
    if (copies || line * w->in_h > cache * 5 / 4) {
        const int64_t room = vkb_max(cache / (copies ? 4 : 2) / line, 2 * s->kept);
        s->rows = vkb_ceil_div(w->out_h, vkb_ceil_div(w->out_h, vkb_max(1, room / w->stride_h)));
    }
    const int64_t tasks = threads > 1 ? TASKS * threads : 1, runs = copies ? tasks : runs_of(s, threads);
    if (threads > 1 && !copies)
        s->rows = vkb_ceil_div(w->out_h, vkb_max(runs, vkb_ceil_div(w->out_h, s->rows)));
    if (s->sums) {
        const int64_t stretch = cpu_means_of(w).rows;
        s->rows = vkb_ceil_div(s->rows, stretch) * stretch;
    }
    s->bands = vkb_ceil_div(w->out_h, s->rows);
    s->runs = vkb_min(s->bands, runs);
    s->parts = copies ? 1 : vkb_min(panels, vkb_ceil_div(tasks, s->runs));
    const int64_t floats = rows_between(w, s->rows) * w->in_w;
    const int64_t most = vkb_ceil_div(panels, s->parts);
    s->panels = vkb_max(1, vkb_min(most, cache * 3 / 16 / (floats * mr)));
    if (copies) s->x_stride = (vkb_ceil_div(floats, CPU_NR) | 1) * CPU_NR; /* an odd number of cache lines */
    s->between = vkb_round_up((uint64_t)(s->panels * mr * floats), 16);
    const int64_t kept = s->bands > 1 ? most * mr * s->kept * w->in_w : 0;
    s->own = vkb_round_up(s->between + (uint64_t)(s->wide.in_c * s->x_stride + kept), 16);
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    expansion_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (expansion_state){.micro = cpu_micro_get(), .before = p->before};
    if (!op_window_of(p->g, p->before, &s->wide) || !op_window_of(p->g, p->n, &s->w))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    if (op_has_own(p->before, 2)) s->bias = p->g->tensors[p->before->in[2]].data;
    if (p->means) s->sums = cpu_means_bytes(&s->w) / sizeof(float);
    plan_tasks(s, p->threads);
    const int64_t sizes[] = {s->wide.out_c, s->wide.in_c, (int64_t)p->g->tensors[p->before->in[1]].const_key};
    p->state = s;
    p->scratch_bytes = (s->sums + s->own * (uint64_t)p->threads) * sizeof(float);
    p->weight_bytes = cpu_conv_weight_floats(&s->wide) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->before->in[1]];
    p->pack_key = cpu_pack_key("expansion", sizes, 3);
    return VKI_OK;
}

typedef struct band { /* of some channels */
    const cpu_call *call;
    int64_t batch, row, rows;
    row_span span; /* what it needs between, of which rows from `fresh` on are computed */
    int64_t fresh;
    const float *x; /* their input */
    int64_t x_stride;
    bool last; /* of its task */
} band;

/* Channels of panels first..end at n pixels, to `between`. Each panel goes along all pixels: these come from
 * the second level as fast as the first would give them, and calls cost more. */
static void expand(const band *b, float *between, int64_t plane, int64_t n, int64_t first, int64_t end)
{
    const expansion_state *s = b->call->state;
    const int64_t channels = s->wide.out_c, k = s->wide.in_c;
    cpu_tile t = {.b = b->x, .k = k, .b_stride = b->x_stride, .c = between, .c_stride = plane};
    t.cols = (int)n;
    t.epilogue = &s->before->epilogue;
    for (int64_t i = first; i < end; i++, t.c += t.rows * plane) {
        const int64_t row = cpu_panel_row(channels, s->micro->mr, i);
        t.rows = (int)(cpu_panel_row(channels, s->micro->mr, i + 1) - row);
        t.a = (const float *)b->call->weights + row * k;
        t.bias_row = s->bias ? s->bias + row : NULL;
        s->micro->gemm_line(&t);
    }
}

/* A band of the channels of panels first..end. `kept` has of each the rows that the band before computed too,
 * and gets those for the next. */
static void run_panels(const band *b, int64_t first, int64_t end, float *between, float *kept)
{
    const expansion_state *s = b->call->state;
    const op_window *w = &s->w;
    const int64_t plane = (b->span.end - b->span.first) * w->in_w, room = s->kept * w->in_w;
    const int64_t had = (b->fresh - b->span.first) * w->in_w;
    cpu_strips strips = {.micro = s->micro, .w = w, .x = between, .x_plane = plane, .batch = b->batch};
    strips.sums = b->call->means ? b->call->scratch : NULL;
    strips.top = b->span.first;
    strips.row = b->row;
    strips.rows = b->rows;
    strips.channel = cpu_panel_row(w->in_c, s->micro->mr, first);
    strips.planes = cpu_panel_row(w->in_c, s->micro->mr, end) - strips.channel;
    if (had) s->micro->copy_rows(between, plane, kept, room, strips.planes, had);
    if (plane > had) expand(b, between + had, plane, plane - had, first, end);
    cpu_strips_run(b->call, &strips);
    if (b->last) return;
    const row_span next = span_of(w, b->row + b->rows, vkb_min(s->rows, w->out_h - b->row - b->rows));
    const int64_t keep = vkb_max(0, b->span.end - next.first) * w->in_w;
    if (keep) s->micro->copy_rows(kept, room, between + plane - keep, plane, strips.planes, keep);
}

/* Band `i`, of which the one before left rows unless it is the `first`; its input is copied to `room` if at
 * all. */
static band band_of(const cpu_call *c, int64_t batch, int64_t i, bool first, bool last, float *room)
{
    const expansion_state *s = c->state;
    const op_window *w = &s->w;
    const int64_t plane = w->in_h * w->in_w;
    band b = {.call = c, .batch = batch, .row = i * s->rows, .x_stride = plane, .last = last};
    b.rows = vkb_min(s->rows, w->out_h - b.row);
    b.span = span_of(w, b.row, b.rows);
    b.fresh = b.span.first;
    if (!first) b.fresh = vkb_min(span_of(w, b.row - s->rows, s->rows).end, b.span.end);
    if (b.fresh < b.span.end) /* gemm_line takes no fewer than least_rows */
        b.fresh = vkb_max(b.span.first, vkb_min(b.fresh, b.span.end - least_rows(w)));
    b.x = (const float *)c->in[0] + batch * s->wide.in_c * plane + b.fresh * w->in_w;
    if (!s->x_stride) return b;
    s->micro->copy_rows(room, s->x_stride, b.x, plane, s->wide.in_c, (b.span.end - b.fresh) * w->in_w);
    b.x = room;
    b.x_stride = s->x_stride;
    return b;
}

static void on_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const expansion_state *s = c->state;
    const int mr = s->micro->mr;
    const int64_t panels = cpu_panels(s->w.in_c, mr), room = s->kept * s->w.in_w;
    float *between = (float *)c->scratch + s->sums + (uint64_t)thread * s->own;
    float *x = between + s->between, *kept = x + s->wide.in_c * s->x_stride;
    for (int64_t i = begin; i < end; i++) {
        const int64_t part = i % s->parts, run = i / s->parts % s->runs, batch = i / s->parts / s->runs;
        const int64_t from = panels * part / s->parts, to = panels * (part + 1) / s->parts;
        const int64_t top = s->bands * run / s->runs, bottom = s->bands * (run + 1) / s->runs;
        for (int64_t k = top; k < bottom; k++) {
            const band b = band_of(c, batch, k, k == top, k + 1 == bottom, x);
            for (int64_t panel = from; panel < to; panel += s->panels) {
                const int64_t before =
                    cpu_panel_row(s->w.in_c, mr, panel) - cpu_panel_row(s->w.in_c, mr, from);
                run_panels(&b, panel, vkb_min(to, panel + s->panels), between, kept + before * room);
            }
        }
    }
}

static void run(const cpu_call *c)
{
    const expansion_state *s = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, s->w.batch * s->runs * s->parts, 1, on_tasks, &call);
    if (c->means) cpu_means_finish(c, &s->w, c->scratch);
}

const cpu_kernel cpu_expansion = {.name = "conv2d_expansion", .prepare = prepare, .run = run};
