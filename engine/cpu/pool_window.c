/* SPDX-License-Identifier: Apache-2.0
 * Pools over windows: the maximum of the taps, or their sum by the number of elements that count, or the root
 * of the sum of their powers. A window of three dimensions is worked on plane by plane. */
#include "cpu/bands.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

#include <math.h>

typedef struct pool_state {
    cpu_bands bands;
    op_kind op;
    int64_t p;                            /* LpPool: the exponent */
    float *ones;                          /* a weight a tap */
    float *per_plane, *per_row, *per_col; /* AveragePool: 1 / elements that a window has along each dimension;
                                             a window with none: 0 */
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
    VKB_TRY(cpu_bands_plan(&s->bands, &w, s->op == OP_MaxPool ? -INFINITY : 0, p->arena, err));
    const size_t taps = (size_t)(w.kernel_h * w.kernel_w);
    s->ones = vkb_arena_alloc(p->arena, taps * sizeof(float));
    if (!s->ones) return vkb_nomem(err, taps * sizeof(float));
    for (size_t i = 0; i < taps; i++) s->ones[i] = 1;
    if (s->op == OP_AveragePool) VKB_TRY(prepare_average(p, s, &w, err));
    s->plane_floats = cpu_bands_floats(&s->bands);
    if (w.kernel_d > 1) s->plane_floats += vkb_round_up((uint64_t)(s->bands.rows * w.out_w), 16);
    p->state = s;
    p->scratch_bytes = s->plane_floats * sizeof(float) * (uint64_t)p->threads;
    return VKI_OK;
}

/* What the taps of one plane come to. */
static void take(const pool_state *s, float *scratch, cpu_taps t, float *y)
{
    const cpu_micro *micro = s->bands.micro;
    const int64_t floats = (int64_t)cpu_bands_floats(&s->bands);
    t.y = y;
    if (s->op == OP_LpPool && s->p == 1) micro->unary(scratch, scratch, floats, CPU_ABS, 0);
    if (s->op == OP_LpPool && s->p == 2) micro->binary(scratch, scratch, 1, scratch, 1, floats, CPU_MUL);
    t.weight = s->ones;
    if (s->op == OP_MaxPool)
        micro->taps_max(&t);
    else
        micro->taps_sum(&t);
}

/* A band of output plane oz from the input planes that its windows reach. */
static void gather_planes(const pool_state *s, float *scratch, const float *x, float *y, int64_t oz,
                          int64_t band)
{
    const cpu_bands *b = &s->bands;
    const op_window *w = &b->w;
    const int64_t n = vkb_min(b->rows, w->out_h - band * b->rows) * w->out_w;
    float *more = scratch + cpu_bands_floats(b);
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
    for (int64_t r = 0; s->op == OP_AveragePool && r < rows; r++)
        micro->normalize(y + r * cols, y + r * cols, cols, s->per_plane[oz] * s->per_row[row + r], 0,
                         s->per_col, NULL);
    if (cpu_has_epilogue(c->n)) micro->epilogue(y, y, NULL, n, &c->n->epilogue);
}

static void on_bands(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const pool_state *s = c->state;
    const cpu_bands *b = &s->bands;
    const op_window *w = &b->w;
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

void cpu_pool_window_planes(const cpu_call *c, const float *x, float *y, int64_t planes, int thread)
{
    const cpu_bands *b = &((const pool_state *)c->state)->bands;
    const void *in[] = {x};
    void *out[] = {y};
    cpu_call call = *c;
    call.in = in;
    call.out = out;
    on_bands(&call, 0, planes * b->w.out_d * b->count, thread);
}

void cpu_pool_window_run(const cpu_call *c)
{
    const cpu_bands *b = &((const pool_state *)c->state)->bands;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, b->w.batch * b->w.in_c * b->w.out_d * b->count, cpu_bands_grain(b), on_bands,
                     &call);
}
