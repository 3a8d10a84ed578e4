/* SPDX-License-Identifier: Apache-2.0
 * The vector of eight floats on 64-bit ARM: two registers of four. vec_c.h says what each operation means.
 * Only
 * *_neon.c may include this. */
#ifndef CPU_VEC_NEON_H
#define CPU_VEC_NEON_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define V8_INLINE static inline __attribute__((always_inline, unused))

/* 24 of 32 registers hold sums */
#define V8_TILE_ROWS 6
#define V8_TILE_VECS 2
#define V8_FMA_ONCE  1 /* v8_fma rounds once */

typedef struct v8 {
    float32x4_t lo, hi;
} v8;

#define V8_OF(expression_lo, expression_hi)                                                                  \
    return (v8)                                                                                              \
    {                                                                                                        \
        expression_lo, expression_hi                                                                         \
    }

V8_INLINE v8 v8_load(const float *p)
{
    V8_OF(vld1q_f32(p), vld1q_f32(p + 4));
}
V8_INLINE v8 v8_load_once(const float *p)
{
    return v8_load(p);
}
V8_INLINE void v8_store(float *p, v8 a)
{
    vst1q_f32(p, a.lo);
    vst1q_f32(p + 4, a.hi);
}
V8_INLINE float32x4_t v4_load_n(const float *p, int n) /* n <= 4 */
{
    const float32x4_t zero = vdupq_n_f32(0);
    switch (n) {
    case 0:
        return zero;
    case 1:
        return vld1q_lane_f32(p, zero, 0);
    case 2:
        return vcombine_f32(vld1_f32(p), vget_low_f32(zero));
    case 3:
        return vld1q_lane_f32(p + 2, vcombine_f32(vld1_f32(p), vget_low_f32(zero)), 2);
    default:
        return vld1q_f32(p);
    }
}
V8_INLINE void v4_store_n(float *p, float32x4_t a, int n)
{
    if (n == 4) {
        vst1q_f32(p, a);
        return;
    }
    if (n >= 2) vst1_f32(p, vget_low_f32(a));
    if (n == 1) vst1q_lane_f32(p, a, 0);
    if (n == 3) vst1q_lane_f32(p + 2, a, 2);
}
V8_INLINE v8 v8_load_n(const float *p, int n)
{
    if (n < 4) return (v8){v4_load_n(p, n), vdupq_n_f32(0)};
    return (v8){vld1q_f32(p), v4_load_n(p + 4, n - 4)};
}
V8_INLINE void v8_store_n(float *p, v8 a, int n)
{
    if (n < 4) {
        v4_store_n(p, a.lo, n);
        return;
    }
    vst1q_f32(p, a.lo);
    v4_store_n(p + 4, a.hi, n - 4);
}
V8_INLINE v8 v8_load_f16(const uint16_t *p)
{
    const uint16x8_t h = vld1q_u16(p);
    V8_OF(vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(h))),
          vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(h))));
}
V8_INLINE void v8_store_f16(uint16_t *p, v8 a)
{
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a.lo)));
    vst1_u16(p + 4, vreinterpret_u16_f16(vcvt_f16_f32(a.hi)));
}
V8_INLINE v8 v8_load_i8(const int8_t *p)
{
    const int16x8_t w = vmovl_s8(vld1_s8(p));
    V8_OF(vcvtq_f32_s32(vmovl_s16(vget_low_s16(w))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(w))));
}
V8_INLINE v8 v8_set1(float x)
{
    V8_OF(vdupq_n_f32(x), vdupq_n_f32(x));
}
V8_INLINE v8 v8_add(v8 a, v8 b)
{
    V8_OF(vaddq_f32(a.lo, b.lo), vaddq_f32(a.hi, b.hi));
}
V8_INLINE v8 v8_sub(v8 a, v8 b)
{
    V8_OF(vsubq_f32(a.lo, b.lo), vsubq_f32(a.hi, b.hi));
}
V8_INLINE v8 v8_mul(v8 a, v8 b)
{
    V8_OF(vmulq_f32(a.lo, b.lo), vmulq_f32(a.hi, b.hi));
}
V8_INLINE v8 v8_div(v8 a, v8 b)
{
    V8_OF(vdivq_f32(a.lo, b.lo), vdivq_f32(a.hi, b.hi));
}
V8_INLINE v8 v8_fma(v8 a, v8 b, v8 c)
{
    V8_OF(vfmaq_f32(c.lo, a.lo, b.lo), vfmaq_f32(c.hi, a.hi, b.hi));
}
/* Multiplication takes a lane of a register: four factors share one, and none is spread before. */
V8_INLINE v8 v8_fma_lane(float32x4_t f, int lane, v8 x, v8 s) /* lane: a constant */
{
    switch (lane) {
    case 0:
        V8_OF(vfmaq_laneq_f32(s.lo, x.lo, f, 0), vfmaq_laneq_f32(s.hi, x.hi, f, 0));
    case 1:
        V8_OF(vfmaq_laneq_f32(s.lo, x.lo, f, 1), vfmaq_laneq_f32(s.hi, x.hi, f, 1));
    case 2:
        V8_OF(vfmaq_laneq_f32(s.lo, x.lo, f, 2), vfmaq_laneq_f32(s.hi, x.hi, f, 2));
    default:
        V8_OF(vfmaq_laneq_f32(s.lo, x.lo, f, 3), vfmaq_laneq_f32(s.hi, x.hi, f, 3));
    }
}
#define V8_CLAMP 1
V8_INLINE v8 v8_clamp(v8 x, v8 low, v8 high)
{
    V8_OF(vminq_f32(vmaxq_f32(x.lo, low.lo), high.lo), vminq_f32(vmaxq_f32(x.hi, low.hi), high.hi));
}
#define V8_BY_LANE 1
typedef struct v8_factors {
    float32x4_t q[2];
} v8_factors;
V8_INLINE v8_factors v8_factors_load(const float *p, int n)
{
    const v8 f = v8_load_n(p, n);
    return (v8_factors){{f.lo, f.hi}};
}
V8_INLINE v8 v8_fma_by(v8_factors f, int i, v8 x, v8 s)
{
    return v8_fma_lane(f.q[i / 4], i % 4, x, s);
}
typedef float32x4_t v8_weight;
V8_INLINE void v8_weights_load(v8_weight *w, const float *p, int n)
{
    for (int i = 0; i < n; i += 4) w[i / 4] = v4_load_n(p + i, n - i < 4 ? n - i : 4);
}
V8_INLINE v8 v8_fma_weight(const v8_weight *w, int i, v8 x, v8 s)
{
    return v8_fma_lane(w[i / 4], i % 4, x, s);
}
V8_INLINE v8 v8_max(v8 a, v8 b) /* not vmaxq: that is NaN if either is */
{
    V8_OF(vbslq_f32(vcgtq_f32(a.lo, b.lo), a.lo, b.lo), vbslq_f32(vcgtq_f32(a.hi, b.hi), a.hi, b.hi));
}
V8_INLINE v8 v8_min(v8 a, v8 b)
{
    V8_OF(vbslq_f32(vcltq_f32(a.lo, b.lo), a.lo, b.lo), vbslq_f32(vcltq_f32(a.hi, b.hi), a.hi, b.hi));
}
V8_INLINE v8 v8_sqrt(v8 a)
{
    V8_OF(vsqrtq_f32(a.lo), vsqrtq_f32(a.hi));
}
V8_INLINE v8 v8_abs(v8 a)
{
    V8_OF(vabsq_f32(a.lo), vabsq_f32(a.hi));
}
V8_INLINE v8 v8_neg(v8 a)
{
    V8_OF(vnegq_f32(a.lo), vnegq_f32(a.hi));
}
V8_INLINE v8 v8_floor(v8 a)
{
    V8_OF(vrndmq_f32(a.lo), vrndmq_f32(a.hi));
}
V8_INLINE v8 v8_ceil(v8 a)
{
    V8_OF(vrndpq_f32(a.lo), vrndpq_f32(a.hi));
}
V8_INLINE v8 v8_round(v8 a)
{
    V8_OF(vrndnq_f32(a.lo), vrndnq_f32(a.hi));
}
V8_INLINE v8 v8_copysign(v8 a, v8 sign)
{
    const uint32x4_t bit = vdupq_n_u32(0x80000000u);
    V8_OF(vbslq_f32(bit, sign.lo, a.lo), vbslq_f32(bit, sign.hi, a.hi));
}
V8_INLINE v8 v8_select_lt(v8 a, v8 b, v8 yes, v8 no)
{
    V8_OF(vbslq_f32(vcltq_f32(a.lo, b.lo), yes.lo, no.lo), vbslq_f32(vcltq_f32(a.hi, b.hi), yes.hi, no.hi));
}
V8_INLINE v8 v8_if_nan(v8 a, v8 no)
{
    V8_OF(vbslq_f32(vceqq_f32(a.lo, a.lo), no.lo, a.lo), vbslq_f32(vceqq_f32(a.hi, a.hi), no.hi, a.hi));
}
V8_INLINE v8 v8_round_small(v8 a)
{
    return v8_round(a);
}
V8_INLINE float32x4_t v4_pow2(float32x4_t n)
{
    int32x4_t bits = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(bits, 23));
}
V8_INLINE v8 v8_pow2(v8 n)
{
    V8_OF(v4_pow2(n.lo), v4_pow2(n.hi));
}
V8_INLINE v8 v8_pow2_of_sum(v8 a)
{
    return (v8){vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a.lo), 23)),
                vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a.hi), 23))};
}
V8_INLINE float v8_sum(v8 a) /* in the order of vec_c.h */
{
    float32x4_t q = vaddq_f32(a.lo, a.hi);
    float32x2_t d = vadd_f32(vget_low_f32(q), vget_high_f32(q));
    return vget_lane_f32(d, 0) + vget_lane_f32(d, 1);
}
V8_INLINE float v8_hmax(v8 a)
{
    float32x4_t q = vbslq_f32(vcgtq_f32(a.lo, a.hi), a.lo, a.hi);
    float f[4];
    vst1q_f32(f, q);
    float left = f[0] > f[1] ? f[0] : f[1], right = f[2] > f[3] ? f[2] : f[3];
    return left > right ? left : right;
}
typedef struct v8_window { /* eight neighbours inside of the line, and which of them a lane gets */
    int64_t shift;         /* from p to the first of them */
    int count;             /* less than 8: the line has no more */
    uint8x16_t lo, hi;     /* bytes of the 32; beyond: zero */
} v8_window;
V8_INLINE v8_window v8_window_of(int64_t at, int64_t n)
{
    const int64_t base = at < 0 || n < 8 ? 0 : at < n - 8 ? at : n - 8;
    v8_window w = {.shift = base - at, .count = n < 8 ? (int)n : 8};
    static const uint8_t places[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int64_t lanes = w.shift < -8 ? -8 : w.shift > 8 ? 8 : w.shift; /* 8: nothing is left */
    w.lo = vsubq_u8(vld1q_u8(places), vdupq_n_u8((uint8_t)(4 * lanes)));
    w.hi = vaddq_u8(w.lo, vdupq_n_u8(16));
    return w;
}
V8_INLINE v8 v8_load_window(const float *p, v8_window w)
{
    const v8 x = w.count < 8 ? v8_load_n(p + w.shift, w.count) : v8_load(p + w.shift);
    const uint8x16x2_t bytes = {{vreinterpretq_u8_f32(x.lo), vreinterpretq_u8_f32(x.hi)}};
    return (v8){vreinterpretq_f32_u8(vqtbl2q_u8(bytes, w.lo)), vreinterpretq_f32_u8(vqtbl2q_u8(bytes, w.hi))};
}
V8_INLINE v8 v8_load_window_or(const float *p, v8_window w, v8 outside) /* whose lanes are equal */
{
    float f[8];
    if (w.count < 8) {
        v8_store(f, outside);
        memcpy(f, p + w.shift, (size_t)w.count * sizeof *p);
    }
    const v8 x = v8_load(w.count < 8 ? f : p + w.shift);
    const uint8x16x2_t bytes = {{vreinterpretq_u8_f32(x.lo), vreinterpretq_u8_f32(x.hi)}};
    return (v8){vreinterpretq_f32_u8(vqtbx2q_u8(vreinterpretq_u8_f32(outside.lo), bytes, w.lo)),
                vreinterpretq_f32_u8(vqtbx2q_u8(vreinterpretq_u8_f32(outside.hi), bytes, w.hi))};
}
V8_INLINE void v8_split(v8 x[2], v8 a, v8 b)
{
    x[0] = (v8){vuzp1q_f32(a.lo, a.hi), vuzp1q_f32(b.lo, b.hi)};
    x[1] = (v8){vuzp2q_f32(a.lo, a.hi), vuzp2q_f32(b.lo, b.hi)};
}
V8_INLINE v8 v8_join(v8 a)
{
    return a;
}

V8_INLINE v8 v8_next(v8 a, v8 b)
{
    return (v8){vextq_f32(a.lo, a.hi, 1), vextq_f32(a.hi, b.lo, 1)};
}
V8_INLINE void v8_zip(v8 x[2], v8 a, v8 b)
{
    x[0] = (v8){vzip1q_f32(a.lo, b.lo), vzip2q_f32(a.lo, b.lo)};
    x[1] = (v8){vzip1q_f32(a.hi, b.hi), vzip2q_f32(a.hi, b.hi)};
}

V8_INLINE void v4_transpose(float32x4_t y[4], const float32x4_t x[4])
{
    const float32x4_t a = vtrn1q_f32(x[0], x[1]), b = vtrn2q_f32(x[0], x[1]);
    const float32x4_t c = vtrn1q_f32(x[2], x[3]), d = vtrn2q_f32(x[2], x[3]);
    y[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
    y[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
    y[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
    y[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}
V8_INLINE void v8_load_quads(v8 y[4], const float *x, const int32_t *offset)
{
    float32x4_t places[8], lo[4], hi[4];
    for (int i = 0; i < 8; i++) places[i] = vld1q_f32(x + offset[i]);
    v4_transpose(lo, places);
    v4_transpose(hi, places + 4);
    for (int j = 0; j < 4; j++) y[j] = (v8){lo[j], hi[j]};
}
V8_INLINE void v8_store_quads(float *y, const int32_t *offset, const v8 x[4])
{
    const float32x4_t lo[4] = {x[0].lo, x[1].lo, x[2].lo, x[3].lo};
    const float32x4_t hi[4] = {x[0].hi, x[1].hi, x[2].hi, x[3].hi};
    float32x4_t places[8];
    v4_transpose(places, lo);
    v4_transpose(places + 4, hi);
    for (int i = 0; i < 8; i++) vst1q_f32(y + offset[i], places[i]);
}

/* Eight neighbours are two loads; neighbours two apart (stride 2) are two de-interleaving loads. NEON has no
 * gather: other lanes go one by one. */
V8_INLINE void v8_gather_rows(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count,
                              const int32_t *offset, const int32_t *mask)
{
    bool all = true, one = true, two = true;
    for (int j = 0; j < 8; j++) {
        all = all && mask[j];
        one = one && offset[j] == offset[0] + j;
        two = two && offset[j] == offset[0] + 2 * j;
    }
    if (all && one) {
        for (int64_t i = 0; i < count; i++) v8_store(y + i * y_step, v8_load(x + i * x_step + offset[0]));
        return;
    }
    if (all && two) {
        for (int64_t i = 0; i < count; i++) {
            const float *p = x + i * x_step + offset[0]; /* nothing beyond p[14] is read */
            float32x4_t last = vld1q_f32(p + 11);
            v8 pairs = {vld2q_f32(p).val[0], vuzp2q_f32(vld1q_f32(p + 7), last)};
            v8_store(y + i * y_step, pairs);
        }
        return;
    }
    for (int64_t i = 0; i < count; i++, y += y_step, x += x_step)
        for (int j = 0; j < 8; j++) y[j] = mask[j] ? x[offset[j]] : 0;
}

#undef V8_OF
#endif
