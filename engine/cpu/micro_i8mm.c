/* SPDX-License-Identifier: Apache-2.0
 * What 64-bit ARM cores since 2021 (i8mm) add: SMMLA, sums of 2x8 by 8x2 bytes. Two steps of k make its eight
 * bytes: rows and columns are zipped in registers from the same panels that dot products read, and a register
 * of sums holds 2x2 elements. */
#include <arm_neon.h>
#include <stdbool.h>

#include "cpu/micro.h"

#include "cpu/vec_neon.h"

enum { ROWS = 6, QUARTERS = 2 };

V8_INLINE int32x4_t four(const float *p) /* elements of any type */
{
    return vreinterpretq_s32_f32(vld1q_f32(p));
}

V8_INLINE int32x4_t multiply(int32x4_t sum, int32x4_t a, int32x4_t b)
{
    return vmmlaq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}

/* Rows 2p and 2p + 1 of A at steps k and k + 1, for each p: row 2p's eight bytes, then those of row 2p + 1.
 * What there is not of them is zero. */
V8_INLINE void rows_at(int32x4_t w[ROWS / 2], const float *a, int64_t next, int rows, bool two_steps)
{
    const v8_factors now = v8_factors_load(a, rows);
    v8_factors then = {{vdupq_n_f32(0), vdupq_n_f32(0)}};
    if (two_steps) then = v8_factors_load(a + next, rows);
    CPU_UNROLL
    for (int p = 0; 2 * p < rows; p++) {
        const float32x4_t x = now.q[p / 2], y = then.q[p / 2];
        w[p] = vreinterpretq_s32_f32(p % 2 ? vzip2q_f32(x, y) : vzip1q_f32(x, y));
    }
}

V8_INLINE void step(int32x4_t s[][2 * QUARTERS], const float *a, int64_t a_step, const float *b,
                    int64_t b_step, int32x4_t flip, int rows, bool two_steps)
{
    int32x4_t w[ROWS / 2];
    rows_at(w, a, a_step, rows, two_steps);
    CPU_UNROLL
    for (int q = 0; q < QUARTERS; q++) {
        const int32x4_t x = veorq_s32(four(b + 4 * q), flip);
        const int32x4_t y = two_steps ? veorq_s32(four(b + b_step + 4 * q), flip) : vdupq_n_s32(0);
        const int32x4_t low = vzip1q_s32(x, y), high = vzip2q_s32(x, y);
        CPU_UNROLL
        for (int p = 0; 2 * p < rows; p++) s[p][2 * q] = multiply(s[p][2 * q], w[p], low);
        CPU_UNROLL
        for (int p = 0; 2 * p < rows; p++) s[p][2 * q + 1] = multiply(s[p][2 * q + 1], w[p], high);
    }
}

/* Adds what the sums start from, which may come last since all of this wraps around. */
V8_INLINE void store(const cpu_tile *t, int row, int first, int32x4_t sums)
{
    float *c = t->c + row * t->c_stride + first;
    const int n = t->cols - first < 4 ? t->cols - first : 4;
    if (n <= 0) return;
    if (t->accumulate) {
        sums = vaddq_s32(sums, vreinterpretq_s32_f32(v4_load_n(c, n)));
    } else {
        if (t->bias_col) sums = vaddq_s32(sums, vreinterpretq_s32_f32(v4_load_n(t->bias_col + first, n)));
        if (t->bias_row) sums = vaddq_s32(sums, vreinterpretq_s32_f32(vld1q_dup_f32(t->bias_row + row)));
    }
    v4_store_n(c, vreinterpretq_f32_s32(sums), n);
}

/* Columns col..col+8: half of a panel, for with all sums of a whole one compilers run out of registers. */
V8_INLINE void part(const cpu_tile *t, int row, int rows, int col)
{
    int32x4_t s[ROWS / 2][2 * QUARTERS];
    CPU_UNROLL
    for (int p = 0; 2 * p < rows; p++) CPU_UNROLL
    for (int i = 0; i < 2 * QUARTERS; i++) s[p][i] = vdupq_n_s32(0);
    const int32x4_t flip = vdupq_n_s32(t->form.b_flip);
    const int64_t a_step = t->rows, b_step = t->b_stride;
    const float *a = t->a + row, *b = t->b + col;
    for (int64_t pairs = t->k / 2; pairs > 0; pairs--, a += 2 * a_step, b += 2 * b_step)
        step(s, a, a_step, b, b_step, flip, rows, true);
    if (t->k % 2) step(s, a, a_step, b, b_step, flip, rows, false);
    CPU_UNROLL
    for (int p = 0; 2 * p < rows; p++) CPU_UNROLL
    for (int q = 0; q < QUARTERS; q++) {
        const int32x4_t left = s[p][2 * q], right = s[p][2 * q + 1];
        store(t, row + 2 * p, col + 4 * q, vcombine_s32(vget_low_s32(left), vget_low_s32(right)));
        if (2 * p + 1 < rows)
            store(t, row + 2 * p + 1, col + 4 * q, vcombine_s32(vget_high_s32(left), vget_high_s32(right)));
    }
}

#define PART(ROWS)                                                                                           \
    static void part_##ROWS(const cpu_tile *t, int row, int col)                                             \
    {                                                                                                        \
        part(t, row, ROWS, col);                                                                             \
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
    static void (*const all[ROWS])(const cpu_tile *t, int row, int col) = {part_1, part_2, part_3,
                                                                           part_4, part_5, part_6};
    for (int col = 0; col < t->cols; col += 4 * QUARTERS)
        for (int r = 0; r < t->rows; r += ROWS) all[(t->rows - r < ROWS ? t->rows - r : ROWS) - 1](t, r, col);
}

void cpu_micro_i8mm(cpu_micro *m)
{
    m->isa = "neon-i8mm";
    m->dot = CPU_DOT_SIGNED;
    m->gemm_i8 = gemm_i8;
}
