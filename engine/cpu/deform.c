/* SPDX-License-Identifier: Apache-2.0
 * Dai et al., "Deformable Convolutional Networks", 2017; the mask: Zhu et al., "Deformable ConvNets v2",
 * 2018. */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/deform.h"

typedef struct deform_tap { /* where one tap of one output element reads */
    double y, x, weight;    /* weight: the mask's */
} deform_tap;

static deform_tap tap_at(const cpu_call *c, const op_deform *d, int64_t image, int64_t channel, int64_t tap,
                         int64_t at)
{
    vki_dtype dtype = cpu_in(c, 0)->dtype;
    int64_t taps = d->kernel_h * d->kernel_w, plane = d->out_h * d->out_w;
    int64_t first = (image * d->offset_group + channel / (d->in_c / d->offset_group)) * taps + tap;
    int64_t row = at / d->out_w * d->stride_h - d->pad_top + tap / d->kernel_w * d->dilation_h;
    int64_t column = at % d->out_w * d->stride_w - d->pad_left + tap % d->kernel_w * d->dilation_w;
    return (deform_tap){(double)row + cpu_load(c->in[2], dtype, 2 * first * plane + at),
                        (double)column + cpu_load(c->in[2], dtype, (2 * first + 1) * plane + at),
                        cpu_in(c, 4) ? cpu_load(c->in[4], dtype, first * plane + at) : 1};
}

/* Between four elements; those outside of the image are zero. */
static double sample(const cpu_call *c, const op_deform *d, int64_t plane, double y, double x)
{
    if (!(y > -1 && y < (double)d->in_h && x > -1 && x < (double)d->in_w)) return 0;
    int64_t top = (int64_t)floor(y), left = (int64_t)floor(x);
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        int64_t row = top + i / 2, column = left + i % 2;
        if (row < 0 || row >= d->in_h || column < 0 || column >= d->in_w) continue;
        sum += (1 - fabs(y - (double)row)) * (1 - fabs(x - (double)column)) *
               cpu_load(c->in[0], cpu_in(c, 0)->dtype, (plane * d->in_h + row) * d->in_w + column);
    }
    return sum;
}

static double output(const cpu_call *c, const op_deform *d, int64_t image, int64_t channel, int64_t at)
{
    vki_dtype dtype = cpu_in(c, 0)->dtype;
    int64_t taps = d->kernel_h * d->kernel_w, depth = d->in_c / d->group;
    int64_t first = channel / (d->out_c / d->group) * depth;
    double sum = cpu_in(c, 3) ? cpu_load(c->in[3], dtype, channel) : 0;
    for (int64_t k = 0; k < depth * taps; k++) {
        deform_tap t = tap_at(c, d, image, first + k / taps, k % taps, at);
        sum += cpu_load(c->in[1], dtype, channel * depth * taps + k) * t.weight *
               sample(c, d, image * d->in_c + first + k / taps, t.y, t.x);
    }
    return sum;
}

static void reference(const cpu_call *c)
{
    op_deform d;
    const char *why;
    if (!op_deform_of(c->g, c->n, &d, &why)) return; /* inference has asked the same */
    int64_t plane = d.out_h * d.out_w;
    for (int64_t i = 0; i < gr_elements(cpu_out(c, 0)); i++)
        cpu_store(c->out[0], cpu_out(c, 0)->dtype, i,
                  output(c, &d, i / plane / d.out_c, i / plane % d.out_c, i % plane));
}

const cpu_op cpu_op_deform = {.reference = reference, .kernels = cpu_deform_kernels};
