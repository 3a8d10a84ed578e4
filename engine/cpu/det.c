/* SPDX-License-Identifier: Apache-2.0
 * Gaussian elimination with partial pivoting. */
#include <math.h>

#include "cpu/ref.h"

static void swap_rows(double *m, int64_t n, int64_t a, int64_t b)
{
    for (int64_t i = 0; i < n; i++) {
        double kept = m[a * n + i];
        m[a * n + i] = m[b * n + i];
        m[b * n + i] = kept;
    }
}

/* Destroys the matrix. */
static double determinant(double *m, int64_t n)
{
    double product = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t row = k + 1; row < n; row++)
            if (fabs(m[row * n + k]) > fabs(m[pivot * n + k])) pivot = row;
        if (pivot != k) {
            swap_rows(m, n, pivot, k);
            product = -product;
        }
        product *= m[k * n + k];
        if (m[k * n + k] == 0) return product; /* NaN stays NaN */
        for (int64_t row = k + 1; row < n; row++) {
            double factor = m[row * n + k] / m[k * n + k];
            for (int64_t i = k + 1; i < n; i++) m[row * n + i] -= factor * m[k * n + i];
        }
    }
    return product;
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    int64_t n = x->dims[x->rank - 1];
    double m[OP_DET_MAX * OP_DET_MAX];
    for (int64_t i = 0; i < gr_elements(y); i++) {
        for (int64_t k = 0; k < n * n; k++) m[k] = cpu_load(c->in[0], x->dtype, i * n * n + k);
        cpu_store(c->out[0], y->dtype, i, determinant(m, n));
    }
}

const cpu_op cpu_op_det = {.reference = reference};
