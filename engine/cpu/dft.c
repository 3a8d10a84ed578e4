/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/dft.h"

#define PI 3.14159265358979323846

typedef struct number {
    double re, im;
} number;

/* Sample n of a line that starts at `start`, window and symmetry included. */
static number sample(const cpu_call *c, const op_dft *d, int64_t start, int64_t n)
{
    vki_dtype dtype = cpu_in(c, 0)->dtype;
    int64_t at = (start + n * d->x.stride) * d->x.parts;
    double factor = op_dft_weight(d, n) * (d->window ? cpu_load(c->in[2], dtype, n) : 1);
    double im = d->x.parts == 2 ? cpu_load(c->in[0], dtype, at + 1) : 0;
    return (number){factor * cpu_load(c->in[0], dtype, at), factor * im};
}

static void reference(const cpu_call *c)
{
    op_dft d;
    const char *why;
    if (!op_dft_of(c->g, c->n, &d, &why)) return; /* inference has asked the same */
    vki_dtype dtype = cpu_out(c, 0)->dtype;
    for (int64_t line = 0; line < d.lines; line++) {
        int64_t from = op_dft_start(&d, &d.x, line), to = op_dft_start(&d, &d.y, line);
        for (int64_t k = 0; k < d.y.count; k++) {
            number sum = {0, 0};
            for (int64_t n = 0; n < d.x.count; n++) {
                number x = sample(c, &d, from, n);
                double angle = (d.inverse ? 2 : -2) * PI * (double)(k * n % d.length) / (double)d.length;
                double re = cos(angle), im = sin(angle);
                sum.re += x.re * re - x.im * im;
                sum.im += x.re * im + x.im * re;
            }
            double scale = d.inverse ? 1 / (double)d.length : 1;
            int64_t at = (to + k * d.y.stride) * d.y.parts;
            cpu_store(c->out[0], dtype, at, scale * sum.re);
            if (d.y.parts == 2) cpu_store(c->out[0], dtype, at + 1, scale * sum.im);
        }
    }
}

const cpu_op cpu_op_dft = {.reference = reference, .kernels = cpu_dft_kernels};
