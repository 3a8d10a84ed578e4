/* SPDX-License-Identifier: Apache-2.0
 * The GEMM tile: sums stay in registers over all of k, and the epilogue runs before they are stored. */

static int at_most(int n, int most)
{
    return n < most ? n : most;
}

/* DO(r) for each row of a tile. The rows are spelled out: compilers unroll loops too late to keep an array of
 * sums in registers. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

/* Sums of rows row..row+rows and columns col..col+8 vecs; `rows` and `vecs` are constants. One vector a row
 * leaves the multipliers waiting for sums: those of every other k go to registers of their own. */
V8_INLINE void tile_sums(v8 s[6][2], const cpu_tile *t, int row, int rows, int col, int vecs)
{
    const bool twice = vecs == 1 && V8_TILE_VECS == 2;
    const int64_t a_step = t->rows, b_step = t->b_stride, count = t->k;
    const float *a = t->a + row, *b = t->b + col, *next = t->a_next ? t->a_next + row : a;
#define ZERO(r) s[r][0] = s[r][1] = v8_set1(0);
    EACH_ROW(ZERO)
#undef ZERO
    int64_t k = 0;
    for (; twice && k + 2 <= count; k += 2, a += 2 * a_step, b += 2 * b_step, next += 2 * a_step) {
        __builtin_prefetch(next);
        const v8 even = v8_load(b);
        const v8 odd = v8_load(b + b_step);
        const v8_factors w = v8_factors_load(a, rows), w_odd = v8_factors_load(a + a_step, rows);
#define ADD(r)                                                                                               \
    if (r < rows) {                                                                                          \
        s[r][0] = v8_fma_by(w, r, even, s[r][0]);                                                            \
        s[r][1] = v8_fma_by(w_odd, r, odd, s[r][1]);                                                         \
    }
        EACH_ROW(ADD)
#undef ADD
    }
    for (; k < count; k++, a += a_step, b += b_step, next += a_step) {
        __builtin_prefetch(next);
        const v8 left = v8_load(b), right = vecs > 1 ? v8_load(b + 8) : left;
        const v8_factors w = v8_factors_load(a, rows);
#define ADD(r)                                                                                               \
    if (r < rows) {                                                                                          \
        s[r][0] = v8_fma_by(w, r, left, s[r][0]);                                                            \
        if (vecs > 1) s[r][1] = v8_fma_by(w, r, right, s[r][1]);                                             \
    }
        EACH_ROW(ADD)
#undef ADD
    }
#define JOIN(r)                                                                                              \
    if (twice && r < rows) s[r][0] = v8_add(s[r][0], s[r][1]);
    EACH_ROW(JOIN)
#undef JOIN
}

V8_INLINE bool in_registers(const gr_epilogue *e)
{
    return e->act == GR_ACT_NONE || e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP;
}

/* Adds a matrix, or a row of a vector, to the sums. */
V8_INLINE void add_matrix(v8 s[6][2], const float *x, int64_t step, int rows, int vecs)
{
#define ADD(r)                                                                                               \
    if (r < rows) {                                                                                          \
        s[r][0] = v8_add(s[r][0], v8_load(x + r * step));                                                    \
        if (vecs > 1) s[r][1] = v8_add(s[r][1], v8_load(x + r * step + 8));                                  \
    }
    EACH_ROW(ADD)
#undef ADD
}

/* Whole vectors to C; the arguments as in tile_sums. */
V8_INLINE void store_whole(const cpu_tile *t, v8 s[6][2], int row, int rows, int col, int vecs)
{
    const gr_epilogue *e = t->epilogue;
    const float *bias = t->bias_row ? t->bias_row + row : NULL;
    const int64_t step = t->c_stride, at = row * step + col;
    float *c = t->c + at;
    const float *residual = e && in_registers(e) && e->residual != GR_RESIDUAL_NONE ? t->residual + at : NULL;
#define ADD(r)                                                                                               \
    if (r < rows) {                                                                                          \
        const v8 x = v8_set1(bias[r]);                                                                       \
        s[r][0] = v8_add(s[r][0], x);                                                                        \
        s[r][1] = v8_add(s[r][1], x);                                                                        \
    }
    if (t->accumulate) {
        add_matrix(s, c, step, rows, vecs);
    } else {
        if (bias) {
            EACH_ROW(ADD)
        }
        if (t->bias_col) add_matrix(s, t->bias_col + col, 0, rows, vecs);
    }
#undef ADD
    if (residual && e->residual == GR_RESIDUAL_BEFORE) add_matrix(s, residual, step, rows, vecs);
#define CLAMP(r)                                                                                             \
    if (r < rows) {                                                                                          \
        s[r][0] = v8_clamp(s[r][0], low, high);                                                              \
        if (vecs > 1) s[r][1] = v8_clamp(s[r][1], low, high);                                                \
    }
    if (e && (e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP)) {
        const v8 low = v8_set1(e->act == GR_ACT_RELU ? 0 : e->alpha);
        const v8 high = v8_set1(e->act == GR_ACT_RELU ? INFINITY : e->beta);
        EACH_ROW(CLAMP)
    }
#undef CLAMP
    if (residual && e->residual == GR_RESIDUAL_AFTER) add_matrix(s, residual, step, rows, vecs);
#define STORE(r)                                                                                             \
    if (r < rows) {                                                                                          \
        v8_store(c + r * step, s[r][0]);                                                                     \
        if (vecs > 1) v8_store(c + r * step + 8, s[r][1]);                                                   \
    }
    EACH_ROW(STORE)
#undef STORE
}

/* The epilogues that are no part of store_whole; the tile is still in the first-level cache. */
static void finish_whole(const cpu_tile *t, int row, int rows, int col, int cols)
{
    for (int r = row; r < row + rows; r++) {
        const int64_t at = r * t->c_stride + col;
        epilogue(t->c + at, t->c + at, t->residual ? t->residual + at : NULL, cols, t->epilogue);
    }
}

/* Up to 8 sums of row r to column col, with everything that comes after them. */
V8_INLINE void store_some(const cpu_tile *t, v8 s, int r, int col, int n)
{
    const gr_epilogue *e = t->epilogue;
    const int64_t at = r * t->c_stride + col;
    if (t->accumulate)
        s = v8_add(s, v8_load_n(t->c + at, n));
    else if (t->bias_row)
        s = v8_add(s, v8_set1(t->bias_row[r]));
    if (!t->accumulate && t->bias_col) s = v8_add(s, v8_load_n(t->bias_col + col, n));
    if (!e || (e->act == GR_ACT_NONE && e->residual == GR_RESIDUAL_NONE)) {
        v8_store_n(t->c + at, s, n);
    } else if (e->act == GR_ACT_RELU && e->residual == GR_RESIDUAL_NONE) {
        v8_store_n(t->c + at, v8_max(v8_set1(0), s), n);
    } else {
        float x[8];
        v8_store(x, s);
        epilogue(t->c + at, x, t->residual ? t->residual + at : NULL, n, e);
    }
}

/* Sums of some rows, 16 apart, that end amid a vector. */
static void store_edge(const cpu_tile *t, const float *sums, int row, int rows, int col)
{
    const int n = t->cols - col;
    for (int r = row; r < row + rows; r++, sums += CPU_NR) {
        store_some(t, v8_load(sums), r, col, at_most(n, 8));
        if (n > 8) store_some(t, v8_load(sums + 8), r, col + 8, at_most(n - 8, 8));
    }
}

V8_INLINE void tile_part(const cpu_tile *t, int row, int rows, int col, int vecs)
{
    v8 s[6][2];
    tile_sums(s, t, row, rows, col, vecs);
    if (t->cols - col >= 8 * vecs) {
        store_whole(t, s, row, rows, col, vecs);
        if (t->epilogue && !in_registers(t->epilogue)) finish_whole(t, row, rows, col, 8 * vecs);
        return;
    }
    float sums[6 * CPU_NR];
#define SPILL(r)                                                                                             \
    if (r < rows) {                                                                                          \
        v8_store(sums + r * CPU_NR, s[r][0]);                                                                \
        if (vecs > 1) v8_store(sums + r * CPU_NR + 8, s[r][1]);                                              \
    }
    EACH_ROW(SPILL)
#undef SPILL
    store_edge(t, sums, row, rows, col);
}

typedef void (*part_fn)(const cpu_tile *t, int row, int col);
#define PART(ROWS, VECS)                                                                                     \
    static void part_##ROWS##_##VECS(const cpu_tile *t, int row, int col)                                    \
    {                                                                                                        \
        tile_part(t, row, ROWS, col, VECS);                                                                  \
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

#if V8_TILE_VECS == 2
/* One or two columns, as the last ones of 7x7 images: lanes are rows. Reads nothing beyond A. */
V8_INLINE void narrow(const cpu_tile *t, int cols)
{
    enum { SETS = 4 };
    const int64_t rows = t->rows, b_step = t->b_stride;
    const int64_t whole = t->k - (7 / rows); /* as many k as whose vectors end within A */
    const float *a = t->a, *b = t->b;
    v8 s[SETS][2];
    for (int i = 0; i < SETS; i++)
        for (int c = 0; c < cols; c++) s[i][c] = v8_set1(0);
    int64_t k = 0;
    for (; k + SETS <= whole; k += SETS, a += SETS * rows, b += SETS * b_step)
        for (int i = 0; i < SETS; i++) {
            const v8 w = v8_load(a + i * rows);
            for (int c = 0; c < cols; c++) s[i][c] = v8_fma(w, v8_set1(b[i * b_step + c]), s[i][c]);
        }
    for (; k < t->k; k++, a += rows, b += b_step) {
        const v8 w = v8_load_n(a, (int)rows);
        for (int c = 0; c < cols; c++) s[0][c] = v8_fma(w, v8_set1(b[c]), s[0][c]);
    }
    float sums[8 * CPU_NR], column[8];
    const bool plain = !t->epilogue && !t->bias_row && !t->bias_col;
    for (int c = 0; c < cols; c++) {
        v8_store(column, v8_add(v8_add(s[0][c], s[1][c]), v8_add(s[2][c], s[3][c])));
        for (int r = 0; r < t->rows; r++) {
            float *y = t->c + r * t->c_stride + c;
            if (plain)
                *y = t->accumulate ? *y + column[r] : column[r];
            else
                sums[r * CPU_NR + c] = column[r];
        }
    }
    if (!plain) store_edge(t, sums, 0, t->rows, 0);
}
#endif

/* The whole tile in parts that fit into the registers. */
static void gemm(const cpu_tile *t)
{
    const int vecs = t->cols > 8 ? 2 : 1;
#if V8_TILE_VECS == 2 /* plain C: less code */
    if (t->cols <= 2 && t->rows <= 8) {
        if (t->cols == 1)
            narrow(t, 1);
        else
            narrow(t, 2);
        return;
    }
#endif
    for (int v = 0; v < vecs; v += V8_TILE_VECS)
        for (int r = 0; r < t->rows; r += V8_TILE_ROWS)
            parts[at_most(vecs - v, V8_TILE_VECS) - 1][at_most(t->rows - r, V8_TILE_ROWS) - 1](t, r, 8 * v);
}
