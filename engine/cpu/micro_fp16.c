/* SPDX-License-Identifier: Apache-2.0
 * What 64-bit ARM cores since 2017 (FEAT_FP16) add to NEON: arithmetic on eight fp16 a register. */
#include <stdbool.h>

#include "cpu/micro.h"

#include "cpu/vec_neon.h"

enum { ROWS = 6, QUADS = CPU_NR / 4 };

static void (*epilogue)(float *y, const float *x, const float *residual, int64_t n,
                        const gr_epilogue *e); /* of the table below; set once, with the tables */

V8_INLINE float16x8_t pairs_at(const float *p) /* four of them */
{
    return vreinterpretq_f16_f32(vld1q_f32(p));
}

/* Adds what CPU_F16_STEPS steps at most come to. A register is four columns; its lanes are what the first and
 * what the second elements of their pairs come to. */
V8_INLINE void add_steps(float sums[ROWS][CPU_NR], const cpu_tile *t, const float *a, const float *b,
                         int64_t steps, int rows, int quads)
{
    const int64_t a_step = t->rows, b_step = t->b_stride;
    float16x8_t s[ROWS][QUADS];
    CPU_UNROLL
    for (int r = 0; r < rows; r++) CPU_UNROLL
    for (int q = 0; q < quads; q++) s[r][q] = vdupq_n_f16(0);
    for (; steps > 0; steps--, a += a_step, b += b_step) {
        float16x8_t x[QUADS];
        CPU_UNROLL
        for (int q = 0; q < quads; q++) x[q] = pairs_at(b + 4 * q);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) {
            const float16x8_t w = vreinterpretq_f16_f32(vld1q_dup_f32(a + r));
            CPU_UNROLL
            for (int q = 0; q < quads; q++) s[r][q] = vfmaq_f16(s[r][q], w, x[q]);
        }
    }
    CPU_UNROLL
    for (int r = 0; r < rows; r++) CPU_UNROLL
    for (int q = 0; q < quads; q++) {
        const float32x4_t sum = vpaddq_f32(vcvt_f32_f16(vget_low_f16(s[r][q])), vcvt_high_f32_f16(s[r][q]));
        vst1q_f32(sums[r] + 4 * q, vaddq_f32(vld1q_f32(sums[r] + 4 * q), sum));
    }
}

/* Adds what the sums start from, and stores them. */
static void finish(const cpu_tile *t, float sums[ROWS][CPU_NR], int row, int rows)
{
    for (int r = 0; r < rows; r++) {
        const int64_t at = (row + r) * t->c_stride;
        const v8 bias = v8_set1(t->bias_row && !t->accumulate ? t->bias_row[row + r] : 0);
        for (int col = 0; col < t->cols; col += 8) {
            const int n = t->cols - col < 8 ? t->cols - col : 8;
            v8 start = bias;
            if (t->accumulate)
                start = v8_load_n(t->c + at + col, n);
            else if (t->bias_col)
                start = v8_add(bias, v8_load_n(t->bias_col + col, n));
            v8_store_n(t->c + at + col, v8_add(start, v8_load(sums[r] + col)), n);
        }
        if (t->epilogue)
            epilogue(t->c + at, t->c + at, t->residual ? t->residual + at : NULL, t->cols, t->epilogue);
    }
}

V8_INLINE void part(const cpu_tile *t, int row, int rows, int quads)
{
    float sums[ROWS][CPU_NR] = {{0}};
    for (int64_t k = 0; k < t->k; k += CPU_F16_STEPS) {
        const int64_t left = t->k - k, steps = left < CPU_F16_STEPS ? left : CPU_F16_STEPS;
        add_steps(sums, t, t->a + k * t->rows + row, t->b + k * t->b_stride, steps, rows, quads);
    }
    finish(t, sums, row, rows);
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

static void gemm_f16(const cpu_tile *t)
{
    static void (*const all[ROWS])(const cpu_tile *t, int row) = {part_1, part_2, part_3,
                                                                  part_4, part_5, part_6};
    for (int r = 0; r < t->rows; r += ROWS) all[(t->rows - r < ROWS ? t->rows - r : ROWS) - 1](t, r);
}

V8_INLINE float16x8_t narrow(v8 x)
{
    return vcvt_high_f16_f32(vcvt_f16_f32(x.lo), x.hi);
}
V8_INLINE float16x8x2_t pairs_of(v8 first, v8 second)
{
    const float16x8_t a = narrow(first), b = narrow(second);
    return (float16x8x2_t){{vzip1q_f16(a, b), vzip2q_f16(a, b)}};
}

static void pair_f16(int32_t *pairs, const float *first, const float *second, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int count = n - i < 8 ? (int)(n - i) : 8;
        const v8 b = second ? v8_load_n(second + i, count) : v8_set1(0);
        const float16x8x2_t both = pairs_of(v8_load_n(first + i, count), b);
        const v8 bits = {vreinterpretq_f32_f16(both.val[0]), vreinterpretq_f32_f16(both.val[1])};
        v8_store_n((float *)(void *)(pairs + i), bits, count);
    }
}

void cpu_micro_fp16(cpu_micro *m)
{
    epilogue = m->epilogue;
    m->isa = "neon-fp16";
    m->gemm_f16 = gemm_f16;
    m->pair_f16 = pair_f16;
}
