/* SPDX-License-Identifier: Apache-2.0
 * The three steps of a convolution by Winograd's transforms, strip by strip. */
#include "cpu/conv2d_winograd.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

#include <string.h>

typedef struct pooling { /* of the outputs; NULL where they are stored */
    const op_window *window;
    cpu_pool_rows_fn fn;
    const void *user;
} pooling;

static const cpu_winograd_tiling *tiles_of(const cpu_product_strip *t)
{
    const cpu_winograd_plan *s = t->plan;
    return t->whole ? &s->whole : &s->rest;
}

/* The rows of one channel that a strip reads, transformed down the columns; the padding is zero. */
static void transform_rows(const cpu_product_strip *t, const float *x, float *rows)
{
    const cpu_winograd_plan *s = t->plan;
    const op_window *w = &s->w;
    const cpu_winograd *f = s->transform;
    const float *zeros = rows + s->form.strip * f->size * s->x_step;
    const int64_t columns = vkb_max(0, vkb_min(w->in_w, s->x_step - w->pad_left));
    for (int64_t ty = 0; ty < t->count; ty++) {
        const float *in[6];
        for (int i = 0; i < f->size; i++) {
            const int64_t y = cpu_winograd_start(s, t->first + ty, s->form.full_y) + i - w->pad_top;
            in[i] = y >= 0 && y < w->in_h ? x + y * w->in_w : zeros;
        }
        f->rows(rows + ty * f->size * s->x_step + w->pad_left, s->x_step, in, columns);
    }
}

typedef struct range { /* of tiles */
    int64_t begin, end;
} range;

/* Those that a product is made of. */
static range range_of(const cpu_product_strip *t, int64_t product)
{
    const cpu_winograd_tiling *tiles = tiles_of(t);
    const cpu_winograd_plan *s = t->plan;
    const int64_t n = s->transform->size;
    const bool last_row = product / n == n - 1, last_column = product % n == n - 1;
    return (range){last_row ? tiles->first_full : 0, last_column ? tiles->full_columns
                                                     : last_row  ? tiles->end
                                                                 : tiles->gemm.n};
}

/* The columns of the product: whole vectors, but for one or two that are quicker by themselves. What lies
 * between is of no matter. */
static int64_t columns_of(const cpu_product_strip *t, int64_t product)
{
    const range r = range_of(t, product);
    const int64_t n = r.end - r.begin;
    return n % CPU_NR > 2 ? cpu_winograd_padded(n) : n;
}

/* Some rows of products, and the tiles they are made of. */
typedef struct pass {
    int first, rows;
    range tiles;
    float *v, *last;    /* panels of the first row's first product, and of its last one */
    int64_t last_count; /* tiles of the latter */
} pass;

static pass pass_of(const cpu_product_strip *t, int first, int end)
{
    const cpu_winograd_plan *s = t->plan;
    const int64_t n = s->transform->size, product = first * n,
                  v_step = cpu_winograd_v_step(&tiles_of(t)->gemm);
    const range r = range_of(t, product), last = range_of(t, product + n - 1);
    return (pass){first,
                  end - first,
                  r,
                  t->v + product * v_step,
                  t->v + (product + n - 1) * v_step,
                  last.end - last.begin};
}

/* The products' matrices are channels by tiles, in lines or in panels of B: column `i` of channel c. */
static float *column_of(const cpu_product_strip *t, float *v, int64_t columns, int64_t c, int64_t i)
{
    const int64_t panel = i / CPU_NR * CPU_NR;
    const cpu_winograd_plan *s = t->plan;
    if (s->lines) return v + c * tiles_of(t)->gemm.c_stride + i;
    return v + panel * s->strips.channels + c * cpu_panel_width(vkb_min(CPU_NR, columns - panel)) + i - panel;
}

/* Rows of the input that are fetched meanwhile, some with each vector of tiles. */
typedef struct ahead {
    const float *next, *end;
    int64_t step; /* floats */
} ahead;

enum { LINE = 16, LARGE = 3 << 20 }; /* floats of a cache line; bytes */

/* What the next channel's rows are read from, of an input so large that much of it has left the caches: rows
 * are too short for the processor to foresee them. */
static ahead ahead_of(const cpu_product_strip *t, int64_t channel, int64_t end)
{
    const cpu_winograd_plan *s = t->plan;
    const op_window *w = &s->w;
    const cpu_winograd *f = s->transform;
    const int64_t plane = w->in_h * w->in_w, first = vkb_max(0, t->first * f->tile - w->pad_top);
    const int64_t last = vkb_min(w->in_h, (t->first + t->count) * f->tile + f->taps - 1 - w->pad_top);
    if (channel + 1 >= end || last <= first || plane * w->in_c * (int64_t)sizeof(float) < LARGE)
        return (ahead){t->x, t->x, 0};
    const float *x = t->x + (channel + 1) * plane;
    const int64_t vectors = vkb_ceil_div(tiles_of(t)->gemm.n, 8), floats = (last - first) * w->in_w;
    return (ahead){x + first * w->in_w, x + last * w->in_w, LINE * vkb_ceil_div(floats, LINE * vectors)};
}

static void fetch(ahead *a)
{
    for (const float *end = a->next + a->step; a->next < end && a->next < a->end; a->next += LINE)
        __builtin_prefetch(a->next);
}

static void transform_channel(const cpu_product_strip *t, const pass *p, const float *rows, int64_t c,
                              ahead *a)
{
    const cpu_winograd_plan *s = t->plan;
    const int64_t count = p->tiles.end - p->tiles.begin, v_step = cpu_winograd_v_step(&tiles_of(t)->gemm);
    for (int64_t i = 0; i < count; i += 8) {
        fetch(a);
        s->transform->in(column_of(t, p->v, count, c, i),
                         i < p->last_count ? column_of(t, p->last, p->last_count, c, i) : NULL, v_step,
                         rows + p->first * s->x_step, s->x_step, tiles_of(t)->in_offset + p->tiles.begin + i,
                         p->rows);
    }
}

static void transform_input(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_product_strip *t = arg;
    const cpu_winograd_plan *s = t->plan;
    const int n = s->transform->size;
    const bool mixed = tiles_of(t)->first_full > 0 || tiles_of(t)->end < tiles_of(t)->gemm.n;
    const pass most = pass_of(t, 0, mixed ? n - 1 : n), last = pass_of(t, n - 1, n);
    float *rows = t->own + (uint64_t)thread * s->strips.floats;
    memset(rows, 0, (size_t)cpu_winograd_row_floats(s) * sizeof *rows);
    for (int64_t c = begin; c < end; c++) {
        transform_rows(t, t->x + c * s->w.in_h * s->w.in_w, rows);
        ahead a = ahead_of(t, c, end);
        transform_channel(t, &most, rows, c, &a);
        if (mixed) transform_channel(t, &last, rows, c, &a);
    }
}

/* The last row, whose products may have few columns, is in the middle: each of two threads takes a half. */
static int64_t product_of(const cpu_winograd_plan *s, int64_t index)
{
    const int64_t n = s->transform->size, middle = n * (n - 1) / 2;
    return index < middle ? index : index < middle + n ? middle + index : index - n;
}

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const cpu_product_strip *t = user;
    const cpu_winograd_plan *s = t->plan;
    const cpu_gemm *p = &tiles_of(t)->gemm;
    const int64_t product = product_of(s, index);
    j->a = t->weights + product * s->u_step;
    j->b = t->v + product * cpu_winograd_v_step(p);
    j->c = t->m + product * cpu_winograd_m_step(p);
    j->n = columns_of(t, product);
}

/* A panel of A at a time along all columns. */
static void multiply_lines(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_product_strip *t = arg;
    const cpu_gemm *p = &tiles_of(t)->gemm;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        cpu_gemm_job j = {0};
        job(t, i, &j);
        cpu_tile tile = {.b = j.b, .b_stride = p->c_stride, .k = p->k, .c_stride = p->c_stride};
        tile.cols = (int)vkb_max(CPU_NR, j.n);
        for (int64_t panel = 0; j.n && panel < cpu_panels(p->m, p->micro->mr); panel++) {
            const int64_t row = cpu_panel_row(p->m, p->micro->mr, panel);
            tile.a = j.a + row * p->k;
            tile.c = j.c + row * p->c_stride;
            tile.rows = (int)(cpu_panel_row(p->m, p->micro->mr, panel + 1) - row);
            p->micro->gemm_line(&tile);
        }
    }
}

typedef struct fresh_part {     /* of the filters: a block's outputs, and some channels */
    const float *filters, *end; /* what is fetched meanwhile ends here */
    float *u;                   /* of some products */
    int64_t first, rows;        /* outputs */
    int64_t k0, channels;
} fresh_part;

/* A product, by the filters u. The tiles of the last ones, as many as it takes, fetch what the next part is
 * made of: earlier it would be pushed out again. */
static void multiply_part(const cpu_product_strip *t, const fresh_part *f, int product, const float *u,
                          const float **next)
{
    const cpu_winograd_plan *s = t->plan;
    const cpu_gemm *p = &tiles_of(t)->gemm;
    const int64_t columns = columns_of(t, product);
    const int64_t panels = cpu_panels(f->rows, p->micro->mr), larger = f->rows % panels;
    const bool fetches = product >= cpu_winograd_products(s) - cpu_winograd_filter_floats(s);
    cpu_tile tile = {.k = f->channels, .c_stride = p->c_stride, .accumulate = f->k0 > 0};
    for (int64_t col = 0; col < columns; col += CPU_NR) {
        tile.cols = (int)vkb_min(CPU_NR, columns - col);
        tile.b_stride = cpu_panel_width(tile.cols);
        tile.b = t->v + product * cpu_winograd_v_step(p) + col * p->k + f->k0 * tile.b_stride;
        tile.a = u;
        tile.c = t->m + product * cpu_winograd_m_step(p) + f->first * p->c_stride + col;
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

/* Blocks of outputs, of which those behind are mostly this thread's too, so that it fetches beyond `end`. The
 * transformed filters lie where the thread keeps its rows in the other steps. */
static void multiply_fresh(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_product_strip *t = arg;
    const cpu_winograd_plan *s = t->plan;
    const int64_t k = s->strips.channels, kc = tiles_of(t)->gemm.kc;
    const cpu_winograd *w = s->transform;
    fresh_part f = {.u = t->own + (uint64_t)thread * s->strips.floats,
                    .end = t->weights + cpu_winograd_block_at(s, s->blocks)};
    for (int64_t b = begin; b < end; b++) {
        f.first = cpu_winograd_block_row(s, b);
        f.rows = cpu_winograd_block_row(s, b + 1) - f.first;
        f.filters = t->weights + cpu_winograd_block_at(s, b);
        for (f.k0 = 0; f.k0 < k; f.k0 += kc) {
            const float *next = f.filters + cpu_winograd_part_floats(s, f.rows, kc);
            f.channels = vkb_min(kc, k - f.k0);
            for (int pair = 0; pair <= w->size / 2; pair++) {
                const int first = cpu_winograd_first(pair) * w->size;
                const int last = (int)vkb_min(cpu_winograd_first(pair + 1), w->size) * w->size;
                w->filters(f.u, s->u_step, f.filters, f.rows * f.channels, pair);
                for (int i = first; i < last; i++)
                    multiply_part(t, &f, i, f.u + (i - first) * s->u_step, &next);
            }
            f.filters += cpu_winograd_part_floats(s, f.rows, kc);
        }
    }
}

/* Rows of outputs before a row of tiles that begins a strip, or ends the last one. */
static int64_t outputs_before(const cpu_winograd_plan *s, int64_t tile)
{
    return vkb_min(s->w.out_h, tile * s->transform->tile);
}

/* Rows of the pool whose windows begin before a row of the outputs. */
static int64_t pooled_before(const op_window *pool, int64_t row)
{
    const int64_t reach = row + pool->pad_top;
    return row < pool->in_h ? vkb_min(pool->out_h, vkb_ceil_div(reach, pool->stride_h)) : pool->out_h;
}

static void pool_rows(const cpu_product_strip *t, float *rows, int64_t channel)
{
    const cpu_winograd_plan *s = t->plan;
    const pooling *to = t->taker;
    const op_window *pool = to->window;
    const int64_t first = outputs_before(s, t->first), last = outputs_before(s, t->first + t->count);
    const int64_t row = first ? pooled_before(pool, first) : 0, end = pooled_before(pool, last);
    const int64_t begin = row * pool->stride_h - pool->pad_top, from = vkb_max(begin, first);
    if (cpu_has_epilogue(t->call->n))
        s->whole.gemm.micro->epilogue(rows, rows, NULL, (last - first) * s->y_step, &t->call->n->epilogue);
    const cpu_pool_rows pooled = {.x = rows + (from - first) * s->y_step,
                                  .plane = t->plane + channel,
                                  .planes = 1,
                                  .x_rows = last - from,
                                  .x_row = s->y_step,
                                  .above = from - begin,
                                  .row = row,
                                  .rows = end - row};
    if (end > row) to->fn(to->user, &pooled);
}

static void store_rows(const cpu_product_strip *t, const float *rows, int64_t channel)
{
    const cpu_winograd_plan *s = t->plan;
    const int64_t first = outputs_before(s, t->first), last = outputs_before(s, t->first + t->count);
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
    const cpu_product_strip *t = arg;
    const cpu_winograd_plan *s = t->plan;
    const cpu_winograd_tiling *tiles = tiles_of(t);
    const int64_t c_stride = tiles->gemm.c_stride, m_step = cpu_winograd_m_step(&tiles->gemm),
                  n = s->transform->size;
    const int64_t first = tiles->first_full - 7, last_row = n * (n - 1) * m_step - tiles->first_full;
    float *rows = t->own + (uint64_t)thread * s->strips.floats;
    for (int64_t c = begin; c < end; c++) {
        const float *m = t->m + c * c_stride;
        for (int64_t i = 0; i < tiles->gemm.n; i += 8, m += 8)
            s->transform->out(rows, s->y_step, tiles->out_offset + i, m,
                              i >= first && i < tiles->end ? m + last_row : m, m_step,
                              t->bias ? t->bias[c] : 0);
        if (t->taker)
            pool_rows(t, rows, c);
        else
            store_rows(t, rows, c);
    }
}

static void multiply(cpu_product_strip *t, vkb_pool *pool)
{
    const cpu_winograd_plan *s = t->plan;
    const cpu_gemm_source source = {.user = t, .job = job};
    if (s->form.fresh)
        vkb_parallel_for(pool, s->blocks, 1, multiply_fresh, t);
    else if (s->lines)
        vkb_parallel_for(pool, cpu_winograd_products(s), 1, multiply_lines, t);
    else
        cpu_gemm_run(&tiles_of(t)->gemm, &source, NULL, pool);
}

static void run(const cpu_call *c, const pooling *taker)
{
    static const cpu_product_steps steps = {transform_input, transform_output, multiply};
    const cpu_winograd_plan *s = c->state;
    cpu_product_strips_run(&s->strips, &steps, c, taker);
}

void cpu_conv2d_winograd_run(const cpu_call *c)
{
    run(c, NULL);
}

bool cpu_conv2d_winograd_holds(const void *state, const op_window *pool)
{
    const cpu_winograd_plan *s = state;
    for (int64_t tile = s->form.strip; tile < s->strips.rows; tile += s->form.strip) {
        const int64_t row = outputs_before(s, tile), last = pooled_before(pool, row) - 1;
        if (last >= 0 && last * pool->stride_h - pool->pad_top + pool->kernel_h > row) return false;
    }
    return true;
}

void cpu_conv2d_winograd_run_rows(const cpu_call *c, const op_window *pool, cpu_pool_rows_fn fn,
                                  const void *user)
{
    const pooling p = {pool, fn, user};
    run(c, &p);
}
