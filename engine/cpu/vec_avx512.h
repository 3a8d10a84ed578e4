/* SPDX-License-Identifier: Apache-2.0
 * Sixteen floats or elements of four bytes on AVX-512; masks say which of them are
 * in memory. Only *_avx512*.c may
 * include this. CPU_SIMDE, which only a test defines, takes the instructions from the SIMDe library, in plain
 * C. */
#ifndef CPU_VEC_AVX512_H
#define CPU_VEC_AVX512_H

#include <stdint.h>

#define V16_INLINE static inline __attribute__((always_inline, unused))

#ifdef CPU_SIMDE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#include <string.h>

#define __mmask16 simde__mmask16
#undef _mm512_madd_epi16 /* SIMDe 0.7.4 gives it four parameters */
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)

V16_INLINE __m512i w16_load(const void *p, __mmask16 mask)
{
    int32_t v[16] = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy(&v[i], (const int32_t *)p + i, sizeof *v);
    return _mm512_loadu_si512(v);
}
V16_INLINE void w16_store(void *p, __m512i a, __mmask16 mask)
{
    int32_t v[16];
    _mm512_storeu_si512(v, a);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy((int32_t *)p + i, &v[i], sizeof *v);
}
#else
#include <immintrin.h>

V16_INLINE __m512i w16_load(const void *p, __mmask16 mask)
{
    return _mm512_maskz_loadu_epi32(mask, p);
}
V16_INLINE void w16_store(void *p, __m512i a, __mmask16 mask)
{
    _mm512_mask_storeu_epi32(p, mask, a);
}
#endif

V16_INLINE __mmask16 w16_first(int n)
{
    return (__mmask16)((1u << n) - 1);
}
V16_INLINE __m512 v16_load(const float *p, __mmask16 mask)
{
    return _mm512_castsi512_ps(w16_load(p, mask));
}
V16_INLINE void v16_store(float *p, __m512 a, __mmask16 mask)
{
    w16_store(p, _mm512_castps_si512(a), mask);
}
V16_INLINE __m512i w16_set1(const float *p) /* the four bytes at p, in each element */
{
    int32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

/* Calls function(t, row, a constant number of rows, ...) for the rows of a tile, TILE_ROWS at a time. */
enum { TILE_ROWS = 14 };
#define TILE_CASE(n, function)                                                                               \
    case n:                                                                                                  \
        function(t, row, n);                                                                                 \
        break;
#define TILE_PARTS(function)                                                                                 \
    for (int row = 0; row < t->rows; row += TILE_ROWS) switch (t->rows - row) {                              \
            TILE_CASE(1, function)                                                                           \
            TILE_CASE(2, function)                                                                           \
            TILE_CASE(3, function)                                                                           \
            TILE_CASE(4, function)                                                                           \
            TILE_CASE(5, function)                                                                           \
            TILE_CASE(6, function)                                                                           \
            TILE_CASE(7, function)                                                                           \
            TILE_CASE(8, function)                                                                           \
            TILE_CASE(9, function)                                                                           \
            TILE_CASE(10, function)                                                                          \
            TILE_CASE(11, function)                                                                          \
            TILE_CASE(12, function)                                                                          \
            TILE_CASE(13, function)                                                                          \
        default:                                                                                             \
            function(t, row, 14);                                                                            \
        }

/* The integer tiles: columns of a panel of 8 beyond it read as zero. */
typedef __m512i (*w16_sum)(__m512i a, __m512i b, __m512i sum);
V16_INLINE void tile_integers(const cpu_tile *t, int row, int rows, w16_sum sum_of)
{
    const __mmask16 cols = w16_first(t->cols), width = w16_first(t->cols > 8 ? 16 : 8);
    const int64_t c_stride = t->c_stride;
    const __m512i flip = _mm512_set1_epi32(t->form.b_flip);
    __m512i s[TILE_ROWS];
    float *c = t->c + row * c_stride;
    if (t->accumulate) {
        const float *from = c;
        CPU_UNROLL
        for (int r = 0; r < rows; r++, from += c_stride) s[r] = w16_load(from, cols);
    } else {
        const __m512i columns = t->bias_col ? w16_load(t->bias_col, cols) : _mm512_setzero_si512();
        CPU_UNROLL
        for (int r = 0; r < rows; r++) s[r] = columns;
        if (t->bias_row) {
            CPU_UNROLL
            for (int r = 0; r < rows; r++) s[r] = _mm512_add_epi32(columns, w16_set1(t->bias_row + row + r));
        }
    }
    const float *a = t->a + row, *b = t->b;
    for (int64_t k = 0; k < t->k; k++, a += t->rows, b += t->b_stride) {
        const __m512i x = _mm512_xor_si512(w16_load(b, width), flip);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) s[r] = sum_of(w16_set1(a + r), x, s[r]);
    }
    CPU_UNROLL
    for (int r = 0; r < rows; r++, c += c_stride) w16_store(c, s[r], cols);
}

#endif
