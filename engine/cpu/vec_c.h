/* SPDX-License-Identifier: Apache-2.0
 * A vector of eight floats in portable C: the specification of the operations. Two of gcc's and clang's
 * generic vectors of four, which any machine with vectors has registers for. vec_avx2.h has the same names.
 */
#ifndef CPU_VEC_C_H
#define CPU_VEC_C_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"

#if defined(__GNUC__) && !defined(VKI_SANITIZED) /* with checks in each, compilers choke on what results */
#define V8_INLINE static inline __attribute__((always_inline, unused))
#else
#define V8_INLINE static inline
#endif

/* sums of a GEMM tile that fit into 16 registers of 4 floats */
#define V8_TILE_ROWS 3
#define V8_TILE_VECS 1
#define V8_FMA_ONCE  0 /* v8_fma rounds once */

typedef float v4 __attribute__((vector_size(16)));
typedef int32_t v4_bits __attribute__((vector_size(16)));
typedef struct v8 {
    v4 q[2];
} v8;

/* The same expression for both halves q, for all eight lanes i; the latter where no instruction does four. */
#define V8_HALVES(first, second)                                                                             \
    return (v8)                                                                                              \
    {                                                                                                        \
        {                                                                                                    \
            first, second                                                                                    \
        }                                                                                                    \
    }
#define V8_EACH(expression)                                                                                  \
    v8 r;                                                                                                    \
    for (int i = 0; i < 8; i++) r.q[i / 4][i % 4] = (expression);                                            \
    return r
#define V8_LANE(a, i) (a).q[(i) / 4][(i) % 4]

V8_INLINE v4 v4_set1(float x)
{
    return (v4){x, x, x, x};
}
V8_INLINE v4 v4_select(v4_bits mask, v4 yes, v4 no)
{
    return (v4)(((v4_bits)yes & mask) | ((v4_bits)no & ~mask));
}
V8_INLINE v4 v4_load(const float *p)
{
    v4 r;
    memcpy(&r, p, sizeof r);
    return r;
}
V8_INLINE v8 v8_load(const float *p)
{
    V8_HALVES(v4_load(p), v4_load(p + 4));
}
V8_INLINE v8 v8_load_once(const float *p) /* for values that are read several times */
{
    return v8_load(p);
}
V8_INLINE void v8_store(float *p, v8 a)
{
    memcpy(p, &a.q[0], sizeof a.q[0]);
    memcpy(p + 4, &a.q[1], sizeof a.q[1]);
}
V8_INLINE v8 v8_load_n(const float *p, int n) /* 0 < n <= 8; the rest is 0 */
{
    v8 r = {{{0}, {0}}};
    memcpy(&r, p, (size_t)n * sizeof *p);
    return r;
}
V8_INLINE void v8_store_n(float *p, v8 a, int n)
{
    memcpy(p, &a, (size_t)n * sizeof *p);
}
V8_INLINE v8 v8_load_f16(const uint16_t *p)
{
    V8_EACH(vkb_f16_to_f32(p[i]));
}
V8_INLINE void v8_store_f16(uint16_t *p, v8 a)
{
    for (int i = 0; i < 8; i++) p[i] = vkb_f32_to_f16(V8_LANE(a, i));
}
V8_INLINE v8 v8_load_i8(const int8_t *p)
{
    V8_EACH((float)p[i]);
}
V8_INLINE v8 v8_set1(float x)
{
    V8_HALVES(v4_set1(x), v4_set1(x));
}
V8_INLINE v8 v8_add(v8 a, v8 b)
{
    V8_HALVES(a.q[0] + b.q[0], a.q[1] + b.q[1]);
}
V8_INLINE v8 v8_sub(v8 a, v8 b)
{
    V8_HALVES(a.q[0] - b.q[0], a.q[1] - b.q[1]);
}
V8_INLINE v8 v8_mul(v8 a, v8 b)
{
    V8_HALVES(a.q[0] * b.q[0], a.q[1] * b.q[1]);
}
V8_INLINE v8 v8_div(v8 a, v8 b)
{
    V8_HALVES(a.q[0] / b.q[0], a.q[1] / b.q[1]);
}
V8_INLINE v8 v8_fma(v8 a, v8 b, v8 c) /* a b + c; one or two roundings */
{
    V8_HALVES(a.q[0] * b.q[0] + c.q[0], a.q[1] * b.q[1] + c.q[1]);
}
V8_INLINE v8 v8_max(v8 a, v8 b) /* b if either is NaN */
{
    V8_HALVES(v4_select(a.q[0] > b.q[0], a.q[0], b.q[0]), v4_select(a.q[1] > b.q[1], a.q[1], b.q[1]));
}
V8_INLINE v8 v8_min(v8 a, v8 b) /* b if either is NaN */
{
    V8_HALVES(v4_select(a.q[0] < b.q[0], a.q[0], b.q[0]), v4_select(a.q[1] < b.q[1], a.q[1], b.q[1]));
}
V8_INLINE v8 v8_sqrt(v8 a)
{
    V8_EACH(sqrtf(V8_LANE(a, i)));
}
V8_INLINE v8 v8_abs(v8 a)
{
    const v4_bits all_but_sign = (v4_bits){INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    V8_HALVES((v4)((v4_bits)a.q[0] & all_but_sign), (v4)((v4_bits)a.q[1] & all_but_sign));
}
V8_INLINE v8 v8_neg(v8 a)
{
    V8_HALVES(-a.q[0], -a.q[1]);
}
V8_INLINE v8 v8_floor(v8 a)
{
    V8_EACH(floorf(V8_LANE(a, i)));
}
V8_INLINE v8 v8_ceil(v8 a)
{
    V8_EACH(ceilf(V8_LANE(a, i)));
}
V8_INLINE v8 v8_round(v8 a) /* to even */
{
    V8_EACH(nearbyintf(V8_LANE(a, i)));
}
V8_INLINE v8 v8_copysign(v8 a, v8 sign)
{
    const v4_bits rest = (v4_bits){INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    V8_HALVES(v4_select(rest, a.q[0], sign.q[0]), v4_select(rest, a.q[1], sign.q[1]));
}
V8_INLINE v8 v8_select_lt(v8 a, v8 b, v8 yes, v8 no) /* a < b ? yes : no */
{
    V8_HALVES(v4_select(a.q[0] < b.q[0], yes.q[0], no.q[0]), v4_select(a.q[1] < b.q[1], yes.q[1], no.q[1]));
}
V8_INLINE v8 v8_if_nan(v8 a, v8 no) /* a where it is NaN, else `no` */
{
    V8_HALVES(v4_select(a.q[0] == a.q[0], no.q[0], a.q[0]), v4_select(a.q[1] == a.q[1], no.q[1], a.q[1]));
}
/* x rounded to the nearest integer, for |x| < 2^22: adding 1.5 2^23 leaves no bits for a fraction. */
V8_INLINE v8 v8_round_small(v8 a)
{
    const v8 magic = v8_set1(12582912.0f);
    return v8_sub(v8_add(a, magic), magic);
}
V8_INLINE v4 v4_shifted(v4 a) /* the low bits to where the exponent is */
{
    typedef uint32_t words __attribute__((vector_size(16)));
    return (v4)((words)a << 23);
}
V8_INLINE v8 v8_pow2_of_sum(v8 a) /* 2^n of a = 1.5 * 2^23 + 127 + n */
{
    V8_HALVES(v4_shifted(a.q[0]), v4_shifted(a.q[1]));
}
/* 2^n for integral n in [-126, 127]: n + 1.5 2^23 holds n in its low bits, which move into the exponent. */
V8_INLINE v8 v8_pow2(v8 n)
{
    return v8_pow2_of_sum(v8_add(n, v8_set1(12582912.0f + 127.0f)));
}
V8_INLINE float v8_sum(v8 a) /* in the order of vec_avx2.h */
{
    const v4 q = a.q[0] + a.q[1];
    return (q[0] + q[2]) + (q[1] + q[3]);
}
V8_INLINE float v8_hmax(v8 a)
{
    float m = a.q[0][0];
    for (int i = 1; i < 8; i++) m = V8_LANE(a, i) > m ? V8_LANE(a, i) : m;
    return m;
}

/* Lane i: p[i] if place at + i is one of a line of n, else 0. */
typedef struct v8_window {
    int64_t at, n;
} v8_window;
V8_INLINE v8_window v8_window_of(int64_t at, int64_t n)
{
    return (v8_window){at, n};
}
V8_INLINE v8 v8_load_window(const float *p, v8_window w)
{
    V8_EACH(i >= -w.at && i < w.n - w.at ? p[i] : 0);
}
/* The elements of even places among these sixteen, and those of odd ones, in an order that v8_join ends. */
V8_INLINE void v8_split(v8 x[2], v8 a, v8 b)
{
    x[0] = (v8){{{a.q[0][0], a.q[0][2], a.q[1][0], a.q[1][2]}, {b.q[0][0], b.q[0][2], b.q[1][0], b.q[1][2]}}};
    x[1] = (v8){{{a.q[0][1], a.q[0][3], a.q[1][1], a.q[1][3]}, {b.q[0][1], b.q[0][3], b.q[1][1], b.q[1][3]}}};
}
V8_INLINE v8 v8_join(v8 a)
{
    return a;
}
V8_INLINE v8 v8_next(v8 a, v8 b) /* a from its second on, then b's first */
{
    v8 y;
    for (int i = 0; i < 7; i++) V8_LANE(y, i) = V8_LANE(a, i + 1);
    V8_LANE(y, 7) = V8_LANE(b, 0);
    return y;
}
V8_INLINE void v8_zip(v8 x[2], v8 a, v8 b) /* a's first, b's first, a's second, ... */
{
    x[0] = (v8){{{a.q[0][0], b.q[0][0], a.q[0][1], b.q[0][1]}, {a.q[0][2], b.q[0][2], a.q[0][3], b.q[0][3]}}};
    x[1] = (v8){{{a.q[1][0], b.q[1][0], a.q[1][1], b.q[1][1]}, {a.q[1][2], b.q[1][2], a.q[1][3], b.q[1][3]}}};
}
/* Four neighbours at each of eight places: element j of place i is lane i of y[j]. */
V8_INLINE void v8_load_quads(v8 y[4], const float *x, const int32_t *offset)
{
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 8; i++) V8_LANE(y[j], i) = x[offset[i] + j];
}
V8_INLINE void v8_store_quads(float *y, const int32_t *offset, const v8 x[4])
{
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++) y[offset[i] + j] = V8_LANE(x[j], i);
}
/* Lanes of one im2col row; see cpu_lanes. */
V8_INLINE void v8_gather_rows(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count,
                              const int32_t *offset, const int32_t *mask)
{
    for (int64_t i = 0; i < count; i++, y += y_step, x += x_step)
        for (int j = 0; j < 8; j++) y[j] = mask[j] ? x[offset[j]] : 0;
}

#undef V8_HALVES
#undef V8_EACH
#undef V8_LANE
#endif
