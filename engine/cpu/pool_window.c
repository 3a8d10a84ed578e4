/* SPDX-License-Identifier: Apache-2.0
 * Pools over windows: the maximum of the taps, or their sum by the number of elements that count, or the root
 * of the sum of their powers. Small square windows have a micro-kernel that reads planes where they lie, some
 * small planes or some rows of a large one at a time. All others work on copies (bands.h); a window of three
 * dimensions goes plane by plane. */
#include "cpu/bands.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

#include <math.h>

typedef struct pool_state {
    bool strips;    /* by the micro-kernel: of the bands w, micro, rows and count are used, and no scratch */
    int64_t planes; /* it takes at once, if a band is all of a plane */
    cpu_bands bands;
    op_kind op;
    int64_t p;                            /* LpPool: the exponent */
    float *ones;                          /* a weight a tap */
    int32_t *down;                        /* MaxPool: of the taps of one column */
    float *per_plane, *per_row, *per_col; /* AveragePool: 1 / elements that a window has along each dimension;
                                             a window with none: 0 */
    bool even;                            /* all windows have as many */
    uint64_t columns;                     /* MaxPool: their maxima, in scratch behind the band */
    uint64_t plane_floats;                /* of a band of one plane of a window, and of the band's input */
} pool_state;

bool cpu_pool_window_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (op_pool_is_global(n->op) || n->n_out != 1 || n->epilogue.residual != GR_RESIDUAL_NONE) return false;
    if (n->op == OP_LpPool && ((const op_pool_attrs *)n->attrs)->p > 2) return false;
    return cpu_all_f32(g, n) && op_window_of(g, n, &w) && cpu_bands_fit(&w);
}

/* Inverse of the number of positions of each window along one dimension that lie in [low, high). */
static void count_inside(float *inverse, int64_t out, int64_t stride, int64_t pad, int64_t kernel,
                         int64_t dilation, int64_t low, int64_t high)
{
    for (int64_t o = 0; o < out; o++) {
        int64_t n = 0;
        for (int64_t k = 0; k < kernel; k++) {
            int64_t at = o * stride - pad + k * dilation;
            n += at >= low && at < high;
        }
        inverse[o] = n ? 1.0f / (float)n : 0;
    }
}

static vki_status prepare_average(cpu_prep *p, pool_state *s, const op_window *w, vki_error *err)
{
    const op_pool_attrs *a = p->n->attrs;
    const bool pads = a->count_include_pad != 0;
    const size_t sizes = (size_t)(w->out_d + w->out_h + w->out_w);
    const int64_t low = pads ? INT64_MIN : 0;
    s->per_plane = vkb_arena_alloc(p->arena, sizes * sizeof(float));
    if (!s->per_plane) return vkb_nomem(err, sizes * sizeof(float));
    s->per_row = s->per_plane + w->out_d;
    s->per_col = s->per_row + w->out_h;
    count_inside(s->per_plane, w->out_d, w->stride_d, w->pad_front, w->kernel_d, w->dilation_d, low,
                 w->in_d + (pads ? w->pad_back : 0));
    count_inside(s->per_row, w->out_h, w->stride_h, w->pad_top, w->kernel_h, w->dilation_h, low,
                 w->in_h + (pads ? w->pad_bottom : 0));
    count_inside(s->per_col, w->out_w, w->stride_w, w->pad_left, w->kernel_w, w->dilation_w, low,
                 w->in_w + (pads ? w->pad_right : 0));
    s->even = true;
    for (int64_t i = 1; i < w->out_d; i++) s->even = s->even && s->per_plane[i] == s->per_plane[0];
    for (int64_t i = 1; i < w->out_h; i++) s->even = s->even && s->per_row[i] == s->per_row[0];
    for (int64_t i = 1; i < w->out_w; i++) s->even = s->even && s->per_col[i] == s->per_col[0];
    return VKI_OK;
}

static bool goes_by_strips(op_kind op, const op_window *w)
{
    const int64_t size = w->kernel_h, stride = w->stride_h;
    return op != OP_LpPool && op_window_is_flat(w) && w->kernel_w == size && w->stride_w == stride &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top < size && w->pad_left < size &&
           ((size == 3 && stride == 1) || (size == 2 && stride == 2) ||
            (op == OP_MaxPool && ((size == 5 && stride == 1) || (size == 3 && stride == 2))));
}

/* Parts that stay in the first-level cache from strip to strip. */
static void plan_strips(pool_state *s, const op_window *w)
{
    const int64_t floats = cpu_caches_get()->first / 2 / (int64_t)sizeof(float);
    s->strips = true;
    s->bands = (cpu_bands){.w = *w, .micro = cpu_micro_get()};
    cpu_bands_rows(&s->bands, floats / (w->in_w * w->stride_h + w->out_w));
    s->planes = vkb_max(1, floats / (w->in_w * w->in_h + w->out_w * w->out_h));
}

static vki_status plan_copies(cpu_prep *p, pool_state *s, const op_window *w, vki_error *err)
{
    VKB_TRY(cpu_bands_plan(&s->bands, w, s->op == OP_MaxPool ? -INFINITY : 0, p->arena, err));
    const size_t taps = (size_t)(w->kernel_h * w->kernel_w);
    s->ones = vkb_arena_alloc(p->arena, taps * sizeof(float));
    if (!s->ones) return vkb_nomem(err, taps * sizeof(float));
    for (size_t i = 0; i < taps; i++) s->ones[i] = 1;
    s->plane_floats = cpu_bands_floats(&s->bands);
    if (s->op == OP_MaxPool) {
        const size_t bytes = (size_t)w->kernel_h * sizeof *s->down;
        s->down = vkb_arena_alloc(p->arena, bytes);
        if (!s->down) return vkb_nomem(err, bytes);
        for (int64_t i = 0; i < w->kernel_h; i++) s->down[i] = s->bands.offset[i * w->kernel_w];
        s->columns = s->plane_floats;
        s->plane_floats += vkb_round_up((uint64_t)((s->bands.rows + 1) * s->bands.row), 16);
    }
    if (w->kernel_d > 1) s->plane_floats += vkb_round_up((uint64_t)(s->bands.rows * w->out_w), 16);
    return VKI_OK;
}

vki_status cpu_pool_window_prepare(cpu_prep *p, vki_error *err)
{
    pool_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    s->op = p->n->op;
    s->p = ((const op_pool_attrs *)p->n->attrs)->p;
    if (goes_by_strips(s->op, &w))
        plan_strips(s, &w);
    else
        VKB_TRY(plan_copies(p, s, &w, err));
    if (s->op == OP_AveragePool) VKB_TRY(prepare_average(p, s, &w, err));
    p->state = s;
    p->scratch_bytes = s->plane_floats * sizeof(float) * (uint64_t)p->threads;
    return VKI_OK;
}

/* Of many taps, down the columns first, then along the rows. */
static void take_largest(const pool_state *s, float *scratch, cpu_taps t)
{
    enum { FEW = 9 };
    const cpu_bands *b = &s->bands;
    cpu_taps columns = t;
    if (t.count <= FEW) {
        b->micro->taps_max(&t);
        return;
    }
    columns.y = scratch + s->columns;
    columns.y_row = columns.cols = b->row;
    columns.offset = s->down;
    columns.count = (int)b->w.kernel_h;
    b->micro->taps_max(&columns);
    t.x = columns.y;
    t.x_row = b->row;
    t.count = (int)b->w.kernel_w;
    b->micro->taps_max(&t);
}

/* What the taps of one plane come to. */
static void take(const pool_state *s, float *scratch, cpu_taps t, float *y)
{
    const cpu_micro *micro = s->bands.micro;
    const int64_t floats = (int64_t)cpu_bands_floats(&s->bands);
    t.y = y;
    if (s->op == OP_MaxPool) {
        take_largest(s, scratch, t);
        return;
    }
    if (s->op == OP_LpPool && s->p == 1) micro->unary(scratch, scratch, floats, CPU_ABS, 0);
    if (s->op == OP_LpPool && s->p == 2) micro->binary(scratch, scratch, 1, scratch, 1, floats, CPU_MUL);
    t.weight = s->ones;
    micro->taps_sum(&t);
}

/* A band of output plane oz from the input planes that its windows reach. */
static void gather_planes(const pool_state *s, float *scratch, const float *x, float *y, int64_t oz,
                          int64_t band)
{
    const cpu_bands *b = &s->bands;
    const op_window *w = &b->w;
    const int64_t n = vkb_min(b->rows, w->out_h - band * b->rows) * w->out_w;
    float *more = scratch + s->plane_floats - vkb_round_up((uint64_t)(b->rows * w->out_w), 16);
    bool first = true;
    for (int64_t k = 0; k < w->kernel_d; k++) {
        const int64_t z = oz * w->stride_d - w->pad_front + k * w->dilation_d;
        if (z < 0 || z >= w->in_d) continue;
        const cpu_taps t = cpu_bands_load(b, scratch, x + z * w->in_h * w->in_w, band);
        take(s, scratch, t, first ? y : more);
        if (!first) b->micro->binary(y, y, 1, more, 1, n, s->op == OP_MaxPool ? CPU_MAX : CPU_ADD);
        first = false;
    }
    for (int64_t i = 0; first && i < n; i++) y[i] = b->fill;
}

static void finish(const cpu_call *c, const pool_state *s, float *y, int64_t oz, int64_t row, int64_t rows)
{
    const cpu_micro *micro = s->bands.micro;
    const int64_t cols = s->bands.w.out_w, n = rows * cols;
    if (s->op == OP_LpPool && s->p == 2) micro->unary(y, y, n, CPU_SQRT, 0);
    if (s->op == OP_AveragePool && s->even)
        micro->scale_shift(y, y, n, s->per_plane[0] * s->per_row[0] * s->per_col[0], 0);
    for (int64_t r = 0; s->op == OP_AveragePool && !s->even && r < rows; r++)
        micro->normalize(y + r * cols, y + r * cols, cols, s->per_plane[oz] * s->per_row[row + r], 0,
                         s->per_col, NULL);
    if (cpu_has_epilogue(c->n)) micro->epilogue(y, y, NULL, n, &c->n->epilogue);
}

/* Of part's planes and rows, which begin at `row` of the output. */
static void strips(const cpu_call *c, const cpu_pool *part, int64_t row)
{
    const pool_state *s = c->state;
    const op_window *w = &s->bands.w;
    cpu_pool t = *part;
    t.in_w = w->in_w;
    t.out_w = w->out_w;
    t.pad_left = w->pad_left;
    t.size = (int)w->kernel_h;
    t.stride = (int)w->stride_h;
    t.max = s->op == OP_MaxPool;
    const bool relu = t.max && c->n->epilogue.act == GR_ACT_RELU; /* there is no residual */
    t.floor = relu ? 0 : -INFINITY;
    s->bands.micro->pool(&t);
    for (int64_t k = 0; k < t.planes && !relu; k++) finish(c, s, t.y + k * t.y_plane, 0, row, t.rows);
}

static void on_strips(const cpu_call *c, int64_t begin, int64_t end)
{
    const pool_state *s = c->state;
    const cpu_bands *b = &s->bands;
    const op_window *w = &b->w;
    const int64_t in = w->in_h * w->in_w, out = w->out_h * w->out_w;
    for (int64_t i = begin, planes; i < end; i += planes) {
        const int64_t plane = i / b->count, row = i % b->count * b->rows;
        planes = b->count == 1 ? vkb_min(s->planes, end - i) : 1;
        const cpu_pool part = {.y = (float *)c->out[0] + plane * out + row * w->out_w,
                               .x = (const float *)c->in[0] + plane * in,
                               .planes = planes,
                               .x_plane = in,
                               .y_plane = out,
                               .x_row = w->in_w,
                               .in_h = w->in_h,
                               .row = row,
                               .rows = vkb_min(b->rows, w->out_h - row),
                               .pad_top = w->pad_top};
        strips(c, &part, row);
    }
}

static void on_bands(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const pool_state *s = c->state;
    const cpu_bands *b = &s->bands;
    const op_window *w = &b->w;
    if (s->strips) {
        on_strips(c, begin, end);
        return;
    }
    float *scratch = (float *)c->scratch + (uint64_t)thread * s->plane_floats;
    cpu_bands_begin(b, scratch);
    for (int64_t i = begin; i < end; i++) {
        const int64_t plane = i / b->count, row = i % b->count * b->rows, oz = plane % w->out_d;
        const float *x = (const float *)c->in[0] + plane / w->out_d * w->in_d * w->in_h * w->in_w;
        float *y = (float *)c->out[0] + (plane * w->out_h + row) * w->out_w;
        gather_planes(s, scratch, x, y, oz, i % b->count);
        finish(c, s, y, oz, row, vkb_min(b->rows, w->out_h - row));
    }
}

bool cpu_pool_window_in_place(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_pool_window_fits(g, n) && op_window_of(g, n, &w) && goes_by_strips(n->op, &w);
}

void cpu_pool_window_rows(const cpu_call *c, const cpu_pool_rows *rows)
{
    const pool_state *s = c->state;
    const op_window *w = &s->bands.w;
    const int64_t out = w->out_h * w->out_w;
    const cpu_pool part = {.y = (float *)c->out[0] + rows->plane * out + rows->row * w->out_w,
                           .x = rows->x,
                           .planes = rows->planes,
                           .x_plane = rows->x_rows * rows->x_row,
                           .y_plane = out,
                           .x_row = rows->x_row,
                           .in_h = rows->x_rows,
                           .rows = rows->rows,
                           .pad_top = rows->above};
    strips(c, &part, rows->row);
}

void cpu_pool_window_run(const cpu_call *c)
{
    const pool_state *s = c->state;
    const cpu_bands *b = &s->bands;
    const int64_t grain = s->strips ? vkb_ceil_div(CPU_GRAIN_ELEMENTS, b->rows * b->w.stride_h * b->w.in_w)
                                    : cpu_bands_grain(b);
    cpu_call call = *c;
    vkb_parallel_for(c->pool, b->w.batch * b->w.in_c * b->w.out_d * b->count, grain, on_bands, &call);
}
