/* SPDX-License-Identifier: Apache-2.0
 * What AVX512-FP16 adds to AVX-512: arithmetic on 32 fp16 a register. A tile's sums of first and second
 * halves stay apart until CPU_F16_STEPS of them go to fp32. No machine with AVX-512 has timed this. */
#include "cpu/gemm_avx512.h"

#ifdef CPU_SIMDE /* which has nothing for fp16 */
V16_INLINE __m512i sum_halves(const float *at, __m512i a, __m512i b, __m512i sum)
{
    uint16_t x[32], y[32], s[32];
    (void)at;
    _mm512_storeu_si512(x, a);
    _mm512_storeu_si512(y, b);
    _mm512_storeu_si512(s, sum);
    for (int i = 0; i < 32; i++)
        s[i] = vkb_f32_to_f16(vkb_f16_to_f32(s[i]) + vkb_f16_to_f32(x[i]) * vkb_f16_to_f32(y[i]));
    return _mm512_loadu_si512(s);
}
V16_INLINE __m512 widened(const uint16_t *halves)
{
    float x[16];
    vkb_f16_to_f32_n(x, halves, 16);
    return _mm512_loadu_ps(x);
}
V16_INLINE __m512i narrowed(__m512i floats)
{
    float x[16];
    int32_t y[16];
    _mm512_storeu_si512(x, floats);
    for (int i = 0; i < 16; i++) y[i] = vkb_f32_to_f16(x[i]);
    return _mm512_loadu_si512(y);
}
#else
TILE_STEP(sum_halves, "vfmadd231ph %2, %1, %0")
V16_INLINE __m512 widened(const uint16_t *halves)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)halves));
}
V16_INLINE __m512i narrowed(__m512i floats) /* each in the lower half of its element */
{
    return _mm512_cvtepu16_epi32(
        _mm512_cvtps_ph(_mm512_castsi512_ps(floats), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#endif

TILE_KIND(halves, TILE_FLOATS, sum_halves)

/* What the sums of 16 columns come to, of both halves. */
V16_INLINE __m512i joined(const __m512i *sums)
{
    uint16_t halves[32];
    _mm512_storeu_si512(halves, *sums);
    const __m512 low = widened(halves), high = widened(halves + 16);
    const __m512 sum = _mm512_add_ps(_mm512_shuffle_ps(low, high, 0x88), _mm512_shuffle_ps(low, high, 0xdd));
    /* in each quarter now two of the lower columns, then two of the upper ones */
    return _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), _mm512_castps_si512(sum));
}

static void multiply_halves(tile *p, const tile_columns *columns, tile_fn sums)
{
    tile part;
    part.a_step = p->a_step;
    for (int64_t k = 0; k < p->k; k += CPU_F16_STEPS) {
        part.k = p->k - k < CPU_F16_STEPS ? p->k - k : CPU_F16_STEPS;
        part.a = p->a + k * p->a_step;
        for (int v = 0; v < TILE_VECS; v++) {
            part.b[v] = p->b[v] + k * p->b_step[v];
            part.b_step[v] = p->b_step[v];
            for (int r = 0; r < p->rows; r++) part.sums[r][v] = _mm512_setzero_si512();
        }
        tile_multiply(&part, columns, sums);
        for (int r = 0; r < p->rows; r++)
            for (int v = 0; v < TILE_VECS; v++)
                p->sums[r][v] = tile_add(p->sums[r][v], joined(&part.sums[r][v]), TILE_FLOATS);
    }
}

static void gemm_f16(const cpu_tile *t)
{
    tile_run(t, halves_tiles, VKB_COUNT(halves_tiles), TILE_FLOATS, multiply_halves);
}

static void pair_f16(int32_t *pairs, const float *first, const float *second, int64_t n)
{
    w16_pair(pairs, first, second, n, narrowed);
}

void cpu_micro_avx512fp16(cpu_micro *m)
{
    tile_epilogue = m->epilogue;
    m->isa = "avx512-fp16";
    m->half[CPU_F16] = (cpu_half_math){gemm_f16, pair_f16};
}
