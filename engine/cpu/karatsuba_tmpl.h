/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolutions of stride 2 by Karatsuba's products (Karatsuba and Ofman, "Multiplication of Many-
 * Digital Numbers by Automatic Computers", 1962; it is F(2, 2) of Winograd, transposed). Along a dimension a
 * block of two pixels a, b and a phase's taps g, h add a g, a h + b g and b h to three outputs of the phase;
 * the one in the middle is (a + b)(g + h) - a g - b h, three products for four. The next block adds to the
 * third again. A phase of one tap has no product in the middle: it gives a g and b g. Lanes are blocks. */

/* The columns of a row of products, of both pixels of a row of the blocks. */
V8_INLINE void karatsuba_columns(v8 *y, v8 left, v8 right)
{
    y[0] = left;
    y[1] = v8_add(left, right);
    y[2] = right;
}

/* Eight blocks of a row of pixels: the left ones, the right ones. */
V8_INLINE void karatsuba_load(v8 x[2], const float *row, int64_t n)
{
    v8 halves[2];
    if (n >= 16)
        v8_split(halves, v8_load(row), v8_load(row + 8));
    else if (n > 8)
        v8_split(halves, v8_load(row), v8_load_n(row + 8, (int)n - 8));
    else
        v8_split(halves, v8_load_n(row, (int)n), v8_set1(0));
    x[0] = v8_join(halves[0]);
    x[1] = v8_join(halves[1]);
}

static void karatsuba_in(float *v, int64_t v_step, const float *top, const float *bottom, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16, v += 8) {
        v8 upper[2], lower[2], y[9];
        karatsuba_load(upper, top + i, n - i);
        lower[0] = lower[1] = v8_set1(0);
        if (bottom) karatsuba_load(lower, bottom + i, n - i);
        karatsuba_columns(y, upper[0], upper[1]);
        karatsuba_columns(y + 3, v8_add(upper[0], lower[0]), v8_add(upper[1], lower[1]));
        karatsuba_columns(y + 6, lower[0], lower[1]);
        CPU_UNROLL
        for (int j = 0; j < 9; j++) v8_store(v + j * v_step, y[j]);
    }
}

/* Column j of a phase's products, of the blocks from `at` on, to its two rows of outputs. */
V8_INLINE void karatsuba_rows(v8 y[2], const cpu_karatsuba *t, const int64_t *product, int j, int64_t at,
                              v8_window w)
{
    const v8 zero = v8_set1(0);
    const v8 above = t->above && product[3] >= 0 ? v8_load_window(t->above + product[6 + j] + at, w) : zero;
    if (!t->own) {
        y[0] = above;
        y[1] = zero;
        return;
    }
    const float *own = t->own + at;
    const v8 first = v8_load_window(own + product[j], w), last = v8_load_window(own + product[6 + j], w);
    y[0] = v8_add(first, above);
    y[1] = product[3] >= 0 ? v8_sub(v8_sub(v8_load_window(own + product[3 + j], w), first), last) : last;
}

static void karatsuba_out(const cpu_karatsuba *t)
{
    static const int32_t apart[8] = {0, 4, 8, 12, 16, 20, 24, 28};
    for (int64_t i = 0; i <= t->n; i += 8) {
        const v8_window here = v8_window_of(i, t->n), before = v8_window_of(i - 1, t->n);
        for (int py = 0; py < 2; py++) {
            v8 rows[2][4];
            for (int px = 0; px < 2; px++) {
                const int64_t *product = t->product[2 * py + px];
                v8 first[2], middle[2], last[2], carried[2] = {0};
                karatsuba_rows(first, t, product, 0, i, here);
                karatsuba_rows(last, t, product, 2, i, here);
                if (product[1] >= 0) {
                    karatsuba_rows(middle, t, product, 1, i, here);
                    karatsuba_rows(carried, t, product, 2, i - 1, before);
                }
                for (int r = 0; r < 2; r++) {
                    v8 right = last[r];
                    if (product[1] >= 0) right = v8_sub(v8_sub(middle[r], first[r]), right);
                    rows[r][px] = v8_add(v8_add(first[r], carried[r]), v8_set1(t->bias));
                    rows[r][2 + px] = v8_add(right, v8_set1(t->bias));
                }
            }
            v8_store_quads(t->y + py * t->y_row + 4 * i, apart, rows[0]);
            v8_store_quads(t->y + (2 + py) * t->y_row + 4 * i, apart, rows[1]);
        }
    }
}
