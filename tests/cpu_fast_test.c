/* SPDX-License-Identifier: Apache-2.0
 * The fast CPU kernels against the references, on random nodes: sizes around the vector and tile sizes,
 * strides, dilations, paddings, groups, batches and epilogues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/node_check.h"

/* Largest error allowed: of sums of k products of values below 1, in any order, over the result's size. */
static double sum_tolerance(int64_t k)
{
    double root = 1;
    while (root * root < (double)k) root += 1;
    return 6e-7 * root;
}

typedef struct conv_case {
    int64_t batch, in_c, out_c, h, w, kh, kw, sh, sw, dh, dw, group;
    int64_t pads[4];
} conv_case;

static void conv_attrs(gr_node *n, const conv_case *v)
{
    op_conv_attrs *a = n->attrs;
    a->group = v->group;
    a->strides = (op_ints){2, {v->sh, v->sw}};
    a->dilations = (op_ints){2, {v->dh, v->dw}};
    a->pads = (op_ints){4, {v->pads[0], v->pads[1], v->pads[2], v->pads[3]}};
}

/* Runs every kernel that takes it; their number, and the first one's name. `slack`: times the error of plain
 * sums. */
static int run_conv_within(const conv_case *v, uint64_t seed, bool bias, bool epilogue, double slack,
                           const char **best)
{
    node_check c;
    node_check_begin(&c, seed);
    node_check_input(&c, 4, (int64_t[]){v->batch, v->in_c, v->h, v->w}, false, -1, 1);
    node_check_input(&c, 4, (int64_t[]){v->out_c, v->in_c / v->group, v->kh, v->kw}, true, -1, 1);
    if (bias) node_check_input(&c, 1, &v->out_c, true, -1, 1);
    conv_attrs(node_check_node(&c, OP_Conv), v);
    const int kernels =
        node_check_run(&c, epilogue, slack * sum_tolerance(v->in_c / v->group * v->kh * v->kw));
    *best = c.best;
    return kernels;
}

static int run_conv(const conv_case *v, uint64_t seed, bool bias, bool epilogue)
{
    const char *best;
    return run_conv_within(v, seed, bias, epilogue, 1, &best);
}

static void random_convs(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        node_check r;
        node_check_begin(&r, seed + 1000);
#define PICK(low, high) node_check_random(&r, low, high)
        conv_case v = {.batch = PICK(1, 2),
                       .kh = PICK(1, 5),
                       .kw = PICK(1, 5),
                       .sh = PICK(1, 3),
                       .sw = PICK(1, 3),
                       .dh = PICK(1, 2),
                       .dw = PICK(1, 2),
                       .group = PICK(1, 3)};
        v.in_c = v.group * PICK(1, 9);
        v.out_c = v.group * PICK(1, 20);
        for (int i = 0; i < 4; i++) v.pads[i] = PICK(0, 3);
        v.h = (v.kh - 1) * v.dh + PICK(1, 20);
        v.w = (v.kw - 1) * v.dw + PICK(1, 40);
#undef PICK
        gr_free(&r.g);
        assert_true(run_conv(&v, seed, seed % 3 != 0, seed % 2) >= 1);
    }
}

/* Where Winograd's way pays: strips of one row of tiles and of all, tiles that reach beyond the image. In how
 * many cases of 20 it is taken. */
static int winograd_kernels(int64_t taps, int64_t least, int64_t most, int64_t channels)
{
    int kernels = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        node_check r;
        node_check_begin(&r, seed + 3000);
#define PICK(low, high) node_check_random(&r, low, high)
        conv_case v = {1, 0,          0,  PICK(least, most), PICK(least, most), taps, taps, 1, 1, 1,
                       1, PICK(1, 2), {0}};
        v.batch = PICK(1, 2);
        v.in_c = v.group * PICK(channels, channels + 24);
        v.out_c = v.group * PICK(channels, channels + 24);
        for (int i = 0; i < 4; i++) v.pads[i] = PICK(0, 3);
#undef PICK
        gr_free(&r.g);
        const char *best;
        run_conv_within(&v, seed, seed % 3 != 0, seed % 2, 8, &best);
        kernels += best && !strcmp(best, "conv2d_winograd");
    }
    return kernels;
}

static void random_winograds(void **state)
{
    (void)state;
    const int leans = node_check_leans;
    assert_in_range(winograd_kernels(3, 9, 30, 16), 14, 20);
    assert_in_range(winograd_kernels(3, 5, 8, 64), 14, 20); /* by the smaller tiles, mostly */
    assert_in_range(winograd_kernels(5, 9, 24, 16), 14, 20);
    assert_true(node_check_leans - leans >= 40);
}

/* Layers of real networks: blocks of k, several panels, pointwise with few and many rows. */
static void real_convs(void **state)
{
    (void)state;
    static const conv_case cases[] = {
        {1, 3, 32, 33, 33, 3, 3, 2, 2, 1, 1, 1, {0, 0, 1, 1}},
        {1, 3, 64, 45, 45, 7, 7, 2, 2, 1, 1, 1, {3, 3, 3, 3}},
        {1, 24, 24, 20, 32, 1, 3, 1, 1, 1, 1, 1, {0, 0, 0, 0}}, /* along lines: few lost, or none */
        {1, 48, 48, 17, 16, 3, 1, 1, 1, 1, 1, 1, {1, 0, 1, 0}},
        {1, 300, 70, 9, 9, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {2, 96, 24, 14, 14, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {1, 64, 100, 15, 13, 1, 1, 2, 2, 1, 1, 1, {0, 0, 0, 0}},
        {1, 64, 64, 7, 7, 3, 3, 1, 1, 1, 1, 1, {1, 1, 1, 1}},
        {1, 64, 64, 14, 14, 3, 3, 1, 1, 1, 1, 1, {1, 1, 1, 1}},
        {1, 300, 40, 9, 9, 3, 3, 1, 1, 1, 1, 1, {1, 1, 1, 1}}, /* two parts of fresh filters */
        {1, 40, 48, 24, 24, 3, 3, 1, 1, 6, 6, 1, {6, 6, 6, 6}},
        {1, 64, 64, 12, 12, 3, 3, 1, 1, 1, 1, 32, {1, 1, 1, 1}},
        {1, 30, 60, 12, 12, 1, 1, 1, 1, 1, 1, 3, {0, 0, 0, 0}},
        {1, 32, 32, 56, 57, 3, 3, 1, 1, 1, 1, 32, {1, 1, 1, 1}},
        {2, 19, 19, 33, 40, 3, 3, 2, 2, 1, 1, 19, {0, 0, 1, 1}},
        {1, 40, 40, 14, 14, 5, 5, 2, 2, 1, 1, 40, {2, 2, 2, 2}},
        {1, 40, 40, 7, 7, 5, 5, 1, 1, 1, 1, 40, {2, 2, 2, 2}},
        {1, 6, 18, 9, 30, 3, 2, 1, 3, 2, 4, 6, {1, 2, 3, 0}},
        {3, 16, 32, 1, 50, 1, 5, 1, 2, 1, 1, 1, {0, 2, 0, 2}},
        {1, 32, 3, 40, 40, 9, 9, 1, 1, 1, 1, 1, {4, 4, 4, 4}},
        {2, 24, 24, 30, 29, 3, 3, 1, 1, 1, 1, 6, {1, 1, 1, 1}},
        {1, 8, 8, 5, 5, 5, 5, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {2, 20, 40, 5, 4, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {1, 140, 46, 40, 23, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {1, 40, 46, 40, 23, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {2, 40, 50, 32, 64, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}}, /* columns are copied */
        {1, 200, 70, 20, 20, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {1, 700, 56, 14, 14, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}}, /* more than the second level keeps */
        {2, 34, 22, 23, 23, 1, 1, 1, 1, 1, 1, 2, {0, 0, 0, 0}},
        {3, 50, 21, 1, 1, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < VKB_COUNT(cases); i++)
        for (int epilogue = 0; epilogue < 3; epilogue++)
            assert_true(run_conv(&cases[i], i * 10 + (uint64_t)epilogue, true, epilogue > 0) >= 1);
}

static void random_depthwise(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        node_check r;
        node_check_begin(&r, seed + 5000);
#define PICK(low, high) node_check_random(&r, low, high)
        conv_case v = {.batch = PICK(1, 2),
                       .kh = PICK(1, 5),
                       .kw = PICK(1, 7),
                       .sh = PICK(1, 3),
                       .sw = PICK(1, 4),
                       .dh = PICK(1, 3),
                       .dw = PICK(1, 3),
                       .in_c = PICK(2, 6)};
        v.group = v.in_c;
        v.out_c = v.in_c * PICK(1, 2);
        for (int i = 0; i < 4; i++) v.pads[i] = PICK(0, 4);
        v.h = (v.kh - 1) * v.dh + PICK(1, 50);
        v.w = (v.kw - 1) * v.dw + PICK(1, 130);
#undef PICK
        gr_free(&r.g);
        assert_true(run_conv(&v, seed, seed % 3 != 0, seed % 2) >= 2);
    }
}

static void random_deconvs(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        node_check c;
        node_check_begin(&c, seed);
#define PICK(low, high) node_check_random(&c, low, high)
        int64_t group = PICK(1, 2), in = group * PICK(1, 20), out = PICK(1, 14), kh = PICK(1, 5),
                kw = PICK(1, 5);
        node_check_input(&c, 4, (int64_t[]){PICK(1, 2), in, PICK(3, 9), PICK(3, 20)}, false, -1, 1);
        node_check_input(&c, 4, (int64_t[]){in, out, kh, kw}, true, -1, 1);
        if (PICK(0, 1)) node_check_input(&c, 1, (int64_t[]){out * group}, true, -1, 1);
        op_conv_attrs *a = node_check_node(&c, OP_ConvTranspose)->attrs;
        a->group = group;
        a->strides = (op_ints){2, {PICK(1, 3), PICK(1, 3)}};
        a->pads = (op_ints){4, {PICK(0, kh - 1), PICK(0, kw - 1), PICK(0, 1), PICK(0, 1)}};
        a->output_padding = (op_ints){2, {PICK(0, a->strides.v[0] - 1), PICK(0, a->strides.v[1] - 1)}};
#undef PICK
        const int kernels = node_check_run(&c, seed % 2, sum_tolerance(in / group * kh * kw));
        assert_true(kernels == 1 || (kernels == 2 && group == 1));
        assert_true(kernels == 2 || group > 1 || out > 4); /* few filters are scattered */
    }
}

/* Stride 2 by Karatsuba's products where they pay: outputs of all rests, strips, groups, padding that no tile
 * and that whole tiles lie in. */
static void random_strided(void **state)
{
    (void)state;
    int taken = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        node_check c;
        node_check_begin(&c, seed + 9000);
#define PICK(low, high) node_check_random(&c, low, high)
        const bool large = seed % 4 == 0;
        const int64_t group = PICK(1, 2), in = PICK(30, 60), out = PICK(40, large ? 60 : 90);
        const int64_t least = large ? 40 : 15;
        node_check_input(&c, 4,
                         (int64_t[]){PICK(1, 2), group * in, PICK(least, large ? 60 : 30), PICK(least, 40)},
                         false, -1, 1);
        node_check_input(&c, 4, (int64_t[]){group * out, in, 3, 3}, true, -1, 1);
        if (PICK(0, 1)) node_check_input(&c, 1, (int64_t[]){out * group}, true, -1, 1);
        op_conv_attrs *a = node_check_node(&c, OP_Conv)->attrs;
        a->group = group;
        a->strides = (op_ints){2, {2, 2}};
        a->pads = (op_ints){4, {PICK(0, 2), PICK(0, 6), PICK(0, 6), PICK(0, 2)}};
#undef PICK
        node_check_run(&c, seed % 2, 2 * sum_tolerance(9 * in));
        taken += !strcmp(c.best, "conv2d_karatsuba");
    }
    assert_in_range(taken, 20, 40); /* the others are too small, or their last tiles too empty */
}

/* By Karatsuba's products where they pay: rows and columns of all rests, strips, phases of one tap, groups,
 * outputs that the input does not reach. */
static void random_upsampling(void **state)
{
    (void)state;
    int kernels = 0;
    for (uint64_t seed = 0; seed < 24; seed++) {
        node_check c;
        node_check_begin(&c, seed + 7000);
#define PICK(low, high) node_check_random(&c, low, high)
        const bool large = seed % 8 == 0;
        const int64_t group = large ? 1 : PICK(1, 2), in = group * PICK(16, 32),
                      out = PICK(large ? 28 : 16, 32);
        const int64_t kh = PICK(0, 3) ? 4 : 3, kw = PICK(0, 3) ? 4 : 3, least = large ? 30 : 5;
        node_check_input(&c, 4, (int64_t[]){PICK(1, 2), in, PICK(least, least + 8), PICK(least, least + 12)},
                         false, -1, 1);
        node_check_input(&c, 4, (int64_t[]){in, out, kh, kw}, true, -1, 1);
        if (PICK(0, 1)) node_check_input(&c, 1, (int64_t[]){out * group}, true, -1, 1);
        op_conv_attrs *a = node_check_node(&c, OP_ConvTranspose)->attrs;
        a->group = group;
        a->strides = (op_ints){2, {2, 2}};
        a->pads = (op_ints){4, {PICK(0, 3), PICK(0, 5), PICK(0, 2), PICK(0, 2)}};
        a->output_padding = (op_ints){2, {PICK(0, 1), PICK(0, 1)}};
#undef PICK
        kernels += node_check_run(&c, seed % 2, 2 * sum_tolerance(in / group * kh * kw));
    }
    assert_in_range(kernels, 32, 48); /* half of them, beside the phases that all take */
}

static void random_pools(void **state)
{
    (void)state;
    static const op_kind kinds[] = {OP_MaxPool, OP_AveragePool, OP_GlobalMaxPool, OP_GlobalAveragePool};
    for (uint64_t seed = 0; seed < 200; seed++) {
        node_check c;
        node_check_begin(&c, seed);
#define PICK(low, high) node_check_random(&c, low, high)
        int64_t kh = PICK(1, 5), kw = PICK(1, 5),
                dims[] = {PICK(1, 2), PICK(1, 5), kh + PICK(0, 30), kw + PICK(0, 70)};
        node_check_input(&c, 4, dims, false, -1, 1);
        gr_node *n = node_check_node(&c, kinds[seed % 4]);
        if (seed % 4 < 2) {
            op_pool_attrs *a = n->attrs;
            a->kernel_shape = (op_ints){2, {kh, kw}};
            a->strides = (op_ints){2, {PICK(1, 3), PICK(1, 4)}};
            a->pads = (op_ints){4, {PICK(0, kh - 1), PICK(0, kw - 1), PICK(0, kh - 1), PICK(0, kw - 1)}};
            a->ceil_mode = PICK(0, 1);
            a->count_include_pad = PICK(0, 1);
        }
#undef PICK
        assert_int_equal(node_check_run(&c, false, 1e-6), 1);
    }
}

static void random_gemms(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        node_check c;
        node_check_begin(&c, seed);
#define PICK(low, high) node_check_random(&c, low, high)
        bool ta = PICK(0, 1), tb = PICK(0, 1), constant = PICK(0, 1);
        int64_t m = PICK(0, 2) ? PICK(1, 40) : 1, n = PICK(1, 70),
                k = PICK(0, 3) ? PICK(1, 60) : PICK(250, 600);
        node_check_input(&c, 2, (int64_t[]){ta ? k : m, ta ? m : k}, false, -1, 1);
        node_check_input(&c, 2, (int64_t[]){tb ? n : k, tb ? k : n}, constant, -1, 1);
        const int64_t biases[][2] = {{n, 0}, {1, n}, {m, 1}};
        int64_t which = PICK(0, 3);
        if (which < 3) node_check_input(&c, which ? 2 : 1, biases[which], true, -1, 1);
        op_gemm_attrs *a = node_check_node(&c, OP_Gemm)->attrs;
        *a = (op_gemm_attrs){.alpha = PICK(0, 1) ? 1.0f : 0.5f, .beta = 1, .transA = ta, .transB = tb};
#undef PICK
        const int kernels = m == 1 && tb && k > 1 ? 2 : 1; /* a single row has one more */
        assert_int_equal(node_check_run(&c, seed % 2, sum_tolerance(k)), kernels);
    }
}

/* A row that a ReLU made, by large matrices either way round; what `special` is, the matrix has an element
 * of, and so has the row, or all of it is zero. */
static void check_nonzero(uint64_t seed, float special)
{
    node_check c;
    node_check_begin(&c, seed);
    const bool turned = seed % 2;
    const int64_t k = node_check_random(&c, 500, 700), n = node_check_random(&c, 2100, 4100);
    node_check_input(&c, 2, (int64_t[]){1, k}, false, -1, 1);
    node_check_input(&c, 2, turned ? (int64_t[]){n, k} : (int64_t[]){k, n}, true, -1, 1);
    if (seed % 3) node_check_input(&c, (int)(seed % 3), seed % 3 == 1 ? &n : (int64_t[]){1, 1}, true, -1, 1);
    for (int64_t i = 0; i < k; i++) c.data[0][i] = special == 0 ? 0 : fmaxf(c.data[0][i], 0);
    if (special != 0) c.data[1][node_check_random(&c, 0, k * n - 1)] = special;
    if (!isfinite(special)) c.data[0][k / 2] = special;
    op_gemm_attrs *a = node_check_node(&c, OP_Gemm)->attrs;
    *a = (op_gemm_attrs){.alpha = seed % 4 ? 1.0f : 0.5f, .beta = 1, .transB = turned};
    const gr_id before = gr_add_tensor(&c.g, NULL, VKI_F32, 2, (int64_t[]){1, k});
    assert_non_null(gr_add_node(&c.g, OP_Relu, "relu", 1, &before, 1, &c.in[0]));
    assert_int_equal(node_check_run(&c, seed % 2, sum_tolerance(k)), turned ? 3 : 2);
}

static void rows_with_zeros(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) check_nonzero(seed, 0.5f);
    check_nonzero(10, 0);
    check_nonzero(12, INFINITY); /* an infinity that a zero makes NaN */
    check_nonzero(13, NAN);
}

static void random_matmuls(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        node_check c;
        node_check_begin(&c, seed);
#define PICK(low, high) node_check_random(&c, low, high)
        int64_t m = PICK(1, 30), n = PICK(1, 40), k = PICK(1, 50), outer = PICK(1, 3), inner = PICK(1, 3);
        const int64_t a[][4] = {{m, k}, {outer, inner, m, k}, {inner, m, k}, {1, inner, m, k}, {k}};
        const int64_t b[][4] = {{k, n}, {outer, inner, k, n}, {outer, 1, k, n}, {k}};
        static const int a_rank[] = {2, 4, 3, 4, 1}, b_rank[] = {2, 4, 4, 1};
        int64_t ia = PICK(0, 4), ib = PICK(0, 3);
        node_check_input(&c, a_rank[ia], a[ia], false, -1, 1);
        node_check_input(&c, b_rank[ib], b[ib], PICK(0, 1), -1, 1);
        node_check_node(&c, OP_MatMul);
#undef PICK
        assert_int_equal(node_check_run(&c, seed % 2, sum_tolerance(k)), 1);
    }
}

static void every_unary(void **state)
{
    (void)state;
    for (int op = OP_Relu; op <= OP_Cos; op++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            node_check c;
            node_check_begin(&c, seed);
            bool positive = op == OP_Log || op == OP_Sqrt || op == OP_Reciprocal;
            int64_t n = seed < 3 ? node_check_random(&c, 1, 100) : 40000;
            node_check_input(&c, 1, &n, false, positive ? 0.1f : -8, 8);
            node_check_node(&c, (op_kind)op);
            assert_int_equal(node_check_run(&c, false, 3e-7), 1);
        }
}

static void random_binaries(void **state)
{
    (void)state;
    static const op_kind kinds[] = {OP_Add, OP_Sub, OP_Mul, OP_Div, OP_Pow, OP_Max, OP_Min, OP_PRelu};
    for (uint64_t seed = 0; seed < 300; seed++) {
        node_check c;
        node_check_begin(&c, seed);
        const op_kind op = kinds[seed % VKB_COUNT(kinds)];
        const bool positive = op == OP_Pow || op == OP_Div;
        int64_t y[4];
        for (int d = 0; d < 4; d++) y[d] = node_check_random(&c, 1, d == 3 ? 40 : 6);
        const int inputs = op == OP_Max || op == OP_Min ? (int)node_check_random(&c, 2, 4) : 2;
        for (int i = 0; i < inputs; i++) {
            int64_t dims[4];
            int rank = op == OP_PRelu && i == 0 ? 4 : (int)node_check_random(&c, 0, 4);
            for (int d = 0; d < rank; d++) {
                bool whole = (op == OP_PRelu && i == 0) || node_check_random(&c, 0, 2);
                dims[d] = whole ? y[4 - rank + d] : 1;
            }
            node_check_input(&c, rank, dims, node_check_random(&c, 0, 1), positive ? 0.3f : -2, 2);
        }
        node_check_node(&c, op);
        assert_int_equal(node_check_run(&c, op != OP_Pow && seed % 2, 1e-6), 1);
    }
}

static void random_norms(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        node_check c;
        node_check_begin(&c, seed);
        int64_t dims[4];
        for (int d = 0; d < 4; d++) dims[d] = node_check_random(&c, d < 2 ? 1 : 2, d == 3 ? 70 : 8);
        const op_kind op = (op_kind)(OP_BatchNormalization + (int)(seed % 3));
        const int64_t axis = node_check_random(&c, 1, 3);
        node_check_input(&c, 4, dims, false, -1, 3);
        for (int i = 0; i < (op == OP_BatchNormalization ? 4 : 2); i++) {
            if (op == OP_LayerNormalization)
                node_check_input(&c, (int)(4 - axis), dims + axis, true, 0.2f, 1);
            else
                node_check_input(&c, 1, &dims[1], true, 0.2f, 1);
        }
        op_norm_attrs *a = node_check_node(&c, op)->attrs;
        a->axis = axis;
        assert_int_equal(node_check_run(&c, op != OP_LayerNormalization && seed % 2, 5e-6), 1);
    }
}

static void random_softmaxes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        node_check c;
        node_check_begin(&c, seed);
        int64_t dims[3];
        for (int d = 0; d < 3; d++) dims[d] = node_check_random(&c, 1, seed % 5 ? 40 : 700 / (d + 1));
        if (seed % 5 == 0) dims[0] = 2;
        node_check_input(&c, 3, dims, false, -20, 20);
        op_axis_attrs *a = node_check_node(&c, seed % 2 ? OP_Softmax : OP_LogSoftmax)->attrs;
        a->axis = node_check_random(&c, -3, 2);
        assert_int_equal(node_check_run(&c, false, 1e-6), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_convs),      cmocka_unit_test(random_winograds),
        cmocka_unit_test(real_convs),        cmocka_unit_test(random_depthwise),
        cmocka_unit_test(random_strided),    cmocka_unit_test(random_deconvs),
        cmocka_unit_test(random_upsampling), cmocka_unit_test(random_pools),
        cmocka_unit_test(random_gemms),      cmocka_unit_test(rows_with_zeros),
        cmocka_unit_test(random_matmuls),    cmocka_unit_test(every_unary),
        cmocka_unit_test(random_binaries),   cmocka_unit_test(random_norms),
        cmocka_unit_test(random_softmaxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
