/* SPDX-License-Identifier: Apache-2.0
 * Pointwise convolutions with output channels as lanes: a tile is six or five pixels, which lie together, by
 * a panel of 16 channels, or four by 24. Activations are read where they lie, and any number of pixels is
 * spread over tiles without a rest; the price is that tiles are transposed when they are stored. */

enum { TILE_PIXELS = 6, WIDE_PIXELS = 4 };

/* x by w, added to the sums of pixels x `vecs` vectors. */
V8_INLINE void add_pixels(v8 s[TILE_PIXELS][3], const float *x, const float *w, int pixels, int vecs)
{
    v8 weight[3];
    CPU_UNROLL
    for (int v = 0; v < vecs; v++) weight[v] = v8_load(w + 8 * v);
    CPU_UNROLL
    for (int r = 0; r < pixels; r++) {
        const v8 pixel = v8_set1(x[r]);
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) s[r][v] = v8_fma(pixel, weight[v], s[r][v]);
    }
}

V8_INLINE void store_pixels(const cpu_pixels *t, v8 s[TILE_PIXELS][3], int64_t at, int pixels, int col,
                            int vecs)
{
    const v8 low = v8_set1(t->low), high = v8_set1(t->high);
    const bool swish = t->hardswish;
    float *y = t->y + at;
    CPU_UNROLL
    for (int v = 0; v < vecs; v++) {
        const int32_t *offset = t->offset + col + 8 * v;
        v8 lanes[TILE_PIXELS];
        CPU_UNROLL
        for (int r = 0; r < pixels; r++) lanes[r] = v8_clamp(s[r][v], low, high);
        if (__builtin_expect(swish, 0)) {
            CPU_UNROLL
            for (int r = 0; r < pixels; r++) lanes[r] = hardswish(lanes[r]);
        }
        v8_store_quads(y, offset, lanes);
        if (pixels > 4) v8_store_quads(y + pixels - 4, offset, lanes + pixels - 4); /* some of them again */
    }
}

/* Pixels from `at` on and channels from `col` on, their sums in row `row`; `pixels` and `vecs` are constants.
 */
V8_INLINE void pixel_tile(const cpu_pixels *t, int64_t at, int64_t row, int pixels, int col, int vecs)
{
    const int64_t x_step = t->x_step, w_step = t->width, count = t->k;
    const float *x = t->x + at, *w = t->w + col, *from = t->start ? t->start : t->sums + row * w_step;
    v8 s[TILE_PIXELS][3];
    CPU_UNROLL
    for (int r = 0; r < pixels; r++) {
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) s[r][v] = v8_load(from + (t->start ? 0 : r * w_step) + col + 8 * v);
    }
    const int64_t ahead = t->start && t->y ? 16 : 0; /* of few k, waiting for the next pixels would tell */
#if V8_TILE_VECS == 2                                /* not in plain C: less code */
    CPU_UNROLL_SUM
#endif
    for (int64_t k = 0; k < count; k++, x += x_step, w += w_step) {
        __builtin_prefetch(x + ahead);
        add_pixels(s, x, w, pixels, vecs);
    }
    if (t->y) {
        store_pixels(t, s, at, pixels, col, vecs);
        return;
    }
    float *to = t->sums + row * w_step + col;
    CPU_UNROLL
    for (int r = 0; r < pixels; r++) {
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) v8_store(to + r * w_step + 8 * v, s[r][v]);
    }
}

#if V8_TILE_VECS == 2
/* Fetches a share of the weights that come next, so that all tiles together fetch them all. */
V8_INLINE const float *fetch_weights(const float *w, int64_t lines)
{
    for (int64_t i = 0; w && i < lines; i++, w += 16) __builtin_prefetch(w, 0, 2);
    return w;
}

static void pixels(const cpu_pixels *t)
{
    const int64_t most = t->width > CPU_NR ? WIDE_PIXELS : TILE_PIXELS;
    const int64_t tiles = (t->pixels + most - 1) / most;
    const int64_t lines = (t->k * t->width / 16 + tiles - 1) / tiles;
    const float *next = t->w_next;
    int64_t at = 0;
    if (t->width > CPU_NR) { /* the last tile may overlap the one before it, but not in the sums */
        for (; at < t->pixels; at += WIDE_PIXELS) {
            next = fetch_weights(next, lines);
            pixel_tile(t, at + WIDE_PIXELS < t->pixels ? at : t->pixels - WIDE_PIXELS, at, WIDE_PIXELS, 0, 3);
        }
        return;
    }
    int64_t larger = t->pixels - tiles * (TILE_PIXELS - 1);
    for (; larger > 0; larger--, at += TILE_PIXELS) {
        next = fetch_weights(next, lines);
        pixel_tile(t, at, at, TILE_PIXELS, 0, 2);
    }
    for (; at < t->pixels; at += TILE_PIXELS - 1) {
        next = fetch_weights(next, lines);
        pixel_tile(t, at, at, TILE_PIXELS - 1, 0, 2);
    }
}
#else /* plain C: less code */
static void pixels(const cpu_pixels *t)
{
    for (int64_t at = 0; at < t->pixels; at += WIDE_PIXELS)
        for (int col = 0; col < t->width; col += 8)
            pixel_tile(t, at + WIDE_PIXELS < t->pixels ? at : t->pixels - WIDE_PIXELS, at, WIDE_PIXELS, col,
                       1);
}
#endif
