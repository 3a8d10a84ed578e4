/* SPDX-License-Identifier: Apache-2.0
 * The GEMM tile: sums stay in registers over all of k, and the epilogue runs before they are stored. */

V8_INLINE v8 tile_start(const cpu_tile *t, int row, int col, int n)
{
    if (t->accumulate) {
        const float *c = t->c + row * t->c_stride + col;
        return n >= 8 ? v8_load(c) : n > 0 ? v8_load_n(c, n) : v8_set1(0);
    }
    v8 s = v8_set1(t->bias_row ? t->bias_row[row] : 0);
    if (!t->bias_col || n <= 0) return s;
    return v8_add(s, n >= 8 ? v8_load(t->bias_col + col) : v8_load_n(t->bias_col + col, n));
}

static void tile_store(float *y, v8 s, int n)
{
    if (n >= 8)
        v8_store(y, s);
    else if (n > 0)
        v8_store_n(y, s, n);
}

/* Rows row..row+rows and columns col..col+8 vecs of the tile; `rows`, `vecs` and `offsets` are constants. */
V8_INLINE void tile_part(const cpu_tile *t, int row, int rows, int col, int vecs, bool offsets)
{
    v8 s[6][2];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++) s[r][v] = tile_start(t, row + r, col + 8 * v, t->cols - col - 8 * v);
    const float *a = t->a + row, *b = t->b + col;
    const int64_t step = offsets ? 0 : t->b_stride;
    for (int64_t k = 0; k < t->k; k++, a += t->rows, b += step) {
        const float *p = offsets ? b + t->b_offset[k] : b;
        v8 x[2];
        for (int v = 0; v < vecs; v++) x[v] = v8_load(p + 8 * v);
        for (int r = 0; r < rows; r++) {
            const v8 w = v8_set1(a[r]);
            for (int v = 0; v < vecs; v++) s[r][v] = v8_fma(w, x[v], s[r][v]);
        }
    }
    const gr_epilogue *e = t->epilogue;
    if (e && e->residual == GR_RESIDUAL_NONE && (e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)) {
        const v8 low = v8_set1(e->act == GR_ACT_RELU ? 0 : e->alpha);
        const v8 high = v8_set1(e->act == GR_ACT_RELU ? INFINITY : e->beta);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vecs; v++) s[r][v] = clamp(s[r][v], low, high);
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++)
            tile_store(t->c + (row + r) * t->c_stride + col + 8 * v, s[r][v], t->cols - col - 8 * v);
}

/* The whole tile in parts that fit into the registers. */
V8_INLINE void tile_of(const cpu_tile *t, int rows, int vecs, bool offsets)
{
    for (int v = 0; v < vecs; v += V8_TILE_VECS)
        for (int r = 0; r < rows; r += V8_TILE_ROWS)
            tile_part(t, r, rows - r < V8_TILE_ROWS ? rows - r : V8_TILE_ROWS, 8 * v,
                      vecs - v < V8_TILE_VECS ? vecs - v : V8_TILE_VECS, offsets);
}

#define TILE(ROWS, COLS)                                                                                     \
    static void tile_##ROWS##_##COLS(const cpu_tile *t)                                                      \
    {                                                                                                        \
        tile_of(t, ROWS, COLS / 8, false);                                                                   \
    }                                                                                                        \
    static void offset_tile_##ROWS##_##COLS(const cpu_tile *t)                                               \
    {                                                                                                        \
        tile_of(t, ROWS, COLS / 8, true);                                                                    \
    }
#define TILE_ROWS(ROWS) TILE(ROWS, 8) TILE(ROWS, 16)
TILE_ROWS(1)
TILE_ROWS(2)
TILE_ROWS(3)
TILE_ROWS(4)
TILE_ROWS(5)
TILE_ROWS(6)
#undef TILE_ROWS
#undef TILE

static void gemm(const cpu_tile *t)
{
#define ROW(ROWS)                                                                                            \
    {                                                                                                        \
        {tile_##ROWS##_8, tile_##ROWS##_16},                                                                 \
        {                                                                                                    \
            offset_tile_##ROWS##_8, offset_tile_##ROWS##_16                                                  \
        }                                                                                                    \
    }
    static void (*const tiles[CPU_MR][2][2])(const cpu_tile *) = {ROW(1), ROW(2), ROW(3),
                                                                  ROW(4), ROW(5), ROW(6)};
#undef ROW
    tiles[t->rows - 1][t->b_offset != NULL][t->cols > 8](t);
    const gr_epilogue *e = t->epilogue;
    if (!e || (e->residual == GR_RESIDUAL_NONE &&
               (e->act == GR_ACT_NONE || e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)))
        return;
    for (int r = 0; r < t->rows; r++) { /* the tile is still in the first-level cache */
        float *c = t->c + r * t->c_stride;
        epilogue(c, c, t->residual ? t->residual + r * t->c_stride : NULL, t->cols, e);
    }
}
