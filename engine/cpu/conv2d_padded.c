/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of few input channels, as a network's first, or of few output channels, as an image network's
 * last. Making im2col panels would cost more than it gains there, since few rows of products share them; so
 * bands of input rows are copied with their padding, split by the stride (bands.h), and products along whole
 * lines of outputs read each tap's elements where they lie: in the first-level cache, or of few outputs in
 * the second. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum {
    FEW_IN = 8, /* channels of a group */
    FEW_OUT = 16,
    MORE_OUT = 48,           /* where lines lose less than panels cost: */
    LOST_OUT = 8,            /* columns lost of a line, times outputs, a column */
    MOST_WINDOW = 64 * 1024, /* floats that a line of outputs reads: in the second level */
    TASKS = 2                /* a thread, at least */
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

/* Output rows of the thread that has most of them, by bands of so many. */
static int64_t rows_of_busiest(const cpu_padded *s, int64_t rows, int threads)
{
    return vkb_ceil_div(s->jobs * vkb_ceil_div(s->bands.w.out_h, rows), threads) * rows;
}

/* Output rows of a band: as many as its share of the second-level cache holds, yet so many that at most every
 * second input row is copied twice, and so few that all threads have something to do; up to half of them less
 * where they share it more evenly then. */
static int64_t rows_of_band(const cpu_padded *s, int threads)
{
    const op_window *w = &s->bands.w;
    const int64_t window = (w->kernel_h - 1) * w->dilation_h + 1, line = s->channels * s->bands.row;
    const vkb_caches *caches = cpu_caches_get();
    const int64_t bytes = s->channels > FEW_IN ? caches->second * 3 / 8 : caches->second / 8;
    const int64_t room = bytes / (int64_t)sizeof(float) / line - window;
    const int64_t least = vkb_ceil_div(vkb_max(0, window - w->stride_h), w->stride_h);
    const int64_t most = vkb_ceil_div(w->out_h * s->jobs, (int64_t)TASKS * threads);
    const int64_t rows = vkb_max(1, vkb_min(most, vkb_max(least, room / w->stride_h + 1)));
    int64_t best = rows;
    for (int64_t r = rows; threads > 1 && r >= vkb_max(vkb_min(rows, least), rows / 2) && r > 0; r--)
        if (rows_of_busiest(s, r, threads) < rows_of_busiest(s, best, threads)) best = r;
    return best;
}

/* All but the bands' rows and what follows from them. */
static vki_status plan(cpu_padded *s, const op_window *w, vkb_arena *arena, vki_error *err)
{
    *s = (cpu_padded){0};
    VKB_TRY(cpu_bands_plan(&s->bands, w, 0, arena, err));
    s->channels = w->in_c / w->group;
    s->m = w->out_c / w->group;
    s->k = s->channels * w->kernel_h * w->kernel_w;
    s->jobs = w->batch * w->group;
    s->offset = vkb_arena_alloc(arena, (size_t)s->k * sizeof *s->offset);
    if (!s->offset) return vkb_nomem(err, (uint64_t)s->k * sizeof *s->offset);
    return VKI_OK;
}

static void plan_rows(cpu_padded *s)
{
    s->plane = (int64_t)cpu_bands_floats(&s->bands);
    s->own = (uint64_t)(s->channels * s->plane);
    for (int64_t i = 0; i < s->k; i++)
        s->offset[i] = s->bands.offset[i / s->channels] + (int32_t)(i % s->channels * s->plane);
}

vki_status cpu_padded_plan(cpu_padded *s, const op_window *w, int threads, vkb_arena *arena, vki_error *err)
{
    VKB_TRY(plan(s, w, arena, err));
    cpu_bands_rows(&s->bands, rows_of_band(s, threads));
    plan_rows(s);
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
    int64_t y_plane, y_row;
    int64_t cols; /* of a row: as many as it has, or up to the next multiple of 8 if there is room in y */
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
                  .cols = (int)l->cols,
                  .epilogue = a->epilogue};
    for (int64_t i = l->first; i < l->end; i++) {
        const int64_t m = cpu_panel_row(s->m, micro->mr, i);
        t.rows = (int)(cpu_panel_row(s->m, micro->mr, i + 1) - m);
        t.a = a->weights + (channel + m) * s->k;
        t.bias_row = a->bias ? a->bias + channel + m : NULL;
        for (int64_t r = 0; r < l->rows; r++) {
            t.b = l->x + r * w->stride_h * s->bands.row;
            t.c = l->y + (m - top) * l->y_plane + r * l->y_row;
            if (a->residual)
                t.residual = a->residual + (l->job * s->m + m) * l->y_plane + (l->row + r) * w->out_w;
            micro->gemm_line(&t);
        }
    }
}

/* A thread's scratch, with the padding beside rows. */
static float *begin_bands(const padded_run *p, int thread)
{
    const cpu_padded *s = p->s;
    float *padded = p->scratch + (uint64_t)thread * s->own;
    for (int64_t i = 0; i < s->channels; i++) cpu_bands_begin(&s->bands, padded + i * s->plane);
    return padded;
}

/* The input of all of l's rows. */
static void load_bands(const padded_run *p, const lines *l, float *padded)
{
    const cpu_padded *s = p->s;
    const int64_t plane = s->bands.w.in_h * s->bands.w.in_w;
    const float *x = p->a->x + l->job * s->channels * plane;
    for (int64_t k = 0; k < s->channels; k++)
        cpu_bands_load_rows(&s->bands, padded + k * s->plane, x + k * plane, l->row, l->rows);
}

static void on_bands(void *arg, int64_t begin, int64_t end, int thread)
{
    const padded_run *p = arg;
    const cpu_padded *s = p->s;
    const cpu_bands *b = &s->bands;
    const int64_t out_plane = b->w.out_h * b->w.out_w;
    float *padded = begin_bands(p, thread);
    for (int64_t i = begin; i < end; i++) {
        lines l = {.job = i / b->count, .row = i % b->count * b->rows, .x = padded, .y_plane = out_plane};
        l.rows = vkb_min(b->rows, b->w.out_h - l.row);
        l.y_row = l.cols = b->w.out_w;
        load_bands(p, &l, padded);
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

/* A panel costs as much as so many rows of products with it; here the columns that lines lose do. */
static bool beats_panels(const op_window *w)
{
    const int64_t m = w->out_c / w->group, lost = (int64_t)vkb_round_up((uint64_t)w->out_w, 8) - w->out_w;
    const int64_t line = (w->out_w + w->kernel_w) * w->stride_w, rows = MOST_WINDOW / line;
    return m <= MORE_OUT && lost * m <= LOST_OUT * w->out_w && w->in_c / w->group <= rows / w->kernel_h;
}

bool cpu_conv2d_padded_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, &w)) return false;
    const bool few = w.in_c / w.group <= FEW_IN || w.out_c / w.group <= FEW_OUT || beats_panels(&w);
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

/* ---- rows that are handed on ---- */

/* Whole cache lines: stores that cross their ends cost as much as an eighth of the products. */
static int64_t between_row(const op_window *w)
{
    return (int64_t)vkb_round_up((uint64_t)w->out_w, 16);
}

vki_status cpu_conv2d_padded_prepare_rows(cpu_prep *p, const op_window *pool, vki_error *err)
{
    cpu_padded *s;
    op_window w;
    VKB_TRY(prepare(p, &s, &w, err));
    VKB_TRY(plan(s, &w, p->arena, err));
    s->pool = *pool;
    /* of one row of the pool: the input of all channels, and outputs of a panel */
    const int64_t mr = s->bands.micro->mr;
    const int64_t line = (s->channels * w.stride_h * s->bands.row + mr * between_row(&w)) * pool->stride_h;
    const int64_t room = cpu_caches_get()->second * 5 / 8 / (int64_t)sizeof(float);
    const int64_t tasks = p->threads > 1 ? 2 * p->threads : 1; /* of each image: few, they share rows */
    const int64_t bands = vkb_max(tasks, vkb_ceil_div(pool->out_h, vkb_max(1, room / line)));
    const int64_t even = (int64_t)vkb_round_up((uint64_t)bands, (uint64_t)p->threads);
    s->pooled = vkb_ceil_div(pool->out_h, even);
    s->parts = vkb_ceil_div(pool->out_h, s->pooled);
    cpu_bands_hold(&s->bands, vkb_min(w.out_h, (s->pooled - 1) * pool->stride_h + pool->kernel_h));
    plan_rows(s);
    s->between = vkb_round_up((uint64_t)(mr * s->bands.rows * between_row(&w)), 16);
    s->floats = (s->own + s->between) * (uint64_t)p->threads;
    p->scratch_bytes = s->floats * sizeof(float);
    return VKI_OK;
}

typedef struct rows_run {
    padded_run padded;
    cpu_pool_rows_fn fn;
    const void *user;
} rows_run;

static void on_pooled(void *arg, int64_t begin, int64_t end, int thread)
{
    const rows_run *r = arg;
    const cpu_padded *s = r->padded.s;
    const op_window *w = &s->bands.w, *pool = &s->pool;
    const int mr = s->bands.micro->mr;
    float *padded = begin_bands(&r->padded, thread);
    float *between = r->padded.scratch + s->floats - (uint64_t)(thread + 1) * s->between;
    for (int64_t i = begin; i < end; i++) {
        cpu_pool_rows rows = {.x = between, .row = i % s->parts * s->pooled};
        rows.rows = vkb_min(s->pooled, pool->out_h - rows.row);
        const int64_t first = rows.row * pool->stride_h - pool->pad_top;
        const int64_t last = vkb_min(w->out_h, first + (rows.rows - 1) * pool->stride_h + pool->kernel_h);
        lines l = {.job = i / s->parts, .row = vkb_max(0, first), .x = padded, .y = between};
        l.rows = vkb_max(0, last - l.row); /* 0: the windows are in the padding below */
        l.y_row = between_row(w);
        l.cols = (int64_t)vkb_round_up((uint64_t)w->out_w, 8);
        l.y_plane = l.rows * l.y_row;
        rows.x_rows = l.rows;
        rows.x_row = l.y_row;
        rows.above = l.row - first;
        if (l.rows) load_bands(&r->padded, &l, padded);
        for (; l.first < cpu_panels(s->m, mr); l.first++) {
            l.end = l.first + 1;
            compute(&r->padded, &l);
            rows.plane = l.job * s->m + cpu_panel_row(s->m, mr, l.first);
            rows.planes = l.job * s->m + cpu_panel_row(s->m, mr, l.end) - rows.plane;
            r->fn(r->user, &rows);
        }
    }
}

void cpu_conv2d_padded_run_rows(const cpu_call *c, cpu_pool_rows_fn fn, const void *user)
{
    const cpu_padded *s = c->state;
    const cpu_conv_args args = args_of(c);
    rows_run r = {{s, &args, c->scratch}, fn, user};
    vkb_parallel_for(c->pool, s->jobs * s->parts, 1, on_pooled, &r);
}
