/* SPDX-License-Identifier: Apache-2.0
 * Pools by small square windows of planes that are read where they lie, in strips of eight columns of outputs
 * as in depthwise_tmpl.h. Maxima and sums are separable: going down, the taps of a window along a line are
 * joined once, and what came of the lines that later windows share waits in registers. */

V8_INLINE v8 pool_join(v8 a, v8 b, bool max) /* NaN of a is left out of a maximum */
{
    return max ? v8_max(a, b) : v8_add(a, b);
}

#if V8_TILE_VECS == 1 /* plain C: by definition */
static void pool_one(const cpu_pool *t, float *y, const float *x, int64_t top, int64_t left)
{
    const int64_t bottom = vkb_min(t->in_h, top + t->size), right = vkb_min(t->in_w, left + t->size);
    float r = t->max ? -INFINITY : 0;
    for (int64_t i = vkb_max(0, top); i < bottom; i++)
        for (int64_t j = vkb_max(0, left); j < right; j++) {
            const float v = x[i * t->x_row + j];
            if (!t->max)
                r += v;
            else if (v > r)
                r = v;
        }
    *y = r;
}

static void pool(const cpu_pool *t)
{
    for (int64_t c = 0; c < t->planes; c++)
        for (int64_t r = 0; r < t->rows; r++)
            for (int64_t i = 0; i < t->out_w; i++)
                pool_one(t, t->y + c * t->y_plane + r * t->out_w + i, t->x + c * t->x_plane,
                         (t->row + r) * t->stride - t->pad_top, i * t->stride - t->pad_left);
}

#else
enum { POOL_SIZE = 5 };

typedef struct pool_strip {
    int64_t x, y;       /* of the first tap of the first output, and of that output, in a plane */
    int64_t first, end; /* lines in the plane, counted from that of the first tap */
    int64_t full;       /* so many rows may write eight columns, the others out_w */
    bool whole;         /* all taps are within lines */
    v8_window w[POOL_SIZE]
               [2]; /* by tap; stride 2: by each second tap, and of the eight elements after those */
} pool_strip;

/* Of eight windows, what their taps along one line come to. */
V8_INLINE v8 pool_line(const float *p, const v8_window w[POOL_SIZE][2], int size, int stride, bool max,
                       bool whole)
{
    const v8 none = v8_set1(max ? -INFINITY : 0);
    v8 line = none;
    CPU_UNROLL
    for (int k = 0; k < size; k += stride) {
        v8 x[2];
        x[0] = whole ? v8_load(p + k) : v8_load_window_or(p + k, w[k][0], none);
        if (stride == 2)
            v8_split(x, x[0], whole ? v8_load(p + k + 8) : v8_load_window_or(p + k + 8, w[k][1], none));
        line = pool_join(x[0], line, max);
        if (k + 1 < size && stride == 2) line = pool_join(x[1], line, max);
    }
    return line;
}

/* Apart: inlined, -O3 makes a version of all around it for every n. */
__attribute__((noinline)) static void pool_end(float *y, v8 out, int n)
{
    v8_store_n(y, out, n);
}

V8_INLINE void pool_planes(const cpu_pool *t, const pool_strip *s, int size, int stride, bool max, bool whole)
{
    const int keep = size - stride; /* lines that the next window shares */
    const int64_t before = (keep + stride - 1) / stride, x_row = t->x_row, out_w = t->out_w, rows = t->rows;
    const int64_t first = s->first;
    const uint64_t full = (uint64_t)s->full, in_plane = (uint64_t)(s->end - first);
    const v8 none = v8_set1(max ? -INFINITY : 0);
    v8_window w[POOL_SIZE]
               [2]; /* copies: stores through y could change the others, as far as compilers know */
    CPU_UNROLL
    for (int k = 0; k < size; k++) {
        w[k][0] = s->w[k][0];
        w[k][1] = s->w[k][stride - 1];
    }
    for (int64_t c = 0; c < t->planes; c++) {
        const float *x = t->x + c * t->x_plane + s->x + (keep - before * stride) * x_row;
        float *y = t->y + c * t->y_plane + s->y;
        v8 lines[POOL_SIZE];
        CPU_UNROLL
        for (int k = 0; k < size; k++) lines[k] = none;
        for (int64_t row = -before; row < rows; row++) {
            const int64_t line = row * stride + keep - first;
            lines[keep] = lines[size - 1] = none;
            if (stride == 2) __builtin_prefetch(x + 16); /* of the strip to the right */
            if ((uint64_t)line < in_plane) lines[keep] = pool_line(x, w, size, stride, max, whole);
            x += x_row;
            if (stride == 2) {
                __builtin_prefetch(x + 16);
                if ((uint64_t)(line + 1) < in_plane)
                    lines[size - 1] = pool_line(x, w, size, stride, max, whole);
                x += x_row;
            }
            v8 out = lines[0];
            CPU_UNROLL
            for (int k = 1; k < size; k++) out = pool_join(out, lines[k], max);
            if (stride == 2) out = v8_join(out);
            CPU_UNROLL
            for (int k = 0; k < keep; k++) lines[k] = lines[k + stride];
            if ((uint64_t)row < full)
                v8_store(y, out);
            else if (row >= 0)
                pool_end(y, out, (int)out_w);
            y += row < 0 ? 0 : out_w;
        }
    }
}

#define POOL_KERNEL(NAME, SIZE, STRIDE, MAX, WHOLE)                                                          \
    static void pool_##NAME(const cpu_pool *t, const pool_strip *s)                                          \
    {                                                                                                        \
        pool_planes(t, s, SIZE, STRIDE, MAX, WHOLE);                                                         \
    }
POOL_KERNEL(max_2, 2, 2, true, false)
POOL_KERNEL(max_3, 3, 1, true, false)
POOL_KERNEL(max_3_2, 3, 2, true, false)
POOL_KERNEL(max_3_2_whole, 3, 2, true, true)
POOL_KERNEL(max_5, 5, 1, true, false)
POOL_KERNEL(sum_2, 2, 2, false, false)
POOL_KERNEL(sum_3, 3, 1, false, false)
#undef POOL_KERNEL

static void pool_kernel(const cpu_pool *t, const pool_strip *s)
{
    if (!t->max)
        (t->size == 2 ? pool_sum_2 : pool_sum_3)(t, s);
    else if (t->size == 3 && t->stride == 2)
        (s->whole ? pool_max_3_2_whole : pool_max_3_2)(t, s);
    else
        (t->size == 2 ? pool_max_2 : t->size == 3 ? pool_max_3 : pool_max_5)(t, s);
}

/* Columns from col on. */
static void pool_columns(const cpu_pool *t, int64_t col)
{
    const int64_t at = col * t->stride - t->pad_left, top = t->row * t->stride - t->pad_top;
    const int64_t lines = (t->rows - 1) * t->stride + t->size;
    pool_strip s = {.x = top * t->x_row + at, .y = col, .full = t->rows};
    s.whole = at >= 0 && at + (t->size - 1) / t->stride * t->stride + 8 * t->stride <= t->in_w;
    s.first = vkb_min(lines, vkb_max(0, -top));
    s.end = vkb_max(s.first, vkb_min(t->in_h - top, lines));
    for (int k = 0; k < t->size; k += t->stride)
        for (int i = 0; i < t->stride; i++) s.w[k][i] = v8_window_of(at + k + 8 * i, t->in_w);
    if (t->out_w < 8) /* a row reaches into those that follow, which are overwritten in their turn */
        s.full = vkb_max(0, t->rows - (8 + t->out_w - 1) / t->out_w + 1);
    pool_kernel(t, &s);
}

/* 2x2 by 2, columns left .. right, whose taps are all within lines: row by row, as memory is read best. No
 * line is shared, and down before along splits but once. */
V8_INLINE void pool_pairs(const cpu_pool *t, int64_t left, int64_t right, bool max)
{
    const v8 none = v8_set1(max ? -INFINITY : 0);
    for (int64_t i = 0; i < t->planes * t->rows; i++) {
        const int64_t top = (t->row + i % t->rows) * 2 - t->pad_top;
        const int64_t first = vkb_max(0, top), lines = vkb_min(top + 2, t->in_h) - first;
        const float *x = t->x + i / t->rows * t->x_plane + first * t->x_row - t->pad_left;
        float *y = t->y + i / t->rows * t->y_plane + i % t->rows * t->out_w;
        for (int64_t col = left; col < right; col += 8) {
            const int64_t at = vkb_min(col, right - 8);
            const float *p = x + 2 * at;
            v8 down[2] = {none, none};
            for (int64_t line = 0; line < lines; line++, p += t->x_row) {
                down[0] = pool_join(v8_load(p), down[0], max);
                down[1] = pool_join(v8_load(p + 8), down[1], max);
            }
            v8_split(down, down[0], down[1]);
            v8_store(y + at, v8_join(pool_join(down[1], down[0], max)));
        }
    }
}

static void pool(const cpu_pool *t)
{
    const int64_t left = t->pad_left ? 8 : 0, right = vkb_min(t->out_w, (t->in_w + t->pad_left) / 2);
    const bool pairs = t->size == 2 && right - left >= 8;
    if (pairs && t->max) pool_pairs(t, left, right, true);
    if (pairs && !t->max) pool_pairs(t, left, right, false);
    for (int64_t col = 0; col < t->out_w; col += 8) {
        if (pairs && col == left) col = right;
        if (col < t->out_w) pool_columns(t, vkb_max(0, vkb_min(col, t->out_w - 8)));
    }
}
#endif
