/* SPDX-License-Identifier: Apache-2.0
 * Products with a B that is read in place: a panel of A stays where it is while its tiles go along a line of
 * columns. Where sums over few k make a tile, what surrounds them counts: calls, and waiting for memory that
 * results go to, which is therefore fetched a tile ahead. */

typedef struct line {
    const float *a, *bias; /* of the first row */
    const int32_t *offset; /* of each row of B; NULL: b_step counts */
    int64_t k, a_step, b_step, c_step;
    v8 low, high;
} line;

/* Sums of `rows` rows and 8 vecs columns, stored within low..high; rows, vecs and offsets are constants. */
V8_INLINE void line_tile(const line *l, int rows, const float *b, float *c, int vecs, bool offsets)
{
    const int64_t a_step = l->a_step, b_step = l->b_step, count = l->k, step = l->c_step;
    const float *a = l->a;
    v8 s[V8_TILE_ROWS][2 * V8_TILE_VECS];
    CPU_UNROLL
    for (int r = 0; r < rows; r++) {
        __builtin_prefetch(c + r * step + 16 * vecs, 1);
        const v8 start = v8_set1(l->bias[r]);
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) s[r][v] = start;
    }
    for (int64_t k = 0; k < count; k++, a += a_step, b += b_step) {
        const float *p = offsets ? b + l->offset[k] : b;
        const v8_factors w = v8_factors_load(a, rows);
        v8 x[2 * V8_TILE_VECS];
        if (rows > vecs) { /* what there is less of waits in registers */
            CPU_UNROLL
            for (int v = 0; v < vecs; v++) x[v] = v8_load(p + 8 * v);
            CPU_UNROLL
            for (int r = 0; r < rows; r++) {
                CPU_UNROLL
                for (int v = 0; v < vecs; v++) s[r][v] = v8_fma_by(w, r, x[v], s[r][v]);
            }
        } else {
            CPU_UNROLL
            for (int v = 0; v < vecs; v++) {
                x[0] = v8_load(p + 8 * v);
                CPU_UNROLL
                for (int r = 0; r < rows; r++) s[r][v] = v8_fma_by(w, r, x[0], s[r][v]);
            }
        }
    }
    CPU_UNROLL
    for (int r = 0; r < rows; r++, c += step) {
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) v8_store(c + 8 * v, v8_clamp(s[r][v], l->low, l->high));
    }
}

V8_INLINE void line_part(const cpu_tile *t, int row, int rows, bool offsets, v8 low, v8 high)
{
    enum { WIDTH = 8 * V8_TILE_VECS };
    static const float none[V8_TILE_ROWS];
    const line l = {.a = t->a + row,
                    .bias = t->bias_row ? t->bias_row + row : none,
                    .offset = t->b_offset,
                    .k = t->k,
                    .a_step = t->rows,
                    .b_step = offsets ? 0 : t->b_stride,
                    .c_step = t->c_stride,
                    .low = low,
                    .high = high};
    const float *b = t->b;
    float *c = t->c + row * t->c_stride;
    int64_t cols = t->cols;
    if (V8_TILE_VECS == 2 && rows <= 3) /* more columns instead of rows */
        for (; cols >= 2 * WIDTH; cols -= 2 * WIDTH, b += 2 * WIDTH, c += 2 * WIDTH)
            line_tile(&l, rows, b, c, 2 * V8_TILE_VECS, offsets);
    for (; cols >= WIDTH; cols -= WIDTH, b += WIDTH, c += WIDTH)
        line_tile(&l, rows, b, c, V8_TILE_VECS, offsets);
    if (cols > 8) /* the last tile overlaps the one before */
        line_tile(&l, rows, b + cols - WIDTH, c + cols - WIDTH, V8_TILE_VECS, offsets);
    else if (cols > 0)
        line_tile(&l, rows, b + cols - 8, c + cols - 8, 1, offsets);
}

typedef void (*line_fn)(const cpu_tile *t, int row, v8 low, v8 high);
#define LINE(ROWS)                                                                                           \
    static void line_##ROWS(const cpu_tile *t, int row, v8 low, v8 high)                                     \
    {                                                                                                        \
        if (t->b_offset)                                                                                     \
            line_part(t, row, ROWS, true, low, high);                                                        \
        else                                                                                                 \
            line_part(t, row, ROWS, false, low, high);                                                       \
    }
LINE(1)
LINE(2)
LINE(3)
#if V8_TILE_ROWS == 6
LINE(4)
LINE(5)
LINE(6)
static const line_fn line_parts[] = {line_1, line_2, line_3, line_4, line_5, line_6};
#else
static const line_fn line_parts[] = {line_1, line_2, line_3};
#endif
#undef LINE

/* All rows of at least CPU_NR columns. */
static void whole_line(const cpu_tile *t)
{
    const gr_epilogue *e = t->epilogue;
    const bool clamps =
        e && e->residual == GR_RESIDUAL_NONE && (e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP);
    const v8 low = v8_set1(!clamps ? -INFINITY : e->act == GR_ACT_RELU ? 0 : e->alpha);
    const v8 high = v8_set1(clamps && e->act == GR_ACT_CLIP ? e->beta : INFINITY);
    for (int row = 0; row < t->rows; row += V8_TILE_ROWS)
        line_parts[at_most(t->rows - row, V8_TILE_ROWS) - 1](t, row, low, high);
    if (!e || clamps || (e->act == GR_ACT_NONE && e->residual == GR_RESIDUAL_NONE)) return;
    for (int r = 0; r < t->rows; r++) {
        const int64_t at = r * t->c_stride;
        epilogue(t->c + at, t->c + at, t->residual ? t->residual + at : NULL, t->cols, e);
    }
}

/* Of fewer columns, which B's rows hold up to the next multiple of 8: sums go to C by way of a buffer. */
static void short_line(const cpu_tile *t)
{
    const v8 low = v8_set1(-INFINITY), high = v8_set1(INFINITY);
    float sums[V8_TILE_ROWS * CPU_NR];
    cpu_tile part = *t; /* with the same distance from one k of A to the next */
    part.c = sums;
    part.c_stride = part.cols = CPU_NR;
    for (int row = 0; row < t->rows; row += V8_TILE_ROWS) {
        const int rows = at_most(t->rows - row, V8_TILE_ROWS);
        part.a = t->a + row;
        if (t->bias_row) part.bias_row = t->bias_row + row;
        line_parts[rows - 1](&part, 0, low, high);
        for (int r = 0; r < rows; r++) {
            const int64_t at = (row + r) * t->c_stride;
            if (t->epilogue)
                epilogue(t->c + at, sums + r * CPU_NR, t->residual ? t->residual + at : NULL, t->cols,
                         t->epilogue);
            else
                memcpy(t->c + at, sums + r * CPU_NR, (size_t)t->cols * sizeof *sums);
        }
    }
}

static void gemm_line(const cpu_tile *t)
{
    if (t->cols >= CPU_NR)
        whole_line(t);
    else
        short_line(t);
}
