/* SPDX-License-Identifier: Apache-2.0
 * Eight int32, or eight pairs of int16, on 64-bit ARM; vec_i16_c.h says what each operation means. Only
 * *_neon.c may include this, after vec_neon.h. */
#ifndef CPU_VEC_I16_H
#define CPU_VEC_I16_H

#include <arm_neon.h>
#include <stdint.h>

typedef struct w8 {
    int32x4_t lo, hi;
} w8;

V8_INLINE w8 w8_load(const void *p)
{
    const int32_t *from = p;
    return (w8){vld1q_s32(from), vld1q_s32(from + 4)};
}
V8_INLINE w8 w8_load_n(const void *p, int n)
{
    const v8 x = v8_load_n(p, n);
    return (w8){vreinterpretq_s32_f32(x.lo), vreinterpretq_s32_f32(x.hi)};
}
V8_INLINE void w8_store(void *p, w8 a)
{
    int32_t *to = p;
    vst1q_s32(to, a.lo);
    vst1q_s32(to + 4, a.hi);
}
V8_INLINE void w8_store_n(void *p, w8 a, int n)
{
    v8_store_n(p, (v8){vreinterpretq_f32_s32(a.lo), vreinterpretq_f32_s32(a.hi)}, n);
}
V8_INLINE w8 w8_set1(int32_t x)
{
    return (w8){vdupq_n_s32(x), vdupq_n_s32(x)};
}
V8_INLINE w8 w8_add(w8 a, w8 b)
{
    return (w8){vaddq_s32(a.lo, b.lo), vaddq_s32(a.hi, b.hi)};
}

/* Sums of pairs: of eight columns the first ones of their pairs and the second ones, which are each
 * multiplied by a lane and added in one instruction. */
#define W8_BY_LANE 1
typedef struct w8_columns {
    int16x8_t first, second;
} w8_columns;
V8_INLINE w8_columns w8_columns_load(const float *p)
{
    const w8 pairs = w8_load(p);
    const int16x8_t lo = vreinterpretq_s16_s32(pairs.lo), hi = vreinterpretq_s16_s32(pairs.hi);
    return (w8_columns){vuzp1q_s16(lo, hi), vuzp2q_s16(lo, hi)};
}
typedef v8_factors w8_factors; /* four pairs a register */
V8_INLINE w8_factors w8_factors_load(const float *p, int n)
{
    return v8_factors_load(p, n);
}
#define W8_MADD_LANE(lane)                                                                                   \
    sum.lo = vmlal_laneq_s16(sum.lo, vget_low_s16(x.first), pairs, 2 * (lane));                              \
    sum.hi = vmlal_high_laneq_s16(sum.hi, x.first, pairs, 2 * (lane));                                       \
    sum.lo = vmlal_laneq_s16(sum.lo, vget_low_s16(x.second), pairs, 2 * (lane) + 1);                         \
    sum.hi = vmlal_high_laneq_s16(sum.hi, x.second, pairs, 2 * (lane) + 1);                                  \
    return sum
V8_INLINE w8 w8_madd_by(w8_factors f, int i, w8_columns x, w8 sum) /* i: a constant */
{
    const int16x8_t pairs = vreinterpretq_s16_f32(f.q[i / 4]);
    switch (i % 4) {
    case 0:
        W8_MADD_LANE(0);
    case 1:
        W8_MADD_LANE(1);
    case 2:
        W8_MADD_LANE(2);
    default:
        W8_MADD_LANE(3);
    }
}
#undef W8_MADD_LANE

#endif
