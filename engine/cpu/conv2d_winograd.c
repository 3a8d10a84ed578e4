/* SPDX-License-Identifier: Apache-2.0
 * 3x3 and 5x5 convolutions of stride 1 by Winograd's F(m x m, r x r): n^2 products of matrices, n = m + r -
 * 1, instead of r^2 taps for m^2 outputs; a quarter of the multiplications for m = 4 and r = 3. The image is
 * cut into strips of whole rows of tiles, so that what lies between the three steps - transform, multiply,
 * transform back - stays in the cache. A NaN or an infinity of the input spreads over its tile.
 *
 * Filters are n^2 / r^2 times as large once they are transformed. Where that is too much they stay as they
 * are (`fresh`), and each run transforms those of some outputs at a time, product row by product row, just
 * before it multiplies with them. The results are the same bits. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/winograd.h"

#include <string.h>

enum {
    LEAST_CHANNELS = 16,
    APART = 16, /* floats: products would lie a power of two apart, and push each other out of the cache */
    BLOCK_PANELS = 2 /* of fresh filters: what is transformed at once stays in the second-level cache */
};

/* The tiles of a strip, full and short ones (cpu_winograd_form): those of short rows and full columns, of
 * full rows and columns, of full rows and short columns, and those short both ways. A product that some have
 * no use for is so made of tiles that follow one another. */
typedef struct tiling {
    cpu_gemm gemm;                         /* of the products of all tiles */
    int32_t *in_offset, *out_offset;       /* of each in the transformed rows; among the outputs */
    int64_t first_full, full_columns, end; /* full rows: first_full..end; full columns: all before */
} tiling;

typedef struct winograd {
    op_window w;
    cpu_winograd_form form;
    const cpu_winograd *transform;
    int64_t channels, rows_out;          /* of a group: of the input; of the output */
    int64_t block, blocks;               /* fresh: outputs whose filters are transformed at once, at most */
    int64_t part_floats;                 /* fresh: of the filters of a block and p->kc channels, at most */
    int64_t u_step;                      /* from product to product of the filters */
    int64_t tiles_x, tiles_y;            /* tiles */
    int64_t x_step, y_step;              /* row lengths of the transformed rows; of the outputs */
    tiling whole, rest;                  /* of a strip, and of the last one if it is shorter */
    uint64_t v_floats, m_floats, floats; /* scratch: products of the input; of the output; a thread's own */
    int64_t grain;                       /* channels a task */
    int64_t strips;                      /* of an image's group */
    uint64_t group_floats;               /* of the packed weights */
    bool apart;                          /* each thread works on strips of its own */
} winograd;

static int64_t products_of(const winograd *s)
{
    return (int64_t)s->transform->size * s->transform->size;
}

static bool is_wanted(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, w) || !cpu_conv_fits(w))
        return false;
    return w->kernel_h == w->kernel_w && (w->kernel_h == 3 || w->kernel_h == 5) && w->stride_h == 1 &&
           w->stride_w == 1 && w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top >= 0 &&
           w->pad_left >= 0 && w->in_c / w->group >= LEAST_CHANNELS && w->out_c / w->group >= LEAST_CHANNELS;
}

bool cpu_conv2d_winograd_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    cpu_winograd_form f;
    return is_wanted(g, n, &w) && cpu_winograd_choose(g, n, &w, false, &f);
}

/* ---- the plan ---- */

static int64_t filter_floats(const winograd *s)
{
    return (int64_t)s->transform->taps * s->transform->taps;
}

static void pack_transformed(const winograd *s, float *to, const float *weights)
{
    const int64_t m = s->rows_out, k = s->channels;
    const int mr = s->whole.gemm.micro->mr;
    for (int64_t p = 0; p < cpu_panels(m, mr); p++) {
        const int64_t first = cpu_panel_row(m, mr, p), rows = cpu_panel_row(m, mr, p + 1) - first;
        cpu_winograd_pack(s->transform, to + first * k, s->u_step, weights + first * k * filter_floats(s), k,
                          rows);
    }
}

/* Parts by blocks of outputs, then by the GEMM's blocks of channels; panel by panel. */
static void pack_fresh(const winograd *s, float *to, const float *weights)
{
    const int64_t k = s->channels, kc = s->whole.gemm.kc;
    const int mr = s->whole.gemm.micro->mr;
    for (int64_t b = 0; b < s->blocks; b++) {
        const int64_t begin = cpu_panel_row(s->rows_out, (int)s->block, b);
        const int64_t count = cpu_panel_row(s->rows_out, (int)s->block, b + 1) - begin;
        for (int64_t k0 = 0; k0 < k; k0 += kc, to += s->part_floats)
            for (int64_t p = 0; p < cpu_panels(count, mr); p++) {
                const int64_t first = cpu_panel_row(count, mr, p),
                              rows = cpu_panel_row(count, mr, p + 1) - first;
                const int64_t channels = vkb_min(kc, k - k0);
                cpu_winograd_gather(s->transform, to, first * channels,
                                    weights + ((begin + first) * k + k0) * filter_floats(s), k, channels,
                                    rows);
            }
    }
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const winograd *s = state;
    for (int64_t group = 0; group < s->w.group; group++) {
        const float *weights =
            (const float *)g->tensors[n->in[1]].data + group * s->rows_out * s->channels * filter_floats(s);
        float *to = (float *)dst + (uint64_t)group * s->group_floats;
        if (s->form.fresh)
            pack_fresh(s, to, weights);
        else
            pack_transformed(s, to, weights);
    }
}

static int64_t padded_tiles(int64_t tiles)
{
    return (int64_t)vkb_round_up((uint64_t)tiles, 8);
}

/* Where a tile begins along a dimension that has so many full ones. */
static int64_t start_of(const winograd *s, int64_t tile, int64_t full)
{
    return tile * s->transform->tile - vkb_max(0, tile - full);
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

/* Tiles x0..x1 of the rows y0..y1 of a strip; returns their number. */
static int64_t place_tiles(const winograd *s, const tiling *t, int64_t at, const int64_t x[2],
                           const int64_t y[2])
{
    const int64_t begin = at;
    for (int64_t ty = y[0]; ty < y[1]; ty++)
        for (int64_t tx = x[0]; tx < x[1]; tx++, at++) {
            const int64_t column = start_of(s, tx, s->form.full_x);
            t->in_offset[at] = (int32_t)(ty * s->transform->size * s->x_step + column);
            t->out_offset[at] = (int32_t)(start_of(s, ty, s->form.full_y) * s->y_step + column);
        }
    return at - begin;
}

/* Some rows of tiles. The lanes that fill a last vector read the last tile again, and write behind the
 * outputs; vectors of full rows begin amid others. */
static vki_status plan_tiling(winograd *s, tiling *t, int64_t rows, int threads, vkb_arena *arena,
                              vki_error *err)
{
    const int64_t count = rows * s->tiles_x, padded = padded_tiles(count) + 8;
    cpu_gemm_plan(&t->gemm, s->rows_out, count, s->channels, products_of(s), threads, false, false);
    t->gemm.c_stride = padded_tiles(count);
    t->in_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *t->in_offset);
    t->out_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *t->out_offset);
    if (!t->in_offset || !t->out_offset) return vkb_nomem(err, (uint64_t)padded * sizeof *t->in_offset);
    const int64_t full = vkb_min(rows, s->form.full_y), full_y[] = {0, full}, short_y[] = {full, rows};
    const int64_t full_x[] = {0, s->form.full_x}, short_x[] = {s->form.full_x, s->tiles_x};
    t->first_full = place_tiles(s, t, 0, full_x, short_y);
    t->full_columns = t->first_full + place_tiles(s, t, t->first_full, full_x, full_y);
    t->end = t->full_columns + place_tiles(s, t, t->full_columns, short_x, full_y);
    place_tiles(s, t, t->end, short_x, short_y);
    for (int64_t i = count; i < padded; i++) {
        t->in_offset[i] = t->in_offset[count - 1];
        t->out_offset[i] = (int32_t)(s->form.strip * s->transform->tile * s->y_step);
    }
    return VKI_OK;
}

/* Whether there are strips for all threads, and the busiest has little more to do than the others. What lies
 * between the steps then stays in the caches of one core, and nobody waits for anybody between them. How the
 * strips are cut is no matter of threads: an element's sum depends on the width of its panel. */
static bool spreads(const winograd *s, int threads)
{
    const int64_t images = s->w.batch * s->w.group, most = vkb_ceil_div(images * s->strips, threads);
    return threads > 1 && images * s->strips >= threads &&
           10 * most * s->form.strip * threads <= 11 * images * s->tiles_y;
}

/* How the weights lie, and their bytes. */
static uint64_t plan_weights(winograd *s)
{
    const cpu_gemm *whole = &s->whole.gemm;
    const int64_t parts = vkb_ceil_div(s->channels, whole->kc);
    s->block = BLOCK_PANELS * whole->micro->mr;
    s->blocks = vkb_ceil_div(s->rows_out, s->block);
    const uint64_t lanes = (uint64_t)(vkb_ceil_div(s->rows_out, s->blocks) * whole->kc);
    s->part_floats = (int64_t)vkb_round_up(lanes, 8) * filter_floats(s);
    s->u_step = s->form.fresh ? (int64_t)vkb_round_up(lanes, 16) + APART : s->rows_out * s->channels;
    s->group_floats =
        (uint64_t)(s->form.fresh ? s->blocks * parts * s->part_floats : s->u_step * products_of(s));
    return s->group_floats * (uint64_t)s->w.group * sizeof(float);
}

static void plan_scratch(winograd *s, cpu_prep *p)
{
    const cpu_winograd *t = s->transform;
    const int64_t strip = s->form.strip;
    s->v_floats = (uint64_t)(products_of(s) * v_step_of(&s->whole.gemm));
    s->m_floats = (uint64_t)(products_of(s) * m_step_of(&s->whole.gemm));
    const int64_t in_rows = strip * t->size * s->x_step + s->w.in_w,
                  out_rows = (strip + 1) * t->tile * s->y_step,
                  filters = s->form.fresh ? 2 * t->size * s->u_step : 0;
    s->floats = vkb_round_up((uint64_t)vkb_max(vkb_max(in_rows, out_rows), filters), 16);
    const uint64_t alone = s->apart ? (uint64_t)p->threads : 1;
    p->scratch_bytes =
        ((s->v_floats + s->m_floats) * alone + s->floats * (uint64_t)p->threads) * sizeof(float);
}

/* What the form with fresh filters would take instead, if these are not. */
static void offer_lean(const winograd *s, cpu_prep *p)
{
    winograd lean = *s;
    if (s->form.fresh || !cpu_winograd_choose(p->g, p->n, &s->w, true, &lean.form)) return;
    lean.transform = &cpu_micro_get()->winograd[lean.form.kind];
    p->lean_bytes = plan_weights(&lean);
    p->lean_cost = (lean.form.cost - s->form.cost) * (double)s->w.batch;
}

vki_status cpu_conv2d_winograd_prepare(cpu_prep *p, vki_error *err)
{
    winograd *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    const op_window *w = &s->w;
    if (!is_wanted(p->g, p->n, &s->w) || !cpu_winograd_choose(p->g, p->n, w, p->lean, &s->form))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    s->transform = &cpu_micro_get()->winograd[s->form.kind];
    s->channels = w->in_c / w->group;
    s->rows_out = w->out_c / w->group;
    s->tiles_x = vkb_ceil_div(w->out_w, s->transform->tile);
    s->tiles_y = vkb_ceil_div(w->out_h, s->transform->tile);
    s->y_step = s->transform->tile * s->tiles_x;
    s->x_step = s->y_step + s->transform->taps - 1;
    s->strips = vkb_ceil_div(s->tiles_y, s->form.strip);
    s->apart = spreads(s, p->threads);
    const int together = s->apart ? 1 : p->threads;
    const int64_t rest = s->tiles_y % s->form.strip;
    VKB_TRY(plan_tiling(s, &s->whole, s->form.strip, together, p->arena, err));
    if (rest) VKB_TRY(plan_tiling(s, &s->rest, rest, together, p->arena, err));
    s->grain = vkb_max(1, CPU_GRAIN_ELEMENTS / (s->form.strip * s->tiles_x * products_of(s)));
    p->state = s;
    p->weight_bytes = plan_weights(s);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key(
        "winograd", (int64_t[]){w->out_c, w->in_c, w->group, s->form.kind, s->form.fresh, s->block}, 6);
    plan_scratch(s, p);
    offer_lean(s, p);
    return VKI_OK;
}

/* ---- the run ---- */

typedef struct strip { /* of one group of one image */
    const winograd *s;
    const tiling *tiles;
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
    const cpu_winograd *f = s->transform;
    const float *zeros = rows + s->form.strip * f->size * s->x_step;
    const int64_t columns = vkb_max(0, vkb_min(w->in_w, s->x_step - w->pad_left));
    for (int64_t ty = 0; ty < t->count; ty++) {
        const float *in[6];
        for (int i = 0; i < f->size; i++) {
            const int64_t y = start_of(s, t->first + ty, s->form.full_y) + i - w->pad_top;
            in[i] = y >= 0 && y < w->in_h ? x + y * w->in_w : zeros;
        }
        f->rows(rows + ty * f->size * s->x_step + w->pad_left, s->x_step, in, columns);
    }
}

typedef struct range { /* of tiles */
    int64_t begin, end;
} range;

/* Those that a product is made of. */
static range range_of(const strip *t, int64_t product)
{
    const tiling *tiles = t->tiles;
    const int64_t n = t->s->transform->size;
    const bool last_row = product / n == n - 1, last_column = product % n == n - 1;
    return (range){last_row ? tiles->first_full : 0, last_column ? tiles->full_columns
                                                     : last_row  ? tiles->end
                                                                 : tiles->gemm.n};
}

/* The columns of the product: whole vectors, but for one or two that are quicker by themselves. What lies
 * between is of no matter. */
static int64_t columns_of(const strip *t, int64_t product)
{
    const range r = range_of(t, product);
    const int64_t n = r.end - r.begin;
    return n % CPU_NR > 2 ? padded_tiles(n) : n;
}

/* Some rows of products, and the tiles they are made of. */
typedef struct pass {
    int first, rows;
    range tiles;
    float *v, *last;    /* panels of the first row's first product, and of its last one */
    int64_t last_count; /* tiles of the latter */
} pass;

static pass pass_of(const strip *t, int first, int end)
{
    const int64_t n = t->s->transform->size, product = first * n, v_step = v_step_of(&t->tiles->gemm);
    const range r = range_of(t, product), last = range_of(t, product + n - 1);
    return (pass){first,
                  end - first,
                  r,
                  t->v + product * v_step,
                  t->v + (product + n - 1) * v_step,
                  last.end - last.begin};
}

/* The products' matrices are channels by tiles, in panels of B: column `i` of channel c. */
static float *column_of(float *panels, int64_t k, int64_t columns, int64_t c, int64_t i)
{
    const int64_t panel = i / CPU_NR * CPU_NR;
    return panels + panel * k + c * cpu_panel_width(vkb_min(CPU_NR, columns - panel)) + i - panel;
}

static void transform_channel(const strip *t, const pass *p, const float *rows, int64_t c)
{
    const winograd *s = t->s;
    const int64_t count = p->tiles.end - p->tiles.begin, k = s->channels, v_step = v_step_of(&t->tiles->gemm);
    for (int64_t i = 0; i < count; i += 8)
        s->transform->in(column_of(p->v, k, count, c, i),
                         i < p->last_count ? column_of(p->last, k, p->last_count, c, i) : NULL, v_step,
                         rows + p->first * s->x_step, s->x_step, t->tiles->in_offset + p->tiles.begin + i,
                         p->rows);
}

static void transform_input(void *arg, int64_t begin, int64_t end, int thread)
{
    const strip *t = arg;
    const winograd *s = t->s;
    const int n = s->transform->size;
    const bool mixed = t->tiles->first_full > 0 || t->tiles->end < t->tiles->gemm.n;
    const pass most = pass_of(t, 0, mixed ? n - 1 : n), last = pass_of(t, n - 1, n);
    float *rows = t->rows + (uint64_t)thread * s->floats;
    memset(rows, 0, (size_t)s->floats * sizeof *rows);
    for (int64_t c = begin; c < end; c++) {
        transform_rows(t, t->x + c * s->w.in_h * s->w.in_w, rows);
        transform_channel(t, &most, rows, c);
        if (mixed) transform_channel(t, &last, rows, c);
    }
}

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const strip *t = user;
    const cpu_gemm *p = &t->tiles->gemm;
    j->a = t->weights + index * t->s->u_step;
    j->b = t->v + index * v_step_of(p);
    j->c = t->m + index * m_step_of(p);
    j->n = columns_of(t, index);
}

typedef struct fresh_part {     /* of the filters: a block's outputs, and some channels */
    const float *filters, *end; /* what is fetched meanwhile ends here */
    float *u;                   /* of some products */
    int64_t first, rows;        /* outputs */
    int64_t k0, channels;
} fresh_part;

/* A product, by the filters u. The tiles of the last ones, as many as it takes, fetch what the next part is
 * made of: earlier it would be pushed out again. */
static void multiply_part(const strip *t, const fresh_part *f, int product, const float *u,
                          const float **next)
{
    const cpu_gemm *p = &t->tiles->gemm;
    const int64_t columns = columns_of(t, product);
    const int64_t panels = cpu_panels(f->rows, p->micro->mr), larger = f->rows % panels;
    const bool fetches = product >= products_of(t->s) - filter_floats(t->s);
    cpu_tile tile = {.k = f->channels, .c_stride = p->c_stride, .accumulate = f->k0 > 0};
    for (int64_t col = 0; col < columns; col += CPU_NR) {
        tile.cols = (int)vkb_min(CPU_NR, columns - col);
        tile.b_stride = cpu_panel_width(tile.cols);
        tile.b = t->v + product * v_step_of(p) + col * p->k + f->k0 * tile.b_stride;
        tile.a = u;
        tile.c = t->m + product * m_step_of(p) + f->first * p->c_stride + col;
        for (int64_t i = 0; i < panels; i++) {
            tile.rows = (int)(f->rows / panels + (i < larger));
            tile.a_next = fetches && *next < f->end ? *next : NULL;
            p->tile(&tile);
            tile.a += tile.rows * f->channels;
            tile.c += tile.rows * p->c_stride;
            if (tile.a_next) *next += tile.rows * f->channels;
        }
    }
}

/* Blocks of outputs. The transformed filters lie where the thread keeps its rows in the other steps. */
static void multiply_fresh(void *arg, int64_t begin, int64_t end, int thread)
{
    const strip *t = arg;
    const winograd *s = t->s;
    const int64_t k = s->channels, kc = t->tiles->gemm.kc, parts = vkb_ceil_div(k, kc);
    const cpu_winograd *w = s->transform;
    fresh_part f = {.u = t->rows + (uint64_t)thread * s->floats,
                    .filters = t->weights + begin * parts * s->part_floats,
                    .end = t->weights + end * parts * s->part_floats};
    for (int64_t b = begin; b < end; b++) {
        f.first = cpu_panel_row(s->rows_out, (int)s->block, b);
        f.rows = cpu_panel_row(s->rows_out, (int)s->block, b + 1) - f.first;
        for (f.k0 = 0; f.k0 < k; f.k0 += kc, f.filters += s->part_floats) {
            const float *next = f.filters + s->part_floats;
            f.channels = vkb_min(kc, k - f.k0);
            for (int pair = 0; pair <= w->size / 2; pair++) {
                const int first = cpu_winograd_first(pair) * w->size;
                const int last = (int)vkb_min(cpu_winograd_first(pair + 1), w->size) * w->size;
                w->filters(f.u, s->u_step, f.filters, f.rows * f.channels, pair);
                for (int i = first; i < last; i++)
                    multiply_part(t, &f, i, f.u + (i - first) * s->u_step, &next);
            }
        }
    }
}

static void store_rows(const strip *t, const float *rows, int64_t channel)
{
    const winograd *s = t->s;
    const int64_t tile = s->transform->tile, first = t->first * tile;
    const int64_t last = vkb_min(s->w.out_h, first + t->count * tile);
    for (int64_t y = first; y < last; y++) {
        const int64_t at = (channel * s->w.out_h + y) * s->w.out_w;
        s->whole.gemm.micro->epilogue(t->y + at, rows + (y - first) * s->y_step,
                                      t->residual ? t->residual + at : NULL, s->w.out_w,
                                      &t->call->n->epilogue);
    }
}

/* Vectors without a full row of tiles have no last row of products: whatever is read there is not used. */
static void transform_output(void *arg, int64_t begin, int64_t end, int thread)
{
    const strip *t = arg;
    const winograd *s = t->s;
    const tiling *tiles = t->tiles;
    const int64_t c_stride = tiles->gemm.c_stride, m_step = m_step_of(&tiles->gemm), n = s->transform->size;
    const int64_t first = tiles->first_full - 7, last_row = n * (n - 1) * m_step - tiles->first_full;
    float *rows = t->rows + (uint64_t)thread * s->floats;
    for (int64_t c = begin; c < end; c++) {
        const float *m = t->m + c * c_stride;
        for (int64_t i = 0; i < tiles->gemm.n; i += 8, m += 8)
            s->transform->out(rows, s->y_step, tiles->out_offset + i, m,
                              i >= first && i < tiles->end ? m + last_row : m, m_step,
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
               .weights = (const float *)c->weights + (uint64_t)group * s->group_floats,
               .bias = bias ? bias + group * s->rows_out : NULL,
               .residual = residual ? residual + image * out : NULL,
               .first = index % s->strips * s->form.strip};
    t.v = (float *)c->scratch + (uint64_t)thread * (s->v_floats + s->m_floats + s->floats);
    t.m = t.v + s->v_floats;
    t.rows = t.m + s->m_floats;
    t.count = vkb_min(s->form.strip, s->tiles_y - t.first);
    t.tiles = t.count == s->form.strip ? &s->whole : &s->rest;
    return t;
}

static void run_strip(strip *t, vkb_pool *pool)
{
    const cpu_gemm_source source = {.user = t, .job = job};
    vkb_parallel_for(pool, t->s->channels, t->s->grain, transform_input, t);
    if (t->s->form.fresh)
        vkb_parallel_for(pool, t->s->blocks, 1, multiply_fresh, t);
    else
        cpu_gemm_run(&t->tiles->gemm, &source, NULL, pool);
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
        run_strip(&t, t.tiles->gemm.threaded ? c->pool : NULL);
    }
}
