/* SPDX-License-Identifier: Apache-2.0
 * What AVX512-BF16 adds to AVX-512: sums in fp32 of products of two bf16 each. Denormals count as zero there,
 * where the specification has them. No machine with AVX-512 has timed this. */
#include "cpu/gemm_avx512.h"

#ifdef CPU_SIMDE
V16_INLINE __m512i sum_halves(const float *at, __m512i a, __m512i b, __m512i sum)
{
    uint16_t x[32], y[32];
    float s[16];
    (void)at;
    _mm512_storeu_si512(x, a);
    _mm512_storeu_si512(y, b);
    _mm512_storeu_si512(s, sum);
    for (int i = 0; i < 32; i++) s[i / 2] += vkb_bf16_to_f32(x[i]) * vkb_bf16_to_f32(y[i]);
    return _mm512_loadu_si512(s);
}
#else
TILE_STEP(sum_halves, "vdpbf16ps %2, %1, %0")
#endif

TILE_KIND(halves, TILE_FLOATS, sum_halves)

static void gemm_bf16(const cpu_tile *t)
{
    tile_run(t, halves_tiles, VKB_COUNT(halves_tiles), TILE_FLOATS, tile_multiply);
}

/* To nearest, ties to even, in the lower half of each element, as vkb_f32_to_bf16: the instruction for it
 * takes denormals for zero. */
V16_INLINE __m512i narrowed(__m512i x)
{
    const __m512i magnitude = _mm512_and_si512(x, _mm512_set1_epi32(0x7fffffff));
    const __mmask16 nan = _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7f800000));
    const __m512i upper = _mm512_srli_epi32(x, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(_mm512_add_epi32(x, _mm512_set1_epi32(0x7fff)), odd);
    return _mm512_mask_mov_epi32(_mm512_srli_epi32(up, 16), nan,
                                 _mm512_or_si512(upper, _mm512_set1_epi32(0x40)));
}

static void pair_bf16(int32_t *pairs, const float *first, const float *second, int64_t n)
{
    w16_pair(pairs, first, second, n, narrowed);
}

void cpu_micro_avx512bf16(cpu_micro *m)
{
    tile_epilogue = m->epilogue;
    m->isa = "avx512-bf16";
    m->half[CPU_BF16] = (cpu_half_math){gemm_bf16, pair_bf16};
}
