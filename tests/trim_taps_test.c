/* SPDX-License-Identifier: Apache-2.0
 * The pass trim_taps: which taps and pools it finds, what it must leave alone, and that results stay the
 * same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/net.h"

static gr_id input4(gr_graph *g)
{
    net_init(g);
    return net_input(g, "x", DIMS(2, 4, 5, 6));
}

/* A window operator of `kernel` taps a dimension: strides, dilations, pads (begins, then ends). */
typedef struct taps {
    int64_t kernel[2], strides[2], dilations[2], pads[4];
    int64_t left[2], pads_left[4]; /* what stays */
} taps;

static gr_id tapped(gr_graph *g, op_kind op, gr_id x, int64_t out, int64_t in, const taps *t)
{
    gr_id w = op == OP_Conv ? net_random(g, DIMS(out, in, t->kernel[0], t->kernel[1])) : GR_NONE;
    gr_id y = op == OP_Conv ? net_node(g, op, IN(x, w, net_random(g, DIMS(out)))) : net_unary(g, op, x);
    op_conv_attrs *a = net_last(g)->attrs; /* op_pool_attrs begins alike */
    net_set_ints(&a->kernel_shape, 2, t->kernel);
    net_set_ints(&a->strides, 2, t->strides);
    net_set_ints(&a->dilations, 2, t->dilations);
    net_set_ints(&a->pads, 4, t->pads);
    if (op == OP_Conv) a->group = 4 / in;
    return y;
}

/* On an input of 5x6. */
static void taps_that_read_padding_go(void **state)
{
    static const taps rows[] = {
        {{3, 3}, {1, 1}, {6, 5}, {6, 5, 6, 5}, {1, 3}, {0, 5, 0, 5}},
        {{3, 3}, {1, 1}, {24, 36}, {24, 36, 24, 36}, {1, 1}, {0, 0, 0, 0}},
        {{3, 5}, {1, 1}, {5, 4}, {6, 8, 5, 7}, {2, 3}, {1, 4, 5, 3}},
        {{3, 3}, {2, 3}, {1, 2}, {1, 4, 1, 5}, {3, 3}, {1, 4, 1, 5}},
        {{2, 4}, {4, 3}, {5, 1}, {5, 3, 3, 0}, {1, 4}, {0, 3, 3, 0}},
        {{2, 2}, {7, 1}, {1, 1}, {1, 0, 2, 0}, {1, 2}, {0, 0, 2, 0}},
        {{3, 1}, {1, 1}, {4, 1}, {2, 0, 8, 0}, {2, 1}, {2, 0, 4, 0}},
    };
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        const taps *t = &rows[i];
        gr_graph g;
        gr_id x = input4(&g);
        net_output(&g, tapped(&g, OP_Conv, x, 6, 4, t));
        net_output(&g, tapped(&g, OP_Conv, x, 8, 1, t));
        net_pass(&g, "trim_taps");
        for (int n = 0; n < 2; n++) {
            const op_conv_attrs *a = g.nodes[n].attrs;
            for (int d = 0; d < 2; d++) {
                assert_int_equal(a->kernel_shape.v[d], t->left[d]);
                assert_int_equal(g.tensors[g.nodes[n].in[1]].dims[2 + d], t->left[d]);
            }
            for (int d = 0; d < 4; d++) assert_int_equal(a->pads.v[d], t->pads_left[d]);
        }
        net_pass_end(&g, 1e-6);
    }
}

static void taps_of_pools_go(void **state)
{
    static const taps t = {{3, 3}, {1, 1}, {5, 5}, {6, 6, 5, 4}, {2, 2}, {1, 1, 5, 4}};
    static const op_kind ops[] = {OP_MaxPool, OP_AveragePool, OP_LpPool};
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(ops); i++) {
        gr_graph g;
        net_output(&g, tapped(&g, ops[i], input4(&g), 0, 0, &t));
        net_pass(&g, "trim_taps");
        const op_pool_attrs *a = g.nodes[0].attrs;
        for (int d = 0; d < 2; d++) assert_int_equal(a->kernel_shape.v[d], t.left[d]);
        for (int d = 0; d < 4; d++) assert_int_equal(a->pads.v[d], t.pads_left[d]);
        net_pass_end(&g, 0);
    }
}

static void pools_of_everything_are_global(void **state)
{
    static const taps all = {.kernel = {5, 6}, .strides = {2, 3}, .dilations = {1, 1}};
    static const taps most = {.kernel = {5, 5}, .strides = {1, 1}, .dilations = {1, 1}};
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    net_output(&g, tapped(&g, OP_AveragePool, x, 0, 0, &all));
    net_output(&g, tapped(&g, OP_MaxPool, x, 0, 0, &all));
    net_output(&g, tapped(&g, OP_AveragePool, x, 0, 0, &most));
    net_pass(&g, "trim_taps");
    assert_int_equal(g.nodes[0].op, OP_GlobalAveragePool);
    assert_int_equal(g.nodes[1].op, OP_GlobalMaxPool);
    assert_int_equal(g.nodes[2].op, OP_AveragePool);
    net_pass_end(&g, 1e-6);
}

/* Padding that counts, weights that are computed, a window beyond the padding, sizes that are not known. */
static void taps_that_stay(void **state)
{
    static const taps t = {{3, 3}, {1, 1}, {7, 7}, {7, 7, 7, 7}, {3, 3}, {7, 7, 7, 7}};
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), w = net_input(&g, "w", DIMS(6, 4, 3, 3));
    net_output(&g, tapped(&g, OP_AveragePool, x, 0, 0, &t));
    ((op_pool_attrs *)net_last(&g)->attrs)->count_include_pad = 1;
    net_output(&g, tapped(&g, OP_MaxPool, x, 0, 0, &t));
    ((op_pool_attrs *)net_last(&g)->attrs)->ceil_mode = 1;
    net_output(&g, tapped(&g, OP_Conv, x, 6, 4, &t));
    net_last(&g)->in[1] = w;
    gr_id open = net_input(&g, "open", DIMS(1, 4, gr_symbol(&g, "H"), 5));
    net_output(&g, tapped(&g, OP_Conv, open, 6, 4, &t));
    net_optimize(&g, "trim_taps");
    for (int n = 0; n < 4; n++) assert_int_equal(((op_conv_attrs *)g.nodes[n].attrs)->kernel_shape.v[0], 3);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taps_that_read_padding_go),
        cmocka_unit_test(taps_of_pools_go),
        cmocka_unit_test(pools_of_everything_are_global),
        cmocka_unit_test(taps_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
