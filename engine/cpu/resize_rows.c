/* SPDX-License-Identifier: Apache-2.0
 * Resize of the last two dimensions in fp32: each output row first blends input rows (contiguous), then picks
 * and blends within that row by a table. */
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
} rows_plan;

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
    p->state = plan;
    p->scratch_bytes = (uint64_t)p->threads * vkb_round_up((uint64_t)w.in * sizeof(float), 64);
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

static void sample_row(float *y, const float *row, const rows_axis *w)
{
    const rows_tap *tap = w->table;
    if (w->taps == 1) {
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

static void resize_range(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const rows_plan *plan = c->state;
    const rows_axis *h = &plan->h, *w = &plan->w;
    size_t stride = (size_t)vkb_round_up((uint64_t)w->in * sizeof(float), 64);
    float *blend = (float *)((char *)c->scratch + (size_t)thread * stride);
    const float *residual = cpu_residual(c);
    for (int64_t i = begin; i < end; i++) {
        const float *x = (const float *)c->in[0] + i / h->out * h->in * w->in;
        float *y = (float *)c->out[0] + i * w->out;
        sample_row(y, blend_rows(x, h, w->in, i % h->out, blend), w);
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

const cpu_kernel cpu_resize_kernels[] = {{"resize_rows", fits, prepare, run}, {0}};
