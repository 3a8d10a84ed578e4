/* SPDX-License-Identifier: Apache-2.0
 * A vector of eight floats in plain C: the specification of the operations, written so that compilers turn
 * each loop into the machine's own vectors. vec_avx2.h has the same names. */
#ifndef CPU_VEC_C_H
#define CPU_VEC_C_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && !defined(VKI_SANITIZED) /* with checks in each, compilers choke on what results */
#define V8_INLINE static inline __attribute__((always_inline, unused))
#else
#define V8_INLINE static inline
#endif

/* sums of a GEMM tile that fit into 16 registers of 4 floats */
#define V8_TILE_ROWS 3
#define V8_TILE_VECS 1

typedef struct v8 {
    float f[8];
} v8;
typedef struct v8_mask { /* 0 or -1 */
    int32_t i[8];
} v8_mask;

#define V8_EACH(expression)                                                                                  \
    v8 r;                                                                                                    \
    for (int i = 0; i < 8; i++) r.f[i] = (expression);                                                       \
    return r

V8_INLINE v8 v8_load(const float *p)
{
    V8_EACH(p[i]);
}
V8_INLINE void v8_store(float *p, v8 a)
{
    for (int i = 0; i < 8; i++) p[i] = a.f[i];
}
V8_INLINE v8 v8_load_n(const float *p, int n) /* 0 < n <= 8; the rest is 0 */
{
    v8 r = {{0}};
    memcpy(r.f, p, (size_t)n * sizeof *p);
    return r;
}
V8_INLINE void v8_store_n(float *p, v8 a, int n)
{
    memcpy(p, a.f, (size_t)n * sizeof *p);
}
V8_INLINE v8 v8_set1(float x)
{
    V8_EACH(x);
}
V8_INLINE v8 v8_add(v8 a, v8 b)
{
    V8_EACH(a.f[i] + b.f[i]);
}
V8_INLINE v8 v8_sub(v8 a, v8 b)
{
    V8_EACH(a.f[i] - b.f[i]);
}
V8_INLINE v8 v8_mul(v8 a, v8 b)
{
    V8_EACH(a.f[i] * b.f[i]);
}
V8_INLINE v8 v8_div(v8 a, v8 b)
{
    V8_EACH(a.f[i] / b.f[i]);
}
V8_INLINE v8 v8_fma(v8 a, v8 b, v8 c) /* a b + c; one or two roundings */
{
    V8_EACH(a.f[i] * b.f[i] + c.f[i]);
}
V8_INLINE v8 v8_max(v8 a, v8 b) /* b if either is NaN */
{
    V8_EACH(a.f[i] > b.f[i] ? a.f[i] : b.f[i]);
}
V8_INLINE v8 v8_min(v8 a, v8 b) /* b if either is NaN */
{
    V8_EACH(a.f[i] < b.f[i] ? a.f[i] : b.f[i]);
}
V8_INLINE v8 v8_sqrt(v8 a)
{
    V8_EACH(sqrtf(a.f[i]));
}
V8_INLINE v8 v8_abs(v8 a)
{
    V8_EACH(fabsf(a.f[i]));
}
V8_INLINE v8 v8_neg(v8 a)
{
    V8_EACH(-a.f[i]);
}
V8_INLINE v8 v8_floor(v8 a)
{
    V8_EACH(floorf(a.f[i]));
}
V8_INLINE v8 v8_ceil(v8 a)
{
    V8_EACH(ceilf(a.f[i]));
}
V8_INLINE v8 v8_round(v8 a) /* to even */
{
    V8_EACH(nearbyintf(a.f[i]));
}
V8_INLINE v8 v8_copysign(v8 a, v8 sign)
{
    V8_EACH(copysignf(a.f[i], sign.f[i]));
}
V8_INLINE v8 v8_select_lt(v8 a, v8 b, v8 yes, v8 no) /* a < b ? yes : no */
{
    V8_EACH(a.f[i] < b.f[i] ? yes.f[i] : no.f[i]);
}
V8_INLINE v8 v8_if_nan(v8 a, v8 no) /* a where it is NaN, else `no` */
{
    V8_EACH(isnan(a.f[i]) ? a.f[i] : no.f[i]);
}
/* x rounded to the nearest integer, for |x| < 2^22: adding 1.5 2^23 leaves no bits for a fraction. */
V8_INLINE v8 v8_round_small(v8 a)
{
    const float magic = 12582912.0f;
    V8_EACH((a.f[i] + magic) - magic);
}
/* 2^n for integral n in [-126, 127]: n + 1.5 2^23 holds n in its low bits, which move into the exponent. */
V8_INLINE v8 v8_pow2(v8 n)
{
    v8 r;
    for (int i = 0; i < 8; i++) {
        float shifted = n.f[i] + (12582912.0f + 127.0f);
        uint32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        bits <<= 23;
        memcpy(&r.f[i], &bits, sizeof bits);
    }
    return r;
}
V8_INLINE v8 v8_pow2_of_sum(v8 a) /* 2^n of a = 1.5 * 2^23 + 127 + n */
{
    v8 r;
    uint32_t bits[8];
    memcpy(bits, a.f, sizeof bits);
    for (int i = 0; i < 8; i++) bits[i] <<= 23;
    memcpy(r.f, bits, sizeof bits);
    return r;
}
V8_INLINE float v8_sum(v8 a) /* in the order of vec_avx2.h */
{
    float q[4];
    for (int i = 0; i < 4; i++) q[i] = a.f[i] + a.f[i + 4];
    return (q[0] + q[2]) + (q[1] + q[3]);
}
V8_INLINE float v8_hmax(v8 a)
{
    float m = a.f[0];
    for (int i = 1; i < 8; i++) m = a.f[i] > m ? a.f[i] : m;
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
    for (int i = 0; i < 8; i++) {
        x[0].f[i] = i < 4 ? a.f[2 * i] : b.f[2 * i - 8];
        x[1].f[i] = i < 4 ? a.f[2 * i + 1] : b.f[2 * i - 7];
    }
}
V8_INLINE v8 v8_join(v8 a)
{
    return a;
}
/* Four neighbours at each of eight places: element j of place i is lane i of y[j]. */
V8_INLINE void v8_load_quads(v8 y[4], const float *x, const int32_t *offset)
{
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 8; i++) y[j].f[i] = x[offset[i] + j];
}
V8_INLINE void v8_store_quads(float *y, const int32_t *offset, const v8 x[4])
{
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++) y[offset[i] + j] = x[j].f[i];
}
/* Lanes of one im2col row; see cpu_lanes. */
V8_INLINE void v8_gather_rows(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count,
                              const int32_t *offset, const int32_t *mask)
{
    for (int64_t i = 0; i < count; i++, y += y_step, x += x_step)
        for (int j = 0; j < 8; j++) y[j] = mask[j] ? x[offset[j]] : 0;
}

#undef V8_EACH
#endif
