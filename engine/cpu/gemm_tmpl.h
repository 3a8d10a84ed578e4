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

typedef void (*part_fn)(const cpu_tile *t, int row, int col);
#define PART(ROWS, VECS)                                                                                     \
    static void part_##ROWS##_##VECS(const cpu_tile *t, int row, int col)                                    \
    {                                                                                                        \
        if (t->b_offset)                                                                                     \
            tile_part(t, row, ROWS, col, VECS, true);                                                        \
        else                                                                                                 \
            tile_part(t, row, ROWS, col, VECS, false);                                                       \
    }
PART(1, 1)
PART(2, 1)
PART(3, 1)
#if V8_TILE_ROWS == 6 /* all rows and columns of a tile fit into the registers */
PART(4, 1)
PART(5, 1)
PART(6, 1)
PART(1, 2)
PART(2, 2)
PART(3, 2)
PART(4, 2)
PART(5, 2)
PART(6, 2)
static const part_fn parts[V8_TILE_VECS][V8_TILE_ROWS] = {
    {part_1_1, part_2_1, part_3_1, part_4_1, part_5_1, part_6_1},
    {part_1_2, part_2_2, part_3_2, part_4_2, part_5_2, part_6_2}};
#else
static const part_fn parts[V8_TILE_VECS][V8_TILE_ROWS] = {{part_1_1, part_2_1, part_3_1}};
#endif
#undef PART

static int at_most(int n, int most)
{
    return n < most ? n : most;
}

/* The whole tile in parts that fit into the registers. */
static void gemm(const cpu_tile *t)
{
    const int vecs = t->cols > 8 ? 2 : 1;
    for (int v = 0; v < vecs; v += V8_TILE_VECS)
        for (int r = 0; r < t->rows; r += V8_TILE_ROWS)
            parts[at_most(vecs - v, V8_TILE_VECS) - 1][at_most(t->rows - r, V8_TILE_ROWS) - 1](t, r, 8 * v);
    const gr_epilogue *e = t->epilogue;
    if (!e || (e->residual == GR_RESIDUAL_NONE &&
               (e->act == GR_ACT_NONE || e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)))
        return;
    for (int r = 0; r < t->rows; r++) { /* the tile is still in the first-level cache */
        float *c = t->c + r * t->c_stride;
        epilogue(c, c, t->residual ? t->residual + r * t->c_stride : NULL, t->cols, e);
    }
}
