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
    double x_zero, weights_zero; /* taken from each element; padding is 0 after that */
} cpu_window_data;

static inline double cpu_window_sum(const cpu_window_data *v, const op_window_nd *w, const cpu_window_site *s)
{
    int64_t in_c = w->in_c / w->group, first = s->channel / (w->out_c / w->group) * in_c;
    double sum = 0;
    for (int64_t i = 0; i < in_c; i++) {
        int64_t plane = (s->batch * w->in_c + first + i) * w->in[0];
        int64_t weights = (s->channel * in_c + i) * w->kernel[0];
        for (int64_t kz = 0; kz < w->kernel[0]; kz++) {
            int64_t z = s->z * w->stride[0] - w->pad_begin[0] + kz * w->dilation[0];
            if (z < 0 || z >= w->in[0]) continue;
            for (int64_t ky = 0; ky < w->kernel[1]; ky++) {
                int64_t y = s->y * w->stride[1] - w->pad_begin[1] + ky * w->dilation[1];
                if (y < 0 || y >= w->in[1]) continue;
                int64_t row = ((plane + z) * w->in[1] + y) * w->in[2];
                int64_t taps = ((weights + kz) * w->kernel[1] + ky) * w->kernel[2];
                for (int64_t kx = 0; kx < w->kernel[2]; kx++) {
                    int64_t x = s->x * w->stride[2] - w->pad_begin[2] + kx * w->dilation[2];
                    if (x < 0 || x >= w->in[2]) continue;
                    sum += (cpu_load(v->x, v->x_type, row + x) - v->x_zero) *
                           (cpu_load(v->weights, v->weights_type, taps + kx) - v->weights_zero);
                }
            }
        }
    }
    return sum;
}

#endif
