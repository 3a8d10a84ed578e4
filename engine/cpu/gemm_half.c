/* SPDX-License-Identifier: Apache-2.0
 * Products of numbers of two bytes in plain C: the specification of what instruction sets that have them do.
 */
#include "cpu/micro.h"

#include <string.h>

static void halves_at(uint16_t halves[2], const float *p, int64_t element)
{
    memcpy(halves, p + element, 2 * sizeof *halves);
}

static float sum_f16(const cpu_tile *t, int row, int col)
{
    float sum = 0;
    for (int64_t k = 0; k < t->k;) {
        const int64_t end = vkb_min(k + CPU_F16_STEPS, t->k);
        float part = 0; /* of values that fp16 holds: their products are exact in fp32 */
        for (; k < end; k++) {
            uint16_t a[2], b[2];
            halves_at(a, t->a, k * t->rows + row);
            halves_at(b, t->b, k * t->b_stride + col);
            for (int i = 0; i < 2; i++)
                part = vkb_f16_to_f32(vkb_f32_to_f16(part + vkb_f16_to_f32(a[i]) * vkb_f16_to_f32(b[i])));
        }
        sum += part;
    }
    return sum;
}

static float sum_bf16(const cpu_tile *t, int row, int col)
{
    float sum = 0;
    for (int64_t k = 0; k < t->k; k++) {
        uint16_t a[2], b[2];
        halves_at(a, t->a, k * t->rows + row);
        halves_at(b, t->b, k * t->b_stride + col);
        for (int i = 0; i < 2; i++) sum += vkb_bf16_to_f32(a[i]) * vkb_bf16_to_f32(b[i]); /* exact */
    }
    return sum;
}

static void gemm(const cpu_tile *t, float (*sum_of)(const cpu_tile *t, int row, int col))
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
static void gemm_f16(const cpu_tile *t)
{
    gemm(t, sum_f16);
}
static void gemm_bf16(const cpu_tile *t)
{
    gemm(t, sum_bf16);
}

static void pair(int32_t *pairs, const float *first, const float *second, int64_t n,
                 uint16_t (*narrow)(float f))
{
    for (int64_t i = 0; i < n; i++) {
        const uint16_t halves[2] = {narrow(first[i]), second ? narrow(second[i]) : 0};
        memcpy(pairs + i, halves, sizeof halves);
    }
}
static void pair_f16(int32_t *pairs, const float *first, const float *second, int64_t n)
{
    pair(pairs, first, second, n, vkb_f32_to_f16);
}
static void pair_bf16(int32_t *pairs, const float *first, const float *second, int64_t n)
{
    pair(pairs, first, second, n, vkb_f32_to_bf16);
}

const cpu_half_math cpu_half_c[CPU_HALVES] = {
    [CPU_F16] = {gemm_f16, pair_f16},
    [CPU_BF16] = {gemm_bf16, pair_bf16},
};
