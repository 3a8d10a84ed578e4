/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/quantized.h"
#include "cpu/window_sum.h"

/* The sum of a channel's site, wrapped to int32. */
static int32_t sum_at(const cpu_call *c, const op_quantized *q, const op_window_nd *w,
                      const cpu_window_data *data, const cpu_window_site *s)
{
    uint64_t sum = (uint64_t)(int64_t)cpu_window_sum(data, w, s);
    if (q->bias >= 0 && op_has_own(c->n, q->bias))
        sum += (uint64_t)cpu_load_i64(c->in[q->bias], VKI_I32, s->channel);
    return (int32_t)(uint32_t)sum;
}

static void channel_plane(const cpu_call *c, const op_window_nd *w, cpu_window_site s, int64_t i)
{
    const op_quantized q = op_quantized_of(c->n->op);
    const gr_graph *g = c->g;
    const vki_dtype type = cpu_out(c, 0)->dtype;
    const int64_t zero_at = op_spread_at(op_spread_of(g, c->n, q.b_zero, q.b, 0), 0, 0, s.channel);
    const cpu_window_data data = {.x = c->in[q.a],
                                  .weights = c->in[q.b],
                                  .x_type = cpu_in(c, q.a)->dtype,
                                  .weights_type = cpu_in(c, q.b)->dtype,
                                  .x_zero = (double)cpu_zero_at(c, q.a_zero, 0),
                                  .weights_zero = (double)cpu_zero_at(c, q.b_zero, zero_at)};
    const float multiplier = op_requantizes(c->n->op) ? cpu_channel_multiplier(c, &q, s.channel) : 1;
    const int zero = cpu_zero_at(c, q.y_zero, 0);
    int low, high;
    cpu_integer_range(type, &low, &high);
    for (s.z = 0; s.z < w->out[0]; s.z++)
        for (s.y = 0; s.y < w->out[1]; s.y++)
            for (s.x = 0; s.x < w->out[2]; s.x++, i++) {
                const int32_t sum = sum_at(c, &q, w, &data, &s);
                cpu_store_i64(
                    c->out[0], type, i,
                    op_requantizes(c->n->op) ? cpu_saturate((float)sum * multiplier, zero, low, high) : sum);
            }
}

static void reference(const cpu_call *c)
{
    op_window_nd w;
    if (op_window_resolve(c->g, c->n, &w, NULL) != VKI_OK) return; /* inference has accepted the node */
    op_window_extend(&w, 3);
    const int64_t plane = w.out[0] * w.out[1] * w.out[2];
    cpu_window_site s = {0};
    for (s.batch = 0; s.batch < w.batch; s.batch++)
        for (s.channel = 0; s.channel < w.out_c; s.channel++)
            channel_plane(c, &w, s, (s.batch * w.out_c + s.channel) * plane);
}

const cpu_op cpu_op_qconv = {.reference = reference, .kernels = cpu_qconv_kernels};
