/* SPDX-License-Identifier: Apache-2.0
 * Every micro-kernel this CPU can run against the C table, on random sizes with tails, with guards around
 * what is written and inputs of exactly the size that may be read. And the accuracy of the C table's
 * transcendental functions against libm in double. */
#include "common/kernel_checks.h"

#include <math.h>
#include <stdlib.h>

enum { BYTE_ROW = 131 };

typedef struct byte_rows {
    uint8_t first[BYTE_ROW + 1], second[BYTE_ROW + 1], narrow[BYTE_ROW], quantized[BYTE_ROW];
    int32_t pairs[BYTE_ROW], single[BYTE_ROW], quads[BYTE_ROW], three[BYTE_ROW];
    float wide[BYTE_ROW];
} byte_rows;

static void run_bytes(const cpu_micro *m, byte_rows *r, const int32_t *sums, const float *x,
                      const float *scale, int step, int64_t n, cpu_bytes b)
{
    m->pair_bytes(r->pairs, r->first, r->second, n, b);
    m->pair_bytes(r->single, r->first, NULL, n, b);
    m->quad_bytes(r->quads, (const uint8_t *const[]){r->first, r->second, r->first + 1, r->second + 1}, n,
                  b.flip);
    m->quad_bytes(r->three, (const uint8_t *const[]){r->first, r->second, r->first, NULL}, n, b.flip);
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
        for (int i = 0; i < BYTE_ROW; i++)
            want.first[i] = (uint8_t)pick(0, 255), want.second[i] = (uint8_t)pick(0, 255);
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

/* Lanes of every kind: one run, two runs, stride two in one run and in two, stride four, anything; with
 * padding. */
static int64_t random_lanes(cpu_lanes *lanes)
{
    const int64_t kind = pick(0, 5), base = pick(0, 20), split = pick(0, 8);
    int64_t last = 0;
    for (int j = 0; j < 8; j++) {
        int64_t at = kind == 3 ? pick(0, 60) : kind == 2 ? base + 2 * j : base + j + (j >= split ? 15 : 0);
        if (kind == 0) at = base + j;
        if (kind == 5) at = base + 4 * j;
        if (kind == 4) at = base + 2 * j + (j >= split ? 21 : 0);
        bool on = pick(0, 3) || kind == 2 || kind == 5;
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

static void transposed(const cpu_micro *m) /* against the definition */
{
    const int64_t rows = pick(CPU_LEAST_TURNED, 30), cols = pick(CPU_LEAST_TURNED, 90),
                  step = rows + pick(0, 9);
    float *x = input((cols - 1) * step + rows, -1, 1);
    outputs o = outputs_make(rows * cols);
    for (int64_t i = 0; i < rows * cols; i++) o.c[i] = x[i % cols * step + i / cols];
    m->transpose(o.v, cols, x, step, rows, cols);
    outputs_check(&o, 0, "transpose");
    vkb_free(heap, x);
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
        transposed(m);
    }
}

static void splits(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = pick(0, 40);
        float *x = input(vkb_max(1, 2 * n), -1, 1);
        outputs o = outputs_make(vkb_max(1, 2 * n));
        c_table->split_pairs(o.c, o.c + n, x, n);
        m->split_pairs(o.v, o.v + n, x, n);
        for (int64_t i = 0; i < 2 * n; i++) assert_true(o.c[i % 2 * n + i / 2] == x[i]);
        outputs_check(&o, 0, "split_pairs");
        outputs p = outputs_make(vkb_max(1, 2 * n));
        c_table->join_pairs(p.c, x, x + n, n);
        m->join_pairs(p.v, x, x + n, n);
        for (int64_t i = 0; i < 2 * n; i++) assert_true(p.c[i] == x[i % 2 * n + i / 2]);
        outputs_check(&p, 0, "join_pairs");
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
                           .size = 3 + 2 * (int)pick(0, 2),
                           .stride = 1 + (pick(0, 2) == 0),
                           .pad_top = pick(0, 3),
                           .pad_left = pick(0, 3),
                           .low = pick(0, 1) ? -0.5f : -INFINITY,
                           .high = pick(0, 1) ? 0.5f : INFINITY,
                           .hardswish = pick(0, 1)};
        if (d.size == 7) d.stride = 1;
        const bool common =
            d.stride == 2 && pick(0, 2); /* as networks have it, which has kernels of its own */
        if (common) d.pad_top = pick(0, 1), d.pad_left = pick(0, 1);
        d.dilation = d.stride == 1 ? pick(1, 3) : 1;
        d.out_w = pick(1, 40); /* whether or not the windows reach that far */
        const int64_t usual = (d.in_w + 2 * d.pad_left - (d.size - 1) * d.dilation - 1) / d.stride + 1;
        if ((common || pick(0, 1)) && usual > 0) d.out_w = usual;
        d.rows = pick(1, 9);
        d.row = pick(0, 3);
        d.out_h = d.row + d.rows + pick(0, 3);
        d.top = vkb_min(d.in_h - 1, vkb_max(0, d.row * d.stride - d.pad_top));
        const int64_t reach = (d.row + d.rows - 1) * d.stride - d.pad_top + (d.size - 1) * d.dilation + 1;
        const int64_t lines = vkb_max(1, vkb_min(d.in_h, reach) - d.top);
        d.x_plane = shared ? 0 : lines * d.in_w;
        d.y_plane = d.rows * d.out_w + pick(0, 9);
        float *x = input((shared ? 1 : planes) * lines * d.in_w, -1, 1);
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

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* What the gates do, as micro.h has it: every table, the C one too, is compared with this. */
static void lstm_defined(float *h, float *cell, const float *g, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        const double c = sigmoid(g[2 * n + j]) * cell[j] + sigmoid(g[j]) * tanh(g[3 * n + j]);
        cell[j] = (float)c;
        h[j] = (float)(sigmoid(g[n + j]) * tanh(c));
    }
}

static void gru_defined(float *h, const float *g, const float *own, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        const double z = sigmoid(g[j]), x = tanh(g[2 * n + j] + sigmoid(g[n + j]) * own[j]);
        h[j] = (float)((1 - z) * x + z * h[j]);
    }
}

/* From equal states; every other time some gates are far from what changes with them. */
static void recurrent_gates(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = pick(1, 70);
        const float most = round % 2 ? 9 : 150;
        float *gates = input(4 * n, -most, most), *own = input(n, -1, 1);
        outputs h = outputs_make(n), cell = outputs_make(n), state = outputs_make(n);
        lstm_defined(h.c, cell.c, gates, n);
        m->lstm_gates(h.v, cell.v, gates, n);
        outputs_check(&h, 1e-6, "lstm_gates");
        outputs_check(&cell, 1e-6, "lstm_gates, cell");
        gru_defined(state.c, gates, own, n);
        m->gru_gates(state.v, gates, own, n);
        outputs_check(&state, 1e-6, "gru_gates");
        vkb_free(heap, gates);
        vkb_free(heap, own);
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
        const int64_t cols = pick(1, 24), rows = n / cols;
        o = outputs_make(vkb_max(1, rows * cols));
        c_table->scale_rows(o.c, x, y, rows, cols);
        m->scale_rows(o.v, x, y, rows, cols);
        outputs_check(&o, 0, "scale_rows");
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
        assert_true(isnan(o.c[4]) == (act != GR_ACT_FAKE_QUANTIZE)); /* which makes integers of all */
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

#ifdef VKI_SIMDE
void cpu_micro_avx512_simde(cpu_micro *m), cpu_micro_avx512vnni_simde(cpu_micro *m);
void cpu_micro_avx512bf16_simde(cpu_micro *m), cpu_micro_avx512fp16_simde(cpu_micro *m);
#endif

typedef void (*table_test)(const cpu_micro *m);

static void on_table(table_test test, const cpu_micro *m)
{
    print_message("           against the table \"%s\"\n", m->isa);
    test(m);
}

/* All that this CPU can run; the C table too: what it reads and writes, for the sanitizers. */
static void on_every_table(table_test test)
{
    for (int level = 0; cpu_micro_at(level); level++) on_table(test, cpu_micro_at(level));
#ifdef VKI_SIMDE /* AVX-512 in plain C, on any CPU; what one does not replace is tested with the one before  \
                  */
    void (*const more[])(cpu_micro *) = {cpu_micro_avx512_simde, cpu_micro_avx512vnni_simde,
                                         cpu_micro_avx512bf16_simde, cpu_micro_avx512fp16_simde};
    cpu_micro m = cpu_micro_c;
    for (size_t i = 0; i < VKB_COUNT(more); i++) {
        more[i](&m);
        if (i < 2 || test == half_tiles) on_table(test, &m);
    }
#endif
}

static void test_lines_are_tiles(void **state)
{
    (void)state;
    lines_are_tiles();
}

static void test_pixels_are_tiles(void **state)
{
    (void)state;
    pixels_are_tiles();
}

#define TABLE_TEST(name)                                                                                     \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        on_every_table(name);                                                                                \
    }
TABLE_TEST(gemm_tiles)
TABLE_TEST(line_tiles)
TABLE_TEST(pixel_tiles)
TABLE_TEST(splits)
TABLE_TEST(integer_tiles)
TABLE_TEST(byte_tiles)
TABLE_TEST(half_tiles)
TABLE_TEST(winograd_tiles)
TABLE_TEST(bytes)
TABLE_TEST(gathers)
TABLE_TEST(copies)
TABLE_TEST(taps)
TABLE_TEST(strips)
TABLE_TEST(pools)
TABLE_TEST(folds)
TABLE_TEST(karatsuba)
TABLE_TEST(rows_of_dots)
TABLE_TEST(sums_of_rows)
TABLE_TEST(recurrent_gates)
TABLE_TEST(row_panels)
TABLE_TEST(narrow_panels)
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
        {"sigmoid", map_sigmoid, exact_sigmoid, -80, 30, 4.5e-7},
        {"silu", map_silu, exact_silu, -80, 30, 4.5e-7},
        {"erf", map_erf, erf, -5, 5, 2.5e-7},
    };
    for (size_t i = 0; i < VKB_COUNT(all); i++)
        for (int level = 0; cpu_micro_at(level); level++) {
            const cpu_micro *m = cpu_micro_at(level);
            double error = worst(m, all[i].fn, all[i].exact, all[i].low, all[i].high);
            print_message("           %-8s %-5s relative error %.3g\n", all[i].name, m->isa, error);
            assert_true(error <= all[i].bound);
        }
}

/* Tables go from C to the best, which is what kernels get; where the test is told what this CPU has, it is
 * that one. */
static void the_best_table(void **state)
{
    (void)state;
    int tables = 0;
    while (cpu_micro_at(tables)) tables++;
    assert_true(tables > 0 && cpu_micro_at(0)->gemm == cpu_micro_c.gemm);
    for (int i = 1; i < tables; i++) assert_string_not_equal(cpu_micro_at(i)->isa, cpu_micro_at(i - 1)->isa);
    assert_ptr_equal(cpu_micro_get(), cpu_micro_at(tables - 1));
    const char *expected = getenv("VKI_TEST_TABLE");
    if (expected) assert_string_equal(cpu_micro_get()->isa, expected);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--bench")) return kernel_bench(argc > 2 ? argv[2] : "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm_tiles),
        cmocka_unit_test(test_integer_tiles),
        cmocka_unit_test(test_byte_tiles),
        cmocka_unit_test(test_half_tiles),
        cmocka_unit_test(test_winograd_tiles),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_taps),
        cmocka_unit_test(test_strips),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_karatsuba),
        cmocka_unit_test(test_row_panels),
        cmocka_unit_test(test_rows_of_dots),
        cmocka_unit_test(test_sums_of_rows),
        cmocka_unit_test(test_recurrent_gates),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(accuracy),
        cmocka_unit_test(the_best_table),
        cmocka_unit_test(test_narrow_panels),
        cmocka_unit_test(test_line_tiles),
        cmocka_unit_test(test_lines_are_tiles),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_pixel_tiles),
        cmocka_unit_test(test_pixels_are_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
