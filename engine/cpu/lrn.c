/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/schema.h"

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    const op_lrn_attrs *a = c->n->attrs;
    if (gr_elements(x) == 0) return;
    const int64_t channels = x->dims[1], plane = gr_elements(x) / (x->dims[0] * channels);
    const int64_t before = (a->size - 1) / 2, after = a->size / 2;
    cpu_sink sink = cpu_sink_of(c);
    for (int64_t i = 0; i < gr_elements(x); i++) {
        const int64_t channel = i / plane % channels, first = i - channel * plane;
        double sum = 0;
        for (int64_t k = vkb_max(channel - before, 0); k <= vkb_min(channel + after, channels - 1); k++) {
            const double v = cpu_load(c->in[0], x->dtype, first + k * plane);
            sum += v * v;
        }
        const double base = (double)a->bias + (double)a->alpha / (double)a->size * sum;
        cpu_put(&sink, i, cpu_load(c->in[0], x->dtype, i) / pow(base, (double)a->beta));
    }
}

const cpu_op cpu_op_lrn = {.reference = reference, .kernels = cpu_lrn_kernels};
