/* SPDX-License-Identifier: Apache-2.0
 * The vector of eight floats on AVX2 with FMA; vec_c.h says what each operation means. Only *_avx2.c may
 * include this. */
#ifndef CPU_VEC_AVX2_H
#define CPU_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#ifdef VKI_SANITIZED /* see vec_c.h */
#define V8_INLINE static inline __attribute__((unused))
#else
#define V8_INLINE static inline __attribute__((always_inline, unused))
#endif

/* 12 of 16 registers hold sums */
#define V8_TILE_ROWS     6
#define V8_TILE_VECS     2
#define V8_FMA_ONCE      1 /* v8_fma rounds once */
#define V8_FEW_REGISTERS   /* 16 of eight floats */

typedef __m256 v8;

V8_INLINE __m256i v8_first(int n) /* mask of the first n lanes */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
V8_INLINE v8 v8_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
V8_INLINE v8 v8_load_once(const float *p) /* compilers rather load again for each instruction that can */
{
    v8 a = v8_load(p);
    __asm__("" : "+x"(a));
    return a;
}
V8_INLINE void v8_store(float *p, v8 a)
{
    _mm256_storeu_ps(p, a);
}
V8_INLINE v8 v8_load_n(const float *p, int n)
{
    return _mm256_maskload_ps(p, v8_first(n));
}
V8_INLINE void v8_store_n(float *p, v8 a, int n) /* masked stores are slow microcode on AMD */
{
    __m128 q = _mm256_castps256_ps128(a);
    if (n & 8) {
        _mm256_storeu_ps(p, a);
        return;
    }
    if (n & 4) {
        _mm_storeu_ps(p, q);
        q = _mm256_extractf128_ps(a, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, q);
        q = _mm_movehl_ps(q, q);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, q);
}
V8_INLINE v8 v8_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
V8_INLINE void v8_store_f16(uint16_t *p, v8 a)
{
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
V8_INLINE v8 v8_load_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
V8_INLINE v8 v8_set1(float x)
{
    return _mm256_set1_ps(x);
}
V8_INLINE v8 v8_add(v8 a, v8 b)
{
    return _mm256_add_ps(a, b);
}
V8_INLINE v8 v8_sub(v8 a, v8 b)
{
    return _mm256_sub_ps(a, b);
}
V8_INLINE v8 v8_mul(v8 a, v8 b)
{
    return _mm256_mul_ps(a, b);
}
V8_INLINE v8 v8_div(v8 a, v8 b)
{
    return _mm256_div_ps(a, b);
}
V8_INLINE v8 v8_fma(v8 a, v8 b, v8 c)
{
    return _mm256_fmadd_ps(a, b, c);
}
V8_INLINE v8 v8_max(v8 a, v8 b)
{
    return _mm256_max_ps(a, b);
}
V8_INLINE v8 v8_min(v8 a, v8 b)
{
    return _mm256_min_ps(a, b);
}
V8_INLINE v8 v8_sqrt(v8 a)
{
    return _mm256_sqrt_ps(a);
}
V8_INLINE v8 v8_abs(v8 a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
V8_INLINE v8 v8_neg(v8 a)
{
    return _mm256_xor_ps(_mm256_set1_ps(-0.0f), a);
}
V8_INLINE v8 v8_floor(v8 a)
{
    return _mm256_floor_ps(a);
}
V8_INLINE v8 v8_ceil(v8 a)
{
    return _mm256_ceil_ps(a);
}
V8_INLINE v8 v8_round(v8 a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
V8_INLINE v8 v8_copysign(v8 a, v8 sign)
{
    const v8 bit = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(bit, a), _mm256_and_ps(bit, sign));
}
V8_INLINE v8 v8_select_lt(v8 a, v8 b, v8 yes, v8 no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
V8_INLINE v8 v8_if_nan(v8 a, v8 no)
{
    return _mm256_blendv_ps(no, a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
V8_INLINE v8 v8_round_small(v8 a)
{
    return v8_round(a);
}
V8_INLINE v8 v8_pow2(v8 n)
{
    __m256i bits = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23));
}
V8_INLINE v8 v8_pow2_of_sum(v8 a)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23));
}
V8_INLINE float v8_sum(v8 a)
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
V8_INLINE float v8_hmax(v8 a)
{
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

typedef struct v8_window {
    __m256i mask;
} v8_window;
V8_INLINE v8_window v8_window_of(int64_t at, int64_t n)
{
    const __m256i first = _mm256_set1_epi32((int)at), end = _mm256_set1_epi32((int)n);
    const __m256i place = _mm256_add_epi32(first, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i below = _mm256_cmpgt_epi32(_mm256_setzero_si256(), place);
    return (v8_window){_mm256_andnot_si256(below, _mm256_cmpgt_epi32(end, place))};
}
V8_INLINE v8 v8_load_window(const float *p, v8_window w)
{
    return _mm256_maskload_ps(p, w.mask);
}
V8_INLINE v8 v8_load_window_or(const float *p, v8_window w, v8 outside) /* whose lanes are equal */
{
    return _mm256_blendv_ps(outside, _mm256_maskload_ps(p, w.mask), _mm256_castsi256_ps(w.mask));
}
V8_INLINE void v8_split(v8 x[2], v8 a, v8 b)
{
    x[0] = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)); /* 0 1 4 5 2 3 6 7 */
    x[1] = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1));
}
V8_INLINE v8 v8_join(v8 a)
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(a), _MM_SHUFFLE(3, 1, 2, 0)));
}
V8_INLINE v8 v8_next(v8 a, v8 b)
{
    const __m256i middle = _mm256_castps_si256(_mm256_permute2f128_ps(a, b, 0x21));
    return _mm256_castsi256_ps(_mm256_alignr_epi8(middle, _mm256_castps_si256(a), 4));
}
V8_INLINE void v8_zip(v8 x[2], v8 a, v8 b)
{
    const v8 lo = _mm256_unpacklo_ps(a, b), hi = _mm256_unpackhi_ps(a, b);
    x[0] = _mm256_permute2f128_ps(lo, hi, 0x20);
    x[1] = _mm256_permute2f128_ps(lo, hi, 0x31);
}

/* The 4x4 blocks of both halves are transposed: place i and place i + 4 share a register. */
V8_INLINE void v8_transpose_quads(v8 y[4], const v8 x[4])
{
    const v8 a = _mm256_unpacklo_ps(x[0], x[1]), b = _mm256_unpackhi_ps(x[0], x[1]);
    const v8 c = _mm256_unpacklo_ps(x[2], x[3]), d = _mm256_unpackhi_ps(x[2], x[3]);
    y[0] = _mm256_shuffle_ps(a, c, _MM_SHUFFLE(1, 0, 1, 0));
    y[1] = _mm256_shuffle_ps(a, c, _MM_SHUFFLE(3, 2, 3, 2));
    y[2] = _mm256_shuffle_ps(b, d, _MM_SHUFFLE(1, 0, 1, 0));
    y[3] = _mm256_shuffle_ps(b, d, _MM_SHUFFLE(3, 2, 3, 2));
}
V8_INLINE void v8_load_quads(v8 y[4], const float *x, const int32_t *offset)
{
    v8 places[4];
    for (int i = 0; i < 4; i++)
        places[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x + offset[i])),
                                         _mm_loadu_ps(x + offset[i + 4]), 1);
    v8_transpose_quads(y, places);
}
V8_INLINE void v8_store_quads(float *y, const int32_t *offset, const v8 x[4])
{
    v8 places[4];
    v8_transpose_quads(places, x);
    for (int i = 0; i < 4; i++) _mm_storeu_ps(y + offset[i], _mm256_castps256_ps128(places[i]));
    for (int i = 0; i < 4; i++) _mm_storeu_ps(y + offset[i + 4], _mm256_extractf128_ps(places[i], 1));
}

/* Lanes of an im2col row mostly form one run of neighbours, or of every second element (stride 2), or two
 * such where they cross the end of an image row or the padding: masked loads at the runs' bases serve these.
 * The rest is gathered, which takes several times as long. */
typedef struct v8_runs {
    __m256i mask[2];
    int32_t base[2]; /* of lane 0, were it in the run */
    bool two;        /* all valid lanes are in the two runs */
} v8_runs;

V8_INLINE v8_runs v8_find_runs(const int32_t *offset, const int32_t *mask, int apart)
{
    const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i places = _mm256_mullo_epi32(iota, _mm256_set1_epi32(apart));
    const __m256i base = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)offset), places);
    __m256i rest = _mm256_loadu_si256((const __m256i *)mask);
    v8_runs r = {{_mm256_setzero_si256(), _mm256_setzero_si256()}, {0, 0}, false};
    for (int i = 0; i < 2; i++) {
        const int left = _mm256_movemask_ps(_mm256_castsi256_ps(rest));
        if (!left) break;
        const int lane = __builtin_ctz((unsigned)left);
        r.base[i] = offset[lane] - apart * lane;
        r.mask[i] = _mm256_and_si256(rest, _mm256_cmpeq_epi32(base, _mm256_set1_epi32(r.base[i])));
        rest = _mm256_andnot_si256(r.mask[i], rest);
    }
    r.two = _mm256_testz_si256(rest, rest);
    return r;
}

V8_INLINE bool v8_all(__m256i mask)
{
    return _mm256_movemask_ps(_mm256_castsi256_ps(mask)) == 0xff;
}

/* Every second element from a[0] on, eight of them, the last four at b[1], b[3].. where b is a + 7. */
V8_INLINE v8 v8_every_second(v8 a, v8 b)
{
    return v8_join(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 2, 0)));
}

V8_INLINE v8 v8_load_either(const float *p, const float *q, __m256i of_p, __m256i of_q)
{
    return _mm256_or_ps(_mm256_maskload_ps(p, of_p), _mm256_maskload_ps(q, of_q));
}

/* Runs two apart. */
V8_INLINE void v8_load_pairs(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count,
                             const v8_runs *r)
{
    if (v8_all(r->mask[0])) {
        for (int64_t i = 0; i < count; i++) {
            const float *p = x + i * x_step + r->base[0]; /* nothing beyond p[14] is read */
            v8_store(y + i * y_step, v8_every_second(v8_load(p), v8_load(p + 7)));
        }
        return;
    }
    const __m256i low = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3), even = _mm256_set1_epi64x(0xffffffff);
    const __m256i high = _mm256_add_epi32(low, _mm256_set1_epi32(4));
    __m256i a[2], b[2];
    for (int i = 0; i < 2; i++) {
        a[i] = _mm256_and_si256(even, _mm256_permutevar8x32_epi32(r->mask[i], low));
        b[i] = _mm256_andnot_si256(even, _mm256_permutevar8x32_epi32(r->mask[i], high));
    }
    for (int64_t i = 0; i < count; i++) {
        const float *p = x + i * x_step + r->base[0], *q = x + i * x_step + r->base[1];
        v8_store(y + i * y_step,
                 v8_every_second(v8_load_either(p, q, a[0], a[1]), v8_load_either(p + 7, q + 7, b[0], b[1])));
    }
}

/* Every fourth element, eight of them. */
V8_INLINE void v8_load_fours(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int64_t i = 0; i < count; i++, x += x_step) { /* nothing beyond x[28] is read */
        const v8 a = _mm256_shuffle_ps(v8_load(x), v8_load(x + 8), 0);
        const v8 b = _mm256_shuffle_ps(v8_load(x + 16), v8_load(x + 21), _MM_SHUFFLE(3, 3, 0, 0));
        v8_store(y + i * y_step,
                 _mm256_permutevar8x32_ps(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)), order));
    }
}

V8_INLINE void v8_gather_rows(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count,
                              const int32_t *offset, const int32_t *mask)
{
    const v8_runs r = v8_find_runs(offset, mask, 1);
    if (v8_all(r.mask[0])) {
        for (int64_t i = 0; i < count; i++) v8_store(y + i * y_step, v8_load(x + i * x_step + r.base[0]));
        return;
    }
    if (r.two) {
        for (int64_t i = 0; i < count; i++) {
            const float *p = x + i * x_step;
            v8_store(y + i * y_step, v8_load_either(p + r.base[0], p + r.base[1], r.mask[0], r.mask[1]));
        }
        return;
    }
    const v8_runs pairs = v8_find_runs(offset, mask, 2);
    if (pairs.two) {
        v8_load_pairs(y, y_step, x, x_step, count, &pairs);
        return;
    }
    const v8_runs fours = v8_find_runs(offset, mask, 4);
    if (v8_all(fours.mask[0])) {
        v8_load_fours(y, y_step, x + fours.base[0], x_step, count);
        return;
    }
    const __m256i at = _mm256_loadu_si256((const __m256i *)offset);
    const v8 on = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)mask));
    for (int64_t i = 0; i < count; i++)
        v8_store(y + i * y_step, _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x + i * x_step, at, on, 4));
}

#endif
