/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolutions of stride 2 by Karatsuba's products (Karatsuba and Ofman, "Multiplication of Many-
 * Digital Numbers by Automatic Computers", 1962; it is F(2, 2) of Winograd, transposed). Along a dimension a
 * block of two pixels a, b and a phase's taps g, h add a g, a h + b g and b h to three outputs of the phase;
 * the one in the middle is (a + b)(g + h) - a g - b h, three products for four. The next block adds to the
 * third again. A phase of one tap has no product in the middle: it gives a g and b g. Lanes are blocks. */

/* Where the sums of the blocks in columns col.. of B lie, of which col is a multiple of eight. */
V8_INLINE float *karatsuba_place(const cpu_karatsuba_in *t, int64_t col)
{
    return (col < t->whole ? t->v + col / CPU_NR * t->panel_step : t->narrow) + col % CPU_NR;
}

#if V8_TILE_VECS == 1 /* plain C: small */
/* What column j of a phase's products of block i adds to its two rows of outputs. */
__attribute__((noinline)) static void karatsuba_column(float y[2], const cpu_karatsuba *t,
                                                       const int64_t *product, int j, int64_t i)
{
    y[0] = y[1] = 0;
    if (i < 0 || i >= t->n || product[j] < 0) return;
    if (t->above && product[3] >= 0) y[0] = t->above[product[6 + j] + i];
    if (!t->own) return;
    const float first = t->own[product[j] + i], last = t->own[product[6 + j] + i];
    y[0] += first;
    y[1] = product[3] < 0 ? last : t->own[product[3 + j] + i] - first - last;
}

/* The outputs of block i; behind the last one there is what that carries over. */
static void karatsuba_block(const cpu_karatsuba *t, int64_t i)
{
    for (int phase = 0; phase < 4; phase++) {
        const int64_t *product = t->product[phase];
        float first[2], middle[2], last[2], carried[2];
        karatsuba_column(first, t, product, 0, i);
        karatsuba_column(middle, t, product, 1, i);
        karatsuba_column(last, t, product, 2, i);
        karatsuba_column(carried, t, product, 2, product[1] < 0 ? -1 : i - 1);
        for (int r = 0; r < 2; r++) {
            float *y = t->y + (2 * r + phase / 2) * t->y_row + 4 * i + phase % 2;
            y[0] = first[r] + carried[r] + t->bias;
            y[2] = (product[1] < 0 ? last[r] : middle[r] - first[r] - last[r]) + t->bias;
        }
    }
}

__attribute__((noinline)) static float karatsuba_pixel(const float *x, int64_t at, int64_t n)
{
    return x && at < n ? x[at] : 0;
}

static void karatsuba_in(const cpu_karatsuba_in *t)
{
    for (int64_t i = 0; 2 * i < t->n || (t->at + i) % 8; i++) {
        float *v = karatsuba_place(t, (t->at + i) / 8 * 8) + (t->at + i) % 8;
        float rows[3][2];
        for (int k = 0; k < 2; k++) {
            rows[0][k] = karatsuba_pixel(t->top, 2 * i + k, t->n);
            rows[2][k] = karatsuba_pixel(t->bottom, 2 * i + k, t->n);
            rows[1][k] = rows[0][k] + rows[2][k];
        }
        for (int r = 0; r < 3; r++) {
            v[3 * r * t->v_step] = rows[r][0];
            v[(3 * r + 1) * t->v_step] = rows[r][0] + rows[r][1];
            v[(3 * r + 2) * t->v_step] = rows[r][1];
        }
    }
}

static void karatsuba_out(const cpu_karatsuba *t)
{
    for (int64_t i = 0; i <= t->n; i++) karatsuba_block(t, i);
}

#else
/* Of a row of eight blocks: the left pixels and the right ones. */
V8_INLINE void karatsuba_load(v8 x[2], const float *row, const v8_window w[2])
{
    v8 halves[2];
    v8_split(halves, v8_load_window(row, w[0]), v8_load_window(row + 8, w[1]));
    x[0] = v8_join(halves[0]);
    x[1] = v8_join(halves[1]);
}

/* Eight columns at a time, the first of which may be those of the row of blocks before: these stay. */
static void karatsuba_in(const cpu_karatsuba_in *t)
{
    const int64_t before = t->at % 8;
    const v8_window kept = v8_window_of(0, before);
    for (int64_t i = -before; 2 * i < t->n; i += 8) {
        const v8_window w[2] = {v8_window_of(2 * i, t->n), v8_window_of(2 * i + 8, t->n)};
        float *v = karatsuba_place(t, t->at + i);
        v8 rows[3][2] = {0};
        __builtin_prefetch(t->top + 2 * i + t->ahead);
        if (t->bottom) __builtin_prefetch(t->bottom + 2 * i + t->ahead);
        karatsuba_load(rows[0], t->top + 2 * i, w);
        if (t->bottom) karatsuba_load(rows[2], t->bottom + 2 * i, w);
        rows[1][0] = v8_add(rows[0][0], rows[2][0]);
        rows[1][1] = v8_add(rows[0][1], rows[2][1]);
        for (int r = 0; r < 3; r++, v += 3 * t->v_step) {
            v8 y[3] = {rows[r][0], v8_add(rows[r][0], rows[r][1]), rows[r][1]};
            CPU_UNROLL
            for (int j = 0; j < 3; j++) {
                if (i < 0) y[j] = v8_add(y[j], v8_load_window(v + j * t->v_step, kept));
                v8_store(v + j * t->v_step, y[j]);
            }
        }
    }
}

/* Eight blocks of a row: what there is of it within the image. */
typedef struct karatsuba_row {
    const float *m;
    v8_window here, before; /* from the first of the eight on; from the one before on */
} karatsuba_row;

V8_INLINE karatsuba_row karatsuba_row_of(const cpu_karatsuba *t, const float *m, int64_t i)
{
    const int64_t n = m ? t->n : 0;
    return (karatsuba_row){(m        ? m
                            : t->own ? t->own
                                     : t->above) +
                               i,
                           v8_window_of(i, n), v8_window_of(i - 1, n)};
}

/* karatsuba_column of eight blocks; of those before them if `back` is 1. */
V8_INLINE void karatsuba_columns(v8 y[2], const karatsuba_row *own, const karatsuba_row *above,
                                 const int64_t *product, int j, int back)
{
    const v8_window w = back ? own->before : own->here;
    const v8 first = v8_load_window(own->m + product[j] - back, w);
    const v8 last = v8_load_window(own->m + product[6 + j] - back, w);
    if (product[3] < 0) {
        y[0] = first;
        y[1] = last;
        return;
    }
    y[0] =
        v8_add(first, v8_load_window(above->m + product[6 + j] - back, back ? above->before : above->here));
    y[1] = v8_sub(v8_sub(v8_load_window(own->m + product[3 + j] - back, w), first), last);
}

/* Outputs of eight blocks from i on: rows py and 2 + py. */
V8_INLINE void karatsuba_phases(const cpu_karatsuba *t, int py, int64_t i)
{
    static const int32_t apart[8] = {0, 4, 8, 12, 16, 20, 24, 28};
    const karatsuba_row own = karatsuba_row_of(t, t->own, i), above = karatsuba_row_of(t, t->above, i);
    const v8 bias = v8_set1(t->bias);
    v8 rows[2][4];
    CPU_UNROLL
    for (int px = 0; px < 2; px++) {
        const int64_t *product = t->product[2 * py + px];
        v8 first[2], middle[2], last[2], carried[2];
        karatsuba_columns(first, &own, &above, product, 0, 0);
        karatsuba_columns(last, &own, &above, product, 2, 0);
        if (product[1] >= 0) {
            karatsuba_columns(middle, &own, &above, product, 1, 0);
            karatsuba_columns(carried, &own, &above, product, 2, 1);
            CPU_UNROLL
            for (int r = 0; r < 2; r++) {
                last[r] = v8_sub(v8_sub(middle[r], first[r]), last[r]);
                first[r] = v8_add(first[r], carried[r]);
            }
        }
        CPU_UNROLL
        for (int r = 0; r < 2; r++) {
            rows[r][px] = v8_add(first[r], bias);
            rows[r][2 + px] = v8_add(last[r], bias);
        }
    }
    CPU_UNROLL
    for (int r = 0; r < 2; r++) v8_store_quads(t->y + (2 * r + py) * t->y_row + 4 * i, apart, rows[r]);
}

static void karatsuba_out(const cpu_karatsuba *t)
{
    for (int64_t i = 0; i <= t->n; i += 8)
        for (int py = 0; py < 2; py++) karatsuba_phases(t, py, i);
}
#endif
