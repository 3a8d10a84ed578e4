/* SPDX-License-Identifier: Apache-2.0
 * GEMM tiles for AVX-512, of any kind of element of four bytes: rows by two vectors of 16 columns. A step of
 * k loads both and spreads an element of A for each row over a register, which both are multiplied with: 14
 * rows take 16 loads for 28 multiply-adds, 7 rows 9 for 14, so that two units of these have what they need
 * (with one vector loads would be the bound). Sums go from and to memory, where what comes before and after
 * is done with them once for all numbers of rows: unrolled, that would be most of the code. Only *_avx512*.c
 * may include this. */
#ifndef CPU_GEMM_AVX512_H
#define CPU_GEMM_AVX512_H

#include <math.h>

#include "cpu/micro.h"
#include "cpu/vec_avx512.h"

enum { TILE_ROWS = 14, TILE_VECS = 2 };

/* sums[row][vector] += A B. B is read to the end of each vector, k > 0. */
typedef struct tile {
    const float *a, *b[TILE_VECS]; /* b: of each vector of columns */
    int64_t k, a_step, b_step[TILE_VECS];
    int32_t flip; /* see cpu_dot_form */
    int rows;     /* what the function is for */
    __m512i sums[TILE_ROWS][TILE_VECS];
} tile;
typedef void (*tile_fn)(tile *t);

/* What tells the kinds apart: a step of a sum, by what lies at `at` and is spread over a. */
typedef __m512i (*tile_step)(const float *at, __m512i a, __m512i b, __m512i sum);
typedef enum tile_type { TILE_FLOATS, TILE_INTEGERS, TILE_BYTES } tile_type; /* of bytes `flip` counts */

#ifndef CPU_SIMDE
/* A step by one instruction, of three registers. As intrinsics they cost copies of sums, and operands that
 * are read from memory again and again, in GCC 12. */
#define TILE_STEP(name, instruction)                                                                         \
    V16_INLINE __m512i name(const float *at, __m512i a, __m512i b, __m512i sum)                              \
    {                                                                                                        \
        (void)at;                                                                                            \
        __asm__(instruction : "+v"(sum) : "v"(a), "v"(b));                                                   \
        return sum;                                                                                          \
    }
#else
#define TILE_STEP(name, function)                                                                            \
    V16_INLINE __m512i name(const float *at, __m512i a, __m512i b, __m512i sum)                              \
    {                                                                                                        \
        (void)at;                                                                                            \
        return function;                                                                                     \
    }
#endif

/* `rows` and `vecs` are constants. */
V16_INLINE void tile_sums(tile *t, int rows, int vecs, tile_type type, tile_step step)
{
    const int64_t a_step = t->a_step, left_step = t->b_step[0], right_step = t->b_step[1];
    const float *a = t->a, *left = t->b[0], *right = t->b[1];
    int64_t k = t->k;
    __m512i s[TILE_ROWS][TILE_VECS];
    CPU_UNROLL
    for (int r = 0; r < rows; r++) {
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) s[r][v] = t->sums[r][v];
    }
    do {
        __m512i x[TILE_VECS] = {_mm512_loadu_si512(left)};
        if (vecs > 1) x[1] = _mm512_loadu_si512(right);
        CPU_UNROLL
        for (int v = 0; v < vecs && type == TILE_BYTES; v++)
            x[v] = _mm512_xor_si512(x[v], _mm512_set1_epi32(t->flip));
        CPU_UNROLL
        for (int r = 0; r < rows; r++) {
            const __m512i factor = w16_set1(a + r);
            CPU_UNROLL
            for (int v = 0; v < vecs; v++) s[r][v] = step(a + r, factor, x[v], s[r][v]);
        }
        a += a_step;
        left += left_step;
        right += right_step;
    } while (--k > 0);
    CPU_UNROLL
    for (int r = 0; r < rows; r++) {
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) t->sums[r][v] = s[r][v];
    }
}

#define TILE(rows, name, ...)                                                                                \
    static void name##_##rows(tile *t)                                                                       \
    {                                                                                                        \
        tile_sums(t, rows, __VA_ARGS__);                                                                     \
    }
#define TILES_7(name, ...)                                                                                   \
    TILE(1, name, __VA_ARGS__)                                                                               \
    TILE(2, name, __VA_ARGS__)                                                                               \
    TILE(3, name, __VA_ARGS__)                                                                               \
    TILE(4, name, __VA_ARGS__)                                                                               \
    TILE(5, name, __VA_ARGS__)                                                                               \
    TILE(6, name, __VA_ARGS__)                                                                               \
    TILE(7, name, __VA_ARGS__)
#define NAMES_7(name) name##_1, name##_2, name##_3, name##_4, name##_5, name##_6, name##_7

/* NAME_tiles of up to seven rows by two panels; a table of more kinds of them would be large. */
#define TILE_KIND(name, type, step)                                                                          \
    TILES_7(name, TILE_VECS, type, step)                                                                     \
    static const tile_fn name##_tiles[] = {NAMES_7(name)};

/* The columns that there are, of each vector, and where B has rows at offsets of their own (else NULL). */
typedef struct tile_columns {
    __mmask16 there[TILE_VECS];
    const int32_t *offset;
} tile_columns;

static tile_columns tile_columns_of(int cols, const int32_t *offset)
{
    return (tile_columns){{w16_first(cols), w16_first(cols - 16)}, offset};
}

/* The sums. Where B is not to be read to the end of each vector its rows are copied first. */
static void tile_multiply(tile *p, const tile_columns *columns, tile_fn sums)
{
    enum { STEPS = 32 };
    const __mmask16 all = w16_first(16);
    if (!columns->offset && columns->there[0] == all && (columns->there[1] == all || !columns->there[1])) {
        if (p->k > 0) sums(p);
        return;
    }
    const tile whole = {
        .a = p->a, .b = {p->b[0], p->b[1]}, .k = p->k, .b_step = {p->b_step[0], p->b_step[1]}};
    __m512i rows[STEPS][TILE_VECS];
    for (int v = 0; v < TILE_VECS; v++) {
        p->b[v] = (const float *)&rows[0][v];
        p->b_step[v] = 16 * TILE_VECS;
    }
    for (int64_t k = 0; k < whole.k; k += p->k, p->a += p->k * p->a_step) {
        p->k = whole.k - k < STEPS ? whole.k - k : STEPS;
        for (int64_t i = 0; i < p->k; i++)
            for (int v = 0; v < TILE_VECS; v++) {
                const int64_t own = (k + i) * whole.b_step[v];
                rows[i][v] = w16_load(columns->offset ? whole.b[0] + columns->offset[k + i] + 16 * v
                                                      : whole.b[v] + own,
                                      columns->there[v]);
            }
        sums(p);
    }
}

V16_INLINE __m512i tile_add(__m512i a, __m512i b, tile_type type)
{
    if (type != TILE_FLOATS) return _mm512_add_epi32(a, b);
    return _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
}

V16_INLINE __m512i tile_clamp(__m512i x, float low, float high) /* NaN stays */
{
    const __m512 least = _mm512_max_ps(_mm512_set1_ps(low), _mm512_castsi512_ps(x));
    return _mm512_castps_si512(_mm512_min_ps(_mm512_set1_ps(high), least));
}

/* What the sums of some rows start from: C's content or the biases. */
V16_INLINE void tile_start(const cpu_tile *t, tile *p, const tile_columns *columns, int row, int rows,
                           tile_type type)
{
    const float *c = t->c + row * t->c_stride, *bias = t->accumulate ? NULL : t->bias_row;
    for (int r = 0; r < rows; r++, c += t->c_stride)
        for (int v = 0; v < TILE_VECS; v++) {
            const float *from = t->accumulate ? c : t->bias_col;
            __m512i start = from ? w16_load(from + 16 * v, columns->there[v]) : _mm512_setzero_si512();
            if (bias) start = tile_add(start, w16_set1(bias + row + r), type);
            p->sums[r][v] = start;
        }
}

V16_INLINE void tile_store(const cpu_tile *t, const tile *p, const tile_columns *columns, int row, int rows,
                           tile_type type)
{
    const gr_epilogue *e = t->epilogue;
    const bool clamps = type == TILE_FLOATS && e && e->residual == GR_RESIDUAL_NONE &&
                        (e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP);
    float *c = t->c + row * t->c_stride;
    for (int r = 0; r < rows; r++, c += t->c_stride)
        for (int v = 0; v < TILE_VECS; v++) {
            __m512i y = p->sums[r][v];
            if (clamps)
                y = tile_clamp(y, e->act == GR_ACT_RELU ? 0 : e->alpha,
                               e->act == GR_ACT_RELU ? INFINITY : e->beta);
            w16_store(c + 16 * v, y, columns->there[v]);
        }
}

static void (*tile_epilogue)(float *y, const float *x, const float *residual, int64_t n,
                             const gr_epilogue *e); /* of the table; set once, with the tables */

/* What clamping does not do of it. */
static void tile_finish(const cpu_tile *t)
{
    const gr_epilogue *e = t->epilogue;
    if (!e || (e->residual == GR_RESIDUAL_NONE &&
               (e->act == GR_ACT_NONE || e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)))
        return;
    for (int r = 0; r < t->rows; r++) { /* the tile is still in the first-level cache */
        float *c = t->c + r * t->c_stride;
        tile_epilogue(c, c, t->residual ? t->residual + r * t->c_stride : NULL, t->cols, e);
    }
}

/* All rows, spread evenly over tiles of `most` rows at most; `multiply` is tile_multiply or calls it. */
V16_INLINE void tile_run(const cpu_tile *t, const tile_fn *tiles, int most, tile_type type,
                         void (*multiply)(tile *p, const tile_columns *columns, tile_fn sums))
{
    const tile_columns columns = tile_columns_of(t->cols, t->b_offset);
    const bool both = t->cols > CPU_NR;
    tile p;
    const int parts = (t->rows + most - 1) / most;
    for (int i = 0, row = 0, rows; i < parts; i++, row += rows) {
        rows = (t->rows - row) / (parts - i);
        tile_start(t, &p, &columns, row, rows, type);
        p.a = t->a + row;
        p.a_step = t->rows;
        p.b[0] = t->b;
        p.b[1] = both ? t->right : t->b;
        p.b_step[0] = t->b_stride;
        p.b_step[1] = both ? t->right_stride : t->b_stride;
        p.k = t->k;
        p.rows = rows;
        p.flip = t->form.b_flip;
        multiply(&p, &columns, tiles[rows - 1]);
        tile_store(t, &p, &columns, row, rows, type);
    }
    if (type == TILE_FLOATS) tile_finish(t);
}

/* Pairs of numbers of two bytes, which `narrowed` leaves in the lower half of each element. */
V16_INLINE void w16_pair(int32_t *pairs, const float *first, const float *second, int64_t n,
                         __m512i (*narrowed)(__m512i floats))
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 there = w16_first(n - i < 16 ? (int)(n - i) : 16);
        __m512i y = narrowed(w16_load(first + i, there));
        if (second) y = _mm512_or_si512(y, _mm512_slli_epi32(narrowed(w16_load(second + i, there)), 16));
        w16_store(pairs + i, y, there);
    }
}

#endif
