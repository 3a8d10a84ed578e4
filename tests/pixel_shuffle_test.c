/* SPDX-License-Identifier: Apache-2.0
 * Blocks against channels, as exporters spell them out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"

static gr_id reshape(gr_graph *g, gr_id x, int rank, const int64_t *dims)
{
    return net_node(g, OP_Reshape, IN(x, net_ints(g, rank, dims)));
}

static gr_id turn(gr_graph *g, gr_id x, int rank, const int64_t *perm)
{
    gr_id y = net_unary(g, OP_Transpose, x);
    net_set_ints(&((op_transpose_attrs *)net_last(g)->attrs)->perm, rank, perm);
    return y;
}

static void reshapes_and_transposes(void **state)
{
    (void)state;
    static const struct {
        int64_t in[4], six[6], perm[6], out[4];
        op_kind op;
        int64_t block, mode;
    } forms[] = {
        {{2, 18, 4, 5},
         {2, 3, 3, 2, 4, 5},
         {0, 3, 4, 1, 5, 2},
         {2, 2, 12, 15},
         OP_DepthToSpace,
         3,
         OP_DEPTH_DCR},
        {{2, 18, 4, 5},
         {2, 2, 3, 3, 4, 5},
         {0, 1, 4, 2, 5, 3},
         {2, 2, 12, 15},
         OP_DepthToSpace,
         3,
         OP_DEPTH_CRD},
        {{1, 4, 4, 5},
         {1, 1, 2, 2, 4, 5},
         {0, 1, 4, 2, 5, 3},
         {1, 1, 8, 10},
         OP_DepthToSpace,
         2,
         OP_DEPTH_CRD},
        {{2, 3, 4, 6},
         {2, 3, 2, 2, 3, 2},
         {0, 3, 5, 1, 2, 4},
         {2, 12, 2, 3},
         OP_SpaceToDepth,
         2,
         OP_DEPTH_DCR},
        /* other blocks in height and width, another order, another shape at the end */
        {{2, 12, 4, 5}, {2, 2, 3, 2, 4, 5}, {0, 3, 4, 1, 5, 2}, {2, 2, 8, 15}, OP_NONE, 0, 0},
        {{2, 18, 4, 5}, {2, 3, 3, 2, 4, 5}, {0, 3, 5, 1, 4, 2}, {2, 2, 15, 12}, OP_NONE, 0, 0},
        {{2, 18, 4, 5}, {2, 3, 3, 2, 4, 5}, {0, 3, 4, 1, 5, 2}, {2, 1, 12, 30}, OP_NONE, 0, 0},
    };
    for (size_t i = 0; i < VKB_COUNT(forms); i++) {
        gr_graph g;
        net_init(&g);
        gr_id x = reshape(&g, net_input(&g, "x", 4, forms[i].in), 6, forms[i].six);
        net_output(&g, reshape(&g, turn(&g, x, 6, forms[i].perm), 4, forms[i].out));
        net_pass(&g, "pixel_shuffle");
        assert_int_equal(net_count(&g, OP_NONE), forms[i].op == OP_NONE ? 3 : 1);
        const gr_node *n = forms[i].op == OP_NONE ? NULL : net_find(&g, forms[i].op);
        assert_int_equal(n != NULL, forms[i].op != OP_NONE);
        if (n) assert_int_equal(((const op_depth_attrs *)n->attrs)->blocksize, forms[i].block);
        if (n) assert_int_equal(((const op_depth_attrs *)n->attrs)->mode, forms[i].mode);
        net_pass_end(&g, 0);
    }
}

/* x[start::2] along one axis */
static gr_id every_second(gr_graph *g, gr_id x, int64_t axis, int64_t start)
{
    gr_id starts = net_ints(g, 1, &start), ends = net_ints(g, 1, (const int64_t[]){INT64_MAX});
    gr_id two = net_ints(g, 1, (const int64_t[]){2});
    return net_node(g, OP_Slice, IN(x, starts, ends, net_ints(g, 1, &axis), two));
}

static gr_id part(gr_graph *g, gr_id x, bool together, int64_t row, int64_t column)
{
    if (!together) return every_second(g, every_second(g, x, 2, row), 3, column);
    gr_id starts = net_ints(g, 2, (const int64_t[]){row, column});
    gr_id ends = net_ints(g, 2, (const int64_t[]){INT64_MAX, INT64_MAX});
    gr_id axes = net_ints(g, 2, (const int64_t[]){2, 3}), steps = net_ints(g, 2, (const int64_t[]){2, 2});
    return net_node(g, OP_Slice, IN(x, starts, ends, axes, steps));
}

static void slices_of_a_focus(void **state)
{
    (void)state;
    /* places of the parts, by row and column: as SpaceToDepth, as YOLOv5, two that are neither; at last a
     * part of another tensor */
    static const char *const orders[] = {"00011011", "00100111", "00111001", "00010010", "00100111"};
    for (int form = 0; form < 10; form++) {
        const char *o = orders[form / 2];
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, 3, 8, 6)), other = net_unary(&g, OP_Relu, x), in[4];
        for (int i = 0; i < 4; i++)
            in[i] =
                part(&g, form / 2 == 4 && i == 3 ? other : x, form % 2, o[2 * i] - '0', o[2 * i + 1] - '0');
        gr_id y = net_node(&g, OP_Concat, 4, in);
        ((op_axis_attrs *)net_last(&g)->attrs)->axis = 1;
        net_output(&g, y);
        net_output(&g, other);
        net_pass(&g, "pixel_shuffle");
        assert_int_equal(net_count(&g, OP_SpaceToDepth), form / 2 == 0);
        assert_int_equal(net_count(&g, OP_Transpose), form / 2 == 1);
        assert_int_equal(net_count(&g, OP_Slice) == 0, form / 2 < 2);
        net_pass_end(&g, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reshapes_and_transposes),
                                       cmocka_unit_test(slices_of_a_focus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
