/* SPDX-License-Identifier: Apache-2.0
 * Each output element gathers the inputs whose window covers it: input i reaches output
 * i * stride - pad_begin + k * dilation through tap k. */
#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/window.h"

typedef struct deconv_site { /* one output element */
    int64_t batch, channel, z, y, x;
} deconv_site;

/* The input that reaches output `o` of dimension `d` through tap `k`; -1 if none does. */
static inline int64_t source(const op_window_nd *w, int d, int64_t o, int64_t k)
{
    int64_t at = o + w->pad_begin[d] - k * w->dilation[d];
    if (at < 0 || at % w->stride[d]) return -1;
    at /= w->stride[d];
    return at < w->in[d] ? at : -1;
}

static inline double window_sum(const cpu_call *c, const op_window_nd *w, const deconv_site *s,
                                vki_dtype type)
{
    int64_t in_c = w->in_c / w->group, out_c = w->out_c / w->group;
    int64_t first = s->channel / out_c * in_c;
    double sum = 0;
    for (int64_t i = first; i < first + in_c; i++) {
        int64_t plane = (s->batch * w->in_c + i) * w->in[0];
        int64_t weights = (i * out_c + s->channel % out_c) * w->kernel[0];
        for (int64_t kz = 0; kz < w->kernel[0]; kz++) {
            int64_t z = source(w, 0, s->z, kz);
            if (z < 0) continue;
            for (int64_t ky = 0; ky < w->kernel[1]; ky++) {
                int64_t y = source(w, 1, s->y, ky);
                if (y < 0) continue;
                int64_t row = ((plane + z) * w->in[1] + y) * w->in[2];
                int64_t taps = ((weights + kz) * w->kernel[1] + ky) * w->kernel[2];
                for (int64_t kx = 0; kx < w->kernel[2]; kx++) {
                    int64_t x = source(w, 2, s->x, kx);
                    if (x < 0) continue;
                    sum += cpu_load(c->in[0], type, row + x) * cpu_load(c->in[1], type, taps + kx);
                }
            }
        }
    }
    return sum;
}

static inline void deconv(const cpu_call *c, const op_window_nd *w, vki_dtype type)
{
    bool bias = op_has_own(c->n, 2);
    cpu_sink sink = cpu_sink_of(c);
    deconv_site s;
    int64_t i = 0;
    for (s.batch = 0; s.batch < w->batch; s.batch++)
        for (s.channel = 0; s.channel < w->out_c; s.channel++)
            for (s.z = 0; s.z < w->out[0]; s.z++)
                for (s.y = 0; s.y < w->out[1]; s.y++)
                    for (s.x = 0; s.x < w->out[2]; s.x++, i++)
                        cpu_put(&sink, i,
                                window_sum(c, w, &s, type) +
                                    (bias ? cpu_load(c->in[2], type, s.channel) : 0));
}

static void reference(const cpu_call *c)
{
    op_window_nd w;
    if (op_window_resolve(c->g, c->n, &w, NULL) != VKI_OK) return; /* inference has accepted the node */
    op_window_extend(&w, 3);
    CPU_EACH_FLOAT(cpu_in(c, 0)->dtype, deconv, c, &w);
}

const cpu_op cpu_op_deconv2d = {.reference = reference, .kernels = cpu_deconv2d_kernels};
