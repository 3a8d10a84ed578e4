/* SPDX-License-Identifier: Apache-2.0
 * The pass fuse_pool: which pools become part of the convolution before them, and that nothing else changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/net.h"

static const double ROUNDING = 5e-6;

/* A convolution of `channels` 3x3 (or 1x1) filters over [2][3][12][14], which keeps the size. */
static gr_id conv(gr_graph *g, int64_t channels, int64_t kernel)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(2, 3, 12, 14));
    gr_id y = net_node(
        g, OP_Conv, IN(x, net_random(g, DIMS(channels, 3, kernel, kernel)), net_random(g, DIMS(channels))));
    op_conv_attrs *a = net_last(g)->attrs;
    const int64_t pad = kernel / 2;
    net_set_ints(&a->pads, 4, (int64_t[]){pad, pad, pad, pad});
    return y;
}

static gr_id pool(gr_graph *g, op_kind op, gr_id x, int64_t kernel, int64_t stride, int64_t pad)
{
    gr_id y = net_node(g, op, IN(x));
    op_pool_attrs *a = net_last(g)->attrs;
    net_set_ints(&a->kernel_shape, 2, (int64_t[]){kernel, kernel});
    net_set_ints(&a->strides, 2, (int64_t[]){stride, stride});
    net_set_ints(&a->pads, 4, (int64_t[]){pad, pad, pad, pad});
    return y;
}

/* Optimizes, counts the ConvPools, compares the results. */
static void finish(gr_graph *g, const char *only, int fused, int nodes)
{
    gr_graph before;
    assert_int_equal(gr_clone(&before, g, NULL), VKI_OK);
    net_optimize(g, only);
    assert_int_equal(net_count(g, OP_ConvPool), fused);
    assert_int_equal(net_count(g, OP_NONE), nodes);
    net_same_results(&before, g, ROUNDING);
    gr_free(&before);
    gr_free(g);
}

static void windows(void **state)
{
    (void)state;
    const struct {
        op_kind op;
        int64_t kernel, stride, pad;
    } list[] = {{OP_MaxPool, 2, 2, 0}, {OP_AveragePool, 2, 2, 0}, {OP_MaxPool, 3, 2, 0},
                {OP_MaxPool, 3, 2, 1}, {OP_AveragePool, 3, 3, 1}, {OP_MaxPool, 2, 3, 0}};
    for (size_t i = 0; i < VKB_COUNT(list); i++) {
        gr_graph g;
        gr_id y = conv(&g, 5, 3);
        net_output(
            &g, net_unary(&g, OP_Neg, pool(&g, list[i].op, y, list[i].kernel, list[i].stride, list[i].pad)));
        finish(&g, "fuse_pool", 1, 2);
    }
}

static void rounded_up(void **state)
{
    (void)state;
    gr_graph g;
    net_output(&g, pool(&g, OP_MaxPool, conv(&g, 5, 3), 3, 2, 0));
    ((op_pool_attrs *)net_last(&g)->attrs)->ceil_mode = 1;
    finish(&g, "fuse_pool", 1, 1);
}

static void all_positions(void **state)
{
    (void)state;
    const op_kind ops[] = {OP_GlobalAveragePool, OP_GlobalMaxPool};
    for (int i = 0; i < 2; i++) {
        gr_graph g;
        gr_id y = conv(&g, 256, 1);
        net_output(&g, net_node(&g, ops[i], IN(net_unary(&g, OP_Relu, y))));
        finish(&g, NULL, 1, 1);
    }
    gr_graph g;
    gr_id y = conv(&g, 256, 1); /* as older exporters spell it */
    net_output(&g, net_node(&g, OP_AveragePool, IN(net_unary(&g, OP_HardSwish, y))));
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 2, (int64_t[]){12, 14});
    finish(&g, NULL, 1, 1);
}

/* Behind the pool only what keeps the order of values, and only behind the largest. */
static void activations(void **state)
{
    (void)state;
    const struct {
        op_kind op, before, after;
        int fused, nodes;
    } list[] = {{OP_MaxPool, OP_Relu, OP_NONE, 1, 1},      {OP_AveragePool, OP_HardSwish, OP_NONE, 1, 1},
                {OP_MaxPool, OP_NONE, OP_Relu, 1, 1},      {OP_MaxPool, OP_NONE, OP_LeakyRelu, 1, 1},
                {OP_MaxPool, OP_NONE, OP_HardSwish, 0, 2}, {OP_AveragePool, OP_NONE, OP_Relu, 0, 2},
                {OP_MaxPool, OP_Sigmoid, OP_Tanh, 0, 2}};
    for (size_t i = 0; i < VKB_COUNT(list); i++) {
        gr_graph g;
        gr_id y = conv(&g, 5, 3);
        if (list[i].before != OP_NONE) y = net_unary(&g, list[i].before, y);
        y = pool(&g, list[i].op, y, 2, 2, 0);
        if (list[i].after != OP_NONE) y = net_unary(&g, list[i].after, y);
        net_output(&g, y);
        finish(&g, NULL, list[i].fused, list[i].nodes);
    }
}

static void what_stays(void **state)
{
    (void)state;
    gr_graph g;
    gr_id twice = conv(&g, 5, 3);
    net_output(&g, pool(&g, OP_MaxPool, twice, 2, 2, 0));
    net_output(&g, net_unary(&g, OP_Neg, twice)); /* somebody else reads it */
    gr_id x = g.inputs[0], wide = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(64, 3, 1, 1))));
    gr_id deep = net_node(&g, OP_Conv, IN(wide, net_random(&g, DIMS(5, 64, 3, 3))));
    net_output(&g, pool(&g, OP_MaxPool, deep, 3, 2, 0)); /* too much would be computed twice */
    net_output(&g, net_node(&g, OP_GlobalAveragePool,
                            IN(net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(8, 3, 1, 1)))))));
    gr_id padded = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(8, 3, 1, 1))));
    net_output(&g, pool(&g, OP_AveragePool, padded, 3, 2, 1));
    ((op_pool_attrs *)net_last(&g)->attrs)->count_include_pad = 1;
    gr_id seen = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(4, 3, 1, 1))));
    net_output(&g, seen);
    net_output(&g, pool(&g, OP_MaxPool, seen, 2, 2, 0));
    const int nodes = g.n_nodes;
    finish(&g, "fuse_pool", 0, nodes);
}

static void unknown_shapes(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(gr_symbol(&g, "N"), 3, 12, 14));
    gr_id y = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(5, 3, 3, 3))));
    net_output(&g, pool(&g, OP_MaxPool, y, 2, 2, 0));
    net_optimize(&g, "fuse_pool");
    assert_int_equal(net_count(&g, OP_ConvPool), 0);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows),     cmocka_unit_test(rounded_up), cmocka_unit_test(all_positions),
        cmocka_unit_test(activations), cmocka_unit_test(what_stays), cmocka_unit_test(unknown_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
