/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolutions of square kernels that read their input where it lies. A strip is eight columns of
 * outputs: going down, each input line is loaded once and added to all outputs that it reaches, whose sums
 * wait in registers. Lines outside of the plane are left out, and of the columns outside those lanes; so
 * nothing is copied, whatever the padding and the dilation. What is known of a strip holds for all planes,
 * which are therefore the inner loop. Every output is summed tap by tap in one order, wherever it stands. */

enum { DW_SIZE = CPU_DEPTHWISE_KERNEL };

typedef struct dw_strip {
    int64_t x, y;           /* of the first tap of the first output, and of that output, in a plane */
    int64_t x_step, y_step; /* from line to line: with a dilation, every so many rows */
    int64_t first, end;     /* those lines, counted from that of the first tap, that are in the plane */
    int64_t rows;           /* of outputs */
    int64_t full;           /* so many of them may write eight columns, the others out_w */
    v8_window w[DW_SIZE]
               [2]; /* of the taps; stride 2: of each second tap, and of the eight elements after those */
} dw_strip;

/* The eight columns of all taps of a line. */
V8_INLINE void dw_load(v8 x[DW_SIZE + 1], const float *p, const dw_strip *s, int64_t dilation, int size,
                       int stride, bool whole)
{
    CPU_UNROLL
    for (int k = 0; k < size; k += stride, p += stride == 2 ? 2 : dilation) {
        x[k] = whole ? v8_load(p) : v8_load_window(p, s->w[k][0]);
        if (stride == 2) v8_split(x + k, x[k], whole ? v8_load(p + 8) : v8_load_window(p + 8, s->w[k][1]));
    }
}

V8_INLINE v8 dw_add(v8 sum, const v8 *x, const v8 *weight, int size)
{
    CPU_UNROLL
    for (int k = 0; k < size; k++) sum = v8_fma(weight[k], x[k], sum);
    return sum;
}

V8_INLINE void dw_store(const cpu_depthwise *t, float *y, v8 sum, const v8 range[2], bool full, int stride)
{
    v8 v = v8_min(range[1], v8_max(range[0], stride == 2 ? v8_join(sum) : sum));
    if (t->hardswish) v = hardswish(v);
    if (full)
        v8_store(y, v);
    else
        v8_store_n(y, v, (int)t->out_w);
}

V8_INLINE void dw_plane(const cpu_depthwise *t, const dw_strip *s, const float *x, float *y, const v8 *weight,
                        v8 bias, int size, int stride, bool whole)
{
    const int64_t lines = (s->rows - 1) * stride + size, dilation = t->dilation;
    const v8 range[2] = {v8_set1(t->low), v8_set1(t->high)};
    v8 sums[DW_SIZE];
    CPU_UNROLL
    for (int i = 0; i < size; i++) sums[i] = bias;
    for (int64_t i = 0, row = 1 - (size + stride - 1) / stride; i < lines; i += stride, row++) {
        CPU_UNROLL
        for (int j = 0; j < stride;
             j++, x += s->x_step) { /* stride 2: what a row ends with is an even line */
            v8 in[DW_SIZE + 1];
            const int last = (size - 1) / stride; /* the sum that begins here */
            if (j == 0) sums[last] = bias;
            if (i + j >= s->first && i + j < s->end) {
                dw_load(in, x, s, dilation, size, stride, whole);
                CPU_UNROLL
                for (int k = 0; k <= last; k++) {
                    const int tap = size - 1 - j - stride * k;
                    if (tap >= 0) sums[k] = dw_add(sums[k], in, weight + tap * size, size);
                }
            }
            if (j) continue;
            if (row >= 0) {
                dw_store(t, y, sums[0], range, row < s->full, stride);
                y += s->y_step;
            }
            CPU_UNROLL
            for (int k = 0; k < last; k++) sums[k] = sums[k + 1];
        }
    }
}

V8_INLINE void dw_planes(const cpu_depthwise *t, const dw_strip *s, int size, int stride, bool whole)
{
    for (int64_t c = 0; c < t->planes; c++) {
        v8 weight[DW_SIZE * DW_SIZE];
        CPU_UNROLL
        for (int i = 0; i < size * size; i++) weight[i] = v8_set1(t->weight[c * size * size + i]);
        const v8 bias = v8_set1(t->bias ? t->bias[c] : 0);
        dw_plane(t, s, t->x + c * t->x_plane + s->x, t->y + c * t->y_plane + s->y, weight, bias, size, stride,
                 whole);
    }
}

typedef void (*dw_fn)(const cpu_depthwise *t, const dw_strip *s);
#define DW_KERNEL(NAME, SIZE, STRIDE, WHOLE)                                                                 \
    static void dw_##NAME##_##SIZE##_##STRIDE(const cpu_depthwise *t, const dw_strip *s)                     \
    {                                                                                                        \
        dw_planes(t, s, SIZE, STRIDE, WHOLE);                                                                \
    }
DW_KERNEL(edge, 3, 1, false)
DW_KERNEL(edge, 3, 2, false)
DW_KERNEL(edge, 5, 1, false)
DW_KERNEL(edge, 5, 2, false)
#if V8_TILE_VECS == 1 /* plain C: half as much code, since every lane is looked at anyway */
#define dw_whole_3_1 dw_edge_3_1
#define dw_whole_3_2 dw_edge_3_2
#define dw_whole_5_1 dw_edge_5_1
#define dw_whole_5_2 dw_edge_5_2
#else
DW_KERNEL(whole, 3, 1, true)
DW_KERNEL(whole, 3, 2, true)
DW_KERNEL(whole, 5, 1, true)
DW_KERNEL(whole, 5, 2, true)
#endif
#undef DW_KERNEL
static const dw_fn dw_kernels[2][2][2] = {{{dw_edge_3_1, dw_whole_3_1}, {dw_edge_3_2, dw_whole_3_2}},
                                          {{dw_edge_5_1, dw_whole_5_1}, {dw_edge_5_2, dw_whole_5_2}}};

/* One strip, the rows of each phase of the dilation in turn. */
static void dw_column(const cpu_depthwise *t, int64_t col)
{
    const int64_t at = col * t->stride - t->pad_left, dilation = t->dilation, pitch = t->in_w * dilation;
    const int64_t reach = (t->size - 1) / t->stride * t->stride * dilation + 8 * t->stride;
    const bool whole = V8_TILE_VECS == 2 && at >= 0 && at + reach <= t->in_w;
    dw_strip s = {.x_step = pitch, .y_step = t->out_w * dilation};
    for (int k = 0; k < t->size && !whole; k += t->stride)
        for (int i = 0; i < t->stride; i++) s.w[k][i] = v8_window_of(at + k * dilation + 8 * i, t->in_w);
    for (int64_t phase = 0; phase < vkb_min(dilation, t->rows); phase++) {
        const int64_t top = (t->row + phase) * t->stride - t->pad_top;
        s.x = (top - t->top) * t->in_w + at;
        s.y = phase * t->out_w + col;
        s.first = top < 0 ? (-top + dilation - 1) / dilation : 0;
        s.end = top < t->in_h ? (t->in_h - top + dilation - 1) / dilation : 0;
        s.rows = (t->rows - phase + dilation - 1) / dilation;
        s.end = vkb_min(s.end, (s.rows - 1) * t->stride + t->size); /* with stride 2, half a step less */
        if (t->out_w >= 8)
            s.full = s.rows;
        else /* of a narrow plane a row reaches into those that follow, which are overwritten in their turn */
            s.full = dilation > 1 ? 0 : vkb_max(0, t->rows - (8 + t->out_w - 1) / t->out_w + 1);
        dw_kernels[t->size / 5][t->stride - 1][whole](t, &s);
    }
}

/* The last strip overlaps the one before, so that all are full. */
static void depthwise(const cpu_depthwise *t)
{
    int64_t col = 0;
    for (; col + 8 < t->out_w; col += 8) dw_column(t, col);
    dw_column(t, vkb_max(0, t->out_w - 8));
}
