/* SPDX-License-Identifier: Apache-2.0
 * What 64-bit ARM cores since 2021 (i8mm) add: SMMLA, sums of 2x8 by 8x2 bytes. Two steps of k make its eight
 * bytes: rows and columns are zipped in registers from the same panels that dot products read, and a register
 * of sums holds 2x2 elements. */
#include <arm_neon.h>
#include <string.h>

#include "cpu/micro.h"

#define INLINE static inline __attribute__((always_inline))

enum { ROWS = 6, QUARTERS = CPU_NR / 4 };

INLINE int32x4_t four(const float *p) /* elements of any type */
{
    return vreinterpretq_s32_f32(vld1q_f32(p));
}

INLINE int32x4_t multiply(int32x4_t sum, int32x4_t a, int32x4_t b)
{
    return vmmlaq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}

/* Two rows of A at steps k and k + 1, where there are both: row 0's eight bytes, then row 1's. */
INLINE int32x4_t rows_at(const float *a, int64_t step, bool two_rows, bool two_steps)
{
    int32_t w[4] = {0};
    memcpy(&w[0], a, 4);
    if (two_steps) memcpy(&w[1], a + step, 4);
    if (two_rows) memcpy(&w[2], a + 1, 4);
    if (two_rows && two_steps) memcpy(&w[3], a + step + 1, 4);
    return vld1q_s32(w);
}

/* The same where there are both of both: two loads and a zip. */
INLINE int32x4_t both_rows_at(const float *a, int64_t step)
{
    const int32x2_t now = vreinterpret_s32_f32(vld1_f32(a)), next = vreinterpret_s32_f32(vld1_f32(a + step));
    return vzip1q_s32(vcombine_s32(now, now), vcombine_s32(next, next));
}

INLINE void step(int32x4_t s[][2 * QUARTERS], const cpu_tile *t, const float *a, const float *b, int rows,
                 int quarters, bool two_steps)
{
    const int32x4_t flip = vdupq_n_s32(t->form.b_flip);
    int32x4_t w[ROWS / 2];
    for (int p = 0; 2 * p < rows; p++)
        w[p] = two_steps && 2 * p + 1 < rows ? both_rows_at(a + 2 * p, t->rows)
                                             : rows_at(a + 2 * p, t->rows, 2 * p + 1 < rows, two_steps);
    for (int q = 0; q < quarters; q++) {
        const int32x4_t x = veorq_s32(four(b + 4 * q), flip);
        const int32x4_t y = two_steps ? veorq_s32(four(b + t->b_stride + 4 * q), flip) : vdupq_n_s32(0);
        const int32x4_t low = vzip1q_s32(x, y), high = vzip2q_s32(x, y);
        for (int p = 0; 2 * p < rows; p++) {
            s[p][2 * q] = multiply(s[p][2 * q], w[p], low);
            s[p][2 * q + 1] = multiply(s[p][2 * q + 1], w[p], high);
        }
    }
}

/* Adds what the sums start from, which may come last since all of this wraps around. */
static void store(const cpu_tile *t, int row, int first, int32x4_t sums)
{
    int32_t s[4], start[4] = {0}, bias;
    vst1q_s32(s, sums);
    float *c = t->c + row * t->c_stride + first;
    const int n = t->cols - first < 4 ? t->cols - first : 4;
    if (n <= 0) return;
    const size_t bytes = (size_t)n * sizeof *s;
    if (t->accumulate) {
        memcpy(start, c, bytes);
    } else {
        if (t->bias_col) memcpy(start, t->bias_col + first, bytes);
        if (t->bias_row) {
            memcpy(&bias, t->bias_row + row, sizeof bias);
            for (int i = 0; i < 4; i++) start[i] = (int32_t)((uint32_t)start[i] + (uint32_t)bias);
        }
    }
    for (int i = 0; i < 4; i++) s[i] = (int32_t)((uint32_t)s[i] + (uint32_t)start[i]);
    memcpy(c, s, bytes);
}

INLINE void part(const cpu_tile *t, int row, int rows, int quarters)
{
    int32x4_t s[ROWS / 2][2 * QUARTERS];
    for (int p = 0; 2 * p < rows; p++)
        for (int i = 0; i < 2 * quarters; i++) s[p][i] = vdupq_n_s32(0);
    const float *a = t->a + row, *b = t->b;
    int64_t k = 0;
    for (; k + 2 <= t->k; k += 2, a += 2 * t->rows, b += 2 * t->b_stride)
        step(s, t, a, b, rows, quarters, true);
    if (k < t->k) step(s, t, a, b, rows, quarters, false);
    for (int p = 0; 2 * p < rows; p++)
        for (int q = 0; q < quarters; q++) {
            const int32x4_t left = s[p][2 * q], right = s[p][2 * q + 1];
            store(t, row + 2 * p, 4 * q, vcombine_s32(vget_low_s32(left), vget_low_s32(right)));
            if (2 * p + 1 < rows)
                store(t, row + 2 * p + 1, 4 * q, vcombine_s32(vget_high_s32(left), vget_high_s32(right)));
        }
}

#define PART(ROWS)                                                                                           \
    static void part_##ROWS(const cpu_tile *t, int row)                                                      \
    {                                                                                                        \
        if (t->cols > 8)                                                                                     \
            part(t, row, ROWS, 4);                                                                           \
        else                                                                                                 \
            part(t, row, ROWS, 2);                                                                           \
    }
PART(1)
PART(2)
PART(3)
PART(4)
PART(5)
PART(6)
#undef PART

static void gemm_i8(const cpu_tile *t)
{
    static void (*const all[ROWS])(const cpu_tile *t, int row) = {part_1, part_2, part_3,
                                                                  part_4, part_5, part_6};
    for (int r = 0; r < t->rows; r += ROWS) all[(t->rows - r < ROWS ? t->rows - r : ROWS) - 1](t, r);
}

void cpu_micro_i8mm(cpu_micro *m)
{
    m->isa = "neon-i8mm";
    m->dot = CPU_DOT_SIGNED;
    m->gemm_i8 = gemm_i8;
}
