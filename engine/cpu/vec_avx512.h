/* SPDX-License-Identifier: Apache-2.0
 * Sixteen elements of four bytes on AVX-512; masks say which of them are in memory. Only *_avx512*.c may
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

V16_INLINE __mmask16 w16_first(int n) /* n <= 0: none; 16 and more: all */
{
    return n <= 0 ? 0 : (__mmask16)(0xffffu >> (n < 16 ? 16 - n : 0));
}
V16_INLINE __m512i w16_set1(const float *p) /* the four bytes at p, in each element */
{
    int32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

#endif
