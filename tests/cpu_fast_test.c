/* SPDX-License-Identifier: Apache-2.0
 * The fast CPU kernels against the references, on random nodes: sizes around the vector and tile sizes,
 * strides, dilations, paddings, groups, batches and epilogues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

static int run_conv(const conv_case *v, uint64_t seed, bool bias, bool epilogue)
{
    node_check c;
    node_check_begin(&c, seed);
    node_check_input(&c, 4, (int64_t[]){v->batch, v->in_c, v->h, v->w}, false, -1, 1);
    node_check_input(&c, 4, (int64_t[]){v->out_c, v->in_c / v->group, v->kh, v->kw}, true, -1, 1);
    if (bias) node_check_input(&c, 1, &v->out_c, true, -1, 1);
    conv_attrs(node_check_node(&c, OP_Conv), v);
    return node_check_run(&c, epilogue, sum_tolerance(v->in_c / v->group * v->kh * v->kw));
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

/* Layers of real networks: blocks of k, several panels, pointwise with few and many rows. */
static void real_convs(void **state)
{
    (void)state;
    static const conv_case cases[] = {
        {1, 3, 32, 33, 33, 3, 3, 2, 2, 1, 1, 1, {0, 0, 1, 1}},
        {1, 3, 64, 45, 45, 7, 7, 2, 2, 1, 1, 1, {3, 3, 3, 3}},
        {1, 300, 70, 9, 9, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {2, 96, 24, 14, 14, 1, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
        {1, 64, 100, 15, 13, 1, 1, 2, 2, 1, 1, 1, {0, 0, 0, 0}},
        {1, 64, 64, 7, 7, 3, 3, 1, 1, 1, 1, 1, {1, 1, 1, 1}},
        {1, 64, 64, 14, 14, 3, 3, 1, 1, 1, 1, 1, {1, 1, 1, 1}},
        {1, 40, 48, 24, 24, 3, 3, 1, 1, 6, 6, 1, {6, 6, 6, 6}},
        {1, 64, 64, 12, 12, 3, 3, 1, 1, 1, 1, 32, {1, 1, 1, 1}},
        {1, 30, 60, 12, 12, 1, 1, 1, 1, 1, 1, 3, {0, 0, 0, 0}},
        {3, 16, 32, 1, 50, 1, 5, 1, 2, 1, 1, 1, {0, 2, 0, 2}},
        {1, 8, 8, 5, 5, 5, 5, 1, 1, 1, 1, 1, {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < VKB_COUNT(cases); i++)
        for (int epilogue = 0; epilogue < 3; epilogue++)
            assert_true(run_conv(&cases[i], i * 10 + (uint64_t)epilogue, true, epilogue > 0) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_convs),
        cmocka_unit_test(real_convs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
