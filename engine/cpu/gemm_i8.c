/* SPDX-License-Identifier: Apache-2.0
 * The GEMM tile on bytes in plain C: the specification of what instruction sets with dot products do. */
#include <string.h>

#include "cpu/micro.h"

static int byte_of(uint32_t word, int i, bool is_unsigned)
{
    const uint8_t byte = (uint8_t)(word >> 8 * i);
    return is_unsigned ? byte : (int8_t)byte;
}

static uint32_t word_at(const float *p, int64_t i)
{
    uint32_t word;
    memcpy(&word, p + i, sizeof word);
    return word;
}

static uint32_t sum_of(const cpu_tile *t, int row, int col, uint32_t sum) /* wraps around */
{
    for (int64_t k = 0; k < t->k; k++) {
        const uint32_t a = word_at(t->a, k * t->rows + row);
        const uint32_t b = word_at(t->b, k * t->b_stride + col) ^ (uint32_t)t->form.b_flip;
        for (int i = 0; i < 4; i++)
            sum += (uint32_t)(byte_of(a, i, t->form.a_unsigned) * byte_of(b, i, t->form.b_unsigned));
    }
    return sum;
}

void cpu_gemm_i8_c(const cpu_tile *t)
{
    for (int row = 0; row < t->rows; row++)
        for (int col = 0; col < t->cols; col++) {
            float *c = t->c + row * t->c_stride + col;
            const uint32_t bias =
                (t->bias_row ? word_at(t->bias_row, row) : 0) + (t->bias_col ? word_at(t->bias_col, col) : 0);
            const uint32_t sum = sum_of(t, row, col, t->accumulate ? word_at(c, 0) : bias);
            memcpy(c, &sum, sizeof sum);
        }
}
