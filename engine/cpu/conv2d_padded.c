/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of few input channels, as a network's first, or of few output channels, as an image network's
 * last. Making im2col panels would cost more than it gains there; so bands of input rows are copied with
 * their padding, split by the stride (bands.h), and products along whole lines of outputs read each tap's
 * elements where they lie: in the first-level cache, or of few outputs in the second. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum {
    FEW_IN = 8, /* channels of a group */
    FEW_OUT = 16,
    TASKS = 4 /* a thread, at least */
};

/* A line of outputs is cut into panels of 16 and a rest of 8 or 16: is little enough lost? */
static bool lines_fill_panels(const op_window *w)
{
    return w->out_w > 8 && w->out_w * 4 >= (int64_t)vkb_round_up((uint64_t)w->out_w, 8) * 3;
}

/* Offsets into the padded channels of a group are 32 bits wide. */
static bool offsets_fit(const op_window *w)
{
    const int64_t rows = w->out_h * w->stride_h + w->kernel_h * w->dilation_h;
    const int64_t row = (w->out_w + 8) * w->stride_w + w->kernel_w * w->dilation_w;
    return w->in_c / w->group < (INT64_C(1) << 30) / row / rows;
}

bool cpu_padded_fits(const op_window *w)
{
    return cpu_bands_fit(w) && lines_fill_panels(w) && offsets_fit(w);
}

/* Output rows of a band: as many as its share of the cache holds, yet so many that at most every second input
 * row is copied twice, and so few that all threads have something to do. */
static int64_t rows_of_band(const cpu_padded *s, int threads)
{
    const op_window *w = &s->bands.w;
    const int64_t window = (w->kernel_h - 1) * w->dilation_h + 1, line = s->channels * s->bands.row;
    const vkb_caches *caches = cpu_caches_get();
    const int64_t bytes = s->m > FEW_OUT ? caches->first * 3 / 4 : caches->second * 3 / 8;
    const int64_t room = bytes / (int64_t)sizeof(float) / line - window;
    const int64_t least = vkb_ceil_div(vkb_max(0, window - w->stride_h), w->stride_h);
    const int64_t most = vkb_ceil_div(w->out_h * s->jobs, (int64_t)TASKS * threads);
    return vkb_max(1, vkb_min(most, vkb_max(least, room / w->stride_h + 1)));
}

/* All but the scratch; `whole`: the input is copied as a whole. */
static vki_status plan(cpu_padded *s, const op_window *w, bool whole, int threads, vkb_arena *arena,
                       vki_error *err)
{
    *s = (cpu_padded){0};
    VKB_TRY(cpu_bands_plan(&s->bands, w, 0, arena, err));
    s->channels = w->in_c / w->group;
    s->m = w->out_c / w->group;
    s->k = s->channels * w->kernel_h * w->kernel_w;
    s->jobs = w->batch * w->group;
    cpu_bands_rows(&s->bands, whole ? w->out_h : rows_of_band(s, threads));
    s->plane = (int64_t)cpu_bands_floats(&s->bands);
    s->offset = vkb_arena_alloc(arena, (size_t)s->k * sizeof *s->offset);
    if (!s->offset) return vkb_nomem(err, (uint64_t)s->k * sizeof *s->offset);
    for (int64_t i = 0; i < s->k; i++)
        s->offset[i] = s->bands.offset[i / s->channels] + (int32_t)(i % s->channels * s->plane);
    return VKI_OK;
}

vki_status cpu_padded_plan(cpu_padded *s, const op_window *w, int threads, vkb_arena *arena, vki_error *err)
{
    VKB_TRY(plan(s, w, false, threads, arena, err));
    s->own = (uint64_t)(s->channels * s->plane);
    s->floats = s->own * (uint64_t)threads;
    return VKI_OK;
}

typedef struct padded_run {
    const cpu_padded *s;
    const cpu_conv_args *a;
    float *scratch;
} padded_run;

typedef struct lines { /* of outputs: panels first..end of a job's channels at some rows */
    int64_t job, row, rows, first, end;
    const float *x; /* the padded channels of the job, from the rows' first input row on */
    float *y;       /* the first of them */
    int64_t y_plane;
} lines;

static void compute(const padded_run *p, const lines *l)
{
    const cpu_padded *s = p->s;
    const cpu_conv_args *a = p->a;
    const op_window *w = &s->bands.w;
    const cpu_micro *micro = s->bands.micro;
    const int64_t channel = l->job % w->group * s->m, top = cpu_panel_row(s->m, micro->mr, l->first);
    cpu_tile t = {.k = s->k,
                  .b_offset = s->offset,
                  .c_stride = l->y_plane,
                  .cols = (int)w->out_w,
                  .epilogue = a->epilogue};
    for (int64_t i = l->first; i < l->end; i++) {
        const int64_t m = cpu_panel_row(s->m, micro->mr, i);
        t.rows = (int)(cpu_panel_row(s->m, micro->mr, i + 1) - m);
        t.a = a->weights + (channel + m) * s->k;
        t.bias_row = a->bias ? a->bias + channel + m : NULL;
        for (int64_t r = 0; r < l->rows; r++) {
            t.b = l->x + r * w->stride_h * s->bands.row;
            t.c = l->y + (m - top) * l->y_plane + r * w->out_w;
            if (a->residual)
                t.residual = a->residual + (l->job * s->m + m) * l->y_plane + (l->row + r) * w->out_w;
            micro->gemm_line(&t);
        }
    }
}

static void on_bands(void *arg, int64_t begin, int64_t end, int thread)
{
    const padded_run *p = arg;
    const cpu_padded *s = p->s;
    const cpu_bands *b = &s->bands;
    const int64_t in_plane = b->w.in_h * b->w.in_w, out_plane = b->w.out_h * b->w.out_w;
    float *padded = p->scratch + (uint64_t)thread * s->own;
    for (int64_t i = 0; i < s->channels; i++) cpu_bands_begin(b, padded + i * s->plane);
    for (int64_t i = begin; i < end; i++) {
        lines l = {.job = i / b->count, .row = i % b->count * b->rows, .x = padded, .y_plane = out_plane};
        const float *x = p->a->x + l.job * s->channels * in_plane;
        for (int64_t k = 0; k < s->channels; k++)
            cpu_bands_load(b, padded + k * s->plane, x + k * in_plane, i % b->count);
        l.rows = vkb_min(b->rows, b->w.out_h - l.row);
        l.end = cpu_panels(s->m, b->micro->mr);
        l.y = p->a->y + l.job * s->m * out_plane + l.row * b->w.out_w;
        compute(p, &l);
    }
}

void cpu_padded_run(const cpu_padded *s, const cpu_conv_args *a, float *scratch, vkb_pool *pool)
{
    padded_run p = {s, a, scratch};
    const int64_t macs = s->m * s->k * s->bands.rows * s->bands.w.out_w;
    vkb_parallel_for(pool, s->jobs * s->bands.count, vkb_ceil_div(CPU_GRAIN_MACS, macs), on_bands, &p);
}

/* ---- the kernel of Conv ---- */

bool cpu_conv2d_padded_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, &w)) return false;
    const bool few = w.in_c / w.group <= FEW_IN || w.out_c / w.group <= FEW_OUT;
    const bool reads_all = w.stride_w <= w.kernel_w && w.stride_h <= w.kernel_h;
    return few && reads_all && w.kernel_h * w.kernel_w > 1 && cpu_padded_fits(&w);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    cpu_conv_pack(dst, g->tensors[n->in[1]].data, &((const cpu_padded *)state)->bands.w);
}

/* All but the plan and the scratch. */
static vki_status prepare(cpu_prep *p, cpu_padded **s, op_window *w, vki_error *err)
{
    p->state = *s = vkb_arena_alloc(p->arena, sizeof **s);
    if (!*s) return vkb_nomem(err, sizeof **s);
    if (!op_window_2d_of(p->g, p->n, w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    p->weight_bytes = cpu_conv_weight_floats(w) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("conv2d", (int64_t[]){w->out_c, w->in_c, w->group, op_window_taps(w)}, 4);
    return VKI_OK;
}

vki_status cpu_conv2d_padded_prepare(cpu_prep *p, vki_error *err)
{
    cpu_padded *s;
    op_window w;
    VKB_TRY(prepare(p, &s, &w, err));
    VKB_TRY(cpu_padded_plan(s, &w, p->threads, p->arena, err));
    p->scratch_bytes = s->floats * sizeof(float);
    return VKI_OK;
}

static cpu_conv_args args_of(const cpu_call *c)
{
    return (cpu_conv_args){.x = c->in[0],
                           .weights = c->weights,
                           .bias = cpu_own_input(c, 2),
                           .residual = cpu_residual(c),
                           .y = c->out[0],
                           .epilogue = &c->n->epilogue};
}

void cpu_conv2d_padded_run(const cpu_call *c)
{
    const cpu_conv_args args = args_of(c);
    cpu_padded_run(c->state, &args, c->scratch, c->pool);
}

/* ---- channels that are handed on ---- */

vki_status cpu_conv2d_padded_prepare_channels(cpu_prep *p, vki_error *err)
{
    cpu_padded *s;
    op_window w;
    VKB_TRY(prepare(p, &s, &w, err));
    VKB_TRY(plan(s, &w, true, p->threads, p->arena, err));
    const int64_t mr = s->bands.micro->mr, panels = cpu_panels(s->m, s->bands.micro->mr);
    /* the channels that a thread works on fill more than half of the second-level cache */
    const int64_t floats = cpu_caches_get()->second * 5 / 8 / (int64_t)sizeof(float);
    const int64_t each = vkb_min(panels / p->threads, floats / (mr * w.out_h * w.out_w));
    s->parts = vkb_ceil_div(panels, vkb_max(1, each));
    s->own = vkb_round_up((uint64_t)(vkb_ceil_div(panels, s->parts) * mr * w.out_h * w.out_w), 16);
    s->floats = (uint64_t)(w.batch * w.in_c * s->plane) + s->own * (uint64_t)p->threads;
    p->scratch_bytes = s->floats * sizeof(float);
    return VKI_OK;
}

typedef struct channels_run {
    padded_run padded;
    cpu_channels_fn fn;
    const void *user;
} channels_run;

static void pad_planes(void *arg, int64_t begin, int64_t end, int thread)
{
    const channels_run *r = arg;
    const cpu_bands *b = &r->padded.s->bands;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        float *padded = r->padded.scratch + i * r->padded.s->plane;
        cpu_bands_begin(b, padded);
        cpu_bands_load(b, padded, r->padded.a->x + i * b->w.in_h * b->w.in_w, 0);
    }
}

static void on_parts(void *arg, int64_t begin, int64_t end, int thread)
{
    const channels_run *r = arg;
    const cpu_padded *s = r->padded.s;
    const op_window *w = &s->bands.w;
    const int mr = s->bands.micro->mr;
    const int64_t panels = cpu_panels(s->m, mr);
    float *own = r->padded.scratch + w->batch * w->in_c * s->plane + (uint64_t)thread * s->own;
    for (int64_t i = begin; i < end; i++) {
        const int64_t part = i % s->parts;
        lines l = {.job = i / s->parts, .rows = w->out_h, .y = own, .y_plane = w->out_h * w->out_w};
        l.first = panels * part / s->parts;
        l.end = panels * (part + 1) / s->parts;
        l.x = r->padded.scratch + l.job * s->channels * s->plane;
        compute(&r->padded, &l);
        const int64_t first = cpu_panel_row(s->m, mr, l.first);
        r->fn(r->user, own, l.job * s->m + first, cpu_panel_row(s->m, mr, l.end) - first, thread);
    }
}

void cpu_conv2d_padded_run_channels(const cpu_call *c, cpu_channels_fn fn, const void *user)
{
    const cpu_padded *s = c->state;
    const op_window *w = &s->bands.w;
    const cpu_conv_args args = args_of(c);
    channels_run r = {{s, &args, c->scratch}, fn, user};
    vkb_parallel_for(c->pool, w->batch * w->in_c, vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->in_h * w->in_w),
                     pad_planes, &r);
    vkb_parallel_for(c->pool, s->jobs * s->parts, 1, on_parts, &r);
}
