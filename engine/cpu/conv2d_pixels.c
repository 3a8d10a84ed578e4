/* SPDX-License-Identifier: Apache-2.0
 * Pointwise convolutions with output channels as lanes (gemm_pixels_tmpl.h). Weights lie in panels of 16
 * channels and are read once for a block of pixels; activations are not packed at all. Of more input channels
 * than the second level keeps, some at a time go to the sums of several panels. */
#include "cpu/conv2d_gemm.h"
#include "cpu/conv_gate.h"
#include "cpu/fast.h"
#include "graph/ops/schema.h"

enum {
    KC = 128,          /* input channels at a time: their weights and pixels of a tile fit the first level */
    SMALL_PLANE = 64,  /* pixels: so many channels of it would just not stay there between the tiles */
    SMALL_KC = 64,     /* but these do, where there are more than one and a half times as many */
    LEAST_K = 16,      /* with fewer the stores cost too much */
    MOST_WASTE = 12,   /* percent of the lanes that may compute what is not needed */
    MOST_PIXELS = 400, /* of a block: a panel's results wait in the cache for the rest of the epilogue */
    FEW_PIXELS = 200,  /* rather than into smaller blocks many input channels are cut */
    SUMS = 16,         /* panels whose sums then wait for the next ones */
    TASKS = 4          /* a thread, at most: for one that comes late */
};

typedef struct pixels_state {
    const cpu_micro *micro;
    op_window w;
    int64_t m, k, n;       /* of a group: output channels, input channels; pixels */
    int64_t panels;        /* of output channels */
    int64_t kc;            /* input channels at a time */
    int64_t depth;         /* so many, of `together` panels, before the next ones: a multiple of kc, or k */
    int64_t together;      /* panels; 1 if depth is k */
    int64_t parts, blocks; /* tasks of a group: parts of the panels by blocks of the pixels */
    uint64_t floats;       /* scratch a thread */
    float low, high;       /* what the tiles do of the epilogue */
    bool hardswish, rest;  /* they do this, too; there is more of it */
} pixels_state;

/* Panels of 16 output channels; a rest of at most 8 widens the last one to 24. */
static int64_t panels_of(int64_t m)
{
    return vkb_max(1, (m + CPU_NR / 2 - 1) / CPU_NR);
}

static int width_of(int64_t m, int64_t panel)
{
    return panel + 1 == panels_of(m) && m - panel * CPU_NR > CPU_NR ? CPU_WIDE_PANEL : CPU_NR;
}

static int64_t lanes_of(int64_t m)
{
    const int64_t last = panels_of(m) - 1;
    return last * CPU_NR + width_of(m, last);
}

bool cpu_conv2d_pixels_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_of(g, n, &w) || !cpu_conv_fits(&w))
        return false;
    const int64_t m = w.out_c / w.group, k = w.in_c / w.group, pixels = w.out_d * w.out_h * w.out_w;
    return cpu_conv_direct(&w) && pixels >= CPU_LEAST_PIXELS && pixels <= CPU_MOST_SPREAD && k >= LEAST_K &&
           vkb_min(k, KC) <= cpu_conv_rows_kept(pixels) && (lanes_of(m) - m) * 100 <= m * MOST_WASTE;
}

/* To [panel][k][width]; lanes beyond the last channel repeat it. */
static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const pixels_state *s = state;
    const float *src = g->tensors[n->in[1]].data;
    float *to = dst;
    for (int64_t group = 0; group < s->w.group; group++, src += s->m * s->k)
        for (int64_t panel = 0; panel < s->panels; panel++)
            for (int64_t k = 0; k < s->k; k++)
                for (int64_t c = 0; c < width_of(s->m, panel); c++)
                    *to++ = src[vkb_min(panel * CPU_NR + c, s->m - 1) * s->k + k];
}

static int64_t floats_kept(void) /* of the input, by the second level */
{
    return cpu_caches_get()->second / 2 / (int64_t)sizeof(float);
}

/* Blocks of pixels whose input stays in the second level while all panels go over it; the busiest thread gets
 * the least to do. Each sum is of one task, with the same steps in any: the cut does not change its bits. */
static void choose_tasks(pixels_state *s, int threads)
{
    const int64_t jobs = s->w.batch * s->w.group, most = vkb_max(1, s->n / (2 * CPU_LEAST_PIXELS));
    const int64_t kept = vkb_min(vkb_ceil_div(s->k * s->n, floats_kept()), vkb_ceil_div(s->n, FEW_PIXELS));
    const int64_t least = vkb_min(most, vkb_max(vkb_ceil_div(s->n, MOST_PIXELS), kept));
    const int64_t wider = width_of(s->m, s->panels - 1) - CPU_NR;
    int64_t best = INT64_MAX;
    for (int64_t blocks = least; blocks <= vkb_min(most, least + threads); blocks++) {
        const bool far = s->k * vkb_ceil_div(s->n, blocks) > floats_kept(); /* input that each part reads */
        const int64_t tasks = far ? vkb_max(threads, s->panels / (SUMS / 2)) : TASKS * threads;
        for (int64_t parts = 1; parts <= vkb_min(s->panels, threads > 1 ? tasks : 1); parts++) {
            const int64_t rounds = vkb_ceil_div(jobs * parts * blocks, threads);
            const int64_t lanes = vkb_ceil_div(s->panels, parts) * CPU_NR + wider;
            const int64_t cost = rounds * lanes * vkb_ceil_div(s->n, blocks);
            if (cost > best || (cost == best && blocks > s->blocks)) continue;
            best = cost;
            s->parts = parts;
            s->blocks = blocks;
        }
    }
}

/* Equal depths whose input stays there, if all of it does not. */
static void choose_depth(pixels_state *s)
{
    const int64_t pixels = vkb_ceil_div(s->n, s->blocks), chunks = vkb_ceil_div(s->k, s->kc);
    const int64_t kept = vkb_max(1, floats_kept() / (pixels * s->kc)), times = vkb_ceil_div(chunks, kept);
    s->depth = times > 1 ? vkb_ceil_div(chunks, times) * s->kc : s->k;
    s->together = times > 1 ? vkb_min(SUMS, vkb_ceil_div(s->panels, s->parts)) : 1;
    s->floats = (uint64_t)((pixels + 3) * (s->together * CPU_NR + CPU_WIDE_PANEL - CPU_NR));
}

vki_status cpu_conv2d_pixels_prepare(cpu_prep *p, vki_error *err)
{
    pixels_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (pixels_state){.micro = cpu_micro_get()};
    if (!op_window_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->m = w->out_c / w->group;
    s->k = w->in_c / w->group;
    s->n = w->out_d * w->out_h * w->out_w;
    s->panels = panels_of(s->m);
    const int64_t kc = s->n <= SMALL_PLANE && 2 * s->k > 3 * SMALL_KC ? SMALL_KC : KC;
    s->kc = vkb_ceil_div(s->k, vkb_ceil_div(s->k, kc)); /* equal blocks */
    choose_tasks(s, p->threads);
    choose_depth(s);
    s->hardswish = cpu_is_hardswish(&p->n->epilogue);
    s->rest = cpu_clamp_of(&p->n->epilogue, &s->low, &s->high) && !s->hardswish;
    p->state = s;
    p->scratch_bytes = s->floats * sizeof(float) * (uint64_t)p->threads +
                       (p->before ? cpu_gated_bytes(lanes_of(s->m) * s->k) : 0);
    p->weight_bytes = (uint64_t)(lanes_of(s->m) * w->in_c) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("pixels", (int64_t[]){s->m, s->k, w->group}, 3);
    return VKI_OK;
}

typedef struct block { /* pixels at..at+t.pixels of a job: a group of an image of the batch */
    const cpu_call *call;
    int64_t job, at;
    cpu_pixels t;
    float start[CPU_WIDE_PANEL];
    int32_t offset[CPU_WIDE_PANEL];
} block;

/* Input channels from..to to panel `panel` of the output, or of the sums in between. */
static void run_panel(block *b, int64_t panel, int64_t from, int64_t to)
{
    const cpu_call *c = b->call;
    const pixels_state *s = c->state;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    const int64_t first = panel * CPU_NR, group = b->job % s->w.group;
    const int64_t step = c->plane_step ? c->plane_step : s->n, channels = b->job * s->m + first;
    cpu_pixels *t = &b->t;
    t->width = width_of(s->m, panel);
    const int64_t count = vkb_min(t->width, s->m - first);
    float *y = (float *)c->out[0] + channels * step + b->at;
    for (int i = 0; i < t->width; i++) {
        const int64_t channel = vkb_min(i, count - 1);
        b->start[i] = bias ? bias[group * s->m + first + channel] : 0;
        b->offset[i] = (int32_t)(channel * step);
    }
    const float *x = (const float *)c->in[0] + b->job * s->k * s->n + b->at;
    const float *weights = (const float *)c->weights + (group * lanes_of(s->m) + first) * s->k;
    t->offset = b->offset;
    for (int64_t k = from; k < to; k += t->k) {
        t->k = vkb_min(s->kc, to - k);
        t->x = x + k * s->n;
        t->w = weights + k * t->width;
        /* the end of all is no harm to fetch from */
        t->w_next = k + t->k < to ? t->w + t->k * t->width : weights + (s->k + from) * t->width;
        t->start = k ? NULL : b->start;
        t->y = k + t->k < s->k ? NULL : y;
        s->micro->pixels(t);
    }
    if (residual) residual += channels * s->n + b->at;
    for (int64_t i = 0; to == s->k && s->rest && i < count; i++, y += step)
        s->micro->epilogue(y, y, residual ? residual + i * s->n : NULL, t->pixels, &c->n->epilogue);
}

/* All input channels to panels first..end, `together` of them at a time. `sums` is of the thread. */
static void run_panels(block *b, int64_t first, int64_t end, float *sums)
{
    const pixels_state *s = b->call->state;
    for (int64_t next; first < end; first = next) {
        next = vkb_min(end, first + s->together);
        for (int64_t k = 0; k < s->k; k += s->depth)
            for (int64_t panel = first; panel < next; panel++) {
                b->t.sums = sums + (panel - first) * CPU_NR * (b->t.pixels + 3);
                run_panel(b, panel, k, vkb_min(s->k, k + s->depth));
            }
    }
}

static void on_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const pixels_state *s = c->state;
    block b = {.call = c, .t = {.x_step = s->n, .low = s->low, .high = s->high, .hardswish = s->hardswish}};
    float *sums = (float *)c->scratch + (uint64_t)thread * s->floats;
    for (int64_t task = begin; task < end; task++) {
        const int64_t part = task % s->parts, i = task / s->parts % s->blocks;
        b.job = task / s->parts / s->blocks;
        b.at = s->n * i / s->blocks;
        b.t.pixels = s->n * (i + 1) / s->blocks - b.at;
        run_panels(&b, s->panels * part / s->parts, s->panels * (part + 1) / s->parts, sums);
    }
}

static int64_t first_lane(const void *state, int64_t panel)
{
    const pixels_state *s = state;
    return panel < s->panels ? panel * CPU_NR : lanes_of(s->m);
}

void cpu_conv2d_pixels_run(const cpu_call *c)
{
    const pixels_state *s = c->state;
    cpu_call call = cpu_gate_weights(c, &(cpu_gated){s->micro, s->panels, s->k, first_lane, s});
    const int64_t tasks = s->w.batch * s->w.group * s->blocks * s->parts;
    const int64_t macs = vkb_max(1, s->m * s->n * s->k * s->w.batch * s->w.group / tasks); /* of a task */
    vkb_parallel_for(c->pool, tasks, vkb_ceil_div(CPU_GRAIN_MACS, macs), on_tasks, &call);
}
