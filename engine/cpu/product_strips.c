/* SPDX-License-Identifier: Apache-2.0
 * How strips are cut is no matter of threads, since an element's sum depends on the width of its panel. */
#include "cpu/product_strips.h"

#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

/* ---- the plan ---- */

void cpu_product_strips_plan(cpu_product_strips *s, const op_window *w, int64_t rows, int64_t strip)
{
    s->channels = w->in_c / w->group;
    s->filters = w->out_c / w->group;
    s->x_floats = s->channels * w->in_h * w->in_w;
    s->y_floats = s->filters * w->out_h * w->out_w;
    s->images = w->batch * w->group;
    s->groups = w->group;
    s->rows = rows;
    s->strip = strip;
}

bool cpu_product_strips_spread(const cpu_product_strips *s, int threads)
{
    const int64_t all = s->images * vkb_ceil_div(s->rows, s->strip), most = vkb_ceil_div(all, threads);
    return threads > 1 && all >= threads && 10 * most * s->strip * threads <= 11 * s->images * s->rows;
}

/* No fewer where one thread does all. */
static int64_t grain_of(int64_t count, int64_t floats, int threads)
{
    enum { TASKS = 8 }; /* of a thread: the pool's smallest chunk is an eighth */
    const int64_t least = vkb_max(1, CPU_GRAIN_ELEMENTS / floats);
    return count > least ? vkb_min(least, vkb_ceil_div(count, TASKS * threads)) : least;
}

void cpu_product_strips_share(cpu_product_strips *s, const cpu_gemm *whole, int64_t in_floats,
                              int64_t out_floats, int threads)
{
    s->threaded = whole->threaded;
    s->in_grain = grain_of(s->channels, in_floats, threads);
    s->out_grain = grain_of(s->filters, out_floats, threads);
}

void cpu_product_strips_scratch(cpu_product_strips *s, cpu_prep *p, int64_t v, int64_t m, int64_t own)
{
    const uint64_t threads = (uint64_t)p->threads, alone = s->apart ? threads : 1;
    s->v_floats = vkb_round_up((uint64_t)v, 16);
    s->m_floats = vkb_round_up((uint64_t)m, 16);
    s->floats = vkb_round_up((uint64_t)own, 16);
    p->scratch_bytes = ((s->v_floats + s->m_floats) * alone + s->floats * threads) * sizeof(float);
}

/* ---- the run ---- */

typedef struct run {
    const cpu_product_strips *s;
    const cpu_product_steps *steps;
    const cpu_call *call;
    const void *taker;
} run;

/* Strip `index` of all, with the scratch of a thread. */
static cpu_product_strip strip_of(const run *r, int64_t index, int thread)
{
    const cpu_call *c = r->call;
    const cpu_product_strips *s = r->s;
    const int64_t strips = vkb_ceil_div(s->rows, s->strip), image = index / strips, group = image % s->groups;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    cpu_product_strip t = {.call = c,
                           .plan = c->state,
                           .taker = r->taker,
                           .x = (const float *)c->in[0] + image * s->x_floats,
                           .y = r->taker ? NULL : (float *)c->out[0] + image * s->y_floats,
                           .weights = (const float *)c->weights + group * s->weight_floats,
                           .bias = bias ? bias + group * s->filters : NULL,
                           .residual = residual ? residual + image * s->y_floats : NULL,
                           .first = index % strips * s->strip,
                           .plane = image * s->filters};
    t.v = (float *)c->scratch + (uint64_t)thread * (s->v_floats + s->m_floats + s->floats);
    t.m = t.v + s->v_floats;
    t.own = t.m + s->m_floats;
    t.count = vkb_min(s->strip, s->rows - t.first);
    t.whole = t.count == s->strip;
    return t;
}

static void run_strip(const run *r, int64_t index, int thread, vkb_pool *pool)
{
    const cpu_product_strips *s = r->s;
    cpu_product_strip t = strip_of(r, index, thread);
    vkb_parallel_for(pool, s->channels, s->in_grain, r->steps->in, &t);
    r->steps->multiply(&t, pool);
    vkb_parallel_for(pool, s->filters, s->out_grain, r->steps->out, &t);
}

static void on_strips(void *arg, int64_t begin, int64_t end, int thread)
{
    for (int64_t i = begin; i < end; i++) run_strip(arg, i, thread, NULL);
}

void cpu_product_strips_run(const cpu_product_strips *s, const cpu_product_steps *steps, const cpu_call *c,
                            const void *taker)
{
    const int64_t strips = s->images * vkb_ceil_div(s->rows, s->strip);
    run r = {s, steps, c, taker};
    if (s->apart) vkb_parallel_for(c->pool, strips, 1, on_strips, &r);
    for (int64_t i = 0; i < strips && !s->apart; i++) run_strip(&r, i, 0, s->threaded ? c->pool : NULL);
}

/* ---- the cost ---- */

static double between_of(const cpu_products *p, int64_t strip)
{
    return (p->before * p->in + p->after * p->out) * (double)(p->tiles_x * strip);
}

double cpu_products_cost(const cpu_products *p, int64_t strip)
{
    const int64_t rest = p->tiles_y % strip;
    const double weights = p->products * p->in * p->out, between = between_of(p, strip);
    const double reading = cpu_reading_cost(weights * p->groups);
    double columns = (double)(p->tiles_y / strip) * (cpu_columns_cost(strip * p->tiles_x) + reading);
    if (rest) columns += cpu_columns_cost(rest * p->tiles_x) + reading;
    const double steps = p->in_steps * p->in + p->out_steps * p->out;
    return weights * columns + (double)(p->tiles_x * p->tiles_y) * steps * cpu_away_cost(between);
}

int64_t cpu_products_strip(const cpu_products *p)
{
    int64_t best = 0;
    for (int64_t strips = 1; strips <= p->tiles_y; strips++) {
        const int64_t strip = vkb_ceil_div(p->tiles_y, strips);
        if (!cpu_strip_fits(between_of(p, strip), strip)) continue;
        if (!best || cpu_products_cost(p, strip) < cpu_products_cost(p, best)) best = strip;
    }
    return best;
}
