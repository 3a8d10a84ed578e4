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

/* Rows row..row+rows and columns col..col+8 vecs of the tile; `rows` and `vecs` are constants. */
V8_INLINE void tile_part(const cpu_tile *t, int row, int rows, int col, int vecs)
{
    v8 s[6][2];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++) s[r][v] = tile_start(t, row + r, col + 8 * v, t->cols - col - 8 * v);
    const float *a = t->a + row, *b = t->b + col;
    for (int64_t k = t->k; k > 0; k--, a += t->rows, b += t->b_stride) {
        v8 x[2];
        for (int v = 0; v < vecs; v++) x[v] = v8_load(b + 8 * v);
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
V8_INLINE void tile_of(const cpu_tile *t, int rows, int vecs)
{
    for (int v = 0; v < vecs; v += V8_TILE_VECS)
        for (int r = 0; r < rows; r += V8_TILE_ROWS)
            tile_part(t, r, rows - r < V8_TILE_ROWS ? rows - r : V8_TILE_ROWS, 8 * v,
                      vecs - v < V8_TILE_VECS ? vecs - v : V8_TILE_VECS);
}

#define TILE(ROWS)                                                                                           \
    static void tile_##ROWS##_8(const cpu_tile *t)                                                           \
    {                                                                                                        \
        tile_of(t, ROWS, 1);                                                                                 \
    }                                                                                                        \
    static void tile_##ROWS##_16(const cpu_tile *t)                                                          \
    {                                                                                                        \
        tile_of(t, ROWS, 2);                                                                                 \
    }
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#undef TILE

static void gemm(const cpu_tile *t)
{
    static void (*const tiles[CPU_MR][2])(const cpu_tile *) = {
        {tile_1_8, tile_1_16}, {tile_2_8, tile_2_16}, {tile_3_8, tile_3_16},
        {tile_4_8, tile_4_16}, {tile_5_8, tile_5_16}, {tile_6_8, tile_6_16},
    };
    tiles[t->rows - 1][t->cols > 8](t);
    const gr_epilogue *e = t->epilogue;
    if (!e || (e->residual == GR_RESIDUAL_NONE &&
               (e->act == GR_ACT_NONE || e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)))
        return;
    for (int r = 0; r < t->rows; r++) { /* the tile is still in the first-level cache */
        float *c = t->c + r * t->c_stride;
        epilogue(c, c, t->residual ? t->residual + r * t->c_stride : NULL, t->cols, e);
    }
}
