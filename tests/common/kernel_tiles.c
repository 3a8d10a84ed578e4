/* SPDX-License-Identifier: Apache-2.0
 * The tiles of products, of floats and integers, and those of Winograd's convolution. */
#include "common/kernel_checks.h"

typedef void (*tile_fn)(const cpu_tile *t);

/* The tile by both, each to `size` results of its own. */
static outputs run_both(cpu_tile *t, tile_fn want, tile_fn got, int64_t size)
{
    outputs o = outputs_make(size);
    t->c = o.c;
    if (t->right)
        cpu_tile_by_panels(t, want);
    else
        want(t);
    t->c = o.v;
    got(t);
    return o;
}

/* Random sizes of a tile: at most as many panels as the table's tiles may have. */
static cpu_tile random_tile(const cpu_micro *m, int64_t most_k)
{
    const int cols = (int)pick(1, m->wide && pick(0, 1) ? 2 * CPU_NR : CPU_NR);
    cpu_tile t = {.rows = (int)pick(1, 2 * m->mr), .cols = cols, .k = pick(1, most_k)};
    t.c_stride = cols + pick(0, 5);
    t.b_stride = cpu_panel_width(cols) + pick(0, 3);
    if (cols > CPU_NR) t.right_stride = cpu_panel_width(cols - CPU_NR) + pick(0, 3);
    t.accumulate = pick(0, 1);
    return t;
}

/* Elements of its panels. */
static int64_t left_elements(const cpu_tile *t)
{
    return (t->k - 1) * t->b_stride + cpu_panel_width(t->cols);
}
static int64_t right_elements(const cpu_tile *t)
{
    return t->cols > CPU_NR ? (t->k - 1) * t->right_stride + cpu_panel_width(t->cols - CPU_NR) : 0;
}

static float *input_floats(int64_t n)
{
    return input(n, -1, 1);
}

/* Elements are what `elements` makes of them; sums are of floats. */
static void check_gemm(const cpu_micro *m, tile_fn want, tile_fn got, float *(*elements)(int64_t n),
                       int64_t most_k, double tolerance, const char *name)
{
    cpu_tile t = random_tile(m, most_k);
    const int64_t size = (t.rows - 1) * t.c_stride + t.cols;
    float *a = elements(t.rows * t.k), *b = elements(left_elements(&t));
    float *right = right_elements(&t) ? elements(right_elements(&t)) : NULL;
    float *row = input(t.rows, -1, 1), *col = input(t.cols, -1, 1), *residual = input(size, -1, 1);
    const gr_epilogue e = random_epilogue();
    t.a = a;
    t.b = b;
    t.right = right;
    t.bias_row = pick(0, 1) ? row : NULL;
    t.bias_col = pick(0, 1) ? col : NULL;
    t.epilogue = pick(0, 3) ? &e : NULL;
    if (e.residual != GR_RESIDUAL_NONE) t.residual = residual;
    outputs o = run_both(&t, want, got, size);
    outputs_check(&o, tolerance, name);
    float *const all[] = {a, b, right, row, col, residual};
    for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
}

void gemm_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++)
        check_gemm(m, c_table->gemm, m->gemm, input_floats, 70, 1e-5, "gemm");
}

static float *input_pairs_of(int64_t n, cpu_half half, bool quarters)
{
    float *first = input(n, -1, 1), *second = input(n, -1, 1);
    float *pairs = input(n, 0, 0);
    for (int64_t i = 0; quarters && i < n; i++) {
        first[i] = (float)pick(-4, 4) / 4;
        second[i] = (float)pick(-4, 4) / 4;
    }
    cpu_half_c[half].pair((int32_t *)(void *)pairs, first, second, n);
    vkb_free(heap, first);
    vkb_free(heap, second);
    return pairs;
}
static float *input_f16(int64_t n)
{
    return input_pairs_of(n, CPU_F16, false);
}
static float *input_quarters(int64_t n)
{
    return input_pairs_of(n, CPU_F16, true);
}
static float *input_bf16(int64_t n)
{
    return input_pairs_of(n, CPU_BF16, false);
}

/* Pairs of values that are rounded, that fp16 overflows with and holds as denormals, and no numbers. */
static void check_pairs(const cpu_half_math *want, const cpu_half_math *got)
{
    const int64_t n = pick(1, 40);
    float *first = input(n, -1e5F, 1e5F), *second = input(n, -1e-5F, 1e-5F);
    outputs o = outputs_make(n);
    float *const other = pick(0, 3) ? second : NULL;
    first[pick(0, n - 1)] = (float[]){NAN, INFINITY, -INFINITY, -0.0F, 1e-40F, 3.4e38F}[pick(0, 5)];
    want->pair((int32_t *)(void *)o.c, first, other, n);
    got->pair((int32_t *)(void *)o.v, first, other, n);
    outputs_check_bits(&o);
    vkb_free(heap, first);
    vkb_free(heap, second);
}

/* Sums of quarters of whole numbers are exact in fp16 too, in any order. Of others the specification has one
 * sum of 64 products where tables may have two: each step is off by up to 2^-9, and tables by the difference.
 */
void half_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++)
        for (int half = 0; half < CPU_HALVES; half++) {
            const cpu_half_math *want = &cpu_half_c[half], *got = &m->half[half];
            if (!got->gemm) continue;
            if (half == CPU_F16) {
                check_gemm(m, want->gemm, got->gemm, input_quarters, 150, 1e-5, "fp16, exact");
                check_gemm(m, want->gemm, got->gemm, input_f16, 150, 4e-2, "fp16");
            } else {
                check_gemm(m, want->gemm, got->gemm, input_bf16, 150, 2e-5, "bf16");
            }
            check_pairs(want, got);
        }
}

/* Lines of B that end where the memory does. */
void line_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int rows = (int)pick(1, 2 * m->mr), cols = (int)pick(9, pick(0, 1) ? 40 : 150);
        const int64_t k = pick(1, 40), stride = cols + pick(0, 5), size = (rows - 1) * stride + cols;
        const int64_t b_cols = vkb_max(cols, CPU_NR), b_stride = b_cols + pick(0, 3);
        float *a = input(rows * k, -1, 1), *b = input((k - 1) * b_stride + b_cols, -1, 1);
        float *row = input(rows, -1, 1), *residual = input(size, -1, 1);
        const gr_epilogue e = random_epilogue();
        int32_t offset[40];
        for (int64_t i = 0; i < k; i++) offset[i] = (int32_t)(pick(0, k - 1) * b_stride);
        cpu_tile t = {.a = a,
                      .b = b,
                      .k = k,
                      .b_stride = b_stride,
                      .b_offset = pick(0, 1) ? offset : NULL,
                      .c_stride = stride,
                      .rows = rows,
                      .cols = cols,
                      .bias_row = pick(0, 1) ? row : NULL,
                      .epilogue = pick(0, 3) ? &e : NULL};
        if (e.residual != GR_RESIDUAL_NONE) t.residual = residual;
        outputs o = run_both(&t, c_table->gemm_line, m->gemm_line, size);
        outputs_check(&o, 1e-5, "gemm_line");
        float *const all[] = {a, b, row, residual};
        for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
    }
}

/* The line against tiles, which the products of all networks go through: in the C table both. */
void lines_are_tiles(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int rows = (int)pick(1, 12), cols = (int)pick(9, 60);
        const int64_t k = pick(1, 40), b_stride = (int64_t)vkb_round_up((uint64_t)cols, 8);
        float *a = input(rows * k, -1, 1), *b = input(k * b_stride, -1, 1), *bias = input(rows, -1, 1);
        float *residual = input((int64_t)rows * cols, -1, 1);
        const gr_epilogue e = random_epilogue();
        cpu_tile t = {.a = a,
                      .b = b,
                      .k = k,
                      .b_stride = b_stride,
                      .c_stride = cols,
                      .rows = rows,
                      .cols = cols,
                      .bias_row = bias,
                      .residual = e.residual == GR_RESIDUAL_NONE ? NULL : residual,
                      .epilogue = &e};
        outputs o = outputs_make((int64_t)rows * cols);
        t.c = o.v;
        c_table->gemm_line(&t);
        for (int col = 0; col < cols; col += CPU_NR) {
            cpu_tile part = t;
            part.b = b + col;
            part.c = o.c + col;
            part.cols = (int)vkb_min(CPU_NR, cols - col);
            if (t.residual) part.residual = residual + col;
            c_table->gemm(&part);
        }
        outputs_check(&o, 1e-5, "gemm_line of C");
        float *const all[] = {a, b, bias, residual};
        for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
    }
}

typedef int32_t *(*input_fn)(int64_t n);

static void check_integers(const cpu_micro *m, tile_fn want, tile_fn got, input_fn elements,
                           cpu_dot_form form)
{
    cpu_tile t = random_tile(m, 70);
    int32_t *a = elements(t.rows * t.k), *b = elements(left_elements(&t));
    int32_t *right = right_elements(&t) ? elements(right_elements(&t)) : NULL;
    int32_t *row = input_pairs(t.rows), *col = input_pairs(t.cols);
    t.a = (const float *)a;
    t.b = (const float *)b;
    t.right = (const float *)right;
    t.bias_row = pick(0, 1) ? (const float *)row : NULL;
    t.bias_col = pick(0, 1) ? (const float *)col : NULL;
    t.form = form;
    outputs o = run_both(&t, want, got, (t.rows - 1) * t.c_stride + t.cols);
    outputs_check_bits(&o);
    int32_t *const all[] = {a, b, right, row, col};
    for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
}

void integer_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++)
        check_integers(m, c_table->gemm_i16, m->gemm_i16, input_pairs, (cpu_dot_form){0});
}

void byte_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const bool a = pick(0, 1), b = pick(0, 1);
        const cpu_dot_form form = {.a_unsigned = m->dot == CPU_DOT_SIGNED ? false : a,
                                   .b_unsigned = m->dot == CPU_DOT_SIGNED  ? false
                                                 : m->dot == CPU_DOT_MIXED ? !a
                                                                           : b,
                                   .b_flip =
                                       pick(0, 1) ? (int32_t)(0x01010101u * (uint32_t)pick(0, 255)) : 0};
        check_integers(m, c_table->gemm_i8, m->gemm_i8, input_bytes, form);
    }
}

/* Eight tiles at random places, the last of which ends where the memory does; some filters. Outputs overlap
 * by some columns, and by some rows those of the last four tiles. */
static void check_winograd(const cpu_winograd *of_c, const cpu_winograd *of_m)
{
    const int size = of_c->size, tile = of_c->tile, taps = of_c->taps * of_c->taps;
    const int64_t n = pick(size, 60), x_step = n + pick(0, 3), step = 8 + pick(0, 3), y_step = 8 * tile + 8;
    float *x = input((size - 1) * x_step + n, -1, 1);
    outputs rows = outputs_make(size * n);
    const float *in[6];
    for (int i = 0; i < size; i++) in[i] = x + i * x_step;
    of_c->rows(rows.c, n, in, n);
    of_m->rows(rows.v, n, in, n);
    outputs_check(&rows, 1e-6, "winograd rows");
    int32_t offset[8], apart[8];
    for (int i = 0; i < 8; i++) {
        offset[i] = i ? (int32_t)pick(0, n - size) : (int32_t)n - size;
        apart[i] =
            i & 3 ? apart[i - 1] + (int32_t)pick(tile - 1, tile) : (int32_t)(i / 4 * (tile - 1) * y_step);
    }
    outputs v = outputs_make((size * size - 1) * step + 8);
    outputs y = outputs_make((2 * tile - 2) * y_step + 4 * tile);
    const int64_t last = pick(0, 2) ? (size - 1) * step : 0, last_row = (size - 1) * size * step;
    const int in_rows = (int)pick(1, size);
    of_c->in(v.c, last ? v.c + last : NULL, step, x, x_step, offset, in_rows);
    of_m->in(v.v, last ? v.v + last : NULL, step, x, x_step, offset, in_rows);
    of_c->out(y.c, y_step, apart, v.c, v.c + last_row, step, 0.5f);
    of_m->out(y.v, y_step, apart, v.c, v.c + last_row, step, 0.5f);
    outputs_check(&v, 2e-6, "winograd in");
    outputs_check(&y, 2e-6, "winograd out");
    const int64_t filters = 8 * pick(1, 5), u_step = filters + pick(0, 3);
    float *g = input(filters * taps, -1, 1);
    const int pair = (int)pick(0, size / 2), rows_of_pair = pair && pair < size / 2 ? 2 : 1;
    outputs u = outputs_make((rows_of_pair * size - 1) * u_step + filters);
    of_c->filters(u.c, u_step, g, filters - pick(0, 7), pair);
    of_m->filters(u.v, u_step, g, filters, pair);
    outputs_check(&u, 2e-6, "winograd filters");
    vkb_free(heap, g);
    vkb_free(heap, x);
}

void winograd_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < CPU_WINOGRADS; i++) check_winograd(&c_table->winograd[i], &m->winograd[i]);
}

/* Sums in two steps, of any number of pixels by panels of both widths; lanes that repeat a channel. */
void pixel_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int width = pick(0, 1) ? CPU_NR : CPU_WIDE_PANEL, channels = (int)pick(1, width);
        const int64_t n = pick(CPU_LEAST_PIXELS, 70), k = pick(2, 40), split = pick(1, k - 1);
        const int64_t x_step = n + pick(0, 5), y_step = n + pick(0, 5), rounded = (n + 3) / 4 * 4;
        float *x = input((k - 1) * x_step + n, -1, 1), *w = input(k * width, -1, 1);
        float *start = input(width, -1, 1), *sums = input(rounded * width, -1, 1);
        int32_t offset[CPU_WIDE_PANEL];
        for (int c = 0; c < width; c++) {
            const int channel = c < channels ? c : channels - 1;
            offset[c] = (int32_t)(channel * y_step);
            start[c] = start[channel];
            for (int64_t i = 0; i < k; i++) w[i * width + c] = w[i * width + channel];
        }
        outputs o = outputs_make((channels - 1) * y_step + n);
        const bool whole = pick(0, 1), swish = pick(0, 1);
        for (int table = 0; table < 2; table++) {
            const cpu_micro *by = table ? m : c_table;
            cpu_pixels t = {.x = x, .w = w, .k = whole ? k : split, .x_step = x_step, .pixels = n};
            t.width = width;
            t.start = start;
            t.offset = offset;
            t.low = -0.75f;
            t.high = 1;
            t.hardswish = swish;
            t.sums = whole ? NULL : sums;
            if (!whole) {
                by->pixels(&t);
                t.x += split * x_step;
                t.w += split * width;
                t.k = k - split;
                t.start = NULL;
            }
            t.y = table ? o.v : o.c;
            by->pixels(&t);
        }
        outputs_check(&o, 1e-5, "pixels");
        float *const all[] = {x, w, start, sums};
        for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
    }
}

/* Pixels against tiles, which the products of all networks go through: in the C table both. */
void pixels_are_tiles(void)
{
    for (int round = 0; round < ROUNDS / 4; round++) {
        const int64_t n = pick(CPU_LEAST_PIXELS, 60), k = pick(1, 40);
        float *x = input(k * n, -1, 1), *w = input(k * CPU_NR, -1, 1), *start = input(CPU_NR, -1, 1);
        int32_t offset[CPU_NR];
        for (int c = 0; c < CPU_NR; c++) offset[c] = (int32_t)(c * n);
        outputs o = outputs_make(CPU_NR * n);
        float *tile = input(CPU_NR * n, 0, 1);
        const cpu_pixels p = {.x = x,
                              .w = w,
                              .k = k,
                              .x_step = n,
                              .pixels = n,
                              .width = CPU_NR,
                              .start = start,
                              .y = o.v,
                              .offset = offset,
                              .low = -INFINITY,
                              .high = INFINITY};
        c_table->pixels(&p);
        const cpu_tile t = {.a = x, /* pixels are the rows of a panel of A */
                            .b = w,
                            .k = k,
                            .b_stride = CPU_NR,
                            .c = tile,
                            .c_stride = CPU_NR,
                            .rows = (int)n,
                            .cols = CPU_NR,
                            .bias_col = start};
        c_table->gemm(&t);
        for (int64_t i = 0; i < n * CPU_NR; i++) o.c[i % CPU_NR * n + i / CPU_NR] = tile[i];
        outputs_check(&o, 1e-5, "pixels of C");
        float *const all[] = {x, w, start, tile};
        for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
    }
}
