/* SPDX-License-Identifier: Apache-2.0
 * The division is done in fp32, as by those who calibrated the scales: one in double would round other
 * numbers away from halves. */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/quantized.h"

static int64_t scale_of(const op_quantize_dims *d, int64_t i)
{
    int64_t at = i / d->inner % d->dim / d->block;
    if (d->scales == 1 && !d->blocked) return 0;
    if (!d->blocked) return at;
    return (i / (d->inner * d->dim) * d->scales + at) * d->inner + i % d->inner;
}

static void quantize(const cpu_call *c, const op_quantize_dims *d)
{
    const gr_tensor *x = cpu_in(c, 0), *s = cpu_in(c, 1), *y = cpu_out(c, 0);
    int low, high;
    cpu_integer_range(y->dtype, &low, &high);
    for (int64_t i = 0; i < gr_elements(y); i++) {
        const int64_t k = scale_of(d, i);
        const float v = (float)cpu_load(c->in[0], x->dtype, i) / (float)cpu_load(c->in[1], s->dtype, k);
        cpu_store_i64(c->out[0], y->dtype, i, cpu_saturate(v, cpu_zero_at(c, 2, k), low, high));
    }
}

/* The range always holds 0, so that padding is exact; of zeros alone any scale is right. */
static void quantize_dynamic(const cpu_call *c)
{
    const int64_t n = gr_elements(cpu_in(c, 0));
    const float *x = c->in[0];
    float least = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    const float scale = most > least ? (most - least) / 255.0f : 1.0f;
    const int zero = cpu_saturate(-least / scale, 0, 0, 255);
    for (int64_t i = 0; i < n; i++)
        cpu_store_i64(c->out[0], VKI_U8, i, cpu_saturate(x[i] / scale, zero, 0, 255));
    cpu_store(c->out[1], VKI_F32, 0, (double)scale);
    cpu_store_i64(c->out[2], VKI_U8, 0, zero);
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
    if (c->n->op == OP_DynamicQuantizeLinear) {
        quantize_dynamic(c);
        return;
    }
    if (!op_quantize_of(c->g, c->n, &d)) return; /* inference has accepted the node */
    (c->n->op == OP_QuantizeLinear ? quantize : dequantize)(c, &d);
}

const cpu_op cpu_op_quantize = {.reference = reference, .kernels = cpu_quantize_kernels};
