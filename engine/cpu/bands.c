/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/bands.h"

#include "cpu/conv2d_gemm.h"

#include <math.h>

enum {
    MOST_TAPS = 4096,
    MOST_FLOATS = 1 << 22 /* of a band of one row: larger windows are left to the reference */
};

static int64_t window_height(const op_window *w)
{
    return (w->kernel_h - 1) * w->dilation_h + 1;
}

static int64_t phase_floats(const op_window *w)
{
    return (int64_t)vkb_round_up((uint64_t)w->out_w, 8) + (w->kernel_w - 1) * w->dilation_w / w->stride_w;
}

bool cpu_bands_fit(const op_window *w)
{
    return cpu_conv_fits(w) && w->kernel_h <= MOST_TAPS / w->kernel_w && w->stride_w <= MOST_TAPS &&
           window_height(w) <= MOST_FLOATS / (phase_floats(w) * w->stride_w);
}

vki_status cpu_bands_plan(cpu_bands *b, const op_window *w, float fill, vkb_arena *arena, vki_error *err)
{
    const size_t taps = (size_t)(w->kernel_h * w->kernel_w);
    *b = (cpu_bands){.w = *w, .micro = cpu_micro_get(), .fill = fill, .phase = phase_floats(w)};
    b->row = b->phase * w->stride_w;
    /* a band stays in the first-level cache beside its output rows */
    const int64_t floats = cpu_caches_get()->first * 5 / 8 / (int64_t)sizeof(float);
    int64_t room = floats / b->row - window_height(w);
    cpu_bands_rows(b, room / w->stride_h + 1);
    b->offset = vkb_arena_alloc(arena, taps * sizeof *b->offset);
    if (!b->offset) return vkb_nomem(err, taps * sizeof *b->offset);
    for (int64_t y = 0; y < w->kernel_h; y++)
        for (int64_t x = 0; x < w->kernel_w; x++) {
            int64_t at = x * w->dilation_w;
            b->offset[y * w->kernel_w + x] =
                (int32_t)(y * w->dilation_h * b->row + at % w->stride_w * b->phase + at / w->stride_w);
        }
    for (int j = 0; j < 8; j++) {
        b->lanes.offset[j] = j * (int32_t)w->stride_w;
        b->lanes.mask[j] = -1;
    }
    return VKI_OK;
}

void cpu_bands_rows(cpu_bands *b, int64_t rows)
{
    b->count = vkb_ceil_div(b->w.out_h, vkb_max(1, rows));
    cpu_bands_hold(b, vkb_ceil_div(b->w.out_h, b->count)); /* even bands */
}

void cpu_bands_hold(cpu_bands *b, int64_t rows)
{
    b->rows = rows;
    b->count = vkb_ceil_div(b->w.out_h, rows);
    b->in_rows = (rows - 1) * b->w.stride_h + window_height(&b->w);
}

uint64_t cpu_bands_floats(const cpu_bands *b)
{
    return vkb_round_up((uint64_t)(b->in_rows * b->row), 16);
}

int64_t cpu_bands_grain(const cpu_bands *b)
{
    enum { GRAIN_MACS = 50000, COPY_COST = 2 }; /* copying costs about as much as two taps */
    int64_t macs = b->rows * b->w.out_w * (b->w.kernel_h * b->w.kernel_w + COPY_COST) * b->w.kernel_d;
    return vkb_ceil_div(GRAIN_MACS, macs);
}

static void set(float *p, int64_t n, float value)
{
    for (int64_t i = 0; i < n; i++) p[i] = value;
}

static int64_t limit(int64_t v, int64_t low, int64_t high)
{
    return vkb_max(low, vkb_min(v, high));
}

/* Of phase p of an input row, the elements first..end that a plane fills: element i is x[i * stride + shift].
 */
static int64_t phase_part(const cpu_bands *b, int64_t p, int64_t *first, int64_t *end)
{
    const int64_t stride = b->w.stride_w, shift = p - b->w.pad_left;
    *first = limit(vkb_ceil_div(-shift, stride), 0, b->phase);
    *end = limit(vkb_ceil_div(b->w.in_w - shift, stride), *first, b->phase);
    return shift;
}

void cpu_bands_begin(const cpu_bands *b, float *scratch)
{
    for (int64_t p = 0; p < b->w.stride_w; p++) {
        int64_t first, end;
        phase_part(b, p, &first, &end);
        float *phase = scratch + p * b->phase;
        for (int64_t r = 0; r < b->in_rows; r++, phase += b->row) {
            set(phase, first, b->fill);
            set(phase + end, b->phase - end, b->fill);
        }
    }
}

/* Phase p of `rows` input rows. */
static void load_phase(const cpu_bands *b, float *dst, const float *src, int64_t rows, int64_t p)
{
    const op_window *w = &b->w;
    int64_t first, n;
    const int64_t stride = w->stride_w, shift = phase_part(b, p, &first, &n);
    n -= first;
    if (n == 0) return;
    src += first * stride + shift;
    dst += first;
    if (stride == 1) {
        b->micro->copy_rows(dst, b->row, src, w->in_w, rows, n);
        return;
    }
    if (n < 8) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < n; i++) dst[r * b->row + i] = src[r * w->in_w + i * stride];
        return;
    }
    enum { LINES = 16 }; /* at a time, so that caches hold what the columns touch */
    for (int64_t r = 0; r < rows; r += LINES)
        for (int64_t i = 0; i < n; i += 8) {
            const int64_t at = vkb_min(i, n - 8); /* the last overlaps the one before */
            b->micro->gather(dst + r * b->row + at, b->row, src + r * w->in_w + at * stride, w->in_w,
                             vkb_min(LINES, rows - r), &b->lanes);
        }
}

/* Both phases of `rows` input rows of stride 2. */
static void load_pairs(const cpu_bands *b, float *dst, const float *src, int64_t rows)
{
    const op_window *w = &b->w;
    int64_t shift[2], first[2],
        end[2]; /* of even and odd elements: to their places in a phase; their range */
    float *phase[2];
    for (int odd = 0; odd < 2; odd++) {
        const int64_t p = (odd + w->pad_left) & 1;
        shift[odd] = (odd + w->pad_left - p) / 2;
        first[odd] = vkb_max(0, -shift[odd]);
        end[odd] = vkb_max(first[odd], vkb_min((w->in_w + 1 - odd) / 2, b->phase - shift[odd]));
        phase[odd] = dst + p * b->phase + shift[odd];
    }
    const int64_t from = vkb_max(first[0], first[1]), to = vkb_max(from, vkb_min(end[0], end[1]));
    for (int64_t r = 0; r < rows; r++, src += w->in_w) {
        b->micro->split_pairs(phase[0] + from, phase[1] + from, src + 2 * from, to - from);
        for (int odd = 0; odd < 2; odd++) {
            for (int64_t i = first[odd]; i < vkb_min(from, end[odd]); i++) phase[odd][i] = src[2 * i + odd];
            for (int64_t i = to; i < end[odd]; i++) phase[odd][i] = src[2 * i + odd];
            phase[odd] += b->row;
        }
    }
}

cpu_taps cpu_bands_load(const cpu_bands *b, float *scratch, const float *plane, int64_t band)
{
    const int64_t row = band * b->rows;
    return cpu_bands_load_rows(b, scratch, plane, row, vkb_min(b->rows, b->w.out_h - row));
}

cpu_taps cpu_bands_load_rows(const cpu_bands *b, float *scratch, const float *plane, int64_t row,
                             int64_t rows)
{
    const op_window *w = &b->w;
    const int64_t in_rows = (rows - 1) * w->stride_h + window_height(w);
    const int64_t top = row * w->stride_h - w->pad_top; /* may lie above the plane */
    const int64_t first = limit(-top, 0, in_rows), end = limit(w->in_h - top, first, in_rows);
    set(scratch, first * b->row, b->fill);
    set(scratch + end * b->row, (in_rows - end) * b->row, b->fill);
    float *dst = scratch + first * b->row;
    const float *src = plane + (top + first) * w->in_w;
    if (w->stride_w == 2 && first < end) load_pairs(b, dst, src, end - first);
    for (int64_t p = 0; p < w->stride_w && w->stride_w != 2 && first < end; p++)
        load_phase(b, dst + p * b->phase, src, end - first, p);
    return (cpu_taps){.x = scratch,
                      .y_row = w->out_w,
                      .x_row = w->stride_h * b->row,
                      .rows = rows,
                      .cols = w->out_w,
                      .offset = b->offset,
                      .count = (int)(w->kernel_h * w->kernel_w),
                      .low = -INFINITY,
                      .high = INFINITY};
}
