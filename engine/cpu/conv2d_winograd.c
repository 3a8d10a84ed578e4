/* SPDX-License-Identifier: Apache-2.0
 * 3x3 convolutions of stride 1 by Winograd's F(m x m, 3x3): (m + 2)^2 products of matrices instead of 9 taps
 * for m^2 outputs; a quarter of the multiplications for m = 4. The image is cut into strips of whole rows of
 * tiles, so that what lies between the three steps - transform, multiply, transform back - stays in the
 * cache. A NaN or an infinity of the input spreads over its tile. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/winograd.h"

#include <string.h>

enum {
    LEAST_CHANNELS = 16,
    APART = 16 /* floats: products would lie a power of two apart, and push each other out of the cache */
};

typedef struct form {
    int tile, size; /* m; m + 2 */
    int64_t strip;  /* rows of tiles in a strip */
    double cost;    /* see cost_of */
} form;

typedef struct winograd {
    op_window w;
    form form;
    const cpu_winograd *transform;
    int64_t channels, rows_out;          /* of a group: of the input; of the output */
    int64_t tiles_x, tiles_y;            /* tiles */
    int64_t x_step, y_step;              /* row lengths of the transformed rows; of the outputs */
    int32_t *in_offset, *out_offset;     /* of each tile of a strip, in those rows */
    cpu_gemm whole, rest;                /* of a strip, and of the last one if it is shorter */
    uint64_t v_floats, m_floats, floats; /* scratch: products of the input; of the output; a thread's rows */
    int64_t grain;                       /* channels a task */
    int64_t strips;                      /* of an image's group */
    bool apart;                          /* each thread works on strips of its own */
} winograd;

static int64_t products_of(const form *f)
{
    return (int64_t)f->size * f->size;
}

/* ---- where it is used, and in which form ---- */

/* What a product of n columns costs, in columns: panels are 16 or 8 wide, one or two columns are quick. */
static double columns_cost(int64_t n)
{
    const int64_t rest = n % CPU_NR;
    return (double)(n - rest) + (rest > 8 ? 16 : rest > 2 ? 9 : rest ? 3 : 0);
}

/* Reading the weights takes as long as multiplying them with these many columns. */
static double reading_cost(double floats)
{
    const double cached = 4 << 20; /* floats that a shared cache may hold */
    return floats > cached ? 8 : 4;
}

/* Of one group of one image, in multiply-accumulates at the speed of a large product. Transforms of a tile of
 * a channel count as much as these many; more where what lies between the steps leaves the cache. */
static double cost_of(const op_window *w, const form *f)
{
    const double in = (double)(w->in_c / w->group), out = (double)(w->out_c / w->group);
    const int64_t tiles_x = vkb_ceil_div(w->out_w, f->tile), tiles_y = vkb_ceil_div(w->out_h, f->tile);
    const int64_t rest = tiles_y % f->strip;
    const double products = (double)products_of(f), weights = products * in * out;
    const double between = products * (in + out) * (double)(f->strip * tiles_x);
    const double reading = reading_cost(weights * (double)w->group);
    double columns = (double)(tiles_y / f->strip) * (columns_cost(f->strip * tiles_x) + reading);
    if (rest) columns += columns_cost(rest * tiles_x) + reading;
    const double transforms = (f->tile == 2 ? 300 : 600) * (in + out);
    const double away = between > 1 << 18 ? 1.5 : 1;
    return weights * columns + (double)(tiles_x * tiles_y) * transforms * away;
}

static double direct_cost(const op_window *w)
{
    const double weights = 9 * (double)(w->in_c / w->group) * (double)(w->out_c / w->group);
    return weights * (columns_cost(w->out_w * w->out_h) + reading_cost(weights * (double)w->group));
}

static form best_of_tile(const op_window *w, int tile)
{
    form best = {.tile = tile, .size = tile + 2};
    const int64_t rows = vkb_ceil_div(w->out_h, tile);
    for (int64_t strips = 1; strips <= rows; strips++) {
        form f = {.tile = tile, .size = tile + 2, .strip = vkb_ceil_div(rows, strips)};
        if (f.strip == best.strip) continue;
        f.cost = cost_of(w, &f);
        if (!best.strip || f.cost < best.cost) best = f;
    }
    return best;
}

/* The cheapest form that is accurate enough for these weights; false if none is cheaper than im2col. */
static bool choose_form(const gr_graph *g, const gr_node *n, const op_window *w, form *out)
{
    enum { FORMS = 2 };
    form forms[FORMS];
    const double most = direct_cost(w);
    for (int i = 0; i < FORMS; i++) forms[i] = best_of_tile(w, 2 * i + 2);
    for (;;) {
        form *best = &forms[0];
        for (int i = 1; i < FORMS; i++)
            if (forms[i].cost < best->cost) best = &forms[i];
        if (best->cost > most) return false;
        *out = *best;
        if (cpu_winograd_accurate(best->tile, &g->tensors[n->in[1]], w->out_c, w->in_c / w->group))
            return true;
        best->cost = 2 * most;
    }
}

static bool is_wanted(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, w) || !cpu_conv_fits(w))
        return false;
    return w->kernel_h == 3 && w->kernel_w == 3 && w->stride_h == 1 && w->stride_w == 1 &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top >= 0 && w->pad_left >= 0 &&
           w->in_c / w->group >= LEAST_CHANNELS && w->out_c / w->group >= LEAST_CHANNELS;
}

bool cpu_conv2d_winograd_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    form f;
    return is_wanted(g, n, &w) && choose_form(g, n, &w, &f);
}

/* ---- the plan ---- */

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const winograd *s = state;
    const int64_t m = s->rows_out, k = s->channels;
    const int mr = s->whole.micro->mr;
    const float *weights = g->tensors[n->in[1]].data;
    for (int64_t group = 0; group < s->w.group; group++)
        for (int64_t p = 0; p < cpu_panels(m, mr); p++) {
            const int64_t first = cpu_panel_row(m, mr, p), rows = cpu_panel_row(m, mr, p + 1) - first;
            cpu_winograd_pack(s->form.tile, (float *)dst + group * products_of(&s->form) * m * k + first * k,
                              m * k, weights + (group * m + first) * k * 9, k, rows);
        }
}

static int64_t padded_tiles(int64_t tiles)
{
    return (int64_t)vkb_round_up((uint64_t)tiles, 8);
}

static void plan_gemm(const winograd *s, cpu_gemm *p, int64_t rows, int threads)
{
    cpu_gemm_plan(p, s->rows_out, rows * s->tiles_x, s->channels, products_of(&s->form), threads, false,
                  false);
    p->c_stride = padded_tiles(p->n);
}

/* From product to product, of the input and of the output. */
static int64_t v_step_of(const cpu_gemm *p)
{
    return (int64_t)cpu_packed_b_floats(p->n, p->k) + APART;
}

static int64_t m_step_of(const cpu_gemm *p)
{
    return p->m * p->c_stride + APART;
}

/* The lanes that fill a last vector of a strip read its last tile again, and write behind the outputs. */
static vki_status plan_offsets(winograd *s, vkb_arena *arena, vki_error *err)
{
    const form *f = &s->form;
    const int64_t tiles = f->strip * s->tiles_x, padded = padded_tiles(tiles);
    s->in_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *s->in_offset);
    s->out_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *s->out_offset);
    if (!s->in_offset || !s->out_offset) return vkb_nomem(err, (uint64_t)padded * sizeof *s->in_offset);
    for (int64_t i = 0; i < padded; i++) {
        const int64_t tile = vkb_min(i, tiles - 1), y = tile / s->tiles_x, x = tile % s->tiles_x;
        s->in_offset[i] = (int32_t)(y * f->size * s->x_step + x * f->tile);
        s->out_offset[i] =
            (int32_t)(i < tiles ? y * f->tile * s->y_step + x * f->tile : f->strip * f->tile * s->y_step);
    }
    return VKI_OK;
}

/* Whether there are strips for all threads, and the busiest has little more to do than the others. What lies
 * between the steps then stays in the caches of one core, and nobody waits for anybody between them. */
static bool spreads(const winograd *s, int threads)
{
    const int64_t images = s->w.batch * s->w.group, most = vkb_ceil_div(images * s->strips, threads);
    return threads > 1 && images * s->strips >= threads &&
           5 * most * s->form.strip * threads <= 6 * images * s->tiles_y;
}

vki_status cpu_conv2d_winograd_prepare(cpu_prep *p, vki_error *err)
{
    winograd *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    const op_window *w = &s->w;
    const form *f = &s->form;
    if (!is_wanted(p->g, p->n, &s->w) || !choose_form(p->g, p->n, w, &s->form))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    s->transform = cpu_winograd_of(cpu_micro_get(), f->tile);
    s->channels = w->in_c / w->group;
    s->rows_out = w->out_c / w->group;
    s->tiles_x = vkb_ceil_div(w->out_w, f->tile);
    s->tiles_y = vkb_ceil_div(w->out_h, f->tile);
    s->y_step = f->tile * s->tiles_x;
    s->x_step = s->y_step + 2;
    s->strips = vkb_ceil_div(s->tiles_y, f->strip);
    s->apart = spreads(s, p->threads);
    VKB_TRY(plan_offsets(s, p->arena, err));
    const int together = s->apart ? 1 : p->threads;
    plan_gemm(s, &s->whole, f->strip, together);
    s->rest = s->whole;
    if (s->tiles_y % f->strip) plan_gemm(s, &s->rest, s->tiles_y % f->strip, together);
    s->v_floats = (uint64_t)(products_of(f) * v_step_of(&s->whole));
    s->m_floats = (uint64_t)(products_of(f) * m_step_of(&s->whole));
    const int64_t in_rows = f->strip * f->size * s->x_step + w->in_w,
                  out_rows = (f->strip + 1) * f->tile * s->y_step;
    s->floats = vkb_round_up((uint64_t)vkb_max(in_rows, out_rows), 16);
    s->grain = vkb_max(1, CPU_GRAIN_ELEMENTS / (f->strip * s->tiles_x * products_of(f)));
    p->state = s;
    const uint64_t alone = s->apart ? (uint64_t)p->threads : 1;
    p->scratch_bytes =
        ((s->v_floats + s->m_floats) * alone + s->floats * (uint64_t)p->threads) * sizeof(float);
    p->weight_bytes = (uint64_t)(products_of(f) * w->out_c * s->channels) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("winograd", (int64_t[]){w->out_c, w->in_c, w->group, f->tile}, 4);
    return VKI_OK;
}

/* ---- the run ---- */

typedef struct strip { /* of one group of one image */
    const winograd *s;
    const cpu_gemm *gemm;
    const cpu_call *call;
    const float *x, *weights, *bias, *residual; /* of the group; bias and residual may be NULL */
    float *y, *v, *m, *rows;                    /* rows: of all threads */
    int64_t first, count;                       /* rows of tiles */
} strip;

/* The rows of one channel that a strip reads, transformed down the columns; the padding is zero. */
static void transform_rows(const strip *t, const float *x, float *rows)
{
    const winograd *s = t->s;
    const op_window *w = &s->w;
    const form *f = &s->form;
    const float *zeros = rows + f->strip * f->size * s->x_step;
    const int64_t columns = vkb_max(0, vkb_min(w->in_w, s->x_step - w->pad_left));
    for (int64_t ty = 0; ty < t->count; ty++) {
        const float *in[6];
        for (int i = 0; i < f->size; i++) {
            const int64_t y = (t->first + ty) * f->tile + i - w->pad_top;
            in[i] = y >= 0 && y < w->in_h ? x + y * w->in_w : zeros;
        }
        s->transform->rows(rows + ty * f->size * s->x_step + w->pad_left, s->x_step, in, columns);
    }
}

/* Panels of B: the products' matrices are channels by tiles. */
static void transform_input(void *arg, int64_t begin, int64_t end, int thread)
{
    const strip *t = arg;
    const winograd *s = t->s;
    const int64_t tiles = t->gemm->n, k = s->channels, plane = s->w.in_h * s->w.in_w;
    const int64_t v_step = v_step_of(t->gemm);
    float *rows = t->rows + (uint64_t)thread * s->floats;
    memset(rows, 0, (size_t)s->floats * sizeof *rows);
    for (int64_t c = begin; c < end; c++) {
        transform_rows(t, t->x + c * plane, rows);
        for (int64_t i = 0; i < tiles; i += 8) {
            const int64_t panel = i / CPU_NR * CPU_NR,
                          width = cpu_panel_width(vkb_min(CPU_NR, tiles - panel));
            s->transform->in(t->v + panel * k + c * width + i - panel, v_step, rows, s->x_step,
                             s->in_offset + i);
        }
    }
}

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const strip *t = user;
    const cpu_gemm *p = t->gemm;
    j->a = t->weights + index * p->m * p->k;
    j->b = t->v + index * v_step_of(p);
    j->c = t->m + index * m_step_of(p);
}

static void store_rows(const strip *t, const float *rows, int64_t channel)
{
    const winograd *s = t->s;
    const int64_t tile = s->form.tile, first = t->first * tile;
    const int64_t last = vkb_min(s->w.out_h, first + t->count * tile);
    for (int64_t y = first; y < last; y++) {
        const int64_t at = (channel * s->w.out_h + y) * s->w.out_w;
        s->whole.micro->epilogue(t->y + at, rows + (y - first) * s->y_step,
                                 t->residual ? t->residual + at : NULL, s->w.out_w, &t->call->n->epilogue);
    }
}

static void transform_output(void *arg, int64_t begin, int64_t end, int thread)
{
    const strip *t = arg;
    const winograd *s = t->s;
    const cpu_gemm *p = t->gemm;
    float *rows = t->rows + (uint64_t)thread * s->floats;
    for (int64_t c = begin; c < end; c++) {
        for (int64_t i = 0; i < p->n; i += 8)
            s->transform->out(rows, s->y_step, s->out_offset + i, t->m + c * p->c_stride + i, m_step_of(p),
                              t->bias ? t->bias[c] : 0);
        store_rows(t, rows, c);
    }
}

/* Strip `index` of all, with the scratch of a thread. */
static strip strip_of(const cpu_call *c, int64_t index, int thread)
{
    const winograd *s = c->state;
    const op_window *w = &s->w;
    const int64_t image = index / s->strips, group = image % w->group;
    const int64_t in = s->channels * w->in_h * w->in_w, out = s->rows_out * w->out_h * w->out_w;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    strip t = {.s = s,
               .call = c,
               .x = (const float *)c->in[0] + image * in,
               .y = (float *)c->out[0] + image * out,
               .weights =
                   (const float *)c->weights + group * products_of(&s->form) * s->rows_out * s->channels,
               .bias = bias ? bias + group * s->rows_out : NULL,
               .residual = residual ? residual + image * out : NULL,
               .first = index % s->strips * s->form.strip};
    t.v = (float *)c->scratch + (uint64_t)thread * (s->v_floats + s->m_floats + s->floats);
    t.m = t.v + s->v_floats;
    t.rows = t.m + s->m_floats;
    t.count = vkb_min(s->form.strip, s->tiles_y - t.first);
    t.gemm = t.count == s->form.strip ? &s->whole : &s->rest;
    return t;
}

static void run_strip(strip *t, vkb_pool *pool)
{
    const cpu_gemm_source source = {.user = t, .job = job};
    vkb_parallel_for(pool, t->s->channels, t->s->grain, transform_input, t);
    cpu_gemm_run(t->gemm, &source, NULL, pool);
    vkb_parallel_for(pool, t->s->rows_out, t->s->grain, transform_output, t);
}

static void on_strips(void *arg, int64_t begin, int64_t end, int thread)
{
    for (int64_t i = begin; i < end; i++) {
        strip t = strip_of(arg, i, thread);
        run_strip(&t, NULL);
    }
}

void cpu_conv2d_winograd_run(const cpu_call *c)
{
    const winograd *s = c->state;
    const int64_t strips = s->w.batch * s->w.group * s->strips;
    cpu_call call = *c;
    if (s->apart) vkb_parallel_for(c->pool, strips, 1, on_strips, &call);
    for (int64_t i = 0; i < strips && !s->apart; i++) {
        strip t = strip_of(&call, i, 0);
        run_strip(&t, t.gemm->threaded ? c->pool : NULL);
    }
}
