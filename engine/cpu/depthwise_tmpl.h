/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolutions of square kernels that read their input where it lies. A strip is eight columns of
 * outputs: going down, each input line is loaded once and added to all outputs that it reaches, whose sums
 * wait in registers. Two or three strips go side by side, so that enough sums do not wait for each other.
 * Lines outside of the plane are left out, and of the columns outside those lanes; so nothing is copied,
 * whatever the padding and the dilation. Loads that leave out lanes cost twice as much as others, so the
 * strips at both ends of a row go together, with such loads only where a usual padding needs them. What is
 * known of strips holds for all planes, which are therefore the inner loop. In which order an output is
 * summed depends on its column only. */

enum { DW_SIZE = CPU_DEPTHWISE_KERNEL, DW_VECS = 3, DW_ROWS = 7 };
#ifdef V8_FEW_REGISTERS /* 3x3 by stride 2 mostly is depthwise_down_tmpl.h's */
enum { DW_DOWN = 1 };
#else
enum { DW_DOWN = 0 };
#endif

typedef struct dw_strips {  /* strips of the same rows */
    int64_t x, y;           /* of the first tap of the first output, and of that output, in a plane */
    int64_t x_step, y_step; /* from line to line: with a dilation, every so many rows */
    const int64_t *col;     /* of outputs: from the first strip to each */
    int64_t first, end;     /* those lines, counted from that of the first tap, that are in the plane */
    int64_t rows;           /* of outputs */
    int64_t full;           /* so many of them may write eight columns, the others out_w */
    const v8_window (*w)[DW_SIZE][2]; /* of each strip's taps; stride 2: of each second tap, and of the eight
                                         elements after those */
} dw_strips;

/* How many strips, and which loads may reach beyond a line. */
typedef enum dw_form {
    DW_SINGLE, /* all */
    DW_EDGES,  /* of two strips the first one's left of the middle, the second one's right of it */
    DW_WHOLE,  /* two: none */
    DW_THREE   /* as DW_EDGES, with one between them that is whole */
} dw_form;

static int dw_vecs(dw_form form)
{
    return form == DW_SINGLE ? 1 : form == DW_THREE ? 3 : 2;
}

/* Two neighbouring taps of stride 2, or one of stride 1, the k-th of strip v. */
V8_INLINE void dw_load(v8 x[2], const float *p, const v8_window w[2], int stride, dw_form form, bool left,
                       bool right)
{
    const bool first = form == DW_SINGLE || (form != DW_WHOLE && (left || (right && stride == 1)));
    const bool second = form == DW_SINGLE || (form != DW_WHOLE && right);
    const bool again = form == DW_THREE && stride == 1; /* no register is left to keep it in */
    x[0] = first ? v8_load_window(p, w[0]) : again ? v8_load(p) : v8_load_once(p);
    if (stride == 2) v8_split(x, x[0], second ? v8_load_window(p + 8, w[1]) : v8_load_once(p + 8));
}

V8_INLINE v8 dw_output(v8 sum, v8 low, v8 high, bool swish, int stride)
{
    const v8 y = v8_clamp(stride == 2 ? v8_join(sum) : sum, low, high);
    return swish ? hardswish(y) : y;
}

/* Adds a line, the j-th of a step, to the sums of all outputs that it reaches. */
V8_INLINE void dw_line(v8 sums[DW_VECS][DW_SIZE], const float *p, const dw_strips *s, const v8_weight *weight,
                       const int64_t col[DW_VECS], int64_t dilation, int j, int size, int stride,
                       dw_form form)
{
    const int vecs = dw_vecs(form);
    CPU_UNROLL
    for (int k = 0; k < size; k += stride, p += stride == 2 ? 2 : dilation) {
        const int taps = k + stride <= size ? stride : 1;
        v8 x[DW_VECS][2];
        CPU_UNROLL
        for (int v = 0; v < vecs; v++)
            dw_load(x[v], p + col[v] * stride, s->w[v][k], stride, form, v == 0 && k < size / 2,
                    v == vecs - 1 && k > size / 2);
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
                        const v8_weight *weight, v8 bias, int size, int stride, dw_form form)
{
    const int vecs = dw_vecs(form);
    const int64_t lines = (s->rows - 1) * stride + size, dilation = t->dilation,
                  col[DW_VECS] = {0, s->col[1], s->col[2]}, x_step = s->x_step, y_step = s->y_step,
                  first = s->first;
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
                dw_line(sums, x, s, weight, col, dilation, j, size, stride, form);
            if (j) continue; /* stride 2: what a row ends with is an even line */
            if (row >= 0) {
                CPU_UNROLL
                for (int v = 0; v < vecs; v++) {
                    const v8 out = dw_output(sums[v][0], low, high, swish, stride);
                    if (vecs > 1 || row < s->full)
                        v8_store(y + col[v], out);
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

/* A single strip of a large kernel would have too few sums under way, and load each weight for each line:
 * the sums of seven rows wait in registers for all taps, which are added column by column of the kernel. */
V8_INLINE void dw_tiles(const cpu_depthwise *t, const dw_strips *s, const float *x, float *y,
                        const float *weights, v8 bias, int size)
{
    const int64_t dilation = t->dilation, x_step = s->x_step, y_step = s->y_step;
    const v8 low = v8_set1(t->low), high = v8_set1(t->high);
    for (int64_t row = 0; row < s->rows; row += DW_ROWS, x += DW_ROWS * x_step) {
        const int64_t rows = vkb_min(DW_ROWS, s->rows - row);
        const int64_t first = s->first - row, end = vkb_min(s->end - row, rows + size - 1);
        v8 sums[DW_ROWS];
        CPU_UNROLL
        for (int i = 0; i < DW_ROWS; i++) sums[i] = bias;
        for (int k = 0; k < size; k++) {
            const float *line = x + k * dilation;
            v8 weight[DW_SIZE];
            CPU_UNROLL
            for (int j = 0; j < size; j++) weight[j] = v8_set1(weights[j * size + k]);
            CPU_UNROLL
            for (int i = 0; i < DW_ROWS - 1 + size; i++, line += x_step) {
                if (i < first || i >= end) continue;
                const v8 value = v8_load_window(line, s->w[0][k][0]);
                CPU_UNROLL
                for (int j = 0; j < size; j++)
                    if (i >= j && i - j < DW_ROWS) sums[i - j] = v8_fma(weight[j], value, sums[i - j]);
            }
        }
        v8 out[DW_ROWS]; /* what is indexed by a variable is not in registers */
        CPU_UNROLL
        for (int i = 0; i < DW_ROWS; i++) out[i] = dw_output(sums[i], low, high, false, 1);
        for (int i = 0; i < rows; i++, y += y_step) {
            if (t->hardswish) out[i] = hardswish(out[i]);
            if (row + i < s->full)
                v8_store(y, out[i]);
            else
                v8_store_n(y, out[i], (int)t->out_w);
        }
    }
}

V8_INLINE void dw_planes(const cpu_depthwise *t, const dw_strips *s, int size, int stride, dw_form form)
{
    for (int64_t c = 0; c < t->planes; c++) {
        const float *x = t->x + c * t->x_plane + s->x, *weights = t->weight + c * size * size;
        float *y = t->y + c * t->y_plane + s->y;
        const v8 bias = v8_set1(t->bias ? t->bias[c] : 0);
        if (V8_TILE_VECS == 2 && form == DW_SINGLE && size > 3 && stride == 1) { /* plain C: less code */
            dw_tiles(t, s, x, y, weights, bias, size);
            continue;
        }
        v8_weight weight[DW_SIZE * DW_SIZE];
        v8_weights_load(weight, weights, size * size);
        dw_plane(t, s, x, y, weight, bias, size, stride, form);
    }
}

typedef void (*dw_fn)(const cpu_depthwise *t, const dw_strips *s);
#define DW_KERNEL(NAME, SIZE, STRIDE, FORM)                                                                  \
    static void dw_##NAME##_##SIZE##_##STRIDE(const cpu_depthwise *t, const dw_strips *s)                    \
    {                                                                                                        \
        dw_planes(t, s, SIZE, STRIDE, FORM);                                                                 \
    }
DW_KERNEL(single, 3, 1, DW_SINGLE)
DW_KERNEL(single, 3, 2, DW_SINGLE)
DW_KERNEL(single, 5, 1, DW_SINGLE)
DW_KERNEL(single, 5, 2, DW_SINGLE)
DW_KERNEL(single, 7, 1, DW_SINGLE)
#if V8_TILE_VECS == 1 /* plain C: less code */
static const dw_fn dw_kernels[3][2][1] = {
    {{dw_single_3_1}, {dw_single_3_2}}, {{dw_single_5_1}, {dw_single_5_2}}, {{dw_single_7_1}}};
#else
DW_KERNEL(edges, 3, 1, DW_EDGES)
DW_KERNEL(edges, 5, 1, DW_EDGES)
DW_KERNEL(edges, 5, 2, DW_EDGES)
DW_KERNEL(three, 3, 1, DW_THREE)
DW_KERNEL(whole, 3, 1, DW_WHOLE)
DW_KERNEL(whole, 5, 2, DW_WHOLE)
#ifdef V8_FEW_REGISTERS
#define dw_edges_3_2 NULL
#define dw_three_3_2 NULL
#define dw_whole_3_2 NULL
#else
DW_KERNEL(edges, 3, 2, DW_EDGES)
DW_KERNEL(three, 3, 2, DW_THREE)
DW_KERNEL(whole, 3, 2, DW_WHOLE)
#endif
/* windows cost little beside so many multiply-adds: not worth the code */
#define dw_whole_5_1 dw_edges_5_1
#define dw_three_5_1 NULL
#define dw_three_5_2 NULL
#define DW_FORMS(SIZE, STRIDE)                                                                               \
    {                                                                                                        \
        dw_single_##SIZE##_##STRIDE, dw_edges_##SIZE##_##STRIDE, dw_whole_##SIZE##_##STRIDE,                 \
            dw_three_##SIZE##_##STRIDE                                                                       \
    }
static const dw_fn dw_kernels[3][2][4] = {
    {DW_FORMS(3, 1), DW_FORMS(3, 2)}, {DW_FORMS(5, 1), DW_FORMS(5, 2)}, {{dw_single_7_1}}};
#endif
#undef DW_KERNEL

static int64_t dw_ceil_div(int64_t n, int64_t dilation) /* which mostly is 1, and divisions are slow */
{
    return dilation == 1 ? n : vkb_ceil_div(n, dilation);
}

/* Strips from columns col on of `rows` rows: row, row + dilation, ... */
static void dw_run(const cpu_depthwise *t, int64_t row, int64_t rows, const int64_t *col, dw_form form)
{
    const int64_t stride = t->stride, dilation = t->dilation, at = col[0] * stride - t->pad_left;
    const int64_t top = (t->row + row) * stride - t->pad_top;
    int64_t from[DW_VECS] = {0};
    dw_strips s = {.x = (top - t->top) * t->in_w + at,
                   .y = row * t->out_w + col[0],
                   .x_step = t->in_w * dilation,
                   .y_step = t->out_w * dilation,
                   .col = from,
                   .rows = rows,
                   .full = rows,
                   .first = top < 0 ? dw_ceil_div(-top, dilation) : 0};
    v8_window w[DW_VECS][DW_SIZE][2]; /* not in dw_strips, which would clear it each time */
    if (rows == 0) return;
    s.w = w;
    for (int v = 0; v < dw_vecs(form); v++) {
        from[v] = col[v] - col[0];
        for (int k = 0; k < t->size; k += t->stride)
            for (int i = 0; i < t->stride; i++)
                w[v][k][i] = v8_window_of(at + from[v] * stride + k * dilation + 8 * i, t->in_w);
    }
    s.end = top < t->in_h ? dw_ceil_div(t->in_h - top, dilation) : 0;
    s.end = vkb_min(s.end, (s.rows - 1) * stride + t->size); /* with stride 2, half a step less */
    s.end = vkb_max(s.end, s.first);
    if (t->out_w < 8) /* a row reaches into those that follow, which are overwritten in their turn */
        s.full = dilation > 1 ? 0 : vkb_max(0, s.rows - (8 + t->out_w - 1) / t->out_w + 1);
    dw_kernels[t->size / 2 - 1][stride - 1][form](t, &s);
}

/* In plain C, and for what DW_DOWN leaves, there is less code; and seven rows are about as fast as the sums
 * of two strips of 7x7. */
static bool dw_pairs(const cpu_depthwise *t)
{
    return V8_TILE_VECS == 2 && t->size < DW_SIZE && !(DW_DOWN && t->size == 3 && t->stride == 2);
}

/* Whether no loads of two strips but those of DW_EDGES reach beyond a line. */
static bool dw_edges_fit(const cpu_depthwise *t, int64_t left, int64_t right)
{
    const int64_t stride = t->stride, middle = t->size / 2;
    const int64_t first = left * stride - t->pad_left, second = right * stride - t->pad_left;
    const int64_t last = (t->size - 1) / stride * stride * t->dilation;
    bool fits = first + last + 8 * stride <= t->in_w && second >= 0;
    if (stride == 1)
        return fits && first + middle * t->dilation >= 0 && second + middle * t->dilation + 8 <= t->in_w;
    return fits && first + 8 >= 0 && first + (middle + 1) / 2 * 2 >= 0 &&
           second + middle / 2 * 2 + 16 <= t->in_w && second + last + 8 <= t->in_w;
}

/* Strips beside columns left .. right, two at a time; the last one of all overlaps the one before. */
static void dw_beside(const cpu_depthwise *t, int64_t row, int64_t rows, int64_t left, int64_t right)
{
    const int64_t before = left / 8, all = before + vkb_ceil_div(t->out_w - right, 8);
    for (int64_t i = 0; i < all;) {
        int64_t col[2];
        for (int v = 0; v < 2; v++) {
            const int64_t n = i + v;
            col[v] = n < before ? 8 * n : vkb_max(0, vkb_min(right + 8 * (n - before), t->out_w - 8));
        }
        const bool pair = dw_pairs(t) && i + 1 < all;
        if (pair && dw_edges_fit(t, col[0], col[1])) {
            dw_run(t, row, rows, col, DW_EDGES);
        } else {
            dw_run(t, row, rows, col, DW_SINGLE);
            if (pair) dw_run(t, row, rows, col + 1, DW_SINGLE);
        }
        i += 1 + pair;
    }
}

/* Strips of columns left .. right, all of whose taps are within lines. */
static void dw_between(const cpu_depthwise *t, int64_t row, int64_t rows, int64_t left, int64_t right)
{
    for (int64_t col = left; col < right; col += 16) {
        const int64_t two[] = {vkb_min(col, right - 8), vkb_min(col + 8, right - 8)};
        dw_run(t, row, rows, two, two[1] > two[0] ? DW_WHOLE : DW_SINGLE);
    }
}

#ifdef V8_FEW_REGISTERS
#include "cpu/depthwise_down_tmpl.h"
#endif

static void depthwise(const cpu_depthwise *t)
{
#ifdef V8_FEW_REGISTERS
    if (dw_down_fits(t)) {
        dw_down_planes(t);
        return;
    }
#endif
    const int64_t stride = t->stride, reach = (t->size - 1) / stride * stride * t->dilation + 8 * stride;
    const int64_t left = (int64_t)vkb_round_up((uint64_t)vkb_ceil_div(t->pad_left, stride), 8);
    int64_t right =
        vkb_min(t->out_w, t->in_w + t->pad_left < reach ? 0 : (t->in_w + t->pad_left - reach) / stride + 8);
    if (right < t->out_w)
        right = vkb_min(right, left + (int64_t)vkb_round_up((uint64_t)vkb_max(0, t->out_w - 8 - left), 8));
    /* an odd number of strips between the two that may reach beyond lines */
    const bool three = t->size == 3 && left == 8 && vkb_ceil_div(right - left, 8) % 2 &&
                       t->out_w - right > 0 && t->out_w - right <= 8 && dw_edges_fit(t, 0, t->out_w - 8);
    for (int64_t phase = 0; phase < vkb_min(t->dilation, t->rows); phase++) {
        const int64_t rows = dw_ceil_div(t->rows - phase, t->dilation);
        if (right - left < 8 || !dw_pairs(t)) {
            dw_beside(t, phase, rows, 0, 0);
        } else if (three) {
            dw_run(t, phase, rows, (int64_t[]){0, left, t->out_w - 8}, DW_THREE);
            dw_between(t, phase, rows, left + 8, right);
        } else {
            dw_beside(t, phase, rows, left, right);
            dw_between(t, phase, rows, left, right);
        }
    }
}
