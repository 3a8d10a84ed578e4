/* SPDX-License-Identifier: Apache-2.0
 * The GEMM tile on pairs of int16: the same walk as gemm_tmpl.h, with one multiply-add of pairs in the place
 * of the fused one. Elements of cpu_tile are only moved as four bytes here, never read as floats. */

/* A multiply-add of pairs is two instructions and needs a register in between: half a panel's rows at a time
 * keep all sums in 16 registers, and the multiplier stays the bound. */
enum { W8_ROWS = 3 };

V8_INLINE int32_t four_bytes(const float *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

V8_INLINE w8 sums_start(const cpu_tile *t, int row, int col, int n)
{
    if (t->accumulate) {
        const float *c = t->c + row * t->c_stride + col;
        return n >= 8 ? w8_load(c) : n > 0 ? w8_load_n(c, n) : w8_set1(0);
    }
    const w8 s = w8_set1(t->bias_row ? four_bytes(t->bias_row + row) : 0);
    if (!t->bias_col || n <= 0) return s;
    return w8_add(s, n >= 8 ? w8_load(t->bias_col + col) : w8_load_n(t->bias_col + col, n));
}

/* As tile_part. */
V8_INLINE void pairs_part(const cpu_tile *t, int row, int rows, int col, int vecs)
{
    w8 s[6][2];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++) s[r][v] = sums_start(t, row + r, col + 8 * v, t->cols - col - 8 * v);
    const float *a = t->a + row, *b = t->b + col;
    for (int64_t k = 0; k < t->k; k++, a += t->rows, b += t->b_stride) {
        w8 x[2];
        for (int v = 0; v < vecs; v++) x[v] = w8_load(b + 8 * v);
        for (int r = 0; r < rows; r++) {
            const w8 w = w8_set1(four_bytes(a + r));
            for (int v = 0; v < vecs; v++) s[r][v] = w8_madd(w, x[v], s[r][v]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++) {
            const int n = t->cols - col - 8 * v;
            float *c = t->c + (row + r) * t->c_stride + col + 8 * v;
            if (n >= 8)
                w8_store(c, s[r][v]);
            else if (n > 0)
                w8_store_n(c, s[r][v], n);
        }
}

#define PAIRS(ROWS)                                                                                          \
    static void pairs_##ROWS(const cpu_tile *t, int row, int col)                                            \
    {                                                                                                        \
        if (V8_TILE_VECS == 2 && t->cols > 8)                                                                \
            pairs_part(t, row, ROWS, col, 2);                                                                \
        else                                                                                                 \
            pairs_part(t, row, ROWS, col, 1);                                                                \
    }
PAIRS(1)
PAIRS(2)
PAIRS(3)
#undef PAIRS

static void gemm_i16(const cpu_tile *t)
{
    static const part_fn all[W8_ROWS] = {pairs_1, pairs_2, pairs_3};
    const int vecs = t->cols > 8 ? 2 : 1;
    for (int v = 0; v < vecs; v += V8_TILE_VECS)
        for (int r = 0; r < t->rows; r += W8_ROWS) all[at_most(t->rows - r, W8_ROWS) - 1](t, r, 8 * v);
}
