/* SPDX-License-Identifier: Apache-2.0
 * Eight int32, or eight pairs of int16, on AVX2; vec_i16_c.h says what each operation means. Only *_avx2.c
 * may include this, after vec_avx2.h. */
#ifndef CPU_VEC_I16_H
#define CPU_VEC_I16_H

#include <immintrin.h>
#include <stdint.h>

typedef __m256i w8;

V8_INLINE w8 w8_load(const void *p)
{
    return _mm256_loadu_si256(p);
}
V8_INLINE w8 w8_load_n(const void *p, int n)
{
    return _mm256_maskload_epi32(p, v8_first(n));
}
V8_INLINE void w8_store(void *p, w8 a)
{
    _mm256_storeu_si256(p, a);
}
V8_INLINE void w8_store_n(void *p, w8 a, int n)
{
    v8_store_n(p, _mm256_castsi256_ps(a), n);
}
V8_INLINE w8 w8_set1(int32_t x)
{
    return _mm256_set1_epi32(x);
}
V8_INLINE w8 w8_add(w8 a, w8 b)
{
    return _mm256_add_epi32(a, b);
}
V8_INLINE w8 w8_madd(w8 a, w8 b, w8 c)
{
    return _mm256_add_epi32(c, _mm256_madd_epi16(a, b));
}

#endif
