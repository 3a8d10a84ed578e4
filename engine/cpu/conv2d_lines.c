/* SPDX-License-Identifier: Apache-2.0
 * Pointwise convolutions by micro->gemm_line: activations are read where they lie, some columns at a time,
 * which the first level keeps while all panels of channels go over them. Where the planes' size maps their
 * lines to few of its sets, the columns are copied first; sums and their bits are the same. */
#include "cpu/conv2d_gemm.h"
#include "cpu/conv_gate.h"
#include "cpu/fast.h"
#include "graph/ops/schema.h"

enum {
    FEW_K = 40,                /* with more, conv2d_pixels is as fast on planes of any size */
    MOST_K = 64,               /* but where stores count: those of no fewer output channels */
    LEAST_PIXELS = 400,        /* with fewer, what begins and ends a line tells */
    MANY_PIXELS = 512,         /* as many, where the tiles at the end of a line overlap */
    MOST_WEIGHTS = 100 * 1024, /* of more, which each block reads again, the second level keeps too little */
    FEW_PANELS = 8,
    LONG_LINE = 192 /* columns */
};

typedef struct lines_state {
    const cpu_micro *micro;
    op_window w;
    int64_t m, k, n;       /* of a group: output channels, input channels; pixels */
    int64_t panels, parts; /* of output channels; tasks of them */
    int64_t line, blocks;  /* columns of a block but the last, which has up to twice as many */
    uint64_t copy;         /* floats a thread for a copy of a block; 0: it is read where it lies */
} lines_state;

bool cpu_conv2d_lines_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_of(g, n, &w) || !cpu_conv_fits(&w))
        return false;
    const int64_t m = w.out_c / w.group, k = w.in_c / w.group, pixels = w.out_d * w.out_h * w.out_w;
    const bool few = pixels >= MANY_PIXELS && k <= MOST_K && (k <= FEW_K || m >= k);
    return cpu_conv_direct(&w) &&
           (few || (pixels >= LEAST_PIXELS && pixels % CPU_NR == 0 && m * k <= MOST_WEIGHTS));
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    cpu_conv_pack(dst, g->tensors[n->in[1]].data, &((const lines_state *)state)->w);
}

/* Columns that the first level keeps while the panels go over them; where these are few, a copy is read or
 * lines are read again for the epilogue, longer ones matter more, and the second level keeps them. */
static void choose_block(lines_state *s, bool longer)
{
    const vkb_caches *caches = cpu_caches_get();
    const int64_t first = caches->first / 2 / (int64_t)sizeof(float) / s->k;
    const int64_t second = caches->second / 2 / (int64_t)sizeof(float) / s->k;
    const int64_t cols = longer ? vkb_max(first, vkb_min(LONG_LINE, second)) : first;
    s->line = vkb_max(1, vkb_min(cols, s->n) / CPU_NR) * CPU_NR;
    s->blocks = s->n / s->line;
}

/* The busiest thread gets the least to do. */
static void choose_parts(lines_state *s, int threads)
{
    enum { TASKS = 4 }; /* a thread, for one that comes late */
    const int64_t jobs = s->w.batch * s->w.group * s->blocks, enough = threads == 1 ? 1 : TASKS * threads;
    int64_t best = INT64_MAX;
    for (int64_t parts = vkb_min(s->panels, vkb_ceil_div(enough, s->blocks));
         parts <= vkb_min(s->panels, enough); parts++) {
        const int64_t cost = vkb_ceil_div(jobs * parts, threads) * vkb_ceil_div(s->panels, parts);
        if (cost >= best) continue;
        best = cost;
        s->parts = parts;
    }
}

/* From one channel of a copy to the next: an odd number of cache lines, so that they spread over all sets. */
static int64_t row_of_copy(int64_t cols)
{
    return (int64_t)vkb_round_up((uint64_t)cols, 32) + 16;
}

vki_status cpu_conv2d_lines_prepare(cpu_prep *p, vki_error *err)
{
    lines_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (lines_state){.micro = cpu_micro_get()};
    if (!op_window_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->m = w->out_c / w->group;
    s->k = w->in_c / w->group;
    s->n = w->out_d * w->out_h * w->out_w;
    s->panels = cpu_panels(s->m, s->micro->mr);
    const int64_t kept = cpu_conv_rows_kept(s->n);
    const bool copies = s->k > kept && s->m > kept;
    float low, high; /* are the tiles' matter */
    const bool leaves = cpu_clamp_of(&p->n->epilogue, &low, &high);
    choose_block(s, copies || s->panels <= FEW_PANELS || leaves);
    choose_parts(s, p->threads);
    if (copies) s->copy = (uint64_t)(s->k * row_of_copy(2 * s->line));
    p->scratch_bytes =
        s->copy * sizeof(float) * (uint64_t)p->threads + (p->before ? cpu_gated_bytes(s->m * s->k) : 0);
    p->state = s;
    p->weight_bytes = cpu_conv_weight_floats(w) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("conv2d", (int64_t[]){w->out_c, w->in_c, w->group, 1}, 4);
    return VKI_OK;
}

static void copy_block(const lines_state *s, cpu_tile *t, float *to)
{
    const int64_t row = row_of_copy(t->cols);
    s->micro->copy_rows(to, row, t->b, t->b_stride, t->k, t->cols);
    t->b = to;
    t->b_stride = row;
}

static void on_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const lines_state *s = c->state;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    float *copy = s->copy ? (float *)c->scratch + (uint64_t)thread * s->copy : NULL;
    const int64_t step = c->plane_step ? c->plane_step : s->n; /* no other than n with a residual */
    cpu_tile t = {.k = s->k, .c_stride = step, .epilogue = &c->n->epilogue};
    for (int64_t task = begin; task < end; task++) {
        const int64_t part = task % s->parts, block = task / s->parts % s->blocks;
        const int64_t job = task / s->parts / s->blocks, group = job % s->w.group, at = block * s->line;
        t.cols = (int)(block + 1 < s->blocks ? s->line : s->n - at);
        t.b = (const float *)c->in[0] + job * s->k * s->n + at;
        t.b_stride = s->n;
        if (s->copy) copy_block(s, &t, copy);
        for (int64_t i = s->panels * part / s->parts; i < s->panels * (part + 1) / s->parts; i++) {
            const int64_t row = cpu_panel_row(s->m, s->micro->mr, i), to = (job * s->m + row) * step + at;
            t.rows = (int)(cpu_panel_row(s->m, s->micro->mr, i + 1) - row);
            t.a = (const float *)c->weights + (group * s->m + row) * s->k;
            t.c = (float *)c->out[0] + to;
            t.residual = residual ? residual + to : NULL;
            t.bias_row = bias ? bias + group * s->m + row : NULL;
            s->micro->gemm_line(&t);
        }
    }
}

static int64_t first_row(const void *state, int64_t panel)
{
    const lines_state *s = state;
    return cpu_panel_row(s->m, s->micro->mr, panel);
}

void cpu_conv2d_lines_run(const cpu_call *c)
{
    const lines_state *s = c->state;
    cpu_call call = cpu_gate_weights(c, &(cpu_gated){s->micro, s->panels, s->k, first_row, s});
    const int64_t tasks = s->w.batch * s->w.group * s->blocks * s->parts;
    const int64_t macs = vkb_max(1, s->m * s->n * s->k * s->w.batch * s->w.group / tasks); /* of a task */
    vkb_parallel_for(c->pool, tasks, vkb_ceil_div(CPU_GRAIN_MACS, macs), on_tasks, &call);
}
