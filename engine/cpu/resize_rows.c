/* SPDX-License-Identifier: Apache-2.0
 * Resize of the last two dimensions in fp32: each output row first blends input rows (contiguous), then picks
 * and blends within that row by a table. Where rows become more, input rows are stretched by the table first,
 * each but once, and output rows are blends of these. */
#include <math.h>
#include <string.h>

#include "cpu/fast.h"
#include "cpu/kernels.h"
#include "graph/ops/resize.h"

typedef struct rows_tap {
    int32_t at;
    float weight;
} rows_tap;

typedef struct rows_axis {
    int64_t in, out;
    int taps;              /* a coordinate */
    const rows_tap *table; /* [out][taps] */
} rows_axis;

typedef struct rows_plan {
    const cpu_micro *micro;
    int64_t planes;
    rows_axis h, w;
    bool twice;         /* each element becomes two */
    bool stretch;       /* rows first: scratch holds as many stretched rows as an output row blends */
    int64_t row_floats; /* of a row in scratch */
} rows_plan;

enum { STRETCHED = 4 }; /* most taps of an output row whose input rows are stretched first */

/* The two scaled axes; false if others are scaled or a coordinate may have no source. */
static bool axes_of(const gr_graph *g, const gr_node *n, op_resize_axis *h, op_resize_axis *w,
                    int64_t *planes)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    const op_resize_attrs *a = n->attrs;
    op_resize_axis axes[GR_MAX_RANK];
    if (a->coordinate_transformation_mode == OP_COORD_TF_CROP_AND_RESIZE || x->rank < 1) return false;
    if (op_resize_axes_of(g, n, axes)) return false;
    *planes = 1;
    for (int d = 0; d < x->rank - 2; d++) {
        if (!axes[d].same) return false;
        *planes *= x->dims[d];
    }
    *h = x->rank > 1 ? axes[x->rank - 2] : (op_resize_axis){1, 1, 1, 1, 0, 1, true};
    *w = axes[x->rank - 1];
    return true;
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    op_resize_axis h, w;
    int64_t planes;
    return g->tensors[n->in[0]].dtype == VKI_F32 && gr_elements(&g->tensors[n->out[0]]) > 0 &&
           axes_of(g, n, &h, &w, &planes);
}

static bool make_axis(cpu_prep *p, const op_resize_axis *axis, rows_axis *out)
{
    const op_resize_attrs *a = p->n->attrs;
    int taps = op_resize_count(a, axis);
    rows_tap *table = vkb_arena_alloc(p->arena, (size_t)axis->out * (size_t)taps * sizeof *table);
    if (!table) return false;
    *out = (rows_axis){axis->in, axis->out, taps, table};
    for (int64_t x = 0; x < axis->out; x++) {
        op_resize_place place;
        op_resize_at(a, axis, x, &place);
        for (int i = 0; i < taps; i++) {
            int64_t index;
            double weight = op_resize_tap(&place, i, &index);
            *table++ = (rows_tap){(int32_t)index, (float)weight};
        }
    }
    return true;
}

static uint64_t scratch_floats(const rows_plan *plan) /* a thread */
{
    return (uint64_t)(plan->row_floats * (plan->stretch ? plan->h.taps : 1));
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    op_resize_axis h, w;
    rows_plan *plan = vkb_arena_alloc(p->arena, sizeof *plan);
    if (!plan) return vkb_nomem(err, sizeof *plan);
    plan->micro = cpu_micro_get();
    if (!axes_of(p->g, p->n, &h, &w, &plan->planes))
        return vkb_fail_node(err, VKI_E_INTERNAL, p->n->name, "Resize", "the node does not fit the kernel");
    if (!make_axis(p, &h, &plan->h) || !make_axis(p, &w, &plan->w))
        return vkb_nomem(err, (uint64_t)(h.out + w.out) * sizeof(rows_tap));
    plan->twice = plan->w.taps == 1 && w.out == 2 * w.in;
    for (int64_t i = 0; i < w.out; i++) plan->twice = plan->twice && plan->w.table[i].at == i / 2;
    p->state = plan;
    plan->stretch = plan->h.taps > 1 && plan->h.taps <= STRETCHED && h.out > h.in && w.out < INT32_MAX / 8;
    plan->row_floats = (int64_t)vkb_round_up((uint64_t)(plan->stretch ? w.out : w.in), 16);
    p->scratch_bytes = scratch_floats(plan) * sizeof(float) * (uint64_t)p->threads;
    return VKI_OK;
}

/* One input row of what the output row shows: the row itself, or a blend made in `blend`. */
static const float *blend_rows(const float *x, const rows_axis *h, int64_t width, int64_t row, float *blend)
{
    const rows_tap *tap = h->table + row * h->taps;
    if (h->taps == 1) return x + tap->at * width;
    for (int64_t i = 0; i < width; i++) blend[i] = tap->weight * x[tap->at * width + i];
    for (int k = 1; k < h->taps; k++) {
        const float *from = x + tap[k].at * width;
        float weight = tap[k].weight;
        for (int64_t i = 0; i < width; i++) blend[i] += weight * from[i];
    }
    return blend;
}

static void sample_row(const rows_plan *plan, float *y, const float *row)
{
    const rows_axis *w = &plan->w;
    const rows_tap *tap = w->table;
    if (plan->twice) {
        plan->micro->join_pairs(y, row, row, w->in);
    } else if (w->taps == 1) {
        for (int64_t i = 0; i < w->out; i++) y[i] = row[tap[i].at];
    } else if (w->taps == 2) {
        for (int64_t i = 0; i < w->out; i++, tap += 2)
            y[i] = tap[0].weight * row[tap[0].at] + tap[1].weight * row[tap[1].at];
    } else if (w->taps == 4) {
        for (int64_t i = 0; i < w->out; i++, tap += 4)
            y[i] = tap[0].weight * row[tap[0].at] + tap[1].weight * row[tap[1].at] +
                   tap[2].weight * row[tap[2].at] + tap[3].weight * row[tap[3].at];
    } else {
        for (int64_t i = 0; i < w->out; i++, tap += w->taps) {
            float sum = 0;
            for (int k = 0; k < w->taps; k++) sum += tap[k].weight * row[tap[k].at];
            y[i] = sum;
        }
    }
}

typedef struct stretched { /* input rows as wide as the output; row r of all planes in slot r % taps */
    float *rows;
    int64_t has[STRETCHED]; /* by slot; -1: none yet */
} stretched;

/* The rows that an output row blends are neighbours, or the same at an edge: each has a slot of its own. */
static void blend_stretched(const rows_plan *plan, stretched *s, const float *in, float *y, int64_t plane,
                            int64_t row)
{
    const rows_axis *h = &plan->h;
    const rows_tap *tap = h->table + row * h->taps;
    int32_t offset[STRETCHED];
    float weight[STRETCHED];
    for (int k = 0; k < h->taps; k++) {
        const int64_t from = plane * h->in + tap[k].at, slot = tap[k].at % h->taps;
        offset[k] = (int32_t)(slot * plan->row_floats);
        weight[k] = tap[k].weight;
        if (s->has[slot] == from) continue;
        sample_row(plan, s->rows + offset[k], in + from * plan->w.in);
        s->has[slot] = from;
    }
    const cpu_taps t = {.y = y,
                        .x = s->rows,
                        .rows = 1,
                        .cols = plan->w.out,
                        .weight = weight,
                        .offset = offset,
                        .count = h->taps,
                        .low = -INFINITY,
                        .high = INFINITY};
    plan->micro->taps_sum(&t);
}

static void resize_range(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const rows_plan *plan = c->state;
    const rows_axis *h = &plan->h, *w = &plan->w;
    float *scratch = (float *)c->scratch + (uint64_t)thread * scratch_floats(plan);
    stretched s = {scratch, {-1, -1, -1, -1}};
    const float *residual = cpu_residual(c), *in = c->in[0];
    for (int64_t i = begin; i < end; i++) {
        const int64_t plane = i / h->out, row = i % h->out;
        float *y = (float *)c->out[0] + i * w->out;
        if (plan->stretch)
            blend_stretched(plan, &s, in, y, plane, row);
        else
            sample_row(plan, y, blend_rows(in + plane * h->in * w->in, h, w->in, row, scratch));
        if (cpu_has_epilogue(c->n))
            plan->micro->epilogue(y, y, residual ? residual + i * w->out : NULL, w->out, &c->n->epilogue);
    }
}

static void run(const cpu_call *c)
{
    const rows_plan *plan = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, plan->planes * plan->h.out, 1 + 16384 / plan->w.out, resize_range, &call);
}

const cpu_kernel cpu_resize_kernels[] = {
    {.name = "resize_rows", .fits = fits, .prepare = prepare, .run = run}, {0}};
