/* SPDX-License-Identifier: Apache-2.0
 * GridSample in fp32: for a tile of points, elements and weights are found once, and then serve all channels.
 */
#include "cpu/grid_sample.h"
#include "cpu/kernels.h"

enum { TILE = 64 };

typedef struct grid_plan {
    int64_t size[3], points,
        plane;         /* of the input, outermost first; points of the grid; elements of a channel */
    int spatial, taps; /* elements that make one of the output */
} grid_plan;

/* at[tap][point] and weight[tap][point] of one point; at -1: a zero. */
static void find_taps(const cpu_call *c, const grid_plan *p, int64_t point, int32_t *at, float *weight)
{
    const op_grid_attrs *a = c->n->attrs;
    cpu_grid_axis axes[3];
    for (int d = 0; d < 3; d++) axes[d] = (cpu_grid_axis){p->size[d], 1, {0}, {1}};
    for (int d = 0; d < p->spatial; d++) { /* the grid's first coordinate is that of the last dimension */
        cpu_grid_axis *axis = &axes[2 - d];
        float v =
            cpu_grid_place(c->in[1], VKI_F32, point * p->spatial + d, axis->size, a->align_corners != 0);
        cpu_grid_axis_at(a, v, axis);
    }
    for (int d = 0; d < axes[0].count; d++)
        for (int h = 0; h < axes[1].count; h++)
            for (int w = 0; w < axes[2].count; w++, at += TILE, weight += TILE) {
                int64_t i = axes[0].index[d], j = axes[1].index[h], k = axes[2].index[w];
                bool outside = i < 0 || j < 0 || k < 0;
                *at = outside ? -1 : (int32_t)((i * p->size[1] + j) * p->size[2] + k);
                *weight = (float)(axes[0].weight[d] * axes[1].weight[h] * axes[2].weight[w]);
            }
}

static void sample_tile(const grid_plan *p, const float *x, const int32_t *at, const float *weight,
                        int64_t count, float *y)
{
    for (int64_t i = 0; i < count; i++) {
        float sum = 0;
        for (int tap = 0; tap < p->taps; tap++) {
            int32_t from = at[tap * TILE + i];
            if (from >= 0) sum += weight[tap * TILE + i] * x[from];
        }
        y[i] = sum;
    }
}

static uint64_t thread_bytes(const grid_plan *p)
{
    return vkb_round_up((uint64_t)p->taps * TILE * (sizeof(int32_t) + sizeof(float)), 64);
}

static void run_tiles(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const grid_plan *p = c->state;
    int64_t channels = cpu_in(c, 0)->dims[1], tiles = vkb_ceil_div(p->points, TILE);
    int32_t *at = (int32_t *)((char *)c->scratch + (uint64_t)thread * thread_bytes(p));
    float *weight = (float *)(at + p->taps * TILE);
    for (int64_t tile = begin; tile < end; tile++) {
        int64_t image = tile / tiles, first = tile % tiles * TILE, count = vkb_min(TILE, p->points - first);
        for (int64_t i = 0; i < count; i++)
            find_taps(c, p, image * p->points + first + i, at + i, weight + i);
        for (int64_t plane = image * channels; plane < (image + 1) * channels; plane++)
            sample_tile(p, (const float *)c->in[0] + plane * p->plane, at, weight, count,
                        (float *)c->out[0] + plane * p->points + first);
    }
}

static void run(const cpu_call *c)
{
    const grid_plan *p = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, cpu_in(c, 0)->dims[0] * vkb_ceil_div(p->points, TILE), 1, run_tiles, &call);
}

static grid_plan plan_of(const gr_graph *g, const gr_node *n)
{
    const gr_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    const op_grid_attrs *a = n->attrs;
    grid_plan p = {{1, 1, 1}, 1, 1, x->rank - 2, 1};
    for (int d = 0; d < p.spatial; d++) {
        p.size[3 - p.spatial + d] = x->dims[2 + d];
        p.points *= y->dims[2 + d];
        p.plane *= x->dims[2 + d];
        p.taps *= a->mode == OP_GRID_CUBIC ? 4 : a->mode == OP_GRID_LINEAR ? 2 : 1;
    }
    return p;
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    return x->dtype == VKI_F32 && g->tensors[n->in[1]].dtype == VKI_F32 &&
           gr_elements(&g->tensors[n->out[0]]) > 0 && plan_of(g, n).plane <= INT32_MAX;
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    grid_plan *plan = vkb_arena_alloc(p->arena, sizeof *plan);
    if (!plan) return vkb_nomem(err, sizeof *plan);
    *plan = plan_of(p->g, p->n);
    p->state = plan;
    p->scratch_bytes = (uint64_t)p->threads * thread_bytes(plan);
    return VKI_OK;
}

const cpu_kernel cpu_grid_kernels[] = {{.name = "grid_points", .fits = fits, .prepare = prepare, .run = run},
                                       {0}};
