/* SPDX-License-Identifier: Apache-2.0
 * What 64-bit ARM cores since 2017 (FEAT_FP16) add to NEON: arithmetic on eight fp16 a register. */
#include <stdbool.h>

#include "cpu/micro.h"

#include "cpu/vec_neon.h"

enum { ROWS = 6, EIGHTS = CPU_NR / 8 };

static void (*epilogue)(float *y, const float *x, const float *residual, int64_t n,
                        const gr_epilogue *e); /* of the table below; set once, with the tables */

typedef struct columns { /* eight: their first elements, and the second ones */
    float16x8_t first, second;
} columns;

V8_INLINE columns columns_at(const float *p)
{
    const float16x8_t lo = vreinterpretq_f16_f32(vld1q_f32(p)), hi = vreinterpretq_f16_f32(vld1q_f32(p + 4));
    return (columns){vuzp1q_f16(lo, hi), vuzp2q_f16(lo, hi)};
}

/* sum + x times half i of the factors, a constant. gcc 12 would first move what the intrinsic multiplies by
 * to a register of its own. */
#define BY_LANE(lane) __asm__("fmla %0.8h, %1.8h, %2.h[" #lane "]" : "+w"(sum) : "w"(x), "x"(f))
V8_INLINE float16x8_t fma_by(v8_factors factors, int i, float16x8_t x, float16x8_t sum)
{
    const float32x4_t f = factors.q[i / 8];
    switch (i % 8) {
    case 0:
        BY_LANE(0);
        break;
    case 1:
        BY_LANE(1);
        break;
    case 2:
        BY_LANE(2);
        break;
    case 3:
        BY_LANE(3);
        break;
    case 4:
        BY_LANE(4);
        break;
    case 5:
        BY_LANE(5);
        break;
    case 6:
        BY_LANE(6);
        break;
    default:
        BY_LANE(7);
        break;
    }
    return sum;
}
#undef BY_LANE

/* Adds what CPU_F16_STEPS steps at most come to. */
V8_INLINE void add_steps(float sums[ROWS][CPU_NR], const cpu_tile *t, const float *a, const float *b,
                         int64_t steps, int rows, int eights)
{
    const int64_t a_step = t->rows, b_step = t->b_stride;
    float16x8_t s[ROWS][EIGHTS];
    CPU_UNROLL
    for (int r = 0; r < rows; r++) CPU_UNROLL
    for (int e = 0; e < eights; e++) s[r][e] = vdupq_n_f16(0);
    for (; steps > 0; steps--, a += a_step, b += b_step) {
        const v8_factors w = v8_factors_load(a, rows);
        columns x[EIGHTS];
        CPU_UNROLL
        for (int e = 0; e < eights; e++) x[e] = columns_at(b + 8 * e);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) CPU_UNROLL
        for (int e = 0; e < eights; e++) s[r][e] = fma_by(w, 2 * r, x[e].first, s[r][e]);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) CPU_UNROLL
        for (int e = 0; e < eights; e++) s[r][e] = fma_by(w, 2 * r + 1, x[e].second, s[r][e]);
    }
    CPU_UNROLL
    for (int r = 0; r < rows; r++) CPU_UNROLL
    for (int e = 0; e < eights; e++) {
        const v8 sum = {vcvt_f32_f16(vget_low_f16(s[r][e])), vcvt_high_f32_f16(s[r][e])};
        v8_store(sums[r] + 8 * e, v8_add(v8_load(sums[r] + 8 * e), sum));
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

V8_INLINE void part(const cpu_tile *t, int row, int rows, int eights)
{
    float sums[ROWS][CPU_NR] = {{0}};
    for (int64_t k = 0; k < t->k; k += CPU_F16_STEPS) {
        const int64_t left = t->k - k, steps = left < CPU_F16_STEPS ? left : CPU_F16_STEPS;
        add_steps(sums, t, t->a + k * t->rows + row, t->b + k * t->b_stride, steps, rows, eights);
    }
    finish(t, sums, row, rows);
}

#define PART(ROWS)                                                                                           \
    static void part_##ROWS(const cpu_tile *t, int row)                                                      \
    {                                                                                                        \
        if (t->cols > 8)                                                                                     \
            part(t, row, ROWS, 2);                                                                           \
        else                                                                                                 \
            part(t, row, ROWS, 1);                                                                           \
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
V8_INLINE float16x8x2_t zipped(v8 first, v8 second)
{
    const float16x8_t a = narrow(first), b = narrow(second);
    return (float16x8x2_t){{vzip1q_f16(a, b), vzip2q_f16(a, b)}};
}

static void pair_f16(int32_t *pairs, const float *first, const float *second, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int count = n - i < 8 ? (int)(n - i) : 8;
        const v8 b = second ? v8_load_n(second + i, count) : v8_set1(0);
        const float16x8x2_t both = zipped(v8_load_n(first + i, count), b);
        const v8 bits = {vreinterpretq_f32_f16(both.val[0]), vreinterpretq_f32_f16(both.val[1])};
        v8_store_n((float *)(void *)(pairs + i), bits, count);
    }
}

void cpu_micro_fp16(cpu_micro *m)
{
    epilogue = m->epilogue;
    m->isa = "neon-fp16";
    m->half[CPU_F16] = (cpu_half_math){gemm_f16, pair_f16};
}
