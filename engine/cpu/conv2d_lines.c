/* SPDX-License-Identifier: Apache-2.0
 * Pointwise convolutions of few channels over large planes by micro->gemm_line: activations are read where
 * they lie, some columns at a time, which the first level keeps while all panels of channels go over them. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "graph/ops/schema.h"

enum {
    FEW_K = 40,        /* with more, conv2d_pixels is as fast */
    MOST_K = 64,       /* but where stores count: those of no fewer output channels */
    LEAST_PIXELS = 512 /* with fewer, tiles that overlap at the end of a line tell */
};

typedef struct lines_state {
    const cpu_micro *micro;
    op_window w;
    int64_t m, k, n;       /* of a group: output channels, input channels; pixels */
    int64_t panels, parts; /* of output channels; tasks of them */
    int64_t line, blocks;  /* columns of a block but the last, which has up to twice as many */
} lines_state;

bool cpu_conv2d_lines_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_of(g, n, &w) || !cpu_conv_fits(&w))
        return false;
    const int64_t k = w.in_c / w.group;
    return cpu_conv_direct(&w) && w.out_d * w.out_h * w.out_w >= LEAST_PIXELS && k <= MOST_K &&
           (k <= FEW_K || w.out_c >= w.in_c);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    cpu_conv_pack(dst, g->tensors[n->in[1]].data, &((const lines_state *)state)->w);
}

vki_status cpu_conv2d_lines_prepare(cpu_prep *p, vki_error *err)
{
    enum { TASKS = 4 }; /* a thread, for one that comes late */
    lines_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (lines_state){.micro = cpu_micro_get()};
    if (!op_window_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->m = w->out_c / w->group;
    s->k = w->in_c / w->group;
    s->n = w->out_d * w->out_h * w->out_w;
    s->panels = cpu_panels(s->m, s->micro->mr);
    const int64_t half = cpu_caches_get()->first / 2 / (int64_t)sizeof(float);
    s->line = vkb_max(1, vkb_min(half / s->k, s->n) / CPU_NR) * CPU_NR;
    s->blocks = s->n / s->line;
    s->parts = p->threads == 1 ? 1 : vkb_min(s->panels, vkb_ceil_div(TASKS * p->threads, s->blocks));
    p->state = s;
    p->weight_bytes = cpu_conv_weight_floats(w) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("conv2d", (int64_t[]){w->out_c, w->in_c, w->group, 1}, 4);
    return VKI_OK;
}

static void on_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const lines_state *s = c->state;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    cpu_tile t = {.k = s->k, .b_stride = s->n, .c_stride = s->n, .epilogue = &c->n->epilogue};
    (void)thread;
    for (int64_t task = begin; task < end; task++) {
        const int64_t part = task % s->parts, block = task / s->parts % s->blocks;
        const int64_t job = task / s->parts / s->blocks, group = job % s->w.group, at = block * s->line;
        t.cols = (int)(block + 1 < s->blocks ? s->line : s->n - at);
        t.b = (const float *)c->in[0] + job * s->k * s->n + at;
        for (int64_t i = s->panels * part / s->parts; i < s->panels * (part + 1) / s->parts; i++) {
            const int64_t row = cpu_panel_row(s->m, s->micro->mr, i), to = (job * s->m + row) * s->n + at;
            t.rows = (int)(cpu_panel_row(s->m, s->micro->mr, i + 1) - row);
            t.a = (const float *)c->weights + (group * s->m + row) * s->k;
            t.c = (float *)c->out[0] + to;
            t.residual = residual ? residual + to : NULL;
            t.bias_row = bias ? bias + group * s->m + row : NULL;
            s->micro->gemm_line(&t);
        }
    }
}

void cpu_conv2d_lines_run(const cpu_call *c)
{
    const lines_state *s = c->state;
    cpu_call call = *c;
    const int64_t tasks = s->w.batch * s->w.group * s->blocks * s->parts;
    const int64_t macs = vkb_max(1, s->m * s->n * s->k * s->w.batch * s->w.group / tasks); /* of a task */
    vkb_parallel_for(c->pool, tasks, vkb_ceil_div(CPU_GRAIN_MACS, macs), on_tasks, &call);
}
