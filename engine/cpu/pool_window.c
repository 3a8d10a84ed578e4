/* SPDX-License-Identifier: Apache-2.0
 * Pools over windows: the maximum of the taps, or their sum by the number of elements that count. */
#include "cpu/bands.h"
#include "cpu/fast.h"

#include <math.h>

typedef struct pool_state {
    cpu_bands bands;
    bool average;
    float *ones;              /* a weight a tap */
    float *per_row, *per_col; /* 1 / elements a window has in its column; in its row. A window with none: 0 */
} pool_state;

bool cpu_pool_window_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    bool windows = n->op == OP_MaxPool || n->op == OP_AveragePool;
    return windows && n->n_out == 1 && n->epilogue.residual == GR_RESIDUAL_NONE && cpu_all_f32(g, n) &&
           op_window_2d_of(g, n, &w) && cpu_bands_fit(&w);
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
    const size_t taps = (size_t)(w->kernel_h * w->kernel_w), sizes = (size_t)(w->out_h + w->out_w);
    s->ones = vkb_arena_alloc(p->arena, taps * sizeof(float));
    s->per_row = vkb_arena_alloc(p->arena, sizes * sizeof(float));
    if (!s->ones || !s->per_row) return vkb_nomem(err, (taps + sizes) * sizeof(float));
    s->per_col = s->per_row + w->out_h;
    for (size_t i = 0; i < taps; i++) s->ones[i] = 1;
    count_inside(s->per_row, w->out_h, w->stride_h, w->pad_top, w->kernel_h, w->dilation_h,
                 pads ? INT64_MIN : 0, w->in_h + (pads ? w->pad_bottom : 0));
    count_inside(s->per_col, w->out_w, w->stride_w, w->pad_left, w->kernel_w, w->dilation_w,
                 pads ? INT64_MIN : 0, w->in_w + (pads ? w->pad_right : 0));
    return VKI_OK;
}

vki_status cpu_pool_window_prepare(cpu_prep *p, vki_error *err)
{
    pool_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_2d_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    s->average = p->n->op == OP_AveragePool;
    VKB_TRY(cpu_bands_plan(&s->bands, &w, s->average ? 0 : -INFINITY, p->arena, err));
    if (s->average) VKB_TRY(prepare_average(p, s, &w, err));
    p->state = s;
    p->scratch_bytes = cpu_bands_floats(&s->bands) * sizeof(float) * (uint64_t)p->threads;
    return VKI_OK;
}

static void pool_band(const cpu_call *c, const pool_state *s, cpu_taps t, int64_t row)
{
    const cpu_micro *micro = s->bands.micro;
    if (s->average) {
        t.weight = s->ones;
        micro->taps_sum(&t);
        for (int64_t r = 0; r < t.rows; r++) {
            float *y = t.y + r * t.cols;
            micro->normalize(y, y, t.cols, s->per_row[row + r], 0, s->per_col, NULL);
        }
    } else {
        micro->taps_max(&t);
    }
    if (cpu_has_epilogue(c->n)) micro->epilogue(t.y, t.y, NULL, t.rows * t.cols, &c->n->epilogue);
}

static void on_bands(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const pool_state *s = c->state;
    const cpu_bands *b = &s->bands;
    const op_window *w = &b->w;
    float *scratch = (float *)c->scratch + (uint64_t)thread * cpu_bands_floats(b);
    cpu_bands_begin(b, scratch);
    for (int64_t i = begin; i < end; i++) {
        int64_t plane = i / b->count, row = i % b->count * b->rows;
        cpu_taps t =
            cpu_bands_load(b, scratch, (const float *)c->in[0] + plane * w->in_h * w->in_w, i % b->count);
        t.y = (float *)c->out[0] + (plane * w->out_h + row) * w->out_w;
        pool_band(c, s, t, row);
    }
}

void cpu_pool_window_run(const cpu_call *c)
{
    const cpu_bands *b = &((const pool_state *)c->state)->bands;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, b->w.batch * b->w.in_c * b->count, cpu_bands_grain(b), on_bands, &call);
}
