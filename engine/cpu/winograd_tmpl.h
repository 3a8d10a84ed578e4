/* SPDX-License-Identifier: Apache-2.0
 * The transforms of Winograd's F(m x m, 3x3) for m = 2 and 4 (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", 2015). The points are 0, infinity and, for m = 2, +-1; for m = 4
 * +-1/sqrt(2) and +-sqrt(2), whose errors are smaller than those of the customary +-1, +-2 (Barabasz et al.,
 * "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", 2020). m = 6
 * was tried: at best a tenth faster, on planes from 112x112 on, and its errors are six to eight times those
 * of m = 4 with the best points that a search found. Lanes are tiles; winograd.c transforms the filters. */

#define HALF_ROOT 0.70710678118654752f
#define ROOT      1.41421356237309505f

/* One dimension of the input's transform: m + 2 values to those of the products. */
V8_INLINE void winograd_b2(v8 *y, const v8 *x)
{
    y[0] = v8_sub(x[0], x[2]);
    y[1] = v8_add(x[1], x[2]);
    y[2] = v8_sub(x[2], x[1]);
    y[3] = v8_sub(x[3], x[1]);
}

V8_INLINE void winograd_b4(v8 *y, const v8 *x)
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

/* One dimension of the output's transform: m + 2 products to m outputs. */
V8_INLINE void winograd_a2(v8 *y, const v8 *m)
{
    y[0] = v8_add(m[0], v8_add(m[1], m[2]));
    y[1] = v8_add(m[3], v8_sub(m[1], m[2]));
}

V8_INLINE void winograd_a4(v8 *y, const v8 *m)
{
    const v8 two = v8_set1(2), half = v8_set1(0.5f);
    const v8 s = v8_add(m[1], m[2]), d = v8_mul(v8_set1(HALF_ROOT), v8_sub(m[1], m[2]));
    const v8 t = v8_add(m[3], m[4]), e = v8_mul(v8_set1(ROOT), v8_sub(m[3], m[4]));
    y[0] = v8_add(m[0], v8_add(s, t));
    y[1] = v8_add(d, e);
    y[2] = v8_fma(two, t, v8_mul(half, s));
    y[3] = v8_add(v8_fma(two, e, v8_mul(half, d)), m[5]);
}

#undef HALF_ROOT
#undef ROOT

/* `tile` is a constant wherever these are called. */
V8_INLINE void winograd_b(int tile, v8 *y, const v8 *x)
{
    if (tile == 2)
        winograd_b2(y, x);
    else
        winograd_b4(y, x);
}

V8_INLINE void winograd_a(int tile, v8 *y, const v8 *m)
{
    if (tile == 2)
        winograd_a2(y, m);
    else
        winograd_a4(y, m);
}

V8_INLINE void winograd_rows_of(int tile, float *y, int64_t y_step, const float *const *x, int64_t n)
{
    const int size = tile + 2;
    for (int64_t i = 0; i < n; i += 8) {
        const int count = n - i < 8 ? (int)(n - i) : 8;
        v8 in[6], out[6];
        CPU_UNROLL
        for (int r = 0; r < size; r++) in[r] = count == 8 ? v8_load(x[r] + i) : v8_load_n(x[r] + i, count);
        winograd_b(tile, out, in);
        CPU_UNROLL
        for (int r = 0; r < size; r++)
            if (count == 8)
                v8_store(y + r * y_step + i, out[r]);
            else
                v8_store_n(y + r * y_step + i, out[r], count);
    }
}

V8_INLINE void winograd_in_of(int tile, float *v, int64_t v_step, const float *x, int64_t x_step,
                              const int32_t *offset)
{
    const int size = tile + 2;
    for (int i = 0; i < size; i++, x += x_step, v += size * v_step) {
        v8 in[6], out[6], last[4];
        v8_load_quads(in, x, offset);
        if (tile == 4) {
            v8_load_quads(last, x + 2, offset);
            in[4] = last[2];
            in[5] = last[3];
        }
        winograd_b(tile, out, in);
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

V8_INLINE void winograd_out_of(int tile, float *y, int64_t y_step, const int32_t *offset, const float *m,
                               int64_t m_step, float bias)
{
    const int size = tile + 2;
    v8 t[4][6]; /* by column of the tile, then row of the products */
    for (int i = 0; i < size; i++, m += size * m_step) {
        v8 in[6], out[4];
        CPU_UNROLL
        for (int j = 0; j < size; j++) in[j] = v8_load(m + j * m_step);
        winograd_a(tile, out, in);
        CPU_UNROLL
        for (int c = 0; c < tile; c++) t[c][i] = out[c];
    }
    v8 rows[4][4]; /* by row, then column */
    for (int c = 0; c < tile; c++) {
        v8 out[4];
        winograd_a(tile, out, t[c]);
        CPU_UNROLL
        for (int r = 0; r < tile; r++) rows[r][c] = v8_add(out[r], v8_set1(bias));
    }
    for (int r = 0; r < tile; r++) winograd_store(tile, y + r * y_step, offset, rows[r]);
}

#define WINOGRAD(TILE)                                                                                       \
    static void winograd_rows_##TILE(float *y, int64_t y_step, const float *const *x, int64_t n)             \
    {                                                                                                        \
        winograd_rows_of(TILE, y, y_step, x, n);                                                             \
    }                                                                                                        \
    static void winograd_in_##TILE(float *v, int64_t v_step, const float *x, int64_t x_step,                 \
                                   const int32_t *offset)                                                    \
    {                                                                                                        \
        winograd_in_of(TILE, v, v_step, x, x_step, offset);                                                  \
    }                                                                                                        \
    static void winograd_out_##TILE(float *y, int64_t y_step, const int32_t *offset, const float *m,         \
                                    int64_t m_step, float bias)                                              \
    {                                                                                                        \
        winograd_out_of(TILE, y, y_step, offset, m, m_step, bias);                                           \
    }
WINOGRAD(2)
WINOGRAD(4)
#undef WINOGRAD
#define WINOGRAD_ENTRY(TILE)                                                                                 \
    {                                                                                                        \
        winograd_rows_##TILE, winograd_in_##TILE, winograd_out_##TILE                                        \
    }
