/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolutions with few filters or small images: one product gives what every input pixel adds to
 * the outputs around it, for each filter and tap, then each row of outputs gathers its parts in a fixed
 * order. Nothing of the input is copied, which the phases (deconv2d_phases.c) repay only by many filters. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum {
    FEW_FILTERS = 4,
    FEW_PARTS = 1 << 18,
    MOST_PARTS = 1 << 20 /* floats that lie between the two steps: they shall stay in a cache */
};

typedef struct scatter_state {
    op_window w;
    int64_t taps, pixels;
    cpu_gemm gemm;
    uint64_t part_floats;
} scatter_state;

/* The phases compute every tap of every output, those beyond the input's edge as well, and copy the input
 * for each phase. But they write no parts: these must be few, and of many products each, unless much would be
 * computed for nothing. By a stride other than 2 they are added up one by one. */
static bool pays(const op_window *w)
{
    enum { PRODUCTS = 2048, KERNEL = 4 };
    const int64_t parts = w->batch * w->out_c * op_window_taps(w) * w->in_h * w->in_w;
    const double scattered = (double)(w->in_h * w->in_w);
    const double gathered = (double)(w->out_h * w->out_w) / (double)(w->stride_h * w->stride_w);
    return w->out_c <= FEW_FILTERS || 3 * scattered <= 2 * gathered ||
           (scattered <= gathered && parts <= FEW_PARTS && parts / PRODUCTS <= w->in_c && w->stride_w == 2 &&
            w->kernel_w <= KERNEL && w->dilation_h == 1 && w->dilation_w == 1);
}

bool cpu_deconv2d_scatter_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, &w)) return false;
    const int64_t rows = w.out_c * op_window_taps(&w), pixels = w.in_h * w.in_w;
    return w.group == 1 && rows <= MOST_PARTS && pixels <= MOST_PARTS / rows / w.batch && pays(&w);
}

/* W[in][out][taps] to panels of A, a row a filter and tap. */
static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const scatter_state *s = state;
    const int64_t m = s->gemm.m, k = s->gemm.k;
    const int mr = s->gemm.micro->mr;
    const float *src = g->tensors[n->in[1]].data;
    for (int64_t p = 0; p < cpu_panels(m, mr); p++) {
        const int64_t row = cpu_panel_row(m, mr, p), end = cpu_panel_row(m, mr, p + 1);
        cpu_pack_a_panel((float *)dst + row * k, src + row, 1, m, k, (int)(end - row));
    }
}

vki_status cpu_deconv2d_scatter_prepare(cpu_prep *p, vki_error *err)
{
    scatter_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->taps = op_window_taps(w);
    s->pixels = w->in_h * w->in_w;
    const int64_t m = w->out_c * s->taps;
    cpu_gemm_plan(&s->gemm, m, s->pixels, w->in_c, w->batch, p->threads, false, true);
    s->part_floats = (uint64_t)vkb_round_up((uint64_t)(w->batch * m * s->pixels), 16);
    p->state = s;
    p->weight_bytes = (uint64_t)(m * w->in_c) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("scatter", (int64_t[]){m, w->in_c}, 2);
    p->scratch_bytes = s->part_floats * sizeof(float) + cpu_gemm_scratch(&s->gemm, p->threads);
    return VKI_OK;
}

static void image_job(const void *user, int64_t index, cpu_gemm_job *job)
{
    const cpu_call *c = user;
    const scatter_state *s = c->state;
    job->a = c->weights;
    job->b_rows = (const float *)c->in[0] + index * s->gemm.k * s->pixels;
    job->c = (float *)c->scratch + index * s->gemm.m * s->pixels;
}

static void pack_pixels(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t col,
                        int cols, int width)
{
    const cpu_call *c = user;
    const scatter_state *s = c->state;
    const float *image = (const float *)c->in[0] + job * s->gemm.k * s->pixels;
    cpu_pack_b_panel(dst, image + k0 * s->pixels + col, s->pixels, 1, kc, cols, width, 1);
}

static void on_rows(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const scatter_state *s = c->state;
    const op_window *w = &s->w;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    (void)thread;
    for (int64_t i = begin, rows; i < end; i += rows) {
        const int64_t plane = i / w->out_h, first = i * w->out_w, row = i % w->out_h;
        rows = vkb_min(end - i, w->out_h - row);
        float *y = (float *)c->out[0] + first;
        const cpu_fold fold = {.y = y,
                               .parts = (const float *)c->scratch + plane * s->taps * s->pixels,
                               .in_h = w->in_h,
                               .in_w = w->in_w,
                               .out_w = w->out_w,
                               .row = row,
                               .rows = rows,
                               .kernel_h = w->kernel_h,
                               .kernel_w = w->kernel_w,
                               .stride_h = w->stride_h,
                               .stride_w = w->stride_w,
                               .dilation_h = w->dilation_h,
                               .dilation_w = w->dilation_w,
                               .pad_top = w->pad_top,
                               .pad_left = w->pad_left,
                               .bias = bias ? bias[plane % w->out_c] : 0};
        s->gemm.micro->fold(&fold);
        if (cpu_has_epilogue(c->n))
            s->gemm.micro->epilogue(y, y, residual ? residual + first : NULL, rows * w->out_w,
                                    &c->n->epilogue);
    }
}

void cpu_deconv2d_scatter_run(const cpu_call *c)
{
    const scatter_state *s = c->state;
    const op_window *w = &s->w;
    cpu_call call = *c;
    const cpu_gemm_source source = {.user = &call, .job = image_job, .pack_b = pack_pixels};
    cpu_gemm_run(&s->gemm, &source, (float *)c->scratch + s->part_floats, c->pool);
    const int64_t work = w->out_w * w->kernel_h * w->kernel_w / (w->stride_h * w->stride_w) + w->out_w;
    vkb_parallel_for(c->pool, w->batch * w->out_c * w->out_h, vkb_ceil_div(CPU_GRAIN_ELEMENTS, work), on_rows,
                     &call);
}
