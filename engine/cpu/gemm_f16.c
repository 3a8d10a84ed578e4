/* SPDX-License-Identifier: Apache-2.0
 * Products in fp16 arithmetic in plain C: the specification of what instruction sets that have it do. */
#include "cpu/micro.h"

#include <string.h>

static float half_at(const float *p, int64_t element, int i)
{
    uint16_t halves[2];
    memcpy(halves, p + element, sizeof halves);
    return vkb_f16_to_f32(halves[i]);
}

static float sum_of(const cpu_tile *t, int row, int col)
{
    float sum = 0;
    for (int64_t k = 0; k < t->k;) {
        const int64_t end = vkb_min(k + CPU_F16_STEPS, t->k);
        float part = 0; /* of values that fp16 holds: their products are exact in fp32 */
        for (; k < end; k++)
            for (int i = 0; i < 2; i++)
                part = vkb_f16_to_f32(vkb_f32_to_f16(part + half_at(t->a, k * t->rows + row, i) *
                                                                half_at(t->b, k * t->b_stride + col, i)));
        sum += part;
    }
    return sum;
}

void cpu_gemm_f16_c(const cpu_tile *t)
{
    for (int row = 0; row < t->rows; row++) {
        float *c = t->c + row * t->c_stride;
        for (int col = 0; col < t->cols; col++) {
            const float bias = (t->bias_row ? t->bias_row[row] : 0) + (t->bias_col ? t->bias_col[col] : 0);
            c[col] = (t->accumulate ? c[col] : bias) + sum_of(t, row, col);
        }
        if (t->epilogue)
            cpu_micro_c.epilogue(c, c, t->residual ? t->residual + row * t->c_stride : NULL, t->cols,
                                 t->epilogue);
    }
}

void cpu_pair_f16_c(int32_t *pairs, const float *first, const float *second, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint16_t halves[2] = {vkb_f32_to_f16(first[i]), second ? vkb_f32_to_f16(second[i]) : 0};
        memcpy(pairs + i, halves, sizeof halves);
    }
}
