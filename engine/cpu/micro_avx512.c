/* SPDX-License-Identifier: Apache-2.0
 * What AVX-512 (F, BW, DQ, VL) adds to AVX2: GEMM tiles of 14 rows by a vector of 16 columns. A step of k
 * loads one vector and multiplies it with 14 elements of A that the instruction broadcasts from memory: 15
 * loads for 14 multiply-adds. Panels of 16 columns serve all instruction sets. No machine with AVX-512 has
 * timed this. */
#include <math.h>

#include "cpu/micro.h"

#include "cpu/vec_avx512.h"

V16_INLINE void tile_floats(const cpu_tile *t, int row, int rows)
{
    const __mmask16 cols = w16_first(t->cols), width = w16_first(t->cols > 8 ? 16 : 8);
    const int64_t c_stride = t->c_stride;
    __m512 s[TILE_ROWS];
    float *c = t->c + row * c_stride;
    if (t->accumulate) {
        const float *from = c;
        CPU_UNROLL
        for (int r = 0; r < rows; r++, from += c_stride) s[r] = v16_load(from, cols);
    } else {
        const __m512 columns = t->bias_col ? v16_load(t->bias_col, cols) : _mm512_setzero_ps();
        CPU_UNROLL
        for (int r = 0; r < rows; r++) s[r] = columns;
        if (t->bias_row) {
            CPU_UNROLL
            for (int r = 0; r < rows; r++)
                s[r] = _mm512_add_ps(_mm512_set1_ps(t->bias_row[row + r]), columns);
        }
    }
    const float *a = t->a + row, *b = t->b;
    for (int64_t k = 0; k < t->k; k++, a += t->rows) {
        const __m512 x = v16_load(t->b_offset ? b + t->b_offset[k] : b + k * t->b_stride, width);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) s[r] = _mm512_fmadd_ps(_mm512_set1_ps(a[r]), x, s[r]);
    }
    const gr_epilogue *e = t->epilogue;
    if (e && e->residual == GR_RESIDUAL_NONE && (e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)) {
        const __m512 low = _mm512_set1_ps(e->act == GR_ACT_RELU ? 0 : e->alpha);
        const __m512 high = _mm512_set1_ps(e->act == GR_ACT_RELU ? INFINITY : e->beta);
        /* NaN stays */
        CPU_UNROLL
        for (int r = 0; r < rows; r++) s[r] = _mm512_min_ps(high, _mm512_max_ps(low, s[r]));
    }
    CPU_UNROLL
    for (int r = 0; r < rows; r++, c += c_stride) v16_store(c, s[r], cols);
}

static void (*epilogue)(float *y, const float *x, const float *residual, int64_t n,
                        const gr_epilogue *e); /* of the table below; set once, with the tables */

static void gemm(const cpu_tile *t)
{
    TILE_PARTS(tile_floats)
    const gr_epilogue *e = t->epilogue;
    if (!e || (e->residual == GR_RESIDUAL_NONE &&
               (e->act == GR_ACT_NONE || e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)))
        return;
    for (int r = 0; r < t->rows; r++) { /* the tile is still in the first-level cache */
        float *c = t->c + r * t->c_stride;
        epilogue(c, c, t->residual ? t->residual + r * t->c_stride : NULL, t->cols, e);
    }
}

static void gemm_line(const cpu_tile *t)
{
    cpu_tile part = *t;
    part.cols = t->cols < CPU_NR ? t->cols : CPU_NR;
    for (int i = 0; i < t->cols; i += CPU_NR) {
        const int col = i < t->cols - part.cols ? i : t->cols - part.cols; /* the last may overlap */
        part.b = t->b + col;
        part.c = t->c + col;
        if (t->residual) part.residual = t->residual + col;
        gemm(&part);
    }
}

V16_INLINE __m512i sum_pairs(__m512i a, __m512i b, __m512i sum)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}

V16_INLINE void tile_pairs(const cpu_tile *t, int row, int rows)
{
    tile_integers(t, row, rows, sum_pairs);
}

static void gemm_i16(const cpu_tile *t)
{
    TILE_PARTS(tile_pairs)
}

void cpu_micro_avx512(cpu_micro *m)
{
    epilogue = m->epilogue;
    m->isa = "avx512";
    m->mr = TILE_ROWS;
    m->gemm = gemm;
    m->gemm_line = gemm_line;
    m->pixels = NULL;
    m->gemm_i16 = gemm_i16;
}
