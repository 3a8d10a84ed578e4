/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/window.h"

typedef struct conv_site { /* one output element */
    int64_t batch, channel, z, y, x;
} conv_site;

static inline double window_sum(const cpu_call *c, const op_window_nd *w, const conv_site *s, vki_dtype type)
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
                    sum += cpu_load(c->in[0], type, row + x) * cpu_load(c->in[1], type, taps + kx);
                }
            }
        }
    }
    return sum;
}

static inline void conv(const cpu_call *c, const op_window_nd *w, vki_dtype type)
{
    bool bias = op_has_own(c->n, 2);
    cpu_sink sink = cpu_sink_of(c);
    conv_site s;
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
    CPU_EACH_FLOAT(cpu_in(c, 0)->dtype, conv, c, &w);
}

const cpu_op cpu_op_conv2d = {.reference = reference, .kernels = cpu_conv2d_kernels};
