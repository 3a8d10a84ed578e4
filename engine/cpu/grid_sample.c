/* SPDX-License-Identifier: Apache-2.0
 * Where ONNX's text is silent this does as PyTorch and ONNX Runtime do: with border padding a place is moved
 * to the border first, but for cubic sampling only its neighbours are, one by one. Places are computed in the
 * grid's precision, for elsewhere ties of `nearest` would fall to other sides. */
#include <math.h>
#include <string.h>

#include "cpu/grid_sample.h"
#include "cpu/kernels.h"

#define FAR 0x1p30f /* beyond all inputs; keeps integers in range */

/* Mirrors v at the borders as often as needed. */
static float reflect(float v, float low, float high)
{
    float range = high - low, over = v < low ? low - v : v - high;
    if (!(range > 0)) return low;
    if (v >= low && v <= high) return v;
    float times = floorf(over / range), rest = over - times * range;
    bool back = fmodf(times, 2) != 0;
    float mirrored = (v < low) != back ? low + rest : high - rest;
    return fminf(fmaxf(mirrored, low), high);
}

float cpu_grid_place(const void *grid, vki_dtype dtype, int64_t at, int64_t size, bool align)
{
    double n = cpu_load(grid, dtype, at), v;
    float f = (float)n, length = (float)size;
    if (dtype == VKI_F64) {
        v = align ? (n + 1) / 2 * (double)(size - 1) : ((n + 1) * (double)size - 1) / 2;
    } else {
        float one = f + 1, scaled = align ? one / 2 * (length - 1) : one * length;
        v = (double)(align ? scaled : (scaled - 1) / 2);
    }
    return fminf(fmaxf((float)v, -FAR), FAR);
}

static int64_t element(float v, int64_t size, op_grid_padding padding, float low, float high)
{
    if (padding == OP_GRID_REFLECTION) v = reflect(v, low, high);
    int64_t i = (int64_t)v;
    if (padding == OP_GRID_ZEROS) return i >= 0 && i < size ? i : -1;
    return vkb_min(vkb_max(i, 0), size - 1);
}

/* Keys' cubic for the four elements around the fraction t, with a = -3/4. */
static void cubic_weights(double t, double weight[4])
{
    const double a = -0.75;
    for (int i = 0; i < 4; i++) {
        double d = fabs(t + 1 - i);
        weight[i] = d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    }
}

void cpu_grid_axis_at(const op_grid_attrs *a, float v, cpu_grid_axis *axis)
{
    op_grid_padding padding = (op_grid_padding)a->padding_mode;
    float low = a->align_corners ? 0 : -0.5f, high = (float)axis->size - (a->align_corners ? 1 : 0.5f);
    if (a->mode == OP_GRID_NEAREST) v = rintf(v);
    if (padding == OP_GRID_BORDER && a->mode != OP_GRID_CUBIC)
        v = fminf(fmaxf(v, 0), (float)(axis->size - 1));
    if ((v < low || v > high) && padding == OP_GRID_REFLECTION) v = reflect(v, low, high);
    float whole = floorf(v), first = a->mode == OP_GRID_CUBIC ? whole - 1 : whole;
    double t = (double)(v - whole);
    axis->count = a->mode == OP_GRID_CUBIC ? 4 : a->mode == OP_GRID_LINEAR ? 2 : 1;
    axis->weight[0] = a->mode == OP_GRID_LINEAR ? 1 - t : 1;
    axis->weight[1] = t;
    if (a->mode == OP_GRID_CUBIC) cubic_weights(t, axis->weight);
    for (int i = 0; i < axis->count; i++)
        axis->index[i] = element(first + (float)i, axis->size, padding, low, high);
}

static double sample(const void *x, vki_dtype dtype, const cpu_grid_axis axes[3], int64_t plane)
{
    double sum = 0;
    for (int d = 0; d < axes[0].count; d++)
        for (int h = 0; h < axes[1].count; h++)
            for (int w = 0; w < axes[2].count; w++) {
                int64_t i = axes[0].index[d], j = axes[1].index[h], k = axes[2].index[w];
                if (i < 0 || j < 0 || k < 0) continue;
                int64_t at = ((plane * axes[0].size + i) * axes[1].size + j) * axes[2].size + k;
                sum += axes[0].weight[d] * axes[1].weight[h] * axes[2].weight[w] * cpu_load(x, dtype, at);
            }
    return sum;
}

/* The element itself, of any type, or zeros. */
static void copy(const cpu_call *c, const cpu_grid_axis axes[3], int64_t plane, int64_t to)
{
    size_t size = vki_dtype_size(cpu_in(c, 0)->dtype);
    int64_t i = axes[0].index[0], j = axes[1].index[0], k = axes[2].index[0];
    int64_t at = ((plane * axes[0].size + i) * axes[1].size + j) * axes[2].size + k;
    uint8_t *y = (uint8_t *)c->out[0] + (size_t)to * size;
    if (i < 0 || j < 0 || k < 0)
        memset(y, 0, size);
    else
        memcpy(y, (const uint8_t *)c->in[0] + (size_t)at * size, size);
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *grid = cpu_in(c, 1), *y = cpu_out(c, 0);
    const op_grid_attrs *a = c->n->attrs;
    int spatial = x->rank - 2;
    cpu_grid_axis axes[3] = {{1, 1, {0}, {1}}, {1, 1, {0}, {1}}, {1, 1, {0}, {1}}};
    int64_t points = 1;
    if (gr_elements(y) == 0) return;
    for (int d = 2; d < y->rank; d++) points *= y->dims[d];
    for (int d = 0; d < spatial; d++) axes[3 - spatial + d].size = x->dims[2 + d];
    for (int64_t i = 0; i < x->dims[0] * points; i++) {
        for (int d = 0; d < spatial; d++) { /* the grid's first coordinate is that of the last dimension */
            cpu_grid_axis *axis = &axes[2 - d];
            cpu_grid_axis_at(
                a, cpu_grid_place(c->in[1], grid->dtype, i * spatial + d, axis->size, a->align_corners != 0),
                axis);
        }
        for (int64_t channel = 0; channel < x->dims[1]; channel++) {
            int64_t plane = i / points * x->dims[1] + channel, to = plane * points + i % points;
            if (a->mode == OP_GRID_NEAREST)
                copy(c, axes, plane, to);
            else
                cpu_store(c->out[0], y->dtype, to, sample(c->in[0], x->dtype, axes, plane));
        }
    }
}

static bool supports(const gr_graph *g, const gr_node *n, const char **why)
{
    if (((const op_grid_attrs *)n->attrs)->mode == OP_GRID_NEAREST) return true;
    *why = "linear and cubic sampling take float types only";
    return cpu_is_float(g->tensors[n->in[0]].dtype);
}

const cpu_op cpu_op_grid_sample = {.supports = supports, .reference = reference, .kernels = cpu_grid_kernels};
