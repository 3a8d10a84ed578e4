/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolutions of square kernels that read their input where it lies. A strip is eight columns of
 * outputs: going down, each input line is loaded once and added to all outputs that it reaches, whose sums
 * wait in registers. Two strips go side by side, so that enough sums do not wait for each other. Lines
 * outside of the plane are left out, and of the columns outside those lanes; so nothing is copied, whatever
 * the padding and the dilation. What is known of strips holds for all planes, which are therefore the inner
 * loop. Every output is summed tap by tap in one order, wherever it stands. */

enum { DW_SIZE = CPU_DEPTHWISE_KERNEL, DW_VECS = 2 };

typedef struct dw_strips {  /* a strip, or two of the same rows */
    int64_t x, y;           /* of the first tap of the first output, and of that output, in a plane */
    int64_t x_step, y_step; /* from line to line: with a dilation, every so many rows */
    int64_t next;           /* columns of outputs from the first strip to the second */
    int64_t first, end;     /* those lines, counted from that of the first tap, that are in the plane */
    int64_t rows;           /* of outputs */
    int64_t full;           /* so many of them may write eight columns, the others out_w */
    const v8_window (*w)[DW_SIZE][2]; /* of each strip's taps; stride 2: of each second tap, and of the eight
                                         elements after those */
} dw_strips;

/* Two neighbouring taps of stride 2, or one of stride 1. */
V8_INLINE void dw_load(v8 x[2], const float *p, const v8_window w[2], int stride, bool whole)
{
    x[0] = whole ? v8_load(p) : v8_load_window(p, w[0]);
    if (stride == 2) v8_split(x, x[0], whole ? v8_load(p + 8) : v8_load_window(p + 8, w[1]));
}

V8_INLINE v8 dw_output(v8 sum, v8 low, v8 high, bool swish, int stride)
{
    const v8 y = v8_clamp(stride == 2 ? v8_join(sum) : sum, low, high);
    return swish ? hardswish(y) : y;
}

/* Adds a line, the j-th of a step, to the sums of all outputs that it reaches. */
V8_INLINE void dw_line(v8 sums[DW_VECS][DW_SIZE], const float *p, const dw_strips *s, const v8_weight *weight,
                       int64_t next, int64_t dilation, int j, int size, int stride, int vecs, bool whole)
{
    CPU_UNROLL
    for (int k = 0; k < size; k += stride, p += stride == 2 ? 2 : dilation) {
        const int taps = k + stride <= size ? stride : 1;
        v8 x[DW_VECS][2];
        CPU_UNROLL
        for (int v = 0; v < vecs; v++) dw_load(x[v], p + v * next, s->w[v][k], stride, whole);
        CPU_UNROLL
        for (int i = 0; i < taps; i++) {
            CPU_UNROLL
            for (int sum = 0; sum <= (size - 1) / stride; sum++) {
                const int row = size - 1 - j - stride * sum; /* of the weights */
                CPU_UNROLL
                for (int v = 0; v < vecs; v++)
                    if (row >= 0)
                        sums[v][sum] = v8_fma_weight(weight, row * size + k + i, x[v][i], sums[v][sum]);
            }
        }
    }
}

/* Fields are copied first: stores through y could change them, as far as compilers know. */
V8_INLINE void dw_plane(const cpu_depthwise *t, const dw_strips *s, const float *x, float *y,
                        const v8_weight *weight, v8 bias, int size, int stride, int vecs, bool whole)
{
    const int64_t lines = (s->rows - 1) * stride + size, dilation = t->dilation, next = s->next,
                  x_step = s->x_step, y_step = s->y_step, first = s->first;
    const uint64_t in_plane = (uint64_t)(s->end - first);
    const v8 low = v8_set1(t->low), high = v8_set1(t->high);
    const bool swish = t->hardswish;
    const int last = (size - 1) / stride; /* the sum that begins with a step */
    v8 sums[DW_VECS][DW_SIZE];
    CPU_UNROLL
    for (int i = 0; i < size * vecs; i++) sums[i / size][i % size] = bias;
    for (int64_t i = 0, row = 1 - (size + stride - 1) / stride; i < lines; i += stride, row++) {
        CPU_UNROLL
        for (int j = 0; j < stride; j++, x += x_step) {
            CPU_UNROLL
            for (int v = 0; v < vecs; v++)
                if (j == 0) sums[v][last] = bias;
            if ((uint64_t)(i + j - first) < in_plane)
                dw_line(sums, x, s, weight, next * stride, dilation, j, size, stride, vecs, whole);
            if (j) continue; /* stride 2: what a row ends with is an even line */
            if (row >= 0) {
                CPU_UNROLL
                for (int v = 0; v < vecs; v++) {
                    const v8 out = dw_output(sums[v][0], low, high, swish, stride);
                    if (vecs == 2 || row < s->full)
                        v8_store(y + v * next, out);
                    else
                        v8_store_n(y, out, (int)t->out_w);
                }
                y += y_step;
            }
            CPU_UNROLL
            for (int k = 0; k < last * vecs; k++) sums[k / last][k % last] = sums[k / last][k % last + 1];
        }
    }
}

V8_INLINE void dw_planes(const cpu_depthwise *t, const dw_strips *s, int size, int stride, int vecs,
                         bool whole)
{
    for (int64_t c = 0; c < t->planes; c++) {
        v8_weight weight[DW_SIZE * DW_SIZE];
        v8_weights_load(weight, t->weight + c * size * size, size * size);
        const v8 bias = v8_set1(t->bias ? t->bias[c] : 0);
        const float *x = t->x + c * t->x_plane + s->x;
        float *y = t->y + c * t->y_plane + s->y;
        dw_plane(t, s, x, y, weight, bias, size, stride, vecs, whole);
    }
}

typedef enum dw_form { DW_SINGLE, DW_PAIR, DW_WHOLE } dw_form; /* strips; the last are two that are whole */
typedef void (*dw_fn)(const cpu_depthwise *t, const dw_strips *s);
#define DW_KERNEL(NAME, SIZE, STRIDE, VECS, WHOLE)                                                           \
    static void dw_##NAME##_##SIZE##_##STRIDE(const cpu_depthwise *t, const dw_strips *s)                    \
    {                                                                                                        \
        dw_planes(t, s, SIZE, STRIDE, VECS, WHOLE);                                                          \
    }
DW_KERNEL(single, 3, 1, 1, false)
DW_KERNEL(single, 3, 2, 1, false)
DW_KERNEL(single, 5, 1, 1, false)
DW_KERNEL(single, 5, 2, 1, false)
DW_KERNEL(single, 7, 1, 1, false)
#if V8_TILE_VECS == 1 /* plain C: less code */
static const dw_fn dw_kernels[3][2][1] = {
    {{dw_single_3_1}, {dw_single_3_2}}, {{dw_single_5_1}, {dw_single_5_2}}, {{dw_single_7_1}}};
#else
DW_KERNEL(pair, 3, 1, 2, false)
DW_KERNEL(pair, 3, 2, 2, false)
DW_KERNEL(pair, 5, 1, 2, false)
DW_KERNEL(pair, 5, 2, 2, false)
DW_KERNEL(pair, 7, 1, 2, false)
DW_KERNEL(whole, 3, 1, 2, true)
DW_KERNEL(whole, 3, 2, 2, true)
DW_KERNEL(whole, 5, 2, 2, true)
/* windows cost little beside so many multiply-adds: not worth the code */
#define dw_whole_5_1 dw_pair_5_1
#define dw_whole_7_1 dw_pair_7_1
#define DW_FORMS(SIZE, STRIDE)                                                                               \
    {                                                                                                        \
        dw_single_##SIZE##_##STRIDE, dw_pair_##SIZE##_##STRIDE, dw_whole_##SIZE##_##STRIDE                   \
    }
static const dw_fn dw_kernels[3][2][3] = {
    {DW_FORMS(3, 1), DW_FORMS(3, 2)}, {DW_FORMS(5, 1), DW_FORMS(5, 2)}, {DW_FORMS(7, 1)}};
#endif
#undef DW_KERNEL

static int64_t dw_ceil_div(int64_t n, int64_t dilation) /* which mostly is 1, and divisions are slow */
{
    return dilation == 1 ? n : vkb_ceil_div(n, dilation);
}

/* Columns from col on of `rows` rows: row, row + dilation, ... The second strip, if any, is `next` columns
 * further. */
static void dw_run(const cpu_depthwise *t, int64_t row, int64_t rows, int64_t col, int64_t next, dw_form form)
{
    const int64_t stride = t->stride, dilation = t->dilation, at = col * stride - t->pad_left;
    const int64_t top = (t->row + row) * stride - t->pad_top;
    dw_strips s = {.x = (top - t->top) * t->in_w + at,
                   .y = row * t->out_w + col,
                   .x_step = t->in_w * dilation,
                   .y_step = t->out_w * dilation,
                   .next = next,
                   .rows = rows,
                   .full = rows,
                   .first = top < 0 ? dw_ceil_div(-top, dilation) : 0};
    v8_window w[DW_VECS][DW_SIZE][2]; /* not in dw_strips, which would clear it each time */
    if (rows == 0) return;
    s.w = w;
    for (int v = 0; v < 1 + (form != DW_SINGLE); v++)
        for (int k = 0; k < t->size; k += t->stride)
            for (int i = 0; i < t->stride; i++)
                w[v][k][i] = v8_window_of(at + v * next * stride + k * dilation + 8 * i, t->in_w);
    s.end = top < t->in_h ? dw_ceil_div(t->in_h - top, dilation) : 0;
    s.end = vkb_min(s.end, (s.rows - 1) * stride + t->size); /* with stride 2, half a step less */
    s.end = vkb_max(s.end, s.first);
    if (t->out_w < 8) /* a row reaches into those that follow, which are overwritten in their turn */
        s.full = dilation > 1 ? 0 : vkb_max(0, s.rows - (8 + t->out_w - 1) / t->out_w + 1);
    dw_kernels[t->size / 2 - 1][stride - 1][form](t, &s);
}

/* Strips beside columns left .. right, two at a time; the last one of all overlaps the one before. */
static void dw_beside(const cpu_depthwise *t, int64_t row, int64_t rows, int64_t left, int64_t right)
{
    const int64_t before = left / 8, all = before + vkb_ceil_div(t->out_w - right, 8);
    for (int64_t i = 0; i < all;) {
        int64_t col[DW_VECS];
        for (int v = 0; v < DW_VECS; v++) {
            const int64_t n = i + v;
            col[v] = n < before ? 8 * n : vkb_max(0, vkb_min(right + 8 * (n - before), t->out_w - 8));
        }
        const bool pair = V8_TILE_VECS == 2 && i + 1 < all;
        dw_run(t, row, rows, col[0], pair ? col[1] - col[0] : 0, pair ? DW_PAIR : DW_SINGLE);
        i += 1 + pair;
    }
}

/* Strips of columns left .. right, all of whose taps are within lines. */
static void dw_between(const cpu_depthwise *t, int64_t row, int64_t rows, int64_t left, int64_t right)
{
    for (int64_t col = left; col < right; col += 16) {
        const int64_t first = vkb_min(col, right - 8), second = vkb_min(col + 8, right - 8);
        dw_run(t, row, rows, first, second - first, second > first ? DW_WHOLE : DW_SINGLE);
    }
}

static void depthwise(const cpu_depthwise *t)
{
    const int64_t stride = t->stride, reach = (t->size - 1) / stride * stride * t->dilation + 8 * stride;
    const int64_t left = (int64_t)vkb_round_up((uint64_t)vkb_ceil_div(t->pad_left, stride), 8);
    int64_t right =
        vkb_min(t->out_w, t->in_w + t->pad_left < reach ? 0 : (t->in_w + t->pad_left - reach) / stride + 8);
    if (right < t->out_w)
        right = vkb_min(right, left + (int64_t)vkb_round_up((uint64_t)vkb_max(0, t->out_w - 8 - left), 8));
    for (int64_t phase = 0; phase < vkb_min(t->dilation, t->rows); phase++) {
        const int64_t rows = dw_ceil_div(t->rows - phase, t->dilation);
        if (right - left < 8 || V8_TILE_VECS == 1) {
            dw_beside(t, phase, rows, 0, 0);
        } else {
            dw_beside(t, phase, rows, left, right);
            dw_between(t, phase, rows, left, right);
        }
    }
}
