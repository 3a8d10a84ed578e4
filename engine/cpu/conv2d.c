/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "cpu/window_sum.h"

static inline void conv(const cpu_call *c, const op_window_nd *w, vki_dtype type)
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
                                cpu_window_sum(&data, w, &s) +
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
