/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "cpu/window_sum.h"

typedef struct windows {
    op_window_nd conv, pool;
} windows;

/* The pool of one output element, over the activated convolution at each position of its window. */
static inline double pooled(const cpu_call *c, const windows *w, int64_t batch, int64_t channel,
                            const int64_t out[3], vki_dtype type)
{
    const op_conv_pool_attrs *a = c->n->attrs;
    const cpu_window_data data = {.x = c->in[0], .weights = c->in[1], .x_type = type, .weights_type = type};
    const double bias = op_has_own(c->n, 2) ? cpu_load(c->in[2], type, channel) : 0;
    double sum = 0, max = -INFINITY;
    int64_t count = 0, k[3], at[3];
    for (k[0] = 0; k[0] < w->pool.kernel[0]; k[0]++)
        for (k[1] = 0; k[1] < w->pool.kernel[1]; k[1]++)
            for (k[2] = 0; k[2] < w->pool.kernel[2]; k[2]++) {
                bool inside = true;
                for (int d = 0; d < 3; d++) {
                    at[d] = out[d] * w->pool.stride[d] - w->pool.pad_begin[d] + k[d];
                    inside = inside && at[d] >= 0 && at[d] < w->pool.in[d];
                }
                if (!inside) continue;
                const cpu_window_site site = {batch, channel, at[0], at[1], at[2]};
                const double x = cpu_window_sum(&data, &w->conv, &site) + bias;
                const double v = cpu_act_f64(x, (gr_act)a->activation, (double)a->alpha, (double)a->beta);
                sum += v;
                max = v > max ? v : max;
                count++;
            }
    return a->pool == OP_CONV_POOL_MAX ? max : count ? sum / (double)count : 0;
}

static inline void conv_pool(const cpu_call *c, const windows *w, vki_dtype type)
{
    cpu_sink sink = cpu_sink_of(c);
    int64_t i = 0, o[3];
    for (int64_t plane = 0; plane < w->pool.batch * w->pool.out_c; plane++)
        for (o[0] = 0; o[0] < w->pool.out[0]; o[0]++)
            for (o[1] = 0; o[1] < w->pool.out[1]; o[1]++)
                for (o[2] = 0; o[2] < w->pool.out[2]; o[2]++, i++)
                    cpu_put(&sink, i, pooled(c, w, plane / w->pool.out_c, plane % w->pool.out_c, o, type));
}

static void reference(const cpu_call *c)
{
    windows w;
    if (op_conv_pool_resolve(c->g, c->n, &w.conv, &w.pool, NULL) != VKI_OK)
        return; /* inference accepted it */
    op_window_extend(&w.conv, 3);
    op_window_extend(&w.pool, 3);
    CPU_EACH_FLOAT(cpu_in(c, 0)->dtype, conv_pool, c, &w);
}

const cpu_op cpu_op_conv_pool = {.reference = reference, .kernels = cpu_conv_pool_kernels};
