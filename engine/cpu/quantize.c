/* SPDX-License-Identifier: Apache-2.0
 * The division is done in fp32, as by those who calibrated the scales: one in double would round other
 * numbers away from halves. */
#include <math.h>

#include "cpu/ref.h"

static int64_t scale_of(const op_quantize_dims *d, int64_t i)
{
    int64_t at = i / d->inner % d->dim / d->block;
    if (d->scales == 1 && !d->blocked) return 0;
    if (!d->blocked) return at;
    return (i / (d->inner * d->dim) * d->scales + at) * d->inner + i % d->inner;
}

static void limits_of(vki_dtype dtype, double *low, double *high)
{
    bool is_signed = dtype == VKI_I8 || dtype == VKI_I16;
    double span = vki_dtype_size(dtype) == 1 ? 256 : 65536;
    *low = is_signed ? -span / 2 : 0;
    *high = *low + span - 1;
}

static void quantize(const cpu_call *c, const op_quantize_dims *d)
{
    const gr_tensor *x = cpu_in(c, 0), *s = cpu_in(c, 1), *y = cpu_out(c, 0);
    double low, high;
    limits_of(y->dtype, &low, &high);
    for (int64_t i = 0; i < gr_elements(y); i++) {
        int64_t k = scale_of(d, i), zero = cpu_in(c, 2) ? cpu_load_i64(c->in[2], y->dtype, k) : 0;
        float q = (float)cpu_load(c->in[0], x->dtype, i) / (float)cpu_load(c->in[1], s->dtype, k);
        double v = nearbyint((double)q) + (double)zero; /* halves to even in the default rounding mode */
        cpu_store_i64(c->out[0], y->dtype, i, cpu_to_i64(v < low ? low : v > high ? high : v));
    }
}

static void dequantize(const cpu_call *c, const op_quantize_dims *d)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    for (int64_t i = 0; i < gr_elements(y); i++) {
        int64_t k = scale_of(d, i), zero = cpu_in(c, 2) ? cpu_load_i64(c->in[2], x->dtype, k) : 0;
        cpu_store(c->out[0], y->dtype, i,
                  (double)(cpu_load_i64(c->in[0], x->dtype, i) - zero) * cpu_load(c->in[1], y->dtype, k));
    }
}

static void reference(const cpu_call *c)
{
    op_quantize_dims d;
    if (!op_quantize_of(c->g, c->n, &d)) return; /* inference has accepted the node */
    (c->n->op == OP_QuantizeLinear ? quantize : dequantize)(c, &d);
}

const cpu_op cpu_op_quantize = {.reference = reference};
