/* SPDX-License-Identifier: Apache-2.0
 * Transposes that meet through other nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"

static const int64_t to_last[4] = {0, 2, 3, 1}, to_first[4] = {0, 3, 1, 2};

static gr_id turn(gr_graph *g, gr_id x, const int64_t *perm)
{
    gr_id y = net_unary(g, OP_Transpose, x);
    net_set_ints(&((op_transpose_attrs *)net_last(g)->attrs)->perm, 4, perm);
    return y;
}

static gr_id ints(gr_graph *g, int64_t a)
{
    return net_ints(g, 1, &a);
}

static gr_id concat(gr_graph *g, gr_id a, gr_id b, int64_t axis)
{
    gr_id y = net_binary(g, OP_Concat, a, b);
    ((op_axis_attrs *)net_last(g)->attrs)->axis = axis;
    return y;
}

static gr_id resize(gr_graph *g, gr_id x)
{
    static const float scales[4] = {1, 2, 1.5f, 1};
    const int64_t four = 4;
    return net_node(g, OP_Resize, IN(x, GR_NONE, gr_add_const(g, NULL, VKI_F32, 1, &four, scales, true)));
}

static gr_id softmax(gr_graph *g, gr_id x, int64_t axis)
{
    gr_id y = net_unary(g, OP_Softmax, x);
    ((op_axis_attrs *)net_last(g)->attrs)->axis = axis;
    return y;
}

enum { STEPS = 15 };
/* One operator on x, of [2, 4, 6, 8] in channels last. */
static gr_id step(gr_graph *g, gr_id x, int which)
{
    switch (which) {
    case 0:
        return net_unary(g, OP_Relu, x);
    case 1:
        return net_binary(g, OP_Add, x, net_random(g, DIMS(8)));
    case 2:
        return net_binary(g, OP_Mul, net_random(g, DIMS(6, 1)), x);
    case 3:
        return concat(g, x, net_unary(g, OP_Neg, x), -1);
    case 4:
        return net_node(g, OP_Pad, IN(x, net_ints(g, 8, (const int64_t[]){0, 1, 2, 0, 0, 0, 1, 3})));
    case 5:
        return net_node(g, OP_Pad,
                        IN(x, net_ints(g, 4, (const int64_t[]){1, 2, 0, 1}), net_scalar(g, 2),
                           net_ints(g, 2, (const int64_t[]){-1, 1})));
    case 6:
        return net_node(
            g, OP_Slice,
            IN(x, net_ints(g, 2, (const int64_t[]){0, 1}), net_ints(g, 2, (const int64_t[]){2, 3})));
    case 7:
        return net_node(g, OP_Slice, IN(x, ints(g, 6), ints(g, 1), ints(g, -1), ints(g, -2)));
    case 8:
        return softmax(g, x, -1);
    case 9:
        return softmax(g, x, 1);
    case 10:
        return net_binary(g, OP_Mul, x,
                          net_binary(g, OP_ReduceMean, x, net_ints(g, 2, (const int64_t[]){1, -2})));
    case 11:
        return resize(g, x);
    case 12:
        return net_node(g, OP_Clip, IN(x, net_scalar(g, -0.5f), net_scalar(g, 0.25f)));
    case 13:
        return net_binary(g, OP_Max, x, net_unary(g, OP_ReduceMax, x));
    default:
        return net_node(g, OP_Where,
                        IN(net_node(g, OP_Greater, IN(x, net_scalar(g, 0))), x, net_random(g, DIMS(1, 8))));
    }
}

static void cancelled_through_each_operator(void **state)
{
    (void)state;
    for (int which = 0; which < STEPS; which++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_unary(&g, OP_Sigmoid, net_input(&g, "x", DIMS(2, 8, 4, 6)));
        net_output(&g, net_unary(&g, OP_Exp, turn(&g, step(&g, turn(&g, x, to_last), which), to_first)));
        net_pass(&g, NULL);
        assert_int_equal(net_count(&g, OP_Transpose), 0);
        net_pass_end(&g, 1e-6);
    }
}

static void long_ways(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 8, 4, 6)), z = net_input(&g, "z", DIMS(2, 8, 4, 6));
    gr_id a = turn(&g, net_unary(&g, OP_Sigmoid, x), to_last), b = turn(&g, z, to_last);
    gr_id y = net_binary(&g, OP_Add, net_unary(&g, OP_Relu, a), b);
    y = concat(&g, y, net_unary(&g, OP_Abs, softmax(&g, y, 3)), 3);
    net_output(&g, turn(&g, step(&g, y, 11), to_first));
    net_pass(&g, NULL);
    assert_int_equal(net_count(&g, OP_Transpose), 0);
    net_pass_end(&g, 1e-6);
}

/* One Transpose can go, the other result is wanted in its order; nothing to gain; a Reshape in the way. */
static void what_has_to_stay(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, 8, 4, 6)), y = net_unary(&g, OP_Relu, turn(&g, x, to_last));
        if (form == 3) y = net_node(&g, OP_Reshape, IN(y, net_ints(&g, 4, (const int64_t[]){2, 6, 4, 8})));
        if (form < 2) net_output(&g, y);
        if (form != 1) net_output(&g, form == 2 ? net_unary(&g, OP_Neg, y) : turn(&g, y, to_first));
        net_pass(&g, NULL);
        assert_int_equal(net_count(&g, OP_Transpose), form == 3 ? 2 : 1);
        net_pass_end(&g, 0);
    }
}

static int64_t moved(const gr_graph *g)
{
    int64_t bytes = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].dead && g->nodes[i].op == OP_Transpose)
            bytes += (int64_t)gr_bytes(&g->tensors[g->nodes[i].out[0]]);
    return bytes;
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

/* Any graph of these: the same results, and never more Transposes or bytes than there were. */
static void random_ways(void **state)
{
    (void)state;
    for (uint64_t start = 1; start <= 150; start++) {
        uint64_t seed = start;
        gr_graph g, plain;
        net_init(&g);
        gr_id made[24] = {net_input(&g, "x", DIMS(2, 3, 4, 5)), net_input(&g, "z", DIMS(2, 3, 4, 5))};
        int n = 2;
        while (n < 24) {
            const gr_id x = made[draw(&seed, (uint32_t)n)], y = made[draw(&seed, (uint32_t)n)];
            const uint32_t which = draw(&seed, 8);
            int64_t perm[4] = {0, 1, 2, 3};
            for (uint32_t i = 3; i > 0; i--) {
                const uint32_t j = draw(&seed, i + 1);
                const int64_t other = perm[i];
                perm[i] = perm[j];
                perm[j] = other;
            }
            assert_int_equal(gr_infer(&g, NULL), VKI_OK);
            const bool same = gr_same_shape(&g.tensors[x], &g.tensors[y]);
            made[n++] = which < 4   ? turn(&g, x,
                                         which < 2    ? perm
                                           : which == 2 ? to_last
                                                        : to_first)
                        : which < 6 ? same ? net_binary(&g, OP_Add, x, y) : net_unary(&g, OP_Sigmoid, x)
                        : which < 7 ? softmax(&g, x, draw(&seed, 4))
                                    : net_binary(&g, OP_ReduceMean, x, ints(&g, draw(&seed, 4)));
        }
        for (int i = 0; i < 3; i++) net_output(&g, net_unary(&g, OP_Neg, made[20 + i]));
        assert_int_equal(gr_clone(&plain, &g, NULL), VKI_OK);
        const gr_pass_options without = {.evaluator = &net_evaluator, .disable = "transposes"};
        assert_int_equal(gr_optimize(&plain, &without, NULL), VKI_OK);
        net_pass(&g, NULL);
        assert_true(moved(&g) <= moved(&plain));
        assert_true(net_count(&g, OP_Transpose) <= net_count(&plain, OP_Transpose));
        net_pass_end(&g, 1e-5);
        gr_free(&plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cancelled_through_each_operator),
                                       cmocka_unit_test(long_ways), cmocka_unit_test(what_has_to_stay),
                                       cmocka_unit_test(random_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
