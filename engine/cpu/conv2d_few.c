/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of few pixels, which fill no whole panels of columns (26 take as long as 32, and 9 as 16): the
 * product is transposed. Pixels are the rows of A, five or six to a panel and nothing lost, filters the
 * columns of B; the result is put in its order, with the epilogue. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum {
    MOST_PIXELS = 64,
    LEAST_CHANNELS = 32, /* of the output: with fewer, packing the pixels costs too much */
    LEAST_K = 64,
    MOST_RESULT = 64 * 1024, /* floats of all images, which wait in scratch to be put in order */
    LEAST_LOST = 15,         /* percent of the columns */
    MOST_WASTE = 6           /* percent of the lanes that may be computed for nothing */
};

typedef struct few_state {
    op_window w;
    cpu_gemm gemm;
    int64_t pixels, m, k; /* m: output channels */
} few_state;

bool cpu_conv2d_few_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_of(g, n, &w) || !cpu_conv_fits(&w))
        return false;
    const int64_t pixels = w.out_d * w.out_h * w.out_w, lanes = (int64_t)cpu_packed_b_floats(w.out_c, 1);
    return w.group == 1 && pixels > 2 && pixels <= MOST_PIXELS && w.out_c >= LEAST_CHANNELS &&
           w.batch <= MOST_RESULT / pixels / w.out_c && w.in_c * op_window_taps(&w) >= LEAST_K &&
           (cpu_columns_cost(pixels) - (double)pixels) * 100 >= (double)(pixels * LEAST_LOST) &&
           (lanes - w.out_c) * 100 <= w.out_c * MOST_WASTE;
}

/* B: k over taps, then channels. */
static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const few_state *s = state;
    const float *src = g->tensors[n->in[1]].data;
    const int64_t channels = s->w.in_c, taps = op_window_taps(&s->w);
    float *to = dst;
    for (int64_t col = 0; col < s->m; col += CPU_NR) {
        const int cols = (int)vkb_min(CPU_NR, s->m - col), width = cpu_panel_width(cols);
        for (int64_t tap = 0; tap < taps; tap++, to += channels * width)
            cpu_pack_b_panel(to, src + col * s->k + tap, taps, s->k, channels, cols, width, 1);
    }
}

static uint64_t result_floats(const few_state *s)
{
    return vkb_round_up((uint64_t)(s->w.batch * s->pixels * s->m), 16);
}

vki_status cpu_conv2d_few_prepare(cpu_prep *p, vki_error *err)
{
    few_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (few_state){0};
    if (!op_window_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->pixels = w->out_d * w->out_h * w->out_w;
    s->m = w->out_c;
    s->k = w->in_c * op_window_taps(w);
    cpu_gemm_plan(&s->gemm, s->pixels, s->m, s->k, w->batch, p->threads, true, false);
    p->state = s;
    p->scratch_bytes = result_floats(s) * sizeof(float) + cpu_gemm_scratch(&s->gemm, p->threads);
    p->weight_bytes = cpu_packed_b_floats(s->m, s->k) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("few", (int64_t[]){s->m, w->in_c, op_window_taps(w)}, 3);
    return VKI_OK;
}

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const cpu_call *c = user;
    const few_state *s = c->state;
    j->b = c->weights;
    j->c = (float *)c->scratch + index * s->pixels * s->m;
    j->bias_col = cpu_own_input(c, 2);
}

/* Eight lanes are written for each k: the next one overwrites what they leave beyond its rows, of which there
 * are three at least. The last ones must leave nothing, and go by way of a buffer, as wider panels do. */
static void pack_pixels(const void *user, int64_t index, float *dst, int64_t k0, int64_t kc, int64_t row,
                        int rows)
{
    enum { LAST = 2, PART = 16 };
    const cpu_call *c = user;
    const few_state *s = c->state;
    const float *x = (const float *)c->in[0] + index * s->w.in_c * s->w.in_d * s->w.in_h * s->w.in_w;
    const int64_t direct = rows <= 8 ? vkb_max(0, kc - LAST) : 0;
    float part[PART * CPU_NR];
    cpu_conv_columns(dst, rows, x, &s->w, k0, direct, row, rows, 8);
    for (int64_t k = direct; k < kc; k += PART) {
        const int64_t n = vkb_min(PART, kc - k);
        cpu_conv_columns(part, CPU_NR, x, &s->w, k0 + k, n, row, rows, rows > 8 ? CPU_NR : 8);
        s->gemm.micro->copy_rows(dst + k * rows, rows, part, CPU_NR, n, rows);
    }
}

static void put_in_order(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const few_state *s = c->state;
    const float *residual = cpu_residual(c);
    (void)thread;
    for (int64_t i = begin; i < end; i++) { /* channels of all images */
        const float *from = (const float *)c->scratch + i / s->m * s->pixels * s->m + i % s->m;
        float *y = (float *)c->out[0] + i * s->pixels;
        for (int64_t p = 0; p < s->pixels; p++) y[p] = from[p * s->m];
        if (cpu_has_epilogue(c->n))
            s->gemm.micro->epilogue(y, y, residual ? residual + i * s->pixels : NULL, s->pixels,
                                    &c->n->epilogue);
    }
}

void cpu_conv2d_few_run(const cpu_call *c)
{
    const few_state *s = c->state;
    const gr_epilogue none = {.act = GR_ACT_NONE};
    const cpu_gemm_source source = {.user = c, .epilogue = &none, .job = job, .pack_a = pack_pixels};
    cpu_call call = *c;
    cpu_gemm_run(&s->gemm, &source, (float *)c->scratch + result_floats(s), c->pool);
    vkb_parallel_for(c->pool, s->w.batch * s->m, vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->pixels), put_in_order,
                     &call);
}
