/* SPDX-License-Identifier: Apache-2.0
 * DeformConv in fp32: for a tile of output positions the samples of all taps are taken once, and then serve
 * all output channels. */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/deform.h"

enum { TILE = 64 };

typedef struct deform_corner { /* of four: where it lies, and its weight; outside: element 0 and none */
    int64_t at[4];
    float weight[4];
} deform_corner;

static deform_corner corners_of(const op_deform *d, float y, float x, float mask)
{
    deform_corner c = {{0}, {0}};
    if (!(y > -1 && y < (float)d->in_h && x > -1 && x < (float)d->in_w)) return c;
    int64_t top = (int64_t)floorf(y), left = (int64_t)floorf(x);
    float down = y - (float)top, right = x - (float)left;
    for (int i = 0; i < 4; i++) {
        int64_t row = top + i / 2, column = left + i % 2;
        if (row < 0 || row >= d->in_h || column < 0 || column >= d->in_w) continue;
        c.at[i] = row * d->in_w + column;
        c.weight[i] = mask * (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right);
    }
    return c;
}

/* columns[tap of channel][position] for `count` positions from `begin`, of the channels of one offset group:
 * they share their places. */
static void take_samples(const cpu_call *c, const op_deform *d, int64_t image, int64_t offset_group,
                         int64_t begin, int64_t count, float *columns)
{
    int64_t taps = d->kernel_h * d->kernel_w, plane = d->out_h * d->out_w, size = d->in_h * d->in_w;
    int64_t depth = d->in_c / d->offset_group;
    const float *x = (const float *)c->in[0] + (image * d->in_c + offset_group * depth) * size;
    for (int64_t tap = 0; tap < taps; tap++) {
        int64_t first = (image * d->offset_group + offset_group) * taps + tap;
        const float *dy = (const float *)c->in[2] + 2 * first * plane, *dx = dy + plane;
        const float *mask = cpu_in(c, 4) ? (const float *)c->in[4] + first * plane : NULL;
        for (int64_t i = 0; i < count; i++) {
            int64_t at = begin + i;
            int64_t row = at / d->out_w * d->stride_h - d->pad_top + tap / d->kernel_w * d->dilation_h;
            int64_t column = at % d->out_w * d->stride_w - d->pad_left + tap % d->kernel_w * d->dilation_w;
            deform_corner k = corners_of(d, (float)row + dy[at], (float)column + dx[at], mask ? mask[at] : 1);
            for (int64_t channel = 0; channel < depth; channel++) {
                const float *from = x + channel * size;
                columns[(channel * taps + tap) * TILE + i] =
                    k.weight[0] * from[k.at[0]] + k.weight[1] * from[k.at[1]] + k.weight[2] * from[k.at[2]] +
                    k.weight[3] * from[k.at[3]];
            }
        }
    }
}

/* One output channel of the tile: a sum of columns. */
static void multiply(const float *weights, const float *columns, int64_t depth, float bias, int64_t count,
                     float *y)
{
    float sum[TILE];
    for (int i = 0; i < TILE; i++) sum[i] = bias;
    for (int64_t k = 0; k < depth; k++) {
        const float *column = columns + k * TILE;
        float w = weights[k];
        for (int i = 0; i < TILE; i++) sum[i] += w * column[i];
    }
    for (int64_t i = 0; i < count; i++) y[i] = sum[i];
}

static void run_tiles(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const op_deform *d = c->state;
    int64_t taps = d->kernel_h * d->kernel_w, plane = d->out_h * d->out_w, tiles = vkb_ceil_div(plane, TILE);
    int64_t depth = d->in_c / d->group * taps, out_c = d->out_c / d->group;
    float *columns = (float *)c->scratch + thread * d->in_c * taps * TILE;
    for (int64_t tile = begin; tile < end; tile++) {
        int64_t image = tile / tiles, first = tile % tiles * TILE, count = vkb_min(TILE, plane - first);
        for (int64_t i = 0; i < d->in_c * taps; i++)
            for (int64_t k = count; k < TILE; k++) columns[i * TILE + k] = 0; /* added, too */
        for (int64_t group = 0; group < d->offset_group; group++)
            take_samples(c, d, image, group, first, count,
                         columns + group * (d->in_c / d->offset_group) * taps * TILE);
        for (int64_t channel = 0; channel < d->out_c; channel++)
            multiply((const float *)c->in[1] + channel * depth, columns + channel / out_c * depth * TILE,
                     depth, cpu_in(c, 3) ? ((const float *)c->in[3])[channel] : 0, count,
                     (float *)c->out[0] + (image * d->out_c + channel) * plane + first);
    }
}

static void run(const cpu_call *c)
{
    const op_deform *d = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, d->batch * vkb_ceil_div(d->out_h * d->out_w, TILE), 1, run_tiles, &call);
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    op_deform d;
    const char *why;
    return g->tensors[n->in[0]].dtype == VKI_F32 && gr_elements(&g->tensors[n->out[0]]) > 0 &&
           gr_elements(&g->tensors[n->in[0]]) > 0 && op_deform_of(g, n, &d, &why);
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    const char *why = "";
    op_deform *d = vkb_arena_alloc(p->arena, sizeof *d);
    if (!d) return vkb_nomem(err, sizeof *d);
    if (!op_deform_of(p->g, p->n, d, &why))
        return vkb_fail_node(err, VKI_E_INTERNAL, p->n->name, "DeformConv", "%s", why);
    p->state = d;
    p->scratch_bytes =
        (uint64_t)p->threads * (uint64_t)(d->in_c * d->kernel_h * d->kernel_w) * TILE * sizeof(float);
    return VKI_OK;
}

const cpu_kernel cpu_deform_kernels[] = {
    {.name = "deform_tiles", .fits = fits, .prepare = prepare, .run = run}, {0}};
