/* SPDX-License-Identifier: Apache-2.0
 * Depthwise rows: for each output, a weighted sum over taps that each read contiguous elements. Four vectors
 * of outputs share the broadcast of a weight. */

/* `rows` rows of `vecs` vectors at once, at most four vectors in all; the last of each row has `last`
 * columns. */
V8_INLINE void taps_block(const cpu_taps *t, int64_t row, int64_t col, int rows, int vecs, int last)
{
    const float *x = t->x + row * t->x_row + col;
    const v8 low = v8_set1(t->low), high = v8_set1(t->high);
    v8 s[4];
    CPU_UNROLL
    for (int i = 0; i < rows * vecs; i++) s[i] = v8_set1(t->bias);
    for (int k = 0; k < t->count; k++) {
        const float *p = x + t->offset[k];
        const v8 w = v8_set1(t->weight[k]);
        CPU_UNROLL
        for (int r = 0; r < rows; r++) CPU_UNROLL
        for (int v = 0; v < vecs; v++) {
            const v8 in = v8_load(p + r * t->x_row + 8 * v);
            s[r * vecs + v] = v8_fma(w, in, s[r * vecs + v]);
        }
    }
    CPU_UNROLL
    for (int r = 0; r < rows; r++) CPU_UNROLL
    for (int v = 0; v < vecs; v++) {
        float *y = t->y + (row + r) * t->y_row + col + 8 * v;
        v8 out = v8_clamp(s[r * vecs + v], low, high);
        if (v + 1 < vecs || last == 8)
            v8_store(y, out);
        else
            v8_store_n(y, out, last);
    }
}

/* All rows of the columns from `col`, `vecs` vectors wide; narrow ones several rows at once. */
V8_INLINE void taps_columns(const cpu_taps *t, int64_t col, int vecs, int last)
{
    int64_t r = 0;
    if (vecs == 1) {
        for (; r + 4 <= t->rows; r += 4) taps_block(t, r, col, 4, 1, last);
        if (r + 3 == t->rows) {
            taps_block(t, r, col, 3, 1, last);
            return;
        }
    }
    if (vecs <= 2)
        for (; r + 2 <= t->rows; r += 2) taps_block(t, r, col, 2, vecs, last);
    for (; r < t->rows; r++) taps_block(t, r, col, 1, vecs, last);
}

static void taps_sum(const cpu_taps *t)
{
    int64_t col = 0;
    for (; col + 32 <= t->cols; col += 32) taps_columns(t, col, 4, 8);
    const int64_t rest = t->cols - col;
    const int last = rest % 8 ? (int)(rest % 8) : 8;
    if (rest > 24)
        taps_columns(t, col, 4, last);
    else if (rest > 16)
        taps_columns(t, col, 3, last);
    else if (rest > 8)
        taps_columns(t, col, 2, last);
    else if (rest)
        taps_columns(t, col, 1, last);
}

V8_INLINE void taps_largest(v8 max[4], const cpu_taps *t, const float *x, int vecs)
{
    CPU_UNROLL
    for (int v = 0; v < vecs; v++) max[v] = v8_set1(-INFINITY);
    for (int k = 0; k < t->count; k++) {
        const float *p = x + t->offset[k];
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) max[v] = v8_max(v8_load(p + 8 * v), max[v]);
    }
}

static void taps_max(const cpu_taps *t)
{
    for (int64_t r = 0; r < t->rows; r++) {
        const float *x = t->x + r * t->x_row;
        float *y = t->y + r * t->y_row;
        v8 max[4];
        int64_t i = 0;
        for (; i + 32 <= t->cols; i += 32) {
            taps_largest(max, t, x + i, 4);
            for (int v = 0; v < 4; v++) v8_store(y + i + 8 * v, max[v]);
        }
        for (; i < t->cols; i += 8) {
            taps_largest(max, t, x + i, 1);
            if (i + 8 <= t->cols)
                v8_store(y + i, max[0]);
            else
                v8_store_n(y + i, max[0], (int)(t->cols - i));
        }
    }
}

static void copy_rows(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++, y += y_step, x += x_step) {
        int64_t i = 0;
        for (; i + 8 <= cols; i += 8) v8_store(y + i, v8_load(x + i));
        if (i == cols) continue;
        if (cols > 8)
            v8_store(y + cols - 8, v8_load(x + cols - 8)); /* overlaps what is there already */
        else
            v8_store_n(y, v8_load_n(x, (int)cols), (int)cols);
    }
}

/* By blocks of 4 rows and 8 columns, the last ones over those before; some columns at a time, so that lines
 * of x are read while they are in the cache. */
static void transpose(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t rows, int64_t cols)
{
    enum { COLS = 32 };
    int32_t offset[8];
    for (int i = 0; i < 8; i++) offset[i] = (int32_t)(i * x_step);
    for (int64_t begin = 0; begin < cols; begin += COLS)
        for (int64_t i = 0; i < rows; i += 4) {
            const int64_t row = vkb_min(i, rows - 4), end = vkb_min(cols, begin + COLS);
            for (int64_t j = begin; j < end; j += 8) {
                const int64_t col = vkb_min(j, cols - 8);
                v8 block[4];
                v8_load_quads(block, x + col * x_step + row, offset);
                for (int k = 0; k < 4; k++) v8_store(y + (row + k) * y_step + col, block[k]);
            }
        }
}
