/* SPDX-License-Identifier: Apache-2.0
 * The transforms of Winograd's F(m x m, r x r) for 3x3 filters with m = 2 and 4, and 5x5 filters with m = 2
 * (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015). The points of a dimension are
 * 0, infinity and, where there are four in all (n = m + r - 1), +-1; where there are six +-1/sqrt(2) and
 * +-sqrt(2), whose errors are smaller than those of the customary +-1, +-2 (Barabasz et al., "Error Analysis
 * and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", 2020). The input's transform
 * depends on n alone. F(6x6, 3x3) was tried: at best a tenth faster, on planes from 112x112 on, and its
 * errors are six to eight times those of m = 4 with the best points that a search found. Lanes are tiles;
 * those of the filters' transform are filters. */

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

V8_INLINE void winograd_rows_of(int size, float *y, int64_t y_step, const float *const *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int count = n - i < 8 ? (int)(n - i) : 8;
        v8 in[6], out[6];
        CPU_UNROLL
        for (int r = 0; r < size; r++) in[r] = count == 8 ? v8_load(x[r] + i) : v8_load_n(x[r] + i, count);
        winograd_b(size, out, in);
        CPU_UNROLL
        for (int r = 0; r < size; r++)
            if (count == 8)
                v8_store(y + r * y_step + i, out[r]);
            else
                v8_store_n(y + r * y_step + i, out[r], count);
    }
}

V8_INLINE void winograd_in_of(int size, float *v, int64_t v_step, const float *x, int64_t x_step,
                              const int32_t *offset)
{
    for (int i = 0; i < size; i++, x += x_step, v += size * v_step) {
        v8 in[6], out[6], last[4];
        v8_load_quads(in, x, offset);
        if (size == 6) {
            v8_load_quads(last, x + 2, offset);
            in[4] = last[2];
            in[5] = last[3];
        }
        winograd_b(size, out, in);
        CPU_UNROLL
        for (int j = 0; j < size; j++) v8_store(v + j * v_step, out[j]);
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

V8_INLINE void winograd_out_of(int tile, int size, float *y, int64_t y_step, const int32_t *offset,
                               const float *m, int64_t m_step, float bias)
{
    v8 t[4][6]; /* by column of the tile, then row of the products */
    for (int i = 0; i < size; i++, m += size * m_step) {
        v8 in[6], out[4];
        CPU_UNROLL
        for (int j = 0; j < size; j++) in[j] = v8_load(m + j * m_step);
        winograd_a(tile, size, out, in);
        CPU_UNROLL
        for (int c = 0; c < tile; c++) t[c][i] = out[c];
    }
    v8 rows[4][4]; /* by row, then column */
    for (int c = 0; c < tile; c++) {
        v8 out[4];
        winograd_a(tile, size, out, t[c]);
        CPU_UNROLL
        for (int r = 0; r < tile; r++) rows[r][c] = v8_add(out[r], v8_set1(bias));
    }
    for (int r = 0; r < tile; r++) winograd_store(tile, y + r * y_step, offset, rows[r]);
}

/* A row of products of up to eight filters, of the r values t: by the rows of G, of which those of +p and -p
 * differ in the sign of every other element. The first and the last, of 0 and infinity, are the first or the
 * last value as it is. `count` is a constant where it is 8. */
V8_INLINE void winograd_filter_row(int taps, int size, const float g[6][5], float *u, int64_t u_step,
                                   const v8 *t, int count)
{
#define PUT(j, value)                                                                                        \
    if (count == 8)                                                                                          \
        v8_store(u + (j)*u_step, value);                                                                     \
    else                                                                                                     \
        v8_store_n(u + (j)*u_step, value, count);
    PUT(0, t[0])
    CPU_UNROLL
    for (int j = 1; j < size - 1; j += 2) {
        v8 even = v8_mul(v8_set1(g[j][0]), t[0]), odd = v8_mul(v8_set1(g[j][1]), t[1]);
        even = v8_fma(v8_set1(g[j][2]), t[2], even);
        if (taps == 5) {
            odd = v8_fma(v8_set1(g[j][3]), t[3], odd);
            even = v8_fma(v8_set1(g[j][4]), t[4], even);
        }
        PUT(j, v8_add(even, odd))
        PUT(j + 1, v8_sub(even, odd))
    }
    PUT(size - 1, t[taps - 1])
#undef PUT
}

/* The same down the columns of taps, then along the rows that this makes: the first, two, or the last. */
V8_INLINE void winograd_filter(int taps, int size, const float g[6][5], float *u, int64_t u_step,
                               const float *x, int pair, int count)
{
    v8 t[5], minus[5];
#define TAP(a, b) v8_load(x + 8 * ((a)*taps + (b)))
    if (pair == 0 || pair == size / 2) {
        CPU_UNROLL
        for (int b = 0; b < taps; b++) t[b] = TAP(pair ? taps - 1 : 0, b);
        winograd_filter_row(taps, size, g, u, u_step, t, count);
        return;
    }
    const float *c = g[2 * pair - 1];
    CPU_UNROLL
    for (int b = 0; b < taps; b++) {
        v8 even = v8_mul(v8_set1(c[0]), TAP(0, b)), odd = v8_mul(v8_set1(c[1]), TAP(1, b));
        even = v8_fma(v8_set1(c[2]), TAP(2, b), even);
        if (taps == 5) {
            odd = v8_fma(v8_set1(c[3]), TAP(3, b), odd);
            even = v8_fma(v8_set1(c[4]), TAP(4, b), even);
        }
        t[b] = v8_add(even, odd);
        minus[b] = v8_sub(even, odd);
    }
#undef TAP
    winograd_filter_row(taps, size, g, u, u_step, t, count);
    winograd_filter_row(taps, size, g, u + size * u_step, u_step, minus, count);
}

V8_INLINE void winograd_filters_of(int taps, int size, const float g[6][5], float *u, int64_t u_step,
                                   const float *x, int64_t n, int pair)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) winograd_filter(taps, size, g, u + i, u_step, x + i * taps * taps, pair, 8);
    if (i < n) winograd_filter(taps, size, g, u + i, u_step, x + i * taps * taps, pair, (int)(n - i));
}

#define WINOGRAD_INPUT(SIZE)                                                                                 \
    static void winograd_rows_##SIZE(float *y, int64_t y_step, const float *const *x, int64_t n)             \
    {                                                                                                        \
        winograd_rows_of(SIZE, y, y_step, x, n);                                                             \
    }                                                                                                        \
    static void winograd_in_##SIZE(float *v, int64_t v_step, const float *x, int64_t x_step,                 \
                                   const int32_t *offset)                                                    \
    {                                                                                                        \
        winograd_in_of(SIZE, v, v_step, x, x_step, offset);                                                  \
    }
#define WINOGRAD(TILE, TAPS, SIZE)                                                                           \
    static void winograd_out_##TILE##_##TAPS(float *y, int64_t y_step, const int32_t *offset,                \
                                             const float *m, int64_t m_step, float bias)                     \
    {                                                                                                        \
        winograd_out_of(TILE, SIZE, y, y_step, offset, m, m_step, bias);                                     \
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
