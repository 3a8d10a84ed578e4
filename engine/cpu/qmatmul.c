/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/matmul_index.h"
#include "cpu/quantized.h"

typedef struct product { /* of two matrices */
    const cpu_call *c;
    op_quantized q;
    op_matmul_dims d;
    op_spread a_scale, a_zero, b_scale, b_zero;
    int64_t a, b; /* first elements */
    vki_dtype a_type, b_type, type;
} product;

static int32_t sum_at(const product *p, int64_t row, int64_t col, int a_zero, int b_zero)
{
    uint32_t sum = 0; /* wraps around */
    for (int64_t k = 0; k < p->d.k; k++) {
        const int64_t a = cpu_load_i64(p->c->in[p->q.a], p->a_type, p->a + row * p->d.a_row + k) - a_zero;
        const int64_t b =
            cpu_load_i64(p->c->in[p->q.b], p->b_type, p->b + k * p->d.b_row + col * p->d.b_col) - b_zero;
        sum += (uint32_t)(a * b);
    }
    return (int32_t)sum;
}

static void multiply(const product *p, int64_t out)
{
    const op_matmul_dims *d = &p->d;
    const op_quantized *q = &p->q;
    const int64_t a_size = d->m * d->k, b_size = d->n * d->k;
    const int64_t ma = a_size > 0 ? p->a / a_size : 0, mb = b_size > 0 ? p->b / b_size : 0;
    const float y_scale = cpu_scale_at(p->c, q->y_scale, 0);
    const int y_zero = cpu_zero_at(p->c, q->y_zero, 0);
    int low, high;
    cpu_integer_range(p->type, &low, &high);
    for (int64_t m = 0; m < d->m; m++)
        for (int64_t n = 0; n < d->n; n++, out++) {
            const int az = cpu_zero_at(p->c, q->a_zero, op_spread_at(p->a_zero, ma, d->m, m));
            const int bz = cpu_zero_at(p->c, q->b_zero, op_spread_at(p->b_zero, mb, d->n, n));
            const int32_t sum = sum_at(p, m, n, az, bz);
            const float multiplier = cpu_multiplier(
                cpu_scale_at(p->c, q->a_scale, op_spread_at(p->a_scale, ma, d->m, m)),
                cpu_scale_at(p->c, q->b_scale, op_spread_at(p->b_scale, mb, d->n, n)), y_scale);
            cpu_store_i64(
                p->c->out[0], p->type, out,
                op_requantizes(p->c->n->op) ? cpu_saturate((float)sum * multiplier, y_zero, low, high) : sum);
        }
}

static void reference(const cpu_call *c)
{
    product p = {.c = c, .q = op_quantized_of(c->n->op), .type = cpu_out(c, 0)->dtype};
    const gr_tensor *a = cpu_in(c, p.q.a), *b = cpu_in(c, p.q.b);
    if (!op_matmul_of(c->g, c->n, &p.d)) return; /* inference has accepted the node */
    const int a_line = a->rank - 2, b_line = b->rank > 1 ? b->rank - 1 : -1;
    p.a_scale = op_spread_of(c->g, c->n, p.q.a_scale, p.q.a, a_line);
    p.a_zero = op_spread_of(c->g, c->n, p.q.a_zero, p.q.a, a_line);
    p.b_scale = op_spread_of(c->g, c->n, p.q.b_scale, p.q.b, b_line);
    p.b_zero = op_spread_of(c->g, c->n, p.q.b_zero, p.q.b, b_line);
    p.a_type = a->dtype;
    p.b_type = b->dtype;
    for (int64_t batch = 0; batch < p.d.batch; batch++) {
        p.a = cpu_matrix_at(&p.d, p.d.a_batch, batch);
        p.b = cpu_matrix_at(&p.d, p.d.b_batch, batch);
        multiply(&p, batch * p.d.m * p.d.n);
    }
}

const cpu_op cpu_op_qmatmul = {.reference = reference, .kernels = cpu_qmatmul_kernels};
