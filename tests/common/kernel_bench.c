/* SPDX-License-Identifier: Apache-2.0
 * Speed of every entry of every table this CPU can run: nanoseconds a call, on sizes as networks have them
 * with operands in the first-level cache, and the ratio to the C table. Rounds of the tables take turns, and
 * the best of each counts, so that other load on the machine changes little. */
#include "common/kernel_checks.h"

enum { LENGTH = 1024, DEPTH = 256, IMAGE = 64, MOST_TABLES = 8, TURNS = 30 };
#define TURN_MS 0.3

static float x[16 * DEPTH], y[16 * LENGTH], z[16 * DEPTH], ones[LENGTH];
static int32_t sums[LENGTH], ramp[LENGTH];
static uint8_t bytes[4][LENGTH];
static uint16_t halves[16 * DEPTH];
static int8_t narrow[16 * DEPTH];
static const gr_epilogue silu = {.act = GR_ACT_SILU};
static volatile float sink; /* of what reductions give */

static cpu_tile tile_of(const cpu_micro *m)
{
    return (cpu_tile){.a = x,
                      .b = z,
                      .k = DEPTH,
                      .b_stride = CPU_NR,
                      .c = y,
                      .c_stride = CPU_NR,
                      .rows = m->mr,
                      .cols = CPU_NR,
                      .form.b_unsigned = m->dot == CPU_DOT_MIXED};
}

/* 16 channels to as many as a panel has, along a row of 112 pixels. */
static void run_line(const cpu_micro *m)
{
    cpu_tile t = tile_of(m);
    t.k = 16;
    t.cols = 112;
    t.c_stride = t.b_stride = 112;
    m->gemm_line(&t);
}

/* 64 channels of 28 pixels to a panel. */
static void run_panel(const cpu_micro *m)
{
    const cpu_pixels t = {.x = x,
                          .w = z,
                          .k = 64,
                          .x_step = 28,
                          .pixels = 28,
                          .width = CPU_NR,
                          .start = ones,
                          .y = y,
                          .offset = ramp,
                          .low = -INFINITY,
                          .high = INFINITY};
    m->pixels(&t);
}

static cpu_taps taps_of(void)
{
    static const int32_t offset[9] = {0, 1, 2, 70, 71, 72, 140, 141, 142};
    return (cpu_taps){.y = y,
                      .x = x,
                      .y_row = IMAGE,
                      .x_row = 70,
                      .rows = 4,
                      .cols = IMAGE,
                      .weight = ones,
                      .offset = offset,
                      .count = 9,
                      .low = -INFINITY,
                      .high = INFINITY};
}

/* A 3x3 kernel of stride 1 on four planes, padded by one. */
static void run_depthwise(const cpu_micro *m)
{
    enum { SIDE = 28, PLANE = SIDE * SIDE };
    const cpu_depthwise d = {.y = y,
                             .x = x,
                             .weight = ones,
                             .planes = 4,
                             .x_plane = PLANE,
                             .y_plane = PLANE,
                             .in_h = SIDE,
                             .in_w = SIDE,
                             .out_h = SIDE,
                             .out_w = SIDE,
                             .rows = SIDE,
                             .pad_top = 1,
                             .pad_left = 1,
                             .dilation = 1,
                             .size = 3,
                             .stride = 1,
                             .low = -INFINITY,
                             .high = INFINITY};
    m->depthwise(&d);
}

#define ENTRY(name, call)                                                                                    \
    static void run_##name(const cpu_micro *m)                                                               \
    {                                                                                                        \
        call;                                                                                                \
    }
#define TILE_ENTRY(name)                                                                                     \
    static void run_##name(const cpu_micro *m)                                                               \
    {                                                                                                        \
        const cpu_tile t = tile_of(m);                                                                       \
        m->name(&t);                                                                                         \
    }
#define TAPS_ENTRY(name)                                                                                     \
    static void run_##name(const cpu_micro *m)                                                               \
    {                                                                                                        \
        const cpu_taps t = taps_of();                                                                        \
        m->name(&t);                                                                                         \
    }
static const cpu_bytes form = {0x80, 117};
static const float scale = 0.01f;
static const uint8_t *const quad[4] = {bytes[0], bytes[1], bytes[2], bytes[3]};
static const float *const lines[6] = {x, x + 100, x + 200, x + 300, x + 400, x + 500};
static cpu_lanes lanes;

TILE_ENTRY(gemm)
ENTRY(gemm_line, run_line(m))
ENTRY(pixels, run_panel(m))
TILE_ENTRY(gemm_i16)
TILE_ENTRY(gemm_i8)
ENTRY(quad_bytes, m->quad_bytes(sums, quad, LENGTH, 0x80))
ENTRY(pair_bytes, m->pair_bytes(sums, bytes[0], bytes[1], LENGTH, form))
ENTRY(requantize, m->requantize(bytes[3], ramp, LENGTH, &scale, 0, form))
ENTRY(quantize, m->quantize(bytes[3], x, LENGTH, scale, form))
ENTRY(dequantize, m->dequantize(y, bytes[0], LENGTH, scale, form))
ENTRY(gather, m->gather(y, CPU_NR, x, 30, 64, &lanes))
ENTRY(split_pairs, m->split_pairs(y, y + LENGTH / 2, x, LENGTH / 2))
ENTRY(copy_rows, m->copy_rows(y, 60, x, 57, 16, 55))
ENTRY(transpose, m->transpose(y, 60, x, 16, 16, 55))
static void run_pool(const cpu_micro *m)
{
    const cpu_pool p = {y, x, 1, 0, 0, 28, 28, 28, 28, 0, 28, 1, 1, 3, 1, true, 0};
    m->pool(&p);
}
/* 16x16 pixels by 4x4 taps to 32x32. */
static void run_fold(const cpu_micro *m)
{
    const cpu_fold f = {y, x, 16, 16, 32, 0, 32, 4, 4, 2, 2, 1, 1, 1, 1, 0.5f};
    m->fold(&f);
}

static void run_karatsuba_in(const cpu_micro *m)
{
    const cpu_karatsuba_in k = {.v = y,
                                .narrow = y,
                                .v_step = 48,
                                .panel_step = 16,
                                .whole = 48,
                                .top = x,
                                .bottom = x + 96,
                                .n = 96};
    m->karatsuba_in(&k);
}

static void run_karatsuba_out(const cpu_micro *m)
{
    static int64_t product[4][9];
    for (int i = 0; i < 36 && !product[3][8]; i++) product[i / 9][i % 9] = 16 * i;
    const cpu_karatsuba k = {
        .y = y, .y_row = 96, .own = x, .above = x, .product = product, .n = 16, .bias = 0.5f};
    m->karatsuba_out(&k);
}

static void run_karatsuba_conv_in(const cpu_micro *m)
{
    static const int32_t offset[8] = {0, 4, 8, 12, 16, 20, 24, 28};
    int64_t place[25];
    for (int i = 0; i < 25; i++) place[i] = 16 * i;
    m->karatsuba_conv_in(y, place, x, 33, offset);
}
ENTRY(karatsuba_conv_out, m->karatsuba_conv_out(y, 64, x, 32, 32, 0.5f))
ENTRY(join_pairs, m->join_pairs(y, x, z, LENGTH))
TAPS_ENTRY(taps_sum)
TAPS_ENTRY(taps_max)
ENTRY(dots, m->dots(y, x, z, DEPTH, DEPTH, 8))
ENTRY(row_panel, m->row_panel(y, x, z, DEPTH, CPU_NR))
ENTRY(row_panel_f16, m->row_panel_f16(y, x, halves, z, DEPTH, CPU_NR))
ENTRY(row_panel_i8, m->row_panel_i8(y, x, narrow, z, DEPTH, CPU_NR))
ENTRY(to_f16, m->to_f16(halves, x, LENGTH))
ENTRY(lstm_gates, m->lstm_gates(y, z, x, LENGTH / 4))
ENTRY(gru_gates, m->gru_gates(y, x, z, LENGTH / 4))
#define WINOGRAD_INPUT_ENTRIES(size, kind)                                                                   \
    ENTRY(winograd_rows_##size, m->winograd[kind].rows(y, 64, lines, 58))                                    \
    ENTRY(winograd_in_##size, m->winograd[kind].in(y, y + (size - 1) * 16, 16, x, 64, ramp, size))
#define WINOGRAD_ENTRIES(form)                                                                               \
    ENTRY(winograd_out_##form, m->winograd[CPU_F##form].out(y, 64, ramp, x, x + 16, 16, 0.5f))               \
    ENTRY(winograd_filters_##form, m->winograd[CPU_F##form].filters(y, 48, x, 40, 1))
WINOGRAD_INPUT_ENTRIES(4, CPU_F2_3)
WINOGRAD_INPUT_ENTRIES(6, CPU_F4_3)
WINOGRAD_ENTRIES(2_3)
WINOGRAD_ENTRIES(4_3)
WINOGRAD_ENTRIES(2_5)
ENTRY(epilogue, m->epilogue(y, x, NULL, LENGTH, &silu))
ENTRY(unary, m->unary(y, x, LENGTH, CPU_ERF, 0))
ENTRY(binary, m->binary(y, x, 1, z, 1, LENGTH, CPU_ADD))
ENTRY(scale_shift, m->scale_shift(y, x, LENGTH, 0.5f, 1))
ENTRY(scale_rows, m->scale_rows(y, x, ones, LENGTH / CPU_NR, CPU_NR))
ENTRY(normalize, m->normalize(y, x, LENGTH, 0.5f, 1, z, z))
ENTRY(sum, sink = m->sum(x, LENGTH))
ENTRY(sum_sq, sink = m->sum_sq(x, LENGTH, 0.5f))
ENTRY(max, sink = m->max(x, LENGTH))
ENTRY(exp_sum, sink = m->exp_sum(y, x, LENGTH, 1))

static const struct {
    const char *name;
    void (*run)(const cpu_micro *m);
} entries[] = {
#define RUN(name)                                                                                            \
    {                                                                                                        \
#name, run_##name                                                                                    \
    }
    RUN(gemm),
    RUN(gemm_line),
    RUN(pixels),
    RUN(gemm_i16),
    RUN(gemm_i8),
    RUN(quad_bytes),
    RUN(pair_bytes),
    RUN(requantize),
    RUN(quantize),
    RUN(dequantize),
    RUN(gather),
    RUN(split_pairs),
    RUN(copy_rows),
    RUN(transpose),
    RUN(depthwise),
    RUN(pool),
    RUN(fold),
    RUN(karatsuba_in),
    RUN(karatsuba_out),
    RUN(karatsuba_conv_in),
    RUN(karatsuba_conv_out),
    RUN(join_pairs),
    RUN(taps_sum),
    RUN(taps_max),
    RUN(row_panel),
    RUN(dots),
    RUN(winograd_rows_4),
    RUN(winograd_in_4),
    RUN(winograd_rows_6),
    RUN(winograd_in_6),
    RUN(winograd_out_2_3),
    RUN(winograd_filters_2_3),
    RUN(winograd_out_4_3),
    RUN(winograd_filters_4_3),
    RUN(winograd_out_2_5),
    RUN(winograd_filters_2_5),
    RUN(lstm_gates),
    RUN(gru_gates),
    RUN(epilogue),
    RUN(unary),
    RUN(binary),
    RUN(scale_shift),
    RUN(scale_rows),
    RUN(normalize),
    RUN(sum),
    RUN(sum_sq),
    RUN(max),
    RUN(exp_sum),
    RUN(row_panel_f16),
    RUN(row_panel_i8),
    RUN(to_f16),
};

static void fill(void)
{
    for (int i = 0; i < 16 * DEPTH; i++)
        x[i] = (float)(i % 97) * 0.01f - 0.5f, z[i] = (float)(i % 89) * 0.01f;
    for (int i = 0; i < LENGTH; i++) {
        ones[i] = 1;
        ramp[i] = 4 * i;
        for (int j = 0; j < 4; j++) bytes[j][i] = (uint8_t)(i * 7 + j);
    }
    for (int j = 0; j < 8; j++) lanes.offset[j] = (j + 1) * 2, lanes.mask[j] = -1;
}

/* Nanoseconds a call over one turn. */
static double turn(void (*run)(const cpu_micro *m), const cpu_micro *m)
{
    int64_t calls = 0;
    const double start = vkb_now_ms();
    double now;
    do {
        for (int i = 0; i < 20; i++) run(m);
        calls += 20;
        now = vkb_now_ms();
    } while (now - start < TURN_MS);
    return 1e6 * (now - start) / (double)calls;
}

int kernel_bench(const char *filter)
{
    int tables = 0;
    fill();
    printf("%-14s", "ns (x C)");
    for (; tables < MOST_TABLES && cpu_micro_at(tables); tables++) printf(" %19s", cpu_micro_at(tables)->isa);
    printf("\n");
    for (size_t i = 0; i < VKB_COUNT(entries); i++) {
        if (!strstr(entries[i].name, filter)) continue;
        double best[MOST_TABLES];
        for (int t = 0; t < tables; t++) best[t] = INFINITY;
        for (int round = 0; round < TURNS; round++)
            for (int t = 0; t < tables; t++) best[t] = fmin(best[t], turn(entries[i].run, cpu_micro_at(t)));
        printf("%-14s", entries[i].name);
        for (int t = 0; t < tables; t++) { /* a tile of more rows does more: a row of it counts */
            const bool tile = !strncmp(entries[i].name, "gemm", 4);
            const double height = tile ? cpu_micro_at(t)->mr : 1, height_c = tile ? c_table->mr : 1;
            printf(" %10.1f (%5.2f)", best[t], best[0] / height_c / (best[t] / height));
        }
        printf("\n");
    }
    const size_t all = (sizeof(cpu_micro) - offsetof(cpu_micro, gemm)) / sizeof(void (*)(void));
    if (all == VKB_COUNT(entries)) return 0;
    printf("%d entries are not timed yet: tests/common/kernel_bench.c\n", (int)all - (int)VKB_COUNT(entries));
    return 1;
}
