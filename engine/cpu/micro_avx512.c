/* SPDX-License-Identifier: Apache-2.0
 * What AVX-512 (F, BW, DQ, VL) adds to AVX2: GEMM tiles of 14 rows by two panels of 16 columns, which serve
 * all instruction sets, and pointwise convolutions with 16 output channels as lanes. No machine with AVX-512
 * has timed this. */
#include <string.h>

#include "cpu/gemm_avx512.h"

#ifdef CPU_SIMDE
TILE_STEP(sum_floats, _mm512_castps_si512(_mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b),
                                                          _mm512_castsi512_ps(sum))))
#define sum_spread sum_floats
TILE_STEP(sum_pairs, _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)))
#else
TILE_STEP(sum_floats, "vfmadd231ps %2, %1, %0")
V16_INLINE __m512i sum_spread(const float *at, __m512i a, __m512i b, __m512i sum)
{
    (void)a; /* not needed: fewer instructions */
    __asm__("vfmadd231ps %1%{1to16%}, %2, %0" : "+v"(sum) : "m"(*at), "v"(b));
    return sum;
}
V16_INLINE __m512i sum_pairs(const float *at, __m512i a, __m512i b, __m512i sum)
{
    __m512i products;
    (void)at;
    __asm__("vpmaddwd %2, %1, %0" : "=v"(products) : "v"(a), "v"(b));
    __asm__("vpaddd %1, %0, %0" : "+v"(sum) : "v"(products));
    return sum;
}
#endif

TILES_7(wide, TILE_VECS, TILE_FLOATS, sum_floats)
TILE(8, wide, TILE_VECS, TILE_FLOATS, sum_floats)
TILE(9, wide, TILE_VECS, TILE_FLOATS, sum_floats)
TILE(10, wide, TILE_VECS, TILE_FLOATS, sum_floats)
TILE(11, wide, TILE_VECS, TILE_FLOATS, sum_floats)
TILE(12, wide, TILE_VECS, TILE_FLOATS, sum_floats)
TILE(13, wide, TILE_VECS, TILE_FLOATS, sum_floats)
TILE(14, wide, TILE_VECS, TILE_FLOATS, sum_floats)
static const tile_fn wide_tiles[] = {NAMES_7(wide), wide_8,  wide_9,  wide_10,
                                     wide_11,       wide_12, wide_13, wide_14};

/* Of one panel more rows would only wait for loads. */
enum { ROWS_OF_ONE = 8 };
TILES_7(one, 1, TILE_FLOATS, sum_spread)
TILE(8, one, 1, TILE_FLOATS, sum_spread)
static const tile_fn one_tiles[] = {NAMES_7(one), one_8};

static void gemm(const cpu_tile *t)
{
    const bool wide = t->cols > CPU_NR;
    tile_run(t, wide ? wide_tiles : one_tiles, wide ? TILE_ROWS : ROWS_OF_ONE, TILE_FLOATS, tile_multiply);
}

static void gemm_line(const cpu_tile *t)
{
    cpu_tile part = *t;
    part.right_stride = t->b_stride;
    for (int left = t->cols; left > 0; left -= part.cols) {
        part.cols = left < TILE_VECS * CPU_NR ? left : TILE_VECS * CPU_NR;
        part.right = part.b + CPU_NR;
        gemm(&part);
        part.b += part.cols;
        part.c += part.cols;
        if (t->residual) part.residual += part.cols;
    }
}

/* Four pixels of the tile, from row r on, to where the channels are in y. */
static void store_quads(float *y, const int32_t *offset, int channels, const tile *p, int v, int64_t r)
{
    __m512 x[4];
    for (int i = 0; i < 4; i++) x[i] = _mm512_castsi512_ps(p->sums[r + i][v]);
    const __m512 low01 = _mm512_unpacklo_ps(x[0], x[1]), high01 = _mm512_unpackhi_ps(x[0], x[1]);
    const __m512 low23 = _mm512_unpacklo_ps(x[2], x[3]), high23 = _mm512_unpackhi_ps(x[2], x[3]);
    float quads[4][16]; /* of channel c: quads[c % 4][c / 4 * 4 ...] */
    _mm512_storeu_ps(quads[0], _mm512_shuffle_ps(low01, low23, 0x44));
    _mm512_storeu_ps(quads[1], _mm512_shuffle_ps(low01, low23, 0xee));
    _mm512_storeu_ps(quads[2], _mm512_shuffle_ps(high01, high23, 0x44));
    _mm512_storeu_ps(quads[3], _mm512_shuffle_ps(high01, high23, 0xee));
    for (int c = 0; c < channels; c++) memcpy(y + r + offset[c], &quads[c % 4][c / 4 * 4], 4 * sizeof *y);
}

/* From where the sums of `rows` pixels from `at` on start, or, if they are `done`, to where they go. */
static void move_sums(const cpu_pixels *t, tile *p, const tile_columns *columns, int64_t at, int64_t rows,
                      bool done)
{
    for (int64_t r = 0; r < rows; r++)
        for (int v = 0; v < TILE_VECS && columns->there[v]; v++) {
            float *kept = t->start && t->y ? NULL : t->sums + (at + r) * t->width + 16 * v;
            if (!done)
                p->sums[r][v] = w16_load(t->start ? t->start + 16 * v : kept, columns->there[v]);
            else if (t->y)
                p->sums[r][v] = tile_clamp(p->sums[r][v], t->low, t->high);
            else
                w16_store(kept, p->sums[r][v], columns->there[v]);
        }
}

static void pixels(const cpu_pixels *t)
{
    const bool wide = t->width > CPU_NR;
    const int64_t most = wide ? TILE_ROWS : ROWS_OF_ONE, parts = (t->pixels + most - 1) / most;
    const tile_columns columns = tile_columns_of(t->width, NULL);
    int64_t at = 0;
    for (int64_t i = 0, rows; i < parts; i++, at += rows) {
        tile p = {.a = t->x + at,
                  .b = {t->w, t->w + CPU_NR},
                  .k = t->k,
                  .a_step = t->x_step,
                  .b_step = {t->width, t->width}};
        rows = (t->pixels - at) / (parts - i);
        move_sums(t, &p, &columns, at, rows, false);
        tile_multiply(&p, &columns, (wide ? wide_tiles : one_tiles)[rows - 1]);
        move_sums(t, &p, &columns, at, rows, true);
        for (int64_t r = 0; t->y && t->hardswish && r < rows; r++) {
            float *row = (float *)p.sums[r];
            tile_epilogue(row, row, NULL, t->width, &(gr_epilogue){.act = GR_ACT_HARDSWISH});
        }
        for (int64_t r = 0; t->y && r < rows; r += 4)
            for (int v = 0; v < TILE_VECS && columns.there[v]; v++) /* the last four may overlap */
                store_quads(t->y + at, t->offset + 16 * v, v ? CPU_WIDE_PANEL - CPU_NR : CPU_NR, &p, v,
                            r < rows - 4 ? r : rows - 4);
    }
}

TILE_KIND(pairs, TILE_INTEGERS, sum_pairs)

static void gemm_i16(const cpu_tile *t)
{
    tile_run(t, pairs_tiles, VKB_COUNT(pairs_tiles), TILE_INTEGERS, tile_multiply);
}

static void (*narrow_gemm_i8)(const cpu_tile *t); /* of the table below; set once, with the tables */

static void gemm_i8(const cpu_tile *t)
{
    cpu_tile_by_panels(t, narrow_gemm_i8);
}

void cpu_micro_avx512(cpu_micro *m)
{
    tile_epilogue = m->epilogue;
    m->isa = "avx512";
    m->mr = TILE_ROWS;
    m->wide = true;
    m->gemm = gemm;
    m->gemm_line = gemm_line;
    m->pixels = pixels;
    m->gemm_i16 = gemm_i16;
    narrow_gemm_i8 = m->gemm_i8;
    m->gemm_i8 = gemm_i8;
}
