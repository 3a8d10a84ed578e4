/* SPDX-License-Identifier: Apache-2.0
 * The transforms of Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2015), with the points 0, +-1/sqrt(2), +-sqrt(2) and infinity, whose errors are smaller than
 * those of the customary 0, +-1, +-2 (Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd
 * Convolution for Deep Neural Networks", 2020). Lanes are tiles. */

#define HALF_ROOT 0.70710678118654752f
#define ROOT      1.41421356237309505f

/* One dimension of the input's transform: six values to the six of the products. */
V8_INLINE void winograd_b(v8 y[6], const v8 x[6])
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

/* One dimension of the output's transform: six products to four outputs. */
V8_INLINE void winograd_a(v8 y[4], const v8 m[6])
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

static void winograd_rows(float *y, int64_t y_step, const float *const x[6], int64_t n)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int count = n - i < 8 ? (int)(n - i) : 8;
        v8 in[6], out[6];
        for (int r = 0; r < 6; r++) in[r] = count == 8 ? v8_load(x[r] + i) : v8_load_n(x[r] + i, count);
        winograd_b(out, in);
        for (int r = 0; r < 6; r++)
            if (count == 8)
                v8_store(y + r * y_step + i, out[r]);
            else
                v8_store_n(y + r * y_step + i, out[r], count);
    }
}

static void winograd_in(float *v, int64_t v_step, const float *x, int64_t x_step, const int32_t *offset)
{
    for (int i = 0; i < 6; i++, x += x_step, v += 6 * v_step) {
        v8 in[6], out[6], last[4];
        v8_load_quads(in, x, offset);
        v8_load_quads(last, x + 2, offset);
        in[4] = last[2];
        in[5] = last[3];
        winograd_b(out, in);
        for (int j = 0; j < 6; j++) v8_store(v + j * v_step, out[j]);
    }
}

static void winograd_out(float *y, int64_t y_step, const int32_t *offset, const float *m, int64_t m_step,
                         float bias)
{
    v8 t[4][6]; /* by column of the tile, then row of the products */
    for (int i = 0; i < 6; i++, m += 6 * m_step) {
        v8 in[6], out[4];
        for (int j = 0; j < 6; j++) in[j] = v8_load(m + j * m_step);
        winograd_a(out, in);
        for (int c = 0; c < 4; c++) t[c][i] = out[c];
    }
    v8 tile[4][4]; /* by row, then column */
    for (int c = 0; c < 4; c++) {
        v8 out[4];
        winograd_a(out, t[c]);
        for (int r = 0; r < 4; r++) tile[r][c] = v8_add(out[r], v8_set1(bias));
    }
    for (int r = 0; r < 4; r++) v8_store_quads(y + r * y_step, offset, tile[r]);
}
