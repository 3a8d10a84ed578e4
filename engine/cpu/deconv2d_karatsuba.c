/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolutions of stride 2 by 3x3 to 4x4 kernels with fewer multiplications: the outputs of each
 * of the four phases are the image, cut into blocks of 2x2 pixels, times 2x2 taps, for which nine products
 * stand instead of sixteen (karatsuba_tmpl.h). A phase of one tap along a dimension takes six, or four.
 *
 * Rows of blocks are worked on in strips: the row above one is carried over in front of its products. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/product_strips.h"

#include <string.h>

enum {
    LEAST_CHANNELS = 16,
    PHASES = 4,   /* 2 py + px */
    PRODUCTS = 9, /* 3 i + j, of rows and columns */
    APART = 16    /* floats: see conv2d_winograd.c */
};

typedef struct karatsuba {
    op_window w;
    cpu_product_strips strips;
    int64_t blocks_x;                /* blocks of a row */
    int jobs;                        /* products of matrices */
    int product[PHASES * PRODUCTS];  /* of each job */
    int job[PHASES][PRODUCTS];       /* the reverse; negative: none */
    bool joined;                     /* all phases have all products: one job has the rows of all */
    cpu_gemm whole, rest;            /* of a strip, and of the last one if it is shorter */
    int64_t lead;                    /* columns in front of a strip's products: of the row above */
    int64_t place[PHASES][PRODUCTS]; /* of the products of filter 0 and column 0; negative: none */
    int64_t v_step, m_step, y_row;   /* from product to product; from job to job; of an output row */
} karatsuba;

/* ---- which layers ---- */

/* Taps of a phase of either dimension. */
static int64_t taps_of(int64_t kernel, int phase)
{
    return (kernel - phase + 1) / 2;
}

static bool has(const op_window *w, int phase, int product)
{
    return (product / 3 != 1 || taps_of(w->kernel_h, phase / 2) == 2) &&
           (product % 3 != 1 || taps_of(w->kernel_w, phase % 2) == 2);
}

static double count_products(const op_window *w)
{
    int count = 0;
    for (int i = 0; i < PHASES * PRODUCTS; i++) count += has(w, i / PRODUCTS, i % PRODUCTS);
    return count;
}

static cpu_products products_of(const op_window *w)
{
    return (cpu_products){.tiles_x = vkb_ceil_div(w->in_w, 2),
                          .tiles_y = vkb_ceil_div(w->in_h, 2),
                          .in = (double)(w->in_c / w->group),
                          .out = (double)(w->out_c / w->group),
                          .groups = (double)w->group,
                          .products = count_products(w),
                          .before = PRODUCTS,
                          .after = count_products(w),
                          .in_steps = 70,
                          .out_steps = 250};
}

/* By a group of an image, beside the other kernels: all taps, and the parts or the copied inputs that these
 * read and write. */
static double saved(const op_window *w)
{
    enum { PART = 2 };
    const double in = (double)(w->in_c / w->group), out = (double)(w->out_c / w->group);
    const double weights = (double)op_window_taps(w) * in * out;
    const int64_t pixels = w->in_h * w->in_w;
    const cpu_products p = products_of(w);
    return weights * (cpu_columns_cost(pixels) + cpu_reading_cost(weights * (double)w->group)) +
           PART * (double)op_window_taps(w) * out * (double)pixels -
           cpu_products_cost(&p, cpu_products_strip(&p));
}

/* Along one dimension: by what there are blocks, and a row of blocks more. */
static bool reaches(int64_t in, int64_t out, int64_t pad)
{
    return pad >= 0 && out + pad <= 4 * (vkb_ceil_div(in, 2) + 1);
}

static bool is_wanted(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, w) || !cpu_conv_fits(w))
        return false;
    return w->stride_h == 2 && w->stride_w == 2 && w->dilation_h == 1 && w->dilation_w == 1 &&
           (w->kernel_h == 3 || w->kernel_h == 4) && (w->kernel_w == 3 || w->kernel_w == 4) &&
           w->in_c / w->group >= LEAST_CHANNELS && reaches(w->in_h, w->out_h, w->pad_top) &&
           reaches(w->in_w, w->out_w, w->pad_left);
}

bool cpu_deconv2d_karatsuba_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return is_wanted(g, n, &w) && saved(&w) > 0;
}

/* ---- weights ---- */

static int64_t rows_of(const karatsuba *s) /* of a job */
{
    return s->joined ? PHASES * s->strips.filters : s->strips.filters;
}

static int64_t first_row(const karatsuba *s, int phase)
{
    return s->joined ? phase * s->strips.filters : 0;
}

/* The taps of a phase of one filter, of all channels, to its row of panels, `to_step` from channel to
 * channel. The only tap along a dimension stands for both. */
static void pack_phase(const karatsuba *s, float *to, int64_t to_step, const float *x, int phase)
{
    const op_window *w = &s->w;
    const int64_t right = taps_of(w->kernel_w, phase % 2) == 2 ? 2 : 0;
    const int64_t below = taps_of(w->kernel_h, phase / 2) == 2 ? 2 * w->kernel_w : 0;
    const int64_t x_step = s->strips.filters * op_window_taps(w),
                  job_floats = rows_of(s) * s->strips.channels;
    const int *job = s->job[phase];
    for (int64_t c = 0; c < s->strips.channels; c++, x += x_step, to += to_step) {
        const float top[3] = {x[0], x[0] + x[right], x[right]};
        const float bottom[3] = {x[below], x[below] + x[below + right], x[below + right]};
        for (int j = 0; j < 3; j++) {
            if (job[j] < 0) continue;
            to[job[j] * job_floats] = top[j];
            if (job[3 + j] >= 0) to[job[3 + j] * job_floats] = top[j] + bottom[j];
            to[job[6 + j] * job_floats] = bottom[j];
        }
    }
}

/* W[in][out of a group][taps] to panels of A, job by job. */
static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const karatsuba *s = state;
    const int64_t m = rows_of(s), k = s->strips.channels, taps = op_window_taps(&s->w);
    const int mr = s->whole.micro->mr;
    const float *x = g->tensors[n->in[1]].data;
    float *to = dst;
    for (int64_t group = 0; group < s->w.group;
         group++, to += s->strips.weight_floats, x += k * s->strips.filters * taps)
        for (int64_t panel = 0; panel < cpu_panels(m, mr); panel++) {
            const int64_t first = cpu_panel_row(m, mr, panel), end = cpu_panel_row(m, mr, panel + 1);
            for (int64_t row = first; row < end; row++)
                for (int p = 0; p < PHASES; p++)
                    if (first_row(s, p) == row - row % s->strips.filters)
                        pack_phase(s, to + first * k + row - first, end - first,
                                   x + row % s->strips.filters * taps + p / 2 * s->w.kernel_w + p % 2, p);
        }
}

/* ---- the plan ---- */

static void plan_jobs(karatsuba *s)
{
    s->joined = s->w.kernel_h == 4 && s->w.kernel_w == 4;
    for (int p = 0; p < PHASES; p++)
        for (int i = 0; i < PRODUCTS; i++) {
            s->job[p][i] = !has(&s->w, p, i) ? -1 : s->joined ? i : s->jobs++;
            if (s->job[p][i] >= 0) s->product[s->job[p][i]] = i;
        }
    if (s->joined) s->jobs = PRODUCTS;
}

static void plan_gemm(const karatsuba *s, cpu_gemm *p, int64_t rows, int threads)
{
    cpu_gemm_plan(p, rows_of(s), rows * s->blocks_x, s->strips.channels, s->jobs, threads, false, false);
    p->c_stride = s->lead + (int64_t)vkb_round_up((uint64_t)(s->strips.strip * s->blocks_x), CPU_NR);
}

static void plan_scratch(karatsuba *s, cpu_prep *p)
{
    s->v_step = (int64_t)cpu_packed_b_floats(s->whole.n, s->strips.channels) + APART;
    s->m_step = rows_of(s) * s->whole.c_stride + APART;
    s->y_row = 4 * (int64_t)vkb_round_up((uint64_t)s->blocks_x + 1, 8);
    cpu_product_strips_scratch(&s->strips, p, PRODUCTS * s->v_step, s->jobs * s->m_step, 4 * s->y_row);
    for (int phase = 0; phase < PHASES; phase++)
        for (int i = 0; i < PRODUCTS; i++) {
            const int64_t row = s->job[phase][i] * s->m_step + first_row(s, phase) * s->whole.c_stride;
            s->place[phase][i] = s->job[phase][i] < 0 ? -1 : row;
        }
}

vki_status cpu_deconv2d_karatsuba_prepare(cpu_prep *p, vki_error *err)
{
    karatsuba *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (karatsuba){0};
    const op_window *w = &s->w;
    if (!is_wanted(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const cpu_products own = products_of(w);
    cpu_product_strips_plan(&s->strips, w, own.tiles_y, cpu_products_strip(&own));
    s->blocks_x = own.tiles_x;
    s->lead = (int64_t)vkb_round_up((uint64_t)s->blocks_x, CPU_NR);
    plan_jobs(s);
    plan_gemm(s, &s->whole, s->strips.strip, p->threads);
    const int64_t rest = own.tiles_y % s->strips.strip;
    plan_gemm(s, &s->rest, rest ? rest : s->strips.strip, p->threads);
    const int64_t between = PRODUCTS * s->whole.n;
    cpu_product_strips_share(&s->strips, &s->whole, between, PHASES * between, p->threads);
    s->strips.weight_floats = s->jobs * rows_of(s) * s->strips.channels;
    plan_scratch(s, p);
    p->state = s;
    p->weight_bytes = (uint64_t)(w->group * s->strips.weight_floats) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key =
        cpu_pack_key("karatsuba", (int64_t[]){w->in_c, w->out_c, w->group, w->kernel_h, w->kernel_w}, 5);
    p->yields = true;
    p->lean_cost = saved(w) * (double)(w->group * w->batch);
    return VKI_OK;
}

/* ---- the run ---- */

static const cpu_gemm *gemm_of(const cpu_product_strip *t)
{
    const karatsuba *s = t->plan;
    return t->whole ? &s->whole : &s->rest;
}

/* Panels of B: the sums' matrices are channels by blocks. */
static void add_pixels(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_product_strip *t = arg;
    const karatsuba *s = t->plan;
    const int64_t in_w = s->w.in_w, in_h = s->w.in_h, columns = gemm_of(t)->n, rest = columns % CPU_NR;
    cpu_karatsuba_in k = {.v_step = s->v_step,
                          .panel_step = CPU_NR * s->strips.channels,
                          .whole = columns - (rest <= 8 ? rest : 0),
                          .n = in_w};
    (void)thread;
    for (int64_t c = begin; c < end; c++) {
        k.v = t->v + c * CPU_NR;
        k.ahead = c + 1 < end ? in_h * in_w : 0;
        k.narrow = t->v + k.whole * s->strips.channels + c * cpu_panel_width(rest);
        for (int64_t row = 0; row < t->count; row++) {
            const int64_t y = 2 * (t->first + row);
            k.at = row * s->blocks_x;
            k.top = t->x + (c * in_h + y) * in_w;
            k.bottom = y + 1 < in_h ? k.top + in_w : NULL;
            s->whole.micro->karatsuba_in(&k);
        }
    }
}

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const cpu_product_strip *t = user;
    const karatsuba *s = t->plan;
    j->a = t->weights + index * rows_of(s) * s->strips.channels;
    j->b = t->v + s->product[index] * s->v_step;
    j->c = t->m + index * s->m_step + s->lead;
}

/* The rows of a channel that a row of blocks reaches, cropped. */
static void store_rows(const cpu_product_strip *t, const float *rows, int64_t filter, int64_t block_row)
{
    const karatsuba *s = t->plan;
    const op_window *w = &s->w;
    const int64_t first = 4 * block_row - w->pad_top;
    for (int64_t y = vkb_max(0, first); y < vkb_min(w->out_h, first + 4); y++) {
        const int64_t at = (filter * w->out_h + y) * w->out_w;
        s->whole.micro->epilogue(t->y + at, rows + (y - first) * s->y_row + w->pad_left,
                                 t->residual ? t->residual + at : NULL, w->out_w, &t->call->n->epilogue);
    }
}

/* The last row of products to where the next strip looks for the row above. */
static void carry(const karatsuba *s, float *above, const float *last)
{
    for (int phase = 0; phase < PHASES; phase++)
        for (int i = 6; i < PRODUCTS; i++)
            if (s->place[phase][i] >= 0)
                memcpy(above + s->place[phase][i], last + s->place[phase][i],
                       (size_t)s->blocks_x * sizeof *last);
}

static void add_products(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_product_strip *t = arg;
    const karatsuba *s = t->plan;
    const bool last = t->first + t->count == s->strips.rows;
    cpu_karatsuba k = {.y = t->own + (uint64_t)thread * s->strips.floats,
                       .y_row = s->y_row,
                       .product = s->place,
                       .n = s->blocks_x};
    for (int64_t f = begin; f < end; f++) {
        float *m = t->m + f * s->whole.c_stride + s->lead; /* the row above ends here */
        k.bias = t->bias ? t->bias[f] : 0;
        for (int64_t row = 0; row < t->count + last; row++) {
            k.own = row < t->count ? m + row * s->blocks_x : NULL;
            k.above = t->first + row ? m + (row - 1) * s->blocks_x : NULL;
            s->whole.micro->karatsuba_out(&k);
            store_rows(t, k.y, f, t->first + row);
        }
        if (!last) carry(s, m - s->blocks_x, m + (t->count - 1) * s->blocks_x);
    }
}

static void multiply(cpu_product_strip *t, vkb_pool *pool)
{
    const cpu_gemm_source source = {.user = t, .job = job};
    cpu_gemm_run(gemm_of(t), &source, NULL, pool);
}

void cpu_deconv2d_karatsuba_run(const cpu_call *c)
{
    const karatsuba *s = c->state;
    static const cpu_product_steps steps = {add_pixels, add_products, multiply};
    cpu_product_strips_run(&s->strips, &steps, c, NULL);
}
