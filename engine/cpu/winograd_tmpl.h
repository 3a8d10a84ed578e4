/* SPDX-License-Identifier: Apache-2.0
 * The transforms of Winograd's F(m x m, r x r) for 3x3 filters with m = 2 and 4, and 5x5 filters with m = 2
 * (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015). The points of a dimension are
 * 0, infinity and, where there are four in all (n = m + r - 1), +-1; where there are six +-1/sqrt(2) and
 * +-sqrt(2), whose errors are smaller than those of the customary +-1, +-2 (Barabasz et al., "Error Analysis
 * and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", 2020). The input's transform
 * depends on n alone. F(6x6, 3x3) was tried: at best a tenth faster, on planes from 112x112 on, and its
 * errors are six to eight times those of m = 4 with the best points that a search found. Lanes are tiles;
 * those of the filters' transform are filters. */

/* The C table has one body for all forms: what it lacks in speed matters little, its size more. */
#ifdef CPU_VEC_C_H
#define WINOGRAD_INLINE static __attribute__((noinline))
#define WINOGRAD_UNROLL
#else
#define WINOGRAD_INLINE V8_INLINE
#define WINOGRAD_UNROLL CPU_UNROLL
#endif

#define HALF_ROOT 0.70710678118654752f
#define ROOT      1.41421356237309505f

/* One dimension of the input's transform: n values to those of the products. */
V8_INLINE void winograd_b_4(v8 *y, const v8 *x)
{
    y[0] = v8_sub(x[0], x[2]);
    y[1] = v8_add(x[1], x[2]);
    y[2] = v8_sub(x[2], x[1]);
    y[3] = v8_sub(x[3], x[1]);
}

V8_INLINE void winograd_b_6(v8 *y, const v8 *x)
{
    const v8 two = v8_set1(-2), half = v8_set1(-0.5f), sum = v8_set1(-2.5f);
    const v8 p = v8_fma(two, x[2], x[4]), q = v8_mul(v8_set1(HALF_ROOT), v8_fma(two, x[1], x[3]));
    const v8 r = v8_fma(half, x[2], x[4]), s = v8_mul(v8_set1(ROOT), v8_fma(half, x[1], x[3]));
    y[0] = v8_add(x[0], v8_fma(sum, x[2], x[4]));
    y[1] = v8_add(p, q);
    y[2] = v8_sub(p, q);
    y[3] = v8_add(r, s);
    y[4] = v8_sub(r, s);
    y[5] = v8_add(x[1], v8_fma(sum, x[3], x[5]));
}

/* One dimension of the output's transform: n products to m outputs. */
V8_INLINE void winograd_a_2_4(v8 *y, const v8 *m)
{
    y[0] = v8_add(m[0], v8_add(m[1], m[2]));
    y[1] = v8_add(m[3], v8_sub(m[1], m[2]));
}

V8_INLINE void winograd_a_4_6(v8 *y, const v8 *m)
{
    const v8 two = v8_set1(2), half = v8_set1(0.5f);
    const v8 s = v8_add(m[1], m[2]), d = v8_mul(v8_set1(HALF_ROOT), v8_sub(m[1], m[2]));
    const v8 t = v8_add(m[3], m[4]), e = v8_mul(v8_set1(ROOT), v8_sub(m[3], m[4]));
    y[0] = v8_add(m[0], v8_add(s, t));
    y[1] = v8_add(d, e);
    y[2] = v8_fma(two, t, v8_mul(half, s));
    y[3] = v8_add(v8_fma(two, e, v8_mul(half, d)), m[5]);
}

V8_INLINE void winograd_a_2_6(v8 *y, const v8 *m)
{
    const v8 s = v8_add(m[1], m[2]), d = v8_mul(v8_set1(HALF_ROOT), v8_sub(m[1], m[2]));
    const v8 t = v8_add(m[3], m[4]), e = v8_mul(v8_set1(ROOT), v8_sub(m[3], m[4]));
    y[0] = v8_add(m[0], v8_add(s, t));
    y[1] = v8_add(v8_add(d, e), m[5]);
}

#undef HALF_ROOT
#undef ROOT

/* `size` is n, `tile` m: constants wherever these are called. */
V8_INLINE void winograd_b(int size, v8 *y, const v8 *x)
{
    if (size == 4)
        winograd_b_4(y, x);
    else
        winograd_b_6(y, x);
}

V8_INLINE void winograd_a(int tile, int size, v8 *y, const v8 *m)
{
    if (size == 4)
        winograd_a_2_4(y, m);
    else if (tile == 2)
        winograd_a_2_6(y, m);
    else
        winograd_a_4_6(y, m);
}

WINOGRAD_INLINE void winograd_rows_of(int size, float *y, int64_t y_step, const float *const *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int count = n - i < 8 ? (int)(n - i) : 8;
        v8 in[6] = {0}, out[6];
        WINOGRAD_UNROLL
        for (int r = 0; r < size; r++) in[r] = count == 8 ? v8_load(x[r] + i) : v8_load_n(x[r] + i, count);
        winograd_b(size, out, in);
        WINOGRAD_UNROLL
        for (int r = 0; r < size; r++)
            if (count == 8)
                v8_store(y + r * y_step + i, out[r]);
            else
                v8_store_n(y + r * y_step + i, out[r], count);
    }
}

WINOGRAD_INLINE void winograd_in_of(int size, float *v, float *v_last, int64_t v_step, const float *x,
                                    int64_t x_step, const int32_t *offset, int rows)
{
    for (int i = 0; i < rows; i++, x += x_step, v += size * v_step) {
        v8 in[6], out[6], last[4];
        v8_load_quads(in, x, offset);
        if (size == 6) {
            v8_load_quads(last, x + 2, offset);
            in[4] = last[2];
            in[5] = last[3];
        }
        winograd_b(size, out, in);
        WINOGRAD_UNROLL
        for (int j = 0; j < size - 1; j++) v8_store(v + j * v_step, out[j]);
        if (v_last) v8_store(v_last + i * size * v_step, out[size - 1]);
    }
}

/* A row of outputs of eight tiles. */
V8_INLINE void winograd_store(int tile, float *y, const int32_t *offset, const v8 *row)
{
    if (tile == 4) {
        v8_store_quads(y, offset, row);
        return;
    }
    float pairs[2][8];
    v8_store(pairs[0], row[0]);
    v8_store(pairs[1], row[1]);
    for (int i = 0; i < 8; i++) {
        y[offset[i]] = pairs[0][i];
        y[offset[i] + 1] = pairs[1][i];
    }
}

WINOGRAD_INLINE void winograd_out_of(int tile, int size, float *y, int64_t y_step, const int32_t *offset,
                                     const float *m, const float *m_last, int64_t m_step, float bias)
{
    v8 t[4][6]; /* by column of the tile, then row of the products */
    for (int i = 0; i < size; i++, m += size * m_step) {
        if (i == size - 1) m = m_last;
        v8 in[6] = {0}, out[4] = {0};
        WINOGRAD_UNROLL
        for (int j = 0; j < size; j++) in[j] = v8_load(m + j * m_step);
        winograd_a(tile, size, out, in);
        WINOGRAD_UNROLL
        for (int c = 0; c < tile; c++) t[c][i] = out[c];
    }
    v8 rows[4][4]; /* by row, then column */
    for (int c = 0; c < tile; c++) {
        v8 out[4] = {0};
        winograd_a(tile, size, out, t[c]);
        WINOGRAD_UNROLL
        for (int r = 0; r < tile; r++) rows[r][c] = v8_add(out[r], v8_set1(bias));
    }
    for (int r = tile - 1; r >= 0; r--) winograd_store(tile, y + r * y_step, offset, rows[r]);
}

/* ---- filters, eight at once ---- */

/* r values to those of +p and -p, whose rows of G differ in the sign of every other element: r elements. */
V8_INLINE void winograd_points(int taps, const float *g, v8 *plus, v8 *minus, const v8 *x)
{
    v8 even = v8_mul(v8_set1(g[0]), x[0]), odd = v8_mul(v8_set1(g[1]), x[1]);
    even = v8_fma(v8_set1(g[2]), x[2], even);
    if (taps == 5) {
        odd = v8_fma(v8_set1(g[3]), x[3], odd);
        even = v8_fma(v8_set1(g[4]), x[4], even);
    }
    *plus = v8_add(even, odd);
    *minus = v8_sub(even, odd);
}

/* A row of products. The first and the last, of 0 and infinity, are the first or the last value as it is. */
V8_INLINE void winograd_filter_row(int taps, int size, const float g[6][5], float *u, int64_t u_step,
                                   const v8 *t)
{
    v8_store(u, t[0]);
    v8_store(u + (size - 1) * u_step, t[taps - 1]);
    WINOGRAD_UNROLL
    for (int j = 1; j < size - 1; j += 2) {
        v8 plus, minus;
        winograd_points(taps, g[j], &plus, &minus, t);
        v8_store(u + j * u_step, plus);
        v8_store(u + (j + 1) * u_step, minus);
    }
}

WINOGRAD_INLINE void winograd_filters_of(int taps, int size, const float g[6][5], float *u, int64_t u_step,
                                         const float *x, int64_t n, int pair)
{
    for (int64_t i = 0; i < n; i += 8, u += 8, x += 8 * taps * taps) {
        v8 t[5], minus[5], column[5];
        const bool alone = pair == 0 || pair == size / 2;
        WINOGRAD_UNROLL
        for (int b = 0; b < taps; b++) {
            if (alone) {
                t[b] = v8_load(x + 8 * ((pair ? (taps - 1) * taps : 0) + b));
                continue;
            }
            WINOGRAD_UNROLL
            for (int a = 0; a < taps; a++) column[a] = v8_load(x + 8 * (a * taps + b));
            winograd_points(taps, g[2 * pair - 1], &t[b], &minus[b], column);
        }
        winograd_filter_row(taps, size, g, u, u_step, t);
        if (!alone) winograd_filter_row(taps, size, g, u + size * u_step, u_step, minus);
    }
}
#undef WINOGRAD_INLINE
#undef WINOGRAD_UNROLL

#define WINOGRAD_INPUT(SIZE)                                                                                 \
    static void winograd_rows_##SIZE(float *y, int64_t y_step, const float *const *x, int64_t n)             \
    {                                                                                                        \
        winograd_rows_of(SIZE, y, y_step, x, n);                                                             \
    }                                                                                                        \
    static void winograd_in_##SIZE(float *v, float *v_last, int64_t v_step, const float *x, int64_t x_step,  \
                                   const int32_t *offset, int rows)                                          \
    {                                                                                                        \
        winograd_in_of(SIZE, v, v_last, v_step, x, x_step, offset, rows);                                    \
    }
#define WINOGRAD(TILE, TAPS, SIZE)                                                                           \
    static void winograd_out_##TILE##_##TAPS(float *y, int64_t y_step, const int32_t *offset,                \
                                             const float *m, const float *m_last, int64_t m_step,            \
                                             float bias)                                                     \
    {                                                                                                        \
        winograd_out_of(TILE, SIZE, y, y_step, offset, m, m_last, m_step, bias);                             \
    }                                                                                                        \
    static void winograd_filters_##TILE##_##TAPS(float *u, int64_t u_step, const float *x, int64_t n,        \
                                                 int pair)                                                   \
    {                                                                                                        \
        winograd_filters_of(TAPS, SIZE, cpu_winograd_g[CPU_F##TILE##_##TAPS], u, u_step, x, n, pair);        \
    }
WINOGRAD_INPUT(4)
WINOGRAD_INPUT(6)
WINOGRAD(2, 3, 4)
WINOGRAD(4, 3, 6)
WINOGRAD(2, 5, 6)
#undef WINOGRAD_INPUT
#undef WINOGRAD
#define WINOGRAD_ENTRY(TILE, TAPS, SIZE)                                                                     \
    {                                                                                                        \
        TILE, TAPS, SIZE, winograd_rows_##SIZE, winograd_in_##SIZE, winograd_out_##TILE##_##TAPS,            \
            winograd_filters_##TILE##_##TAPS                                                                 \
    }
