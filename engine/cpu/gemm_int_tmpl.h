/* SPDX-License-Identifier: Apache-2.0
 * A GEMM tile on integers, the function INT_NAME: the same walk as gemm_tmpl.h over elements of four bytes,
 * INT_ROWS (3 or 6) rows at a time. INT_COLUMNS are eight columns of a row of B, loaded by INT_LOAD(b), and
 * INT_SUM(f, i, x, sum) multiplies them by element i of the INT_FACTORS f, and adds. Elements of cpu_tile are
 * only moved as four bytes here, never read as floats. */
#ifndef CPU_GEMM_INT_TMPL_H
#define CPU_GEMM_INT_TMPL_H

#include <string.h>

#define INT_JOINED(a, b) a##b
#define INT_JOIN(a, b)   INT_JOINED(a, b)

V8_INLINE int32_t four_bytes(const float *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

#ifndef W8_BY_LANE /* what multiplies a vector is one, too: each element is spread when its turn comes */
typedef w8 w8_columns;
typedef const float *w8_factors;
V8_INLINE w8_columns w8_columns_load(const float *p)
{
    return w8_load(p);
}
V8_INLINE w8_factors w8_factors_load(const float *p, int n)
{
    (void)n;
    return p;
}
V8_INLINE w8 w8_madd_by(w8_factors f, int i, w8_columns x, w8 sum)
{
    return w8_madd(w8_set1(four_bytes(f + i)), x, sum);
}
#endif

/* The last columns of a tile; not inlined once a row. */
static __attribute__((noinline)) w8 sums_load_some(const float *p, int n)
{
    return n > 0 ? w8_load_n(p, n) : w8_set1(0);
}
static __attribute__((noinline)) void sums_store_some(float *p, w8 sums, int n)
{
    if (n > 0) w8_store_n(p, sums, n);
}
V8_INLINE w8 sums_load(const float *p, int n)
{
    return n >= 8 ? w8_load(p) : sums_load_some(p, n);
}
V8_INLINE void sums_store(float *p, w8 sums, int n)
{
    if (n >= 8)
        w8_store(p, sums);
    else
        sums_store_some(p, sums, n);
}

#endif

#define INT_PART     INT_JOIN(INT_NAME, _part)
#define INT_OF(ROWS) INT_JOIN(INT_NAME, _##ROWS)

/* As tile_part. */
V8_INLINE void INT_PART(const cpu_tile *t, int row, int rows, int col, int vecs)
{
    w8 s[INT_ROWS][2];
    CPU_UNROLL
    for (int v = 0; v < vecs; v++) {
        const int n = t->cols - col - 8 * v;
        const w8 start = t->bias_col ? sums_load(t->bias_col + col + 8 * v, n) : w8_set1(0);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) s[r][v] = start;
        if (t->accumulate) {
            const float *c = t->c + row * t->c_stride + col + 8 * v;
            CPU_UNROLL
            for (int r = 0; r < rows; r++) s[r][v] = sums_load(c + r * t->c_stride, n);
        } else if (t->bias_row) {
            CPU_UNROLL
            for (int r = 0; r < rows; r++)
                s[r][v] = w8_add(start, w8_set1(four_bytes(t->bias_row + row + r)));
        }
    }
    const float *a = t->a + row, *b = t->b + col;
    for (int64_t k = 0; k < t->k; k++, a += t->rows, b += t->b_stride) {
        const INT_FACTORS w = INT_FACTORS_LOAD(a, rows);
        INT_COLUMNS x[2];
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) x[v] = INT_LOAD(b + 8 * v);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) {
            CPU_UNROLL
            for (int v = 0; v < vecs; v++) s[r][v] = INT_SUM(w, r, x[v], s[r][v]);
        }
    }
    float *c = t->c + row * t->c_stride + col;
    CPU_UNROLL
    for (int r = 0; r < rows; r++, c += t->c_stride) {
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) sums_store(c + 8 * v, s[r][v], t->cols - col - 8 * v);
    }
}

#define ROWS_OF(ROWS)                                                                                        \
    static void INT_OF(ROWS)(const cpu_tile *t, int row, int col)                                            \
    {                                                                                                        \
        if (V8_TILE_VECS == 2 && t->cols > 8)                                                                \
            INT_PART(t, row, ROWS, col, 2);                                                                  \
        else                                                                                                 \
            INT_PART(t, row, ROWS, col, 1);                                                                  \
    }
ROWS_OF(1)
ROWS_OF(2)
ROWS_OF(3)
#if INT_ROWS == 6
ROWS_OF(4)
ROWS_OF(5)
ROWS_OF(6)
#endif
#undef ROWS_OF

static void INT_NAME(const cpu_tile *t)
{
    static void (*const all[INT_ROWS])(const cpu_tile *t, int row, int col) = {
        INT_OF(1),
        INT_OF(2),
        INT_OF(3),
#if INT_ROWS == 6
        INT_OF(4),
        INT_OF(5),
        INT_OF(6)
#endif
    };
    const int vecs = t->cols > 8 ? 2 : 1;
    for (int v = 0; v < vecs; v += V8_TILE_VECS)
        for (int r = 0; r < t->rows; r += INT_ROWS) {
            const int left = t->rows - r;
            all[(left < INT_ROWS ? left : INT_ROWS) - 1](t, r, 8 * v);
        }
}

#undef INT_PART
#undef INT_OF
#undef INT_NAME
#undef INT_ROWS
#undef INT_COLUMNS
#undef INT_LOAD
#undef INT_FACTORS
#undef INT_FACTORS_LOAD
#undef INT_SUM
