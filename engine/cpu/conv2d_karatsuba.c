/* SPDX-License-Identifier: Apache-2.0
 * 3x3 convolutions of stride 2 with fewer multiplications: 25 for the 36 of a tile of 2x2 outputs
 * (karatsuba_conv_tmpl.h). What is multiplied are values of the input and differences of two of them, and
 * taps and sums of two of them, so that errors are those of plain sums with elements up to four times as
 * large. A NaN or an infinity of the input spreads over its tiles. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/product_strips.h"

#include <string.h>

enum {
    LEAST_CHANNELS = 16,
    PRODUCTS = 9, /* 3 i + j, of rows and columns */
    PLANES = 25,  /* 5 a + b: what is multiplied, of a channel */
    APART = 16    /* floats: see conv2d_winograd.c */
};

/* Of a dimension: the product that a value takes part in, and its place among those of the product. */
static const int product_of[5] = {0, 0, 1, 2, 2}, place_of[5] = {0, 1, 0, 0, 1};
/* Values of a product. */
static const int values_of[3] = {2, 1, 2};
/* In an order whose halves take equally long, since each of two threads takes one. */
static const int job_product[PRODUCTS] = {0, 1, 3, 2, 4, 6, 5, 7, 8};

typedef struct rows_plan { /* of some rows of tiles */
    cpu_gemm gemm;
    int64_t (*place)[PLANES]; /* in scratch, of each panel's planes of channel 0 */
} rows_plan;

typedef struct karatsuba {
    op_window w;
    cpu_product_strips strips;
    int64_t tiles_x;                        /* tiles of a row */
    rows_plan whole, rest;                  /* of a strip, and of the last one if it is shorter */
    int32_t *offset;                        /* of each tile of a strip in the copied rows */
    int64_t x_row, y_row;                   /* floats of a copied row; of an output row of all tiles */
    int64_t v_at[PRODUCTS], u_at[PRODUCTS]; /* of a product's values in scratch; of its weights */
    int64_t m_step;                         /* from product to product */
} karatsuba;

/* Values of a channel that a product sums. */
static int64_t planes_of(int product)
{
    return values_of[product / 3] * values_of[product % 3];
}

static int product_of_plane(int plane)
{
    return 3 * product_of[plane / 5] + product_of[plane % 5];
}

/* Among those of its product. */
static int64_t place_of_plane(int plane)
{
    return place_of[plane / 5] * values_of[product_of[plane % 5]] + place_of[plane % 5];
}

/* ---- which layers ---- */

static cpu_products products_of(const op_window *w)
{
    return (cpu_products){.tiles_x = vkb_ceil_div(w->out_w, 2),
                          .tiles_y = vkb_ceil_div(w->out_h, 2),
                          .in = (double)(w->in_c / w->group),
                          .out = (double)(w->out_c / w->group),
                          .groups = (double)w->group,
                          .products = PLANES,
                          .before = PLANES,
                          .after = PRODUCTS,
                          .in_steps = 250,
                          .out_steps = 100};
}

/* By a group of an image, beside im2col. */
static double saved(const op_window *w)
{
    const cpu_products p = products_of(w);
    return cpu_conv_cost(w) / (double)w->group - cpu_products_cost(&p, cpu_products_strip(&p));
}

static bool is_wanted(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, w) || !cpu_conv_fits(w))
        return false;
    return w->kernel_h == 3 && w->kernel_w == 3 && w->stride_h == 2 && w->stride_w == 2 &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top >= 0 && w->pad_left >= 0 &&
           w->in_c / w->group >= LEAST_CHANNELS && w->out_c / w->group >= LEAST_CHANNELS;
}

bool cpu_conv2d_karatsuba_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return is_wanted(g, n, &w) && saved(&w) > 0;
}

/* ---- weights ---- */

/* Taps g, h, k of a dimension to what its five values are multiplied with. */
static void expand(float to[5], const float *taps, int64_t step)
{
    const float g = taps[0], h = taps[step], k = taps[2 * step];
    to[0] = g;
    to[1] = to[4] = h;
    to[2] = g + k;
    to[3] = k;
}

/* All channels of a filter to row `row` of a panel of `rows`, which starts with filter `first`. */
static void pack_filter(const karatsuba *s, float *to, const float *taps, int64_t first, int64_t row,
                        int64_t rows)
{
    for (int64_t c = 0; c < s->strips.channels; c++, taps += 9) {
        float lines[3][5], planes[5][5];
        for (int i = 0; i < 3; i++) expand(lines[i], taps + 3 * i, 1);
        for (int b = 0; b < 5; b++) {
            float column[5];
            expand(column, &lines[0][b], 5);
            for (int a = 0; a < 5; a++) planes[a][b] = column[a];
        }
        for (int i = 0; i < PLANES; i++) {
            const int product = product_of_plane(i);
            const int64_t k = place_of_plane(i) * s->strips.channels + c;
            to[s->u_at[product] + first * planes_of(product) * s->strips.channels + k * rows + row] =
                planes[i / 5][i % 5];
        }
    }
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const karatsuba *s = state;
    const int mr = s->whole.gemm.micro->mr;
    const float *taps = g->tensors[n->in[1]].data;
    float *to = dst;
    for (int64_t group = 0; group < s->w.group; group++, to += s->strips.weight_floats)
        for (int64_t panel = 0; panel < cpu_panels(s->strips.filters, mr); panel++) {
            const int64_t first = cpu_panel_row(s->strips.filters, mr, panel);
            const int64_t rows = cpu_panel_row(s->strips.filters, mr, panel + 1) - first;
            for (int64_t row = 0; row < rows; row++, taps += 9 * s->strips.channels)
                pack_filter(s, to, taps, first, row, rows);
        }
}

/* ---- the plan ---- */

static vki_status plan_rows(const karatsuba *s, rows_plan *p, int64_t rows, const cpu_prep *prep,
                            vki_error *err)
{
    const int64_t columns = rows * s->tiles_x, panels = vkb_ceil_div(columns, CPU_NR);
    p->place = vkb_arena_alloc(prep->arena, (size_t)panels * sizeof *p->place);
    if (!p->place) return vkb_nomem(err, (uint64_t)panels * sizeof *p->place);
    for (int64_t panel = 0; panel < panels; panel++) {
        const int64_t col = panel * CPU_NR, width = cpu_panel_width(vkb_min(CPU_NR, columns - col));
        for (int i = 0; i < PLANES; i++) {
            const int product = product_of_plane(i);
            p->place[panel][i] = s->v_at[product] +
                                 s->strips.channels * (col * planes_of(product) + width * place_of_plane(i));
        }
    }
    cpu_gemm_plan(&p->gemm, s->strips.filters, columns, values_of[0] * values_of[0] * s->strips.channels,
                  PRODUCTS, prep->threads, false, false);
    p->gemm.c_stride = s->y_row / 2;
    return VKI_OK;
}

/* The lanes that fill a last vector of a strip read its last tile again. */
static vki_status plan_offsets(karatsuba *s, vkb_arena *arena, vki_error *err)
{
    const int64_t tiles = s->strips.strip * s->tiles_x, padded = s->y_row / 2;
    s->offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *s->offset);
    if (!s->offset) return vkb_nomem(err, (uint64_t)padded * sizeof *s->offset);
    for (int64_t i = 0; i < padded; i++) {
        const int64_t tile = vkb_min(i, tiles - 1);
        s->offset[i] = (int32_t)(4 * (tile / s->tiles_x * s->x_row + tile % s->tiles_x));
    }
    return VKI_OK;
}

static void plan_scratch(karatsuba *s, cpu_prep *p)
{
    const int64_t padded = s->y_row / 2;
    int64_t v = 0, u = 0;
    for (int i = 0; i < PRODUCTS; i++) {
        s->v_at[i] = v;
        s->u_at[i] = u;
        v += planes_of(i) * s->strips.channels * padded + APART;
        u += planes_of(i) * s->strips.channels * s->strips.filters;
    }
    s->m_step = s->strips.filters * padded + APART;
    cpu_product_strips_scratch(&s->strips, p, v, PRODUCTS * s->m_step,
                               vkb_max((4 * s->strips.strip + 1) * s->x_row, 2 * s->y_row));
}

vki_status cpu_conv2d_karatsuba_prepare(cpu_prep *p, vki_error *err)
{
    karatsuba *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (karatsuba){0};
    const op_window *w = &s->w;
    if (!is_wanted(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const cpu_products own = products_of(w);
    cpu_product_strips_plan(&s->strips, w, own.tiles_y, cpu_products_strip(&own));
    s->tiles_x = own.tiles_x;
    s->x_row = 4 * s->tiles_x + 1;
    s->y_row = 2 * (int64_t)vkb_round_up((uint64_t)(s->strips.strip * s->tiles_x), CPU_NR);
    plan_scratch(s, p);
    VKB_TRY(plan_offsets(s, p->arena, err));
    VKB_TRY(plan_rows(s, &s->whole, s->strips.strip, p, err));
    const int64_t rest = own.tiles_y % s->strips.strip;
    VKB_TRY(plan_rows(s, &s->rest, rest ? rest : s->strips.strip, p, err));
    const int64_t between = PLANES * s->whole.gemm.n;
    cpu_product_strips_share(&s->strips, &s->whole.gemm, between, between, p->threads);
    s->strips.weight_floats = PLANES * s->strips.filters * s->strips.channels;
    p->state = s;
    p->weight_bytes = (uint64_t)(w->group * s->strips.weight_floats) * sizeof(float);
    p->pack = pack;
    p->yields = true;
    p->lean_cost = saved(w) * (double)(w->group * w->batch);
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("karatsuba conv", (int64_t[]){w->in_c, w->out_c, w->group}, 3);
    return VKI_OK;
}

/* ---- the run ---- */

static const rows_plan *plan_of(const cpu_product_strip *t)
{
    const karatsuba *s = t->plan;
    return t->whole ? &s->whole : &s->rest;
}

/* The rows of one channel that a strip reads; the padding around them is zero. */
static void copy_rows(const cpu_product_strip *t, float *rows, const float *x)
{
    const karatsuba *s = t->plan;
    const op_window *w = &s->w;
    const int64_t first = 4 * t->first - w->pad_top, columns = vkb_min(w->in_w, s->x_row - w->pad_left);
    const int64_t begin = vkb_max(0, first), end = vkb_min(w->in_h, first + 4 * t->count + 1);
    if (columns <= 0 || begin >= end) return;
    s->whole.gemm.micro->copy_rows(rows + (begin - first) * s->x_row + w->pad_left, s->x_row,
                                   x + begin * w->in_w, w->in_w, end - begin, columns);
}

/* Panels of B: the products' matrices are values of channels by tiles. */
static void add_values(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_product_strip *t = arg;
    const karatsuba *s = t->plan;
    const rows_plan *p = plan_of(t);
    const int64_t tiles = p->gemm.n, plane = s->w.in_h * s->w.in_w;
    float *rows = t->own + (uint64_t)thread * s->strips.floats;
    memset(rows, 0, (size_t)s->strips.floats * sizeof *rows);
    for (int64_t c = begin; c < end; c++) {
        copy_rows(t, rows, t->x + c * plane);
        for (int64_t i = 0; i < tiles; i += 8) {
            const int64_t panel = i / CPU_NR, lane = i % CPU_NR;
            const int width = cpu_panel_width(vkb_min(CPU_NR, tiles - panel * CPU_NR));
            p->gemm.micro->karatsuba_conv_in(t->v + c * width + lane, p->place[panel], rows, s->x_row,
                                             s->offset + i);
        }
    }
}

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const cpu_product_strip *t = user;
    const karatsuba *s = t->plan;
    const int product = job_product[index];
    j->k = planes_of(product) * s->strips.channels;
    j->a = t->weights + s->u_at[product];
    j->b = t->v + s->v_at[product];
    j->c = t->m + product * s->m_step;
}

static void store_rows(const cpu_product_strip *t, const float *rows, int64_t filter)
{
    const karatsuba *s = t->plan;
    const op_window *w = &s->w;
    for (int64_t i = 0; i < vkb_min(2 * t->count, w->out_h - 2 * t->first); i++) {
        const int64_t at = (filter * w->out_h + 2 * t->first + i) * w->out_w;
        s->whole.gemm.micro->epilogue(t->y + at, rows + i % 2 * s->y_row + i / 2 * 2 * s->tiles_x,
                                      t->residual ? t->residual + at : NULL, w->out_w, &t->call->n->epilogue);
    }
}

static void add_products(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_product_strip *t = arg;
    const karatsuba *s = t->plan;
    const cpu_gemm *p = &plan_of(t)->gemm;
    const int64_t padded = (int64_t)vkb_round_up((uint64_t)p->n, 8);
    float *rows = t->own + (uint64_t)thread * s->strips.floats;
    for (int64_t f = begin; f < end; f++) {
        p->micro->karatsuba_conv_out(rows, s->y_row, t->m + f * p->c_stride, s->m_step, padded,
                                     t->bias ? t->bias[f] : 0);
        store_rows(t, rows, f);
    }
}

static void multiply(cpu_product_strip *t, vkb_pool *pool)
{
    const cpu_gemm_source source = {.user = t, .job = job};
    cpu_gemm_run(&plan_of(t)->gemm, &source, NULL, pool);
}

void cpu_conv2d_karatsuba_run(const cpu_call *c)
{
    const karatsuba *s = c->state;
    static const cpu_product_steps steps = {add_values, add_products, multiply};
    cpu_product_strips_run(&s->strips, &steps, c, NULL);
}
