/* SPDX-License-Identifier: Apache-2.0
 * Every micro-kernel this CPU can run against the C table, on random sizes with tails, with guards around
 * what is written and inputs of exactly the size that may be read. And the accuracy of the C table's
 * transcendental functions against libm in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cpu/gemm.h"

enum { GUARD = 32, ROUNDS = 300, BYTE_ROW = 131 };

static const cpu_micro *const c_table = &cpu_micro_c;
static const vki_allocator *const heap = &vkb_libc_allocator;
static uint64_t random_state = 1;

static int64_t pick(int64_t low, int64_t high)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((random_state >> 33) % (uint64_t)(high - low + 1));
}

static float *input(int64_t n, float low, float high)
{
    float *p = vkb_alloc(heap, (size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = low + (high - low) * (float)pick(0, 1 << 24) / (float)(1 << 24);
    return p;
}

/* Outputs of the two tables, equal at the start, with guards. */
typedef struct outputs {
    float *c, *v; /* by the C table; by the vector table */
    int64_t n;
} outputs;

static outputs outputs_make(int64_t n)
{
    outputs o = {input(n + 2 * GUARD, -1, 1), input(n + 2 * GUARD, -1, 1), n};
    memcpy(o.v, o.c, (size_t)(n + 2 * GUARD) * sizeof(float));
    o.c += GUARD;
    o.v += GUARD;
    return o;
}

/* Everything within `tolerance` of the larger of 1 and the value; the guards, and what neither table was to
 * write, are equal in both since they were at the start. */
static void outputs_check(outputs *o, double tolerance, const char *what)
{
    for (int64_t i = -GUARD; i < o->n + GUARD; i++) {
        const double c = (double)o->c[i], v = (double)o->v[i];
        const bool inside = i >= 0 && i < o->n;
        if (c == v || (isnan(c) && isnan(v))) continue;
        if (!inside || !(fabs(c - v) <= tolerance * fmax(1, fabs(c))))
            fail_msg("%s: element %lld of %lld is %.9g, in C %.9g", what, (long long)i, (long long)o->n, v,
                     c);
    }
    vkb_free(heap, o->c - GUARD);
    vkb_free(heap, o->v - GUARD);
}

static gr_epilogue random_epilogue(void)
{
    gr_epilogue e = {.act = (gr_act)pick(0, GR_ACT_COUNT - 1), .residual = (gr_residual)pick(0, 2)};
    e.alpha = e.act == GR_ACT_CLIP ? -0.5f : 0.2f;
    e.beta = e.act == GR_ACT_CLIP ? 0.75f : 0.5f;
    return e;
}

static void gemm_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int rows = (int)pick(1, 2 * m->mr), cols = (int)pick(1, CPU_NR);
        const int64_t k = pick(1, 70), stride = cols + pick(0, 5), size = (rows - 1) * stride + cols;
        const int64_t b_stride = cpu_panel_width(cols) + pick(0, 3);
        float *a = input(rows * k, -1, 1), *b = input((k - 1) * b_stride + cpu_panel_width(cols), -1, 1);
        float *row = input(rows, -1, 1), *col = input(cols, -1, 1), *residual = input(size, -1, 1);
        const gr_epilogue e = random_epilogue();
        cpu_tile t = {.a = a,
                      .b = b,
                      .k = k,
                      .b_stride = b_stride,
                      .c_stride = stride,
                      .rows = rows,
                      .cols = cols,
                      .accumulate = pick(0, 1),
                      .bias_row = pick(0, 1) ? row : NULL,
                      .bias_col = pick(0, 1) ? col : NULL,
                      .epilogue = pick(0, 3) ? &e : NULL};
        if (e.residual != GR_RESIDUAL_NONE) t.residual = residual;
        int32_t offset[70];
        for (int64_t i = 0; i < k; i++) offset[i] = (int32_t)(pick(0, k - 1) * b_stride);
        if (pick(0, 1)) t.b_offset = offset;
        outputs o = outputs_make(size);
        t.c = o.c;
        c_table->gemm(&t);
        t.c = o.v;
        m->gemm(&t);
        outputs_check(&o, 1e-5, "gemm");
        float *const all[] = {a, b, row, col, residual};
        for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
    }
}

/* Memory of `n` elements of four bytes: pairs of int16 between -255 and 255. */
static int32_t *input_pairs(int64_t n)
{
    int32_t *p = vkb_alloc(heap, (size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++)
        p[i] = (int32_t)((uint32_t)pick(-255, 255) << 16 | (pick(-255, 255) & 0xffff));
    return p;
}

static void integer_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int rows = (int)pick(1, 2 * m->mr), cols = (int)pick(1, CPU_NR);
        const int64_t k = pick(1, 70), stride = cols + pick(0, 5), size = (rows - 1) * stride + cols;
        const int64_t b_stride = cpu_panel_width(cols) + pick(0, 3);
        int32_t *a = input_pairs(rows * k), *b = input_pairs((k - 1) * b_stride + cpu_panel_width(cols));
        int32_t *row = input_pairs(rows), *col = input_pairs(cols), *c = input_pairs(size);
        int32_t *v = vkb_alloc(heap, (size_t)size * sizeof *v);
        assert_non_null(v);
        memcpy(v, c, (size_t)size * sizeof *v);
        cpu_tile t = {.a = (const float *)a,
                      .b = (const float *)b,
                      .k = k,
                      .b_stride = b_stride,
                      .c_stride = stride,
                      .rows = rows,
                      .cols = cols,
                      .accumulate = pick(0, 1),
                      .bias_row = pick(0, 1) ? (const float *)row : NULL,
                      .bias_col = pick(0, 1) ? (const float *)col : NULL};
        t.c = (float *)c;
        c_table->gemm_i16(&t);
        t.c = (float *)v;
        m->gemm_i16(&t);
        assert_memory_equal(c, v, (size_t)size * sizeof *c);
        int32_t *const all[] = {a, b, row, col, c, v};
        for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(heap, all[i]);
    }
}

typedef struct byte_rows {
    uint8_t first[BYTE_ROW], second[BYTE_ROW], narrow[BYTE_ROW], quantized[BYTE_ROW];
    int32_t pairs[BYTE_ROW], single[BYTE_ROW];
    float wide[BYTE_ROW];
} byte_rows;

static void run_bytes(const cpu_micro *m, byte_rows *r, const int32_t *sums, const float *x,
                      const float *scale, int step, int64_t n, cpu_bytes b)
{
    m->pair_bytes(r->pairs, r->first, r->second, n, b);
    m->pair_bytes(r->single, r->first, NULL, n, b);
    m->requantize(r->narrow, sums, n, scale, step, b);
    m->quantize(r->quantized, x, n, *scale, b);
    m->dequantize(r->wide, r->first, n, *scale, b);
}

/* Equal bits, since every kernel must store the same integers. */
static void bytes(const cpu_micro *m)
{
    static byte_rows want, got;
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = pick(1, BYTE_ROW - 1);
        const cpu_bytes b = {pick(0, 1) ? 0x80 : 0, (int32_t)pick(0, 255)};
        int32_t *sums = input_pairs(n);
        float *x = input(n, -40, 40), *scale = input(n, 0.001f, 0.5f);
        for (int64_t i = 0; i < n; i++) sums[i] = sums[i] >> pick(0, 31);
        x[pick(0, n - 1)] = NAN;
        memset(&want, (int)pick(0, 255), sizeof want);
        for (int i = 0; i < BYTE_ROW; i++) want.first[i] = (uint8_t)pick(0, 255);
        got = want;
        const int step = (int)pick(0, 1);
        run_bytes(c_table, &want, sums, x, scale, step, n, b);
        run_bytes(m, &got, sums, x, scale, step, n, b);
        assert_memory_equal(&want, &got, sizeof want);
        vkb_free(heap, sums);
        vkb_free(heap, x);
        vkb_free(heap, scale);
    }
}

/* Eight tiles at random places, the last of which ends where the memory does. */
static void winograd_tiles(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = pick(6, 60), x_step = n + pick(0, 3), step = 8 + pick(0, 3);
        float *x = input(5 * x_step + n, -1, 1);
        outputs rows = outputs_make(6 * n);
        const float *const in[6] = {x, x + n, x + 2 * x_step, x + 3 * x_step, x + 4 * x_step, x + 5 * x_step};
        c_table->winograd_rows(rows.c, n, in, n);
        m->winograd_rows(rows.v, n, in, n);
        outputs_check(&rows, 1e-6, "winograd_rows");
        int32_t offset[8], apart[8];
        for (int i = 0; i < 8; i++)
            offset[i] = i ? (int32_t)pick(0, n - 6) : (int32_t)n - 6, apart[i] = 4 * i;
        outputs v = outputs_make(35 * step + 8), y = outputs_make(3 * 40 + 32);
        c_table->winograd_in(v.c, step, x, x_step, offset);
        m->winograd_in(v.v, step, x, x_step, offset);
        c_table->winograd_out(y.c, 40, apart, v.c, step, 0.5f);
        m->winograd_out(y.v, 40, apart, v.c, step, 0.5f);
        outputs_check(&v, 2e-6, "winograd_in");
        outputs_check(&y, 2e-6, "winograd_out");
        vkb_free(heap, x);
    }
}

/* Lanes of every kind: one run, two runs, stride two, anything; with padding. */
static int64_t random_lanes(cpu_lanes *lanes)
{
    const int64_t kind = pick(0, 3), base = pick(0, 20), split = pick(0, 8);
    int64_t last = 0;
    for (int j = 0; j < 8; j++) {
        int64_t at = kind == 3 ? pick(0, 60) : kind == 2 ? base + 2 * j : base + j + (j >= split ? 15 : 0);
        if (kind == 0) at = base + j;
        bool on = pick(0, 3) || kind == 2;
        lanes->mask[j] = on ? -1 : 0;
        lanes->offset[j] = on ? (int32_t)at : 0;
        last = vkb_max(last, lanes->offset[j]);
    }
    return last + 1;
}

static void gathers(const cpu_micro *m)
{
    for (int round = 0; round < 4 * ROUNDS; round++) {
        cpu_lanes lanes;
        const int64_t width = random_lanes(&lanes), count = pick(1, 9), y_step = pick(8, 20),
                      x_step = pick(1, 90);
        float *x = input((count - 1) * x_step + width, -1, 1);
        outputs o = outputs_make((count - 1) * y_step + 8);
        c_table->gather(o.c, y_step, x, x_step, count, &lanes);
        m->gather(o.v, y_step, x, x_step, count, &lanes);
        outputs_check(&o, 0, "gather");
        vkb_free(heap, x);
    }
}

static void copies(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t rows = pick(1, 5), cols = pick(1, 40), y_step = cols + pick(0, 9),
                      x_step = cols + pick(0, 9);
        float *x = input((rows - 1) * x_step + cols, -1, 1);
        outputs o = outputs_make((rows - 1) * y_step + cols);
        c_table->copy_rows(o.c, y_step, x, x_step, rows, cols);
        m->copy_rows(o.v, y_step, x, x_step, rows, cols);
        outputs_check(&o, 0, "copy_rows");
        vkb_free(heap, x);
    }
}

static void taps(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        int32_t offset[25];
        cpu_taps t = {.rows = pick(1, 4),
                      .cols = pick(1, 90),
                      .count = (int)pick(1, 25),
                      .offset = offset,
                      .bias = 0.3f,
                      .low = -0.8f,
                      .high = 1.5f};
        t.y_row = t.cols + pick(0, 3);
        t.x_row = pick(1, 120);
        for (int i = 0; i < t.count; i++) offset[i] = (int32_t)pick(0, 100);
        float *weight = input(t.count, -1, 1);
        float *x = input(100 + (t.rows - 1) * t.x_row + (int64_t)vkb_round_up((uint64_t)t.cols, 8), -1, 1);
        t.weight = weight;
        t.x = x;
        for (int max = 0; max < 2; max++) {
            outputs o = outputs_make((t.rows - 1) * t.y_row + t.cols);
            t.y = o.c;
            (max ? c_table->taps_max : c_table->taps_sum)(&t);
            t.y = o.v;
            (max ? m->taps_max : m->taps_sum)(&t);
            outputs_check(&o, max ? 0 : 1e-5, max ? "taps_max" : "taps_sum");
        }
        vkb_free(heap, weight);
        vkb_free(heap, x);
    }
}

static void strips(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t planes = pick(1, 3), shared = pick(0, 3) == 0;
        cpu_depthwise d = {.planes = planes,
                           .in_h = pick(1, 20),
                           .in_w = pick(1, 40),
                           .size = pick(0, 1) ? 3 : 5,
                           .stride = (int)pick(1, 2),
                           .pad_top = pick(0, 3),
                           .pad_left = pick(0, 3),
                           .low = pick(0, 1) ? -0.5f : -INFINITY,
                           .high = pick(0, 1) ? 0.5f : INFINITY,
                           .hardswish = pick(0, 1)};
        d.dilation = d.stride == 1 ? pick(1, 3) : 1;
        d.out_w = pick(1, 40); /* whether or not the windows reach that far */
        d.rows = pick(1, 9);
        d.row = pick(0, 3);
        d.top = vkb_min(d.in_h - 1, vkb_max(0, d.row * d.stride - d.pad_top));
        d.x_plane = shared ? 0 : (d.in_h - d.top) * d.in_w;
        d.y_plane = d.rows * d.out_w + pick(0, 9);
        float *x = input((shared ? 1 : planes) * (d.in_h - d.top) * d.in_w, -1, 1);
        float *weight = input(planes * d.size * d.size, -1, 1), *bias = input(planes, -1, 1);
        outputs o = outputs_make((planes - 1) * d.y_plane + d.rows * d.out_w);
        d.x = x;
        d.weight = weight;
        if (pick(0, 1)) d.bias = bias;
        d.y = o.c;
        c_table->depthwise(&d);
        d.y = o.v;
        m->depthwise(&d);
        outputs_check(&o, 1e-5, "depthwise");
        vkb_free(heap, x);
        vkb_free(heap, weight);
        vkb_free(heap, bias);
    }
}

static void row_panels(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t k = pick(1, 200);
        const int cols = (int)pick(1, CPU_NR), width = cpu_panel_width(cols);
        float *x = input(k, -1, 1), *panel = input(k * width, -1, 1);
        outputs o = outputs_make(width);
        c_table->row_panel(o.c, x, panel, k, cols);
        m->row_panel(o.v, x, panel, k, cols);
        outputs_check(&o, 2e-5, "row_panel");
        vkb_free(heap, x);
        vkb_free(heap, panel);
    }
}

static void maps(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = pick(1, 100);
        float *x = input(n, -9, 9), *y = input(n, 0.5f, 4);
        gr_epilogue e = random_epilogue();
        const cpu_unary_op unary = (cpu_unary_op)pick(0, CPU_UNARY_COUNT - 1);
        const cpu_binary_op binary = (cpu_binary_op)pick(0, CPU_BINARY_COUNT - 1);
        const int steps = (int)pick(1, 3);
        outputs o = outputs_make(n);
        c_table->epilogue(o.c, x, y, n, &e);
        m->epilogue(o.v, x, y, n, &e);
        outputs_check(&o, 3e-7, "epilogue");
        o = outputs_make(n);
        c_table->unary(o.c, unary == CPU_SQRT ? y : x, n, unary, 0.7f);
        m->unary(o.v, unary == CPU_SQRT ? y : x, n, unary, 0.7f);
        outputs_check(&o, 3e-7, "unary");
        o = outputs_make(n);
        c_table->binary(o.c, x, steps & 1, y, steps >> 1, n, binary);
        m->binary(o.v, x, steps & 1, y, steps >> 1, n, binary);
        outputs_check(&o, 2e-7, "binary");
        o = outputs_make(n);
        c_table->scale_shift(o.c, x, n, 0.3f, -2);
        m->scale_shift(o.v, x, n, 0.3f, -2);
        outputs_check(&o, 1e-6, "scale_shift");
        o = outputs_make(n);
        c_table->normalize(o.c, x, n, 0.3f, -2, y, steps > 1 ? y : NULL);
        m->normalize(o.v, x, n, 0.3f, -2, y, steps > 1 ? y : NULL);
        outputs_check(&o, 1e-5, "normalize");
        vkb_free(heap, x);
        vkb_free(heap, y);
    }
}

static void reductions(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = pick(1, 300);
        float *x = input(n, -3, 5);
        const float max = c_table->max(x, n);
        assert_true(max == m->max(x, n));
        assert_true(fabs((double)(c_table->sum(x, n) - m->sum(x, n))) < 1e-3);
        const double squares = (double)c_table->sum_sq(x, n, 1);
        assert_true(fabs(squares - (double)m->sum_sq(x, n, 1)) <= 1e-5 * squares);
        outputs o = outputs_make(n);
        const double want = (double)c_table->exp_sum(o.c, x, n, max),
                     got = (double)m->exp_sum(o.v, x, n, max);
        assert_true(fabs(want - got) <= 1e-5 * want);
        outputs_check(&o, 3e-7, "exp_sum");
        vkb_free(heap, x);
    }
}

static void special_values(const cpu_micro *m)
{
    const float values[] = {0,      -0.0f, INFINITY, -INFINITY, NAN,     88.7f, 89,    200,
                            -87.4f, -100,  -110,     1e-30f,    -1e-30f, 1e30f, -1e30f};
    enum { COUNT = VKB_COUNT(values) };
    for (int act = 0; act < GR_ACT_COUNT; act++) {
        const gr_epilogue e = {.act = (gr_act)act, .alpha = -0.5f, .beta = 0.5f};
        outputs o = outputs_make(COUNT);
        c_table->epilogue(o.c, values, NULL, COUNT, &e);
        m->epilogue(o.v, values, NULL, COUNT, &e);
        assert_true(isnan(o.c[4]));
        outputs_check(&o, 3e-7, "epilogue of special values");
    }
    for (int op = 0; op < CPU_UNARY_COUNT; op++) {
        outputs o = outputs_make(COUNT);
        c_table->unary(o.c, values, COUNT, (cpu_unary_op)op, 1);
        m->unary(o.v, values, COUNT, (cpu_unary_op)op, 1);
        assert_true(isnan(o.c[4]));
        outputs_check(&o, 3e-7, "unary of special values");
    }
    for (int op = 0; op < CPU_BINARY_COUNT; op++)
        for (int i = 0; i < COUNT; i++) {
            outputs o = outputs_make(COUNT);
            c_table->binary(o.c, values, 1, &values[i], 0, COUNT, (cpu_binary_op)op);
            m->binary(o.v, values, 1, &values[i], 0, COUNT, (cpu_binary_op)op);
            if (op == CPU_MAX || op == CPU_MIN) assert_true(isnan(o.c[4]) && isnan(o.c[i]) == (i == 4));
            outputs_check(&o, 3e-7, "binary of special values");
        }
}

typedef void (*table_test)(const cpu_micro *m);

static void on_every_table(table_test test)
{
    const cpu_micro *best = cpu_micro_get();
    print_message("           against the table \"%s\"\n", best->isa);
    test(best);
    if (best != c_table) test(c_table); /* what it reads and writes, for the sanitizers */
}

#define TABLE_TEST(name)                                                                                     \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        on_every_table(name);                                                                                \
    }
TABLE_TEST(gemm_tiles)
TABLE_TEST(integer_tiles)
TABLE_TEST(winograd_tiles)
TABLE_TEST(bytes)
TABLE_TEST(gathers)
TABLE_TEST(copies)
TABLE_TEST(taps)
TABLE_TEST(strips)
TABLE_TEST(row_panels)
TABLE_TEST(maps)
TABLE_TEST(reductions)
TABLE_TEST(special_values)

typedef double (*exact_fn)(double);

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double exact_silu(double x)
{
    return x / (1 + exp(-x));
}

typedef void (*map_fn)(const cpu_micro *m, float *y, const float *x, int64_t n);
static void map_exp(const cpu_micro *m, float *y, const float *x, int64_t n)
{
    m->unary(y, x, n, CPU_EXP, 0);
}
static void map_elu(const cpu_micro *m, float *y, const float *x, int64_t n)
{
    m->unary(y, x, n, CPU_ELU, 1);
}
static void map_erf(const cpu_micro *m, float *y, const float *x, int64_t n)
{
    m->unary(y, x, n, CPU_ERF, 0);
}
static void map_tanh(const cpu_micro *m, float *y, const float *x, int64_t n)
{
    m->epilogue(y, x, NULL, n, &(gr_epilogue){.act = GR_ACT_TANH});
}
static void map_sigmoid(const cpu_micro *m, float *y, const float *x, int64_t n)
{
    m->epilogue(y, x, NULL, n, &(gr_epilogue){.act = GR_ACT_SIGMOID});
}
static void map_silu(const cpu_micro *m, float *y, const float *x, int64_t n)
{
    m->epilogue(y, x, NULL, n, &(gr_epilogue){.act = GR_ACT_SILU});
}

/* Largest relative error over a fine sweep of [low, high]. */
static double worst(const cpu_micro *m, map_fn fn, exact_fn exact, double low, double high)
{
    enum { BLOCK = 1000, BLOCKS = 400 };
    float x[BLOCK], y[BLOCK];
    double error = 0;
    for (int b = 0; b < BLOCKS; b++) {
        for (int i = 0; i < BLOCK; i++)
            x[i] = (float)(low + (high - low) * (b * BLOCK + i) / (double)(BLOCK * BLOCKS - 1));
        fn(m, y, x, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            double want = exact((double)x[i]);
            if (want != 0) error = fmax(error, fabs((double)y[i] - want) / fabs(want));
        }
    }
    return error;
}

static void accuracy(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        map_fn fn;
        exact_fn exact;
        double low, high, bound;
    } all[] = {
        {"exp", map_exp, exp, -87, 88.5, 1.5e-7},
        {"expm1", map_elu, expm1, -20, -1e-6, 2e-7},
        {"tanh", map_tanh, tanh, -10, 10, 2.5e-7},
        {"sigmoid", map_sigmoid, exact_sigmoid, -80, 30, 3e-7},
        {"silu", map_silu, exact_silu, -80, 30, 3.5e-7},
        {"erf", map_erf, erf, -5, 5, 2.5e-7},
    };
    const cpu_micro *const tables[] = {c_table, cpu_micro_get()};
    for (size_t i = 0; i < VKB_COUNT(all); i++)
        for (size_t t = 0; t < VKB_COUNT(tables); t++) {
            double error = worst(tables[t], all[i].fn, all[i].exact, all[i].low, all[i].high);
            print_message("           %-8s %-5s relative error %.3g\n", all[i].name, tables[t]->isa, error);
            assert_true(error <= all[i].bound);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm_tiles),
        cmocka_unit_test(test_integer_tiles),
        cmocka_unit_test(test_winograd_tiles),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_taps),
        cmocka_unit_test(test_strips),
        cmocka_unit_test(test_row_panels),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(accuracy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
