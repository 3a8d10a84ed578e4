/* SPDX-License-Identifier: Apache-2.0
 * Each output element gathers the inputs whose window covers it: input i reaches output
 * i * stride - pad_begin + k * dilation through tap k. */
#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "cpu/window_sum.h"

/* Of one dimension: the taps through which inputs reach an output, from `tap` on in steps of `tap_step`, and
 * their inputs, from `at` on downwards in steps of `at_step`. */
typedef struct deconv_span {
    int64_t count, tap, tap_step, at, at_step;
} deconv_span;

static inline deconv_span span_of(const op_window_nd *w, int d, int64_t o)
{
    const int64_t stride = w->stride[d], dilation = w->dilation[d], from = o + w->pad_begin[d];
    deconv_span s = {.tap_step = 1};
    while (s.tap_step < w->kernel[d] && s.tap_step * dilation % stride) s.tap_step++;
    s.at_step = vkb_max(1, s.tap_step * dilation / stride);
    while (s.tap < s.tap_step && (from - s.tap * dilation) % stride) s.tap++;
    if (s.tap == s.tap_step) return s; /* none is reached */
    s.at = (from - s.tap * dilation) / stride;
    const int64_t beyond = s.at < w->in[d] ? 0 : (s.at - w->in[d]) / s.at_step + 1;
    s.tap += beyond * s.tap_step;
    s.at -= beyond * s.at_step;
    if (s.at >= 0 && s.tap < w->kernel[d])
        s.count = vkb_min(s.at / s.at_step, (w->kernel[d] - 1 - s.tap) / s.tap_step) + 1;
    return s;
}

static double window_sum(const cpu_window_data *v, const op_window_nd *w, const cpu_window_site *s)
{
    const int64_t in_c = w->in_c / w->group, out_c = w->out_c / w->group;
    const int64_t first = s->channel / out_c * in_c;
    const deconv_span zs = span_of(w, 0, s->z), ys = span_of(w, 1, s->y), xs = span_of(w, 2, s->x);
    double sum = 0;
    for (int64_t i = first; i < first + in_c; i++) {
        const int64_t plane = (s->batch * w->in_c + i) * w->in[0];
        const int64_t weights = (i * out_c + s->channel % out_c) * w->kernel[0];
        for (int64_t kz = 0; kz < zs.count; kz++)
            for (int64_t ky = 0; ky < ys.count; ky++) {
                const int64_t z = plane + zs.at - kz * zs.at_step, y = ys.at - ky * ys.at_step;
                const int64_t row = (z * w->in[1] + y) * w->in[2] + xs.at;
                const int64_t tap_z = weights + zs.tap + kz * zs.tap_step, tap_y = ys.tap + ky * ys.tap_step;
                const int64_t taps = (tap_z * w->kernel[1] + tap_y) * w->kernel[2] + xs.tap;
                sum = cpu_sum_products(sum, v, row, -xs.at_step, taps, xs.tap_step, xs.count);
            }
    }
    return sum;
}

static inline void deconv(const cpu_call *c, const op_window_nd *w, vki_dtype type)
{
    bool bias = op_has_own(c->n, 2);
    cpu_sink sink = cpu_sink_of(c);
    const cpu_window_data data = {.x = c->in[0], .weights = c->in[1], .x_type = type, .weights_type = type};
    cpu_window_site s;
    int64_t i = 0;
    for (s.batch = 0; s.batch < w->batch; s.batch++)
        for (s.channel = 0; s.channel < w->out_c; s.channel++)
            for (s.z = 0; s.z < w->out[0]; s.z++)
                for (s.y = 0; s.y < w->out[1]; s.y++)
                    for (s.x = 0; s.x < w->out[2]; s.x++, i++)
                        cpu_put(&sink, i,
                                window_sum(&data, w, &s) + (bias ? cpu_load(c->in[2], type, s.channel) : 0));
}

static void reference(const cpu_call *c)
{
    op_window_nd w;
    if (op_window_resolve(c->g, c->n, &w, NULL) != VKI_OK) return; /* inference has accepted the node */
    op_window_extend(&w, 3);
    CPU_EACH_FLOAT(cpu_in(c, 0)->dtype, deconv, c, &w);
}

const cpu_op cpu_op_deconv2d = {.reference = reference, .kernels = cpu_deconv2d_kernels};
