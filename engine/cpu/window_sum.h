/* SPDX-License-Identifier: Apache-2.0
 * The sum of products of one output element of a convolution, for the references. Of integers up to 8 bits it
 * is exact. */
#ifndef CPU_WINDOW_SUM_H
#define CPU_WINDOW_SUM_H

#include "cpu/ref.h"
#include "graph/ops/window.h"

typedef struct cpu_window_site { /* one output element */
    int64_t batch, channel, z, y, x;
} cpu_window_site;

typedef struct cpu_window_data {
    const void *x, *weights;
    vki_dtype x_type, weights_type;
    double x_zero, weights_zero; /* taken from each element (of floats: 0); padding is 0 after that */
} cpu_window_data;

/* sum + x[x + i * x_step] weights[w + i * w_step] for i < n, added in this order. Floats have a loop of their
 * own: nearly all that tests wait for are these sums. */
static inline double cpu_sum_products(double sum, const cpu_window_data *v, int64_t x, int64_t x_step,
                                      int64_t w, int64_t w_step, int64_t n)
{
    if (v->x_type == VKI_F32 && v->weights_type == VKI_F32) {
        const float *a = (const float *)v->x + x, *b = (const float *)v->weights + w;
        for (int64_t i = 0; i < n; i++) sum += (double)a[i * x_step] * (double)b[i * w_step];
        return sum;
    }
    for (int64_t i = 0; i < n; i++)
        sum += (cpu_load(v->x, v->x_type, x + i * x_step) - v->x_zero) *
               (cpu_load(v->weights, v->weights_type, w + i * w_step) - v->weights_zero);
    return sum;
}

/* Of one dimension: where the window of output `o` starts, and its taps first..end that lie in the input. */
typedef struct cpu_window_span {
    int64_t start, first, end;
} cpu_window_span;

static inline cpu_window_span cpu_window_span_of(const op_window_nd *w, int d, int64_t o)
{
    const int64_t start = o * w->stride[d] - w->pad_begin[d], rest = vkb_max(0, w->in[d] - start);
    return (cpu_window_span){start, vkb_ceil_div(vkb_max(0, -start), w->dilation[d]),
                             vkb_min(w->kernel[d], vkb_ceil_div(rest, w->dilation[d]))};
}

static inline double cpu_window_sum(const cpu_window_data *v, const op_window_nd *w, const cpu_window_site *s)
{
    const int64_t in_c = w->in_c / w->group, first = s->channel / (w->out_c / w->group) * in_c;
    const cpu_window_span zs = cpu_window_span_of(w, 0, s->z), ys = cpu_window_span_of(w, 1, s->y),
                          xs = cpu_window_span_of(w, 2, s->x);
    double sum = 0;
    for (int64_t i = 0; i < in_c; i++) {
        const int64_t plane = (s->batch * w->in_c + first + i) * w->in[0];
        const int64_t weights = (s->channel * in_c + i) * w->kernel[0];
        for (int64_t kz = zs.first; kz < zs.end; kz++)
            for (int64_t ky = ys.first; ky < ys.end; ky++) {
                const int64_t z = zs.start + kz * w->dilation[0], y = ys.start + ky * w->dilation[1];
                const int64_t row = ((plane + z) * w->in[1] + y) * w->in[2] + xs.start;
                const int64_t taps = ((weights + kz) * w->kernel[1] + ky) * w->kernel[2];
                sum = cpu_sum_products(sum, v, row + xs.first * w->dilation[2], w->dilation[2],
                                       taps + xs.first, 1, xs.end - xs.first);
            }
    }
    return sum;
}

#endif
