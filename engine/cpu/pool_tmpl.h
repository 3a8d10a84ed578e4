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
    float r = t->max ? t->floor : 0;
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
    v8_window w[POOL_SIZE]
               [2]; /* by tap; stride 2: by each second tap, and of the eight elements after those */
} pool_strip;

/* Of eight windows, what their taps along one line come to. */
V8_INLINE v8 pool_line(const float *p, const v8_window w[POOL_SIZE][2], int size, int stride, bool max,
                       v8 none)
{
    v8 line = none;
    CPU_UNROLL
    for (int k = 0; k < size; k += stride) {
        v8 x[2];
        x[0] = v8_load_window_or(p + k, w[k][0], none);
        if (stride == 2) v8_split(x, x[0], v8_load_window_or(p + k + 8, w[k][1], none));
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

V8_INLINE void pool_planes(const cpu_pool *t, const pool_strip *s, int size, int stride, bool max)
{
    const int keep = size - stride; /* lines that the next window shares */
    const int64_t before = (keep + stride - 1) / stride, x_row = t->x_row, out_w = t->out_w, rows = t->rows;
    const int64_t first = s->first;
    const uint64_t full = (uint64_t)s->full, in_plane = (uint64_t)(s->end - first);
    const v8 none = v8_set1(max ? t->floor : 0);
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
            if ((uint64_t)line < in_plane) lines[keep] = pool_line(x, w, size, stride, max, none);
            x += x_row;
            if (stride == 2) {
                __builtin_prefetch(x + 16);
                if ((uint64_t)(line + 1) < in_plane)
                    lines[size - 1] = pool_line(x, w, size, stride, max, none);
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

#define POOL_KERNEL(NAME, SIZE, STRIDE, MAX)                                                                 \
    static void pool_##NAME(const cpu_pool *t, const pool_strip *s)                                          \
    {                                                                                                        \
        pool_planes(t, s, SIZE, STRIDE, MAX);                                                                \
    }
POOL_KERNEL(max_2, 2, 2, true)
POOL_KERNEL(max_3, 3, 1, true)
POOL_KERNEL(max_3_2, 3, 2, true)
POOL_KERNEL(max_5, 5, 1, true)
POOL_KERNEL(sum_2, 2, 2, false)
POOL_KERNEL(sum_3, 3, 1, false)
#undef POOL_KERNEL

static void pool_kernel(const cpu_pool *t, const pool_strip *s)
{
    if (!t->max)
        (t->size == 2 ? pool_sum_2 : pool_sum_3)(t, s);
    else if (t->size == 3 && t->stride == 2)
        pool_max_3_2(t, s);
    else
        (t->size == 2 ? pool_max_2 : t->size == 3 ? pool_max_3 : pool_max_5)(t, s);
}

/* Columns from col on. */
static void pool_columns(const cpu_pool *t, int64_t col)
{
    const int64_t at = col * t->stride - t->pad_left, top = t->row * t->stride - t->pad_top;
    const int64_t lines = (t->rows - 1) * t->stride + t->size;
    pool_strip s = {.x = top * t->x_row + at, .y = col, .full = t->rows};
    s.first = vkb_min(lines, vkb_max(0, -top));
    s.end = vkb_max(s.first, vkb_min(t->in_h - top, lines));
    for (int k = 0; k < t->size; k += t->stride)
        for (int i = 0; i < t->stride; i++) s.w[k][i] = v8_window_of(at + k + 8 * i, t->in_w);
    if (t->out_w < 8) /* a row reaches into those that follow, which are overwritten in their turn */
        s.full = vkb_max(0, t->rows - (8 + t->out_w - 1) / t->out_w + 1);
    pool_kernel(t, &s);
}

/* Of row r of plane c: the first line of its windows that the plane has, how many follow, and where it is. */
V8_INLINE const float *pool_lines(const cpu_pool *t, int64_t c, int64_t r, int64_t *more)
{
    const int64_t top = (t->row + r) * 2 - t->pad_top, first = vkb_max(0, top);
    *more = vkb_min(top + t->size, t->in_h) - 1 - first;
    return t->x + c * t->x_plane - t->pad_left + first * t->x_row;
}

/* 2x2 by 2, columns left .. right, whose taps are all within lines: row by row, as memory is read best. No
 * line is shared, and down before along splits but once. */
V8_INLINE void pool_pairs(const cpu_pool *t, float *y, int64_t c, int64_t left, int64_t right, bool max)
{
    const v8 none = v8_set1(max ? t->floor : 0);
    for (int64_t r = 0; r < t->rows; r++, y += t->out_w) {
        int64_t more;
        const float *x = pool_lines(t, c, r, &more);
        for (int64_t col = left; col < right; col += 8) {
            const int64_t at = vkb_min(col, right - 8);
            const float *p = x + 2 * at;
            v8 down[2] = {none, none};
            for (int64_t line = 0; line <= more; line++, p += t->x_row) {
                down[0] = pool_join(v8_load(p), down[0], max);
                down[1] = pool_join(v8_load(p + 8), down[1], max);
            }
            v8_split(down, down[0], down[1]);
            v8_store(y + at, v8_join(pool_join(down[1], down[0], max)));
        }
    }
}

/* The largest of 3x3 by 2, likewise, though of the last column the last taps may be beyond the line. Down
 * before along splits once instead of for each line, which is worth that a line goes into two windows. */
V8_INLINE void pool_triples(const cpu_pool *t, float *y, int64_t plane, int64_t left, int64_t right)
{
    const v8 none = v8_set1(t->floor);
    const int64_t end = t->in_w + t->pad_left;
    for (int64_t r = 0; r < t->rows; r++, y += t->out_w) {
        int64_t more;
        const float *a = pool_lines(t, plane, r, &more);
        const float *b = more > 0 ? a + t->x_row : a, *c = more > 0 ? a + more * t->x_row : a; /* may be a */
        for (int64_t col = left; col < right; col += 8) {
            const int64_t at = vkb_min(col, right - 8);
            v8 down[3] = {none, none, none}, x[2];
            CPU_UNROLL
            for (int k = 0; k < 3; k++) {
                const int64_t from = 2 * at + 8 * k;
                if (more < 0 || (k == 2 && from >= end)) break;
                down[k] = v8_max(k < 2 ? v8_load(a + from) : v8_set1(a[from]), none);
                down[k] = v8_max(k < 2 ? v8_load(b + from) : v8_set1(b[from]), down[k]);
                down[k] = v8_max(k < 2 ? v8_load(c + from) : v8_set1(c[from]), down[k]);
            }
            v8_split(x, down[0], down[1]);
            const v8 even = v8_join(x[0]);
            v8_store(y + at, v8_max(v8_next(even, down[2]), v8_join(v8_max(x[1], x[0]))));
        }
    }
}

static void pool(const cpu_pool *t)
{
    const int64_t left = (t->pad_left + 1) / 2, reach = t->in_w + t->pad_left - 2;
    const int64_t right = reach < 0 ? 0 : vkb_min(t->out_w, reach / 2 + 1);
    int64_t col = 0;
    if (t->stride == 2 && right - left >= 8) {
        for (int64_t c = 0; c < t->planes; c++) {
            float *y = t->y + c * t->y_plane;
            if (t->size == 3) /* of the sums there are none */
                pool_triples(t, y, c, left, right);
            else if (t->max)
                pool_pairs(t, y, c, left, right, true);
            else
                pool_pairs(t, y, c, left, right, false);
        }
        if (left) pool_columns(t, 0);
        col = right;
    }
    for (; col < t->out_w; col += 8) pool_columns(t, vkb_max(0, vkb_min(col, t->out_w - 8)));
}
#endif
