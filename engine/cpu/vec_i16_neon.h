/* SPDX-License-Identifier: Apache-2.0
 * Eight int32, or eight pairs of int16, on 64-bit ARM; vec_i16_c.h says what each operation means. Only
 * *_neon.c may include this, after vec_neon.h. */
#ifndef CPU_VEC_I16_H
#define CPU_VEC_I16_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

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
    int32_t i[8] = {0};
    memcpy(i, p, (size_t)n * sizeof *i);
    return w8_load(i);
}
V8_INLINE void w8_store(void *p, w8 a)
{
    int32_t *to = p;
    vst1q_s32(to, a.lo);
    vst1q_s32(to + 4, a.hi);
}
V8_INLINE void w8_store_n(void *p, w8 a, int n)
{
    int32_t i[8];
    w8_store(i, a);
    memcpy(p, i, (size_t)n * sizeof *i);
}
V8_INLINE w8 w8_set1(int32_t x)
{
    return (w8){vdupq_n_s32(x), vdupq_n_s32(x)};
}
V8_INLINE w8 w8_add(w8 a, w8 b)
{
    return (w8){vaddq_s32(a.lo, b.lo), vaddq_s32(a.hi, b.hi)};
}
V8_INLINE int32x4_t w4_madd(int32x4_t a, int32x4_t b, int32x4_t c)
{
    const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y)), high = vmull_high_s16(x, y);
    return vaddq_s32(c, vpaddq_s32(low, high)); /* neighbours are the halves of a pair */
}
V8_INLINE w8 w8_madd(w8 a, w8 b, w8 c)
{
    return (w8){w4_madd(a.lo, b.lo, c.lo), w4_madd(a.hi, b.hi, c.hi)};
}

#endif
