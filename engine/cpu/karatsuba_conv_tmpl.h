/* SPDX-License-Identifier: Apache-2.0
 * 3x3 convolutions of stride 2 by Karatsuba's products (see karatsuba_tmpl.h). Along a dimension the outputs
 * of a tile, two, see five values a..e: a g + b h + c k and c g + d h + e k. Of the taps g and k, which lie
 * on one phase of the input, three products stand for four: c (g + k) is in both outputs; the first has (a -
 * c) g + b h besides, the second (e - c) k + d h. So there are three sums of products, of two, one and two
 * values of each channel: 25 multiplications for the 36 of a tile of 2x2 outputs. Lanes are tiles. */

/* The five values that are multiplied, of a row of eight tiles: with g, h; g + k; k, h. */
V8_INLINE void karatsuba_conv_row(v8 y[5], const float *x, const int32_t *offset)
{
    v8 low[4], high[4];
    v8_load_quads(low, x, offset);
    v8_load_quads(high, x + 1, offset);
    y[0] = v8_sub(low[0], low[2]);
    y[1] = low[1];
    y[2] = low[2];
    y[3] = v8_sub(high[3], low[2]);
    y[4] = low[3];
}

V8_INLINE void karatsuba_conv_put(float *v, const int64_t *place, const v8 x[5])
{
    CPU_UNROLL
    for (int b = 0; b < 5; b++) v8_store(v + place[b], x[b]);
}

static void karatsuba_conv_in(float *v, const int64_t place[25], const float *x, int64_t x_step,
                              const int32_t *offset)
{
    v8 middle[5], row[5];
    karatsuba_conv_row(middle, x + 2 * x_step, offset);
    karatsuba_conv_put(v, place + 10, middle);
    for (int i = 0; i < 2; i++) { /* of the odd rows */
        karatsuba_conv_row(row, x + (2 * i + 1) * x_step, offset);
        karatsuba_conv_put(v, place + 5 + 15 * i, row);
    }
    for (int i = 0; i < 2; i++) {
        karatsuba_conv_row(row, x + 4 * i * x_step, offset);
        CPU_UNROLL
        for (int b = 0; b < 5; b++) row[b] = v8_sub(row[b], middle[b]);
        karatsuba_conv_put(v, place + 15 * i, row);
    }
}

static void karatsuba_conv_out(float *y, int64_t y_step, const float *m, int64_t m_step, int64_t n,
                               float bias)
{
    for (int64_t at = 0; at < n; at += 8, m += 8, y += 16) {
        v8 sums[3][2];
        CPU_UNROLL
        for (int i = 0; i < 3; i++) {
            const float *row = m + 3 * i * m_step;
            const v8 both = v8_add(v8_load(row + m_step), v8_set1(i == 1 ? bias : 0));
            sums[i][0] = v8_add(v8_load(row), both);
            sums[i][1] = v8_add(v8_load(row + 2 * m_step), both);
        }
        CPU_UNROLL
        for (int r = 0; r < 2; r++) {
            v8 pairs[2];
            v8_zip(pairs, v8_add(sums[2 * r][0], sums[1][0]), v8_add(sums[2 * r][1], sums[1][1]));
            v8_store(y + r * y_step, pairs[0]);
            v8_store(y + r * y_step + 8, pairs[1]);
        }
    }
}
