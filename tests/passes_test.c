/* SPDX-License-Identifier: Apache-2.0
 * Passes that simplify: what they find, what they must leave alone, and that the results stay the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"

/* ---- fold_constants ---- */

/* Shape -> Gather -> Concat -> Reshape, as exporters flatten all but the batch. */
static gr_id shape_chain(gr_graph *g, gr_id x)
{
    gr_id shape = net_unary(g, OP_Shape, x);
    gr_id zero = net_ints(g, 1, (const int64_t[]){0}), rest = net_ints(g, 1, (const int64_t[]){-1});
    gr_id batch = net_node(g, OP_Gather, IN(shape, zero));
    gr_id target = net_node(g, OP_Concat, IN(batch, rest));
    ((op_axis_attrs *)net_last(g)->attrs)->axis = 0;
    return net_node(g, OP_Reshape, IN(x, target));
}

static void shape_chains_vanish(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3, 4, 5));
    net_output(&g, net_unary(&g, OP_Relu, shape_chain(&g, x)));
    net_pass(&g, "fold_constants");
    assert_int_equal(net_count(&g, OP_NONE), 2);
    assert_non_null(net_find(&g, OP_Reshape));
    const gr_tensor *y = &g.tensors[g.outputs[0]];
    assert_true(y->rank == 2 && y->dims[0] == 2 && y->dims[1] == 60);
    net_pass_end(&g, 0);
}

static void shape_chains_wait_for_shapes(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(gr_symbol(&g, "N"), 3, 4, 5));
    net_output(&g, shape_chain(&g, x));
    net_optimize(&g, NULL);
    assert_int_equal(net_count(&g, OP_NONE), 4);
    const vki_shape shape = {"x", 4, {7, 3, 4, 5}};
    assert_int_equal(gr_bind_shapes(&g, &shape, 1, NULL), VKI_OK);
    net_pass(&g, NULL);
    assert_int_equal(net_count(&g, OP_NONE), 1);
    assert_int_equal(g.tensors[g.outputs[0]].dims[0], 7);
    net_pass_end(&g, 0);
}

static void constants_fold(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(3, 4));
    gr_id sum = net_binary(&g, OP_Add, net_random(&g, DIMS(3, 4)), net_random(&g, DIMS(4)));
    gr_id root = net_unary(&g, OP_Sqrt, net_unary(&g, OP_Abs, sum));
    net_output(&g, net_binary(&g, OP_Mul, x, root));
    net_output(&g, root); /* a graph output may become a constant */
    net_pass(&g, "fold_constants");
    assert_int_equal(net_count(&g, OP_NONE), 1);
    const gr_tensor *folded = &g.tensors[g.outputs[1]];
    assert_true(folded->data && (uintptr_t)folded->data % 64 == 0);
    assert_int_equal(folded->const_key, vkb_hash(folded->data, 48, VKI_F32));
    net_pass_end(&g, 0);
}

/* Where the values are constants, so are the shapes that depend on them. */
static void shapes_by_constant_values_fold(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(4)), y = net_input(&g, "y", DIMS(3, 1));
    gr_id mask = net_ints(&g, 5, (const int64_t[]){0, 7, 0, -1, 1});
    gr_id at = net_unary(&g, OP_NonZero, mask), open = net_unary(&g, OP_NonZero, x);
    net_output(&g, net_binary(&g, OP_Add, y, net_unary(&g, OP_Cast, at)));
    ((op_cast_attrs *)net_last(&g)[-1].attrs)->to = VKI_F32;
    net_output(&g, open);
    net_optimize(&g, "fold_constants");
    assert_int_equal(net_count(&g, OP_NONE), 2);
    const gr_tensor *sum = &g.tensors[g.outputs[0]], *still = &g.tensors[g.outputs[1]];
    assert_true(sum->rank == 2 && sum->dims[0] == 3 && sum->dims[1] == 3);
    assert_true(still->rank == 2 && !gr_is_concrete(still));
    gr_free(&g);
}

static void large_results_are_not_folded(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1));
    gr_id big = net_node(&g, OP_Expand,
                         IN(net_random(&g, DIMS(1, 1)), net_ints(&g, 2, (const int64_t[]){17000, 1000})));
    net_output(&g, net_binary(&g, OP_Mul, x, big));
    net_optimize(&g, NULL);
    assert_non_null(net_find(&g, OP_Expand));
    gr_free(&g);
}

static vki_status refuses(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                          vki_error *err)
{
    (void)g;
    (void)in;
    (void)out;
    return vkb_fail_node(err, VKI_E_UNSUPPORTED, n->name, "", "refused");
}

static void unsupported_nodes_stay(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    net_output(&g, net_unary(&g, OP_Exp, net_random(&g, DIMS(3))));
    const gr_evaluator ev = {.run = refuses};
    assert_int_equal(gr_optimize(&g, &(gr_pass_options){.evaluator = &ev}, NULL), VKI_OK);
    assert_int_equal(net_count(&g, OP_Exp), 1);
    assert_int_equal(gr_optimize(&g, &(gr_pass_options){.evaluator = NULL}, NULL), VKI_OK);
    assert_int_equal(net_count(&g, OP_Exp), 1);
    gr_free(&g);
}

/* ---- dead_code, common_subexpressions ---- */

static void dead_nodes_go(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3));
    net_unary(&g, OP_Exp, net_unary(&g, OP_Neg, x));
    net_output(&g, net_unary(&g, OP_Relu, x));
    int tensors = g.n_tensors;
    net_pass(&g, "dead_code");
    assert_int_equal(net_count(&g, OP_NONE), 1);
    assert_int_equal(g.n_tensors, tensors - 2);
    net_pass_end(&g, 0);
}

static void equal_nodes_merge(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3));
    /* equal constants under two names */
    gr_id a = net_binary(&g, OP_Add, x, net_scalar(&g, 2)), b = net_binary(&g, OP_Add, x, net_scalar(&g, 2));
    gr_id c = net_binary(&g, OP_Add, x, net_scalar(&g, 3));
    gr_id ea = net_unary(&g, OP_Sigmoid, a), eb = net_unary(&g, OP_Sigmoid, b),
          ec = net_unary(&g, OP_Sigmoid, c);
    net_output(&g, net_binary(&g, OP_Mul, net_binary(&g, OP_Sub, ea, eb), ec));
    net_output(&g, net_binary(&g, OP_Add, ea, ec));
    net_pass(&g, "common_subexpressions");
    assert_int_equal(net_count(&g, OP_Sigmoid), 2);
    assert_int_equal(net_count(&g, OP_NONE), 7);
    net_pass_end(&g, 0);
}

static void attributes_keep_nodes_apart(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3));
    gr_id a = net_unary(&g, OP_LeakyRelu, x);
    gr_id b = net_unary(&g, OP_LeakyRelu, x);
    ((op_unary_attrs *)net_last(&g)->attrs)->alpha = 0.25f;
    net_output(&g, a);
    net_output(&g, b);
    gr_id c = net_unary(&g, OP_LeakyRelu, x); /* equal to a, but its name must stay */
    net_output(&g, c);
    net_pass(&g, "common_subexpressions");
    assert_int_equal(net_count(&g, OP_LeakyRelu), 3);
    net_pass_end(&g, 0);
}

/* ---- identities ---- */

static void identities_go(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3, 4)), y = net_unary(&g, OP_Exp, x);
    y = net_unary(&g, OP_Identity, y);
    y = net_node(&g, OP_Reshape, IN(y, net_ints(&g, 3, (const int64_t[]){0, 3, -1})));
    y = net_unary(&g, OP_Transpose, y);
    net_set_ints(&((op_transpose_attrs *)net_last(&g)->attrs)->perm, 3, (const int64_t[]){0, 1, 2});
    y = net_unary(&g, OP_Cast, y); /* to float32 by default */
    y = net_binary(&g, OP_Add, y, net_scalar(&g, 0));
    y = net_binary(&g, OP_Mul, net_scalar(&g, 1), y);
    y = net_binary(&g, OP_Div, y, net_scalar(&g, 1));
    y = net_binary(&g, OP_Sub, y, net_scalar(&g, 0));
    y = net_binary(&g, OP_Pow, y, net_scalar(&g, 1));
    y = net_node(&g, OP_Concat, IN(y));
    y = net_node(&g, OP_Slice,
                 IN(y, net_ints(&g, 1, (const int64_t[]){0}), net_ints(&g, 1, (const int64_t[]){1000}),
                    net_ints(&g, 1, (const int64_t[]){2})));
    y = net_node(&g, OP_Pad, IN(y, net_ints(&g, 6, (const int64_t[]){0, 0, 0, 0, 0, 0})));
    y = net_node(&g, OP_Expand, IN(y, net_ints(&g, 1, (const int64_t[]){1})));
    y = net_unary(&g, OP_AveragePool, y);
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 1, (const int64_t[]){1});
    net_output(&g, net_unary(&g, OP_Neg, y));
    net_pass(&g, "identities");
    assert_int_equal(net_count(&g, OP_NONE), 2);
    net_pass_end(&g, 0);
}

static void near_identities_stay(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(3, 3)), one = net_scalar(&g, 1), zero = net_scalar(&g, 0);
    net_output(&g, net_binary(&g, OP_Sub, zero, x));
    net_output(&g, net_binary(&g, OP_Div, one, x));
    net_output(&g, net_binary(&g, OP_Mul, x, zero));
    net_output(&g, net_unary(&g, OP_Transpose, x));
    /* the shape stays, the order does not */
    net_output(&g,
               net_node(&g, OP_Slice,
                        IN(x, net_ints(&g, 1, (const int64_t[]){2}), net_ints(&g, 1, (const int64_t[]){-9}),
                           net_ints(&g, 1, (const int64_t[]){0}), net_ints(&g, 1, (const int64_t[]){-1}))));
    /* the shape stays, the content moves */
    net_output(&g, net_node(&g, OP_Pad, IN(x, net_ints(&g, 4, (const int64_t[]){1, 0, -1, 0}))));
    /* the constant widens the shape */
    net_output(&g, net_binary(&g, OP_Add, net_input(&g, "s", DIMS(3)), net_random(&g, DIMS(1, 1, 1))));
    net_output(&g, net_binary(&g, OP_Mul, net_input(&g, "t", DIMS(3)),
                              gr_add_const(&g, NULL, VKI_F32, 2, (const int64_t[]){1, 1}, (const float[]){1},
                                           true)));
    /* so do the next two: a window of one that has padding, and one of three; a maximum has no NaN */
    for (int i = 0; i < 3; i++) {
        net_output(&g,
                   net_unary(&g, i == 2 ? OP_MaxPool : OP_AveragePool, net_input(&g, NULL, DIMS(1, 1, 3))));
        op_pool_attrs *a = net_last(&g)->attrs;
        net_set_ints(&a->kernel_shape, 1, (const int64_t[]){i == 1 ? 3 : 1});
        if (i == 0) net_set_ints(&a->strides, 1, (const int64_t[]){2});
        if (i < 2) net_set_ints(&a->pads, 2, (const int64_t[]){1, 1});
    }
    net_pass(&g, "identities");
    assert_int_equal(net_count(&g, OP_NONE), 11);
    net_pass_end(&g, 0);
}

static void names_of_outputs_survive(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3)), y = net_unary(&g, OP_Exp, x),
          out = net_unary(&g, OP_Identity, y);
    net_output(&g, out);
    net_output(&g, net_unary(&g, OP_Neg, y));        /* another reader of what moves */
    net_output(&g, net_unary(&g, OP_Identity, x));   /* an output cannot be the input: this one stays */
    net_output(&g, net_unary(&g, OP_Identity, out)); /* nor can it be another output */
    net_pass(&g, "identities");
    assert_int_equal(net_count(&g, OP_Identity), 2);
    assert_int_equal(net_count(&g, OP_NONE), 4);
    net_pass_end(&g, 0);
}

static void views_merge(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3, 4)), one = net_ints(&g, 1, (const int64_t[]){1});
    gr_id y = net_unary(&g, OP_Exp, x);
    y = net_node(&g, OP_Reshape, IN(y, net_ints(&g, 2, (const int64_t[]){6, 4})));
    y = net_node(&g, OP_Unsqueeze, IN(y, one));
    y = net_unary(&g, OP_Flatten, y);
    y = net_node(&g, OP_Reshape, IN(y, net_ints(&g, 3, (const int64_t[]){0, 2, -1})));
    net_output(&g, net_unary(&g, OP_Neg, y));
    net_pass(&g, NULL);
    assert_int_equal(net_count(&g, OP_NONE), 3);
    assert_int_equal(g.tensors[g.outputs[0]].dims[0], 6);
    net_pass_end(&g, 0);
}

static gr_id transpose(gr_graph *g, gr_id x, int n, const int64_t *perm)
{
    gr_id y = net_unary(g, OP_Transpose, x);
    net_set_ints(&((op_transpose_attrs *)net_last(g)->attrs)->perm, n, perm);
    return y;
}

static void transpositions_merge(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3, 4, 5)), e = net_unary(&g, OP_Exp, x);
    gr_id there = transpose(&g, e, 4, (const int64_t[]){0, 2, 3, 1});
    gr_id back = transpose(&g, there, 4, (const int64_t[]){0, 3, 1, 2});
    gr_id other = transpose(&g, there, 4, (const int64_t[]){1, 0, 3, 2});
    net_output(&g, net_unary(&g, OP_Neg, back));
    net_output(&g, net_unary(&g, OP_Neg, other));
    net_pass(&g, NULL);
    assert_int_equal(net_count(&g, OP_Transpose), 1);
    net_pass_end(&g, 0);
}

static void transposition_of_ones_is_a_view(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 7, 1, 5)), e = net_unary(&g, OP_Exp, x);
    net_output(&g, net_unary(&g, OP_Neg, transpose(&g, e, 4, (const int64_t[]){2, 1, 3, 0})));
    net_output(&g, net_unary(&g, OP_Abs, transpose(&g, e, 4, (const int64_t[]){0, 3, 1, 2})));
    net_pass(&g, NULL);
    assert_int_equal(net_count(&g, OP_Transpose), 1);
    assert_int_equal(net_count(&g, OP_Reshape), 1);
    net_pass_end(&g, 0);
}

/* ---- the driver ---- */

static void unknown_names_are_refused(void **state)
{
    (void)state;
    gr_graph g;
    vki_error err;
    net_init(&g);
    gr_pass_options o = {.evaluator = &net_evaluator, .disable = "dead_code,fuse_activatoin"};
    assert_int_equal(gr_optimize(&g, &o, &err), VKI_E_ARG);
    assert_non_null(strstr(err.text, "fuse_activatoin"));
    assert_non_null(strstr(err.text, "fuse_residual"));
    o.disable = "dead_code,,fold_pad,";
    assert_int_equal(gr_optimize(&g, &o, &err), VKI_OK);
    gr_free(&g);
}

static void without_fusion_nothing_fuses(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3));
    net_output(&g, net_unary(&g, OP_Relu, net_binary(&g, OP_Add, x, net_random(&g, DIMS(3)))));
    gr_pass_options o = {.evaluator = &net_evaluator, .no_fusion = true};
    assert_int_equal(gr_optimize(&g, &o, NULL), VKI_OK);
    assert_int_equal(net_count(&g, OP_NONE), 2);
    o.no_fusion = false;
    assert_int_equal(gr_optimize(&g, &o, NULL), VKI_OK);
    assert_int_equal(net_count(&g, OP_NONE), 1);
    gr_free(&g);
}

/* 800 nodes in the way of a mobile network: the whole of gr_optimize takes milliseconds. */
static void planning_again_is_fast(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 4, 6, 6));
    for (int block = 0; block < 160; block++) {
        gr_id y = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(4, 4, 1, 1)), net_random(&g, DIMS(4))));
        gr_id clip =
            net_node(&g, OP_Clip,
                     IN(net_binary(&g, OP_Add, y, net_scalar(&g, 3)), net_scalar(&g, 0), net_scalar(&g, 6)));
        y = net_binary(&g, OP_Div, net_binary(&g, OP_Mul, y, clip), net_scalar(&g, 6));
        x = y;
    }
    net_output(&g, x);
    assert_int_equal(g.n_nodes, 800);
    double start = vkb_now_ms();
    assert_int_equal(gr_optimize(&g, &(gr_pass_options){.evaluator = &net_evaluator}, NULL), VKI_OK);
    print_message("800 nodes to %d: %.2f ms\n", g.n_nodes, vkb_now_ms() - start);
    assert_int_equal(g.n_nodes, 160);
    start = vkb_now_ms();
    assert_int_equal(gr_optimize(&g, &(gr_pass_options){.evaluator = &net_evaluator}, NULL), VKI_OK);
    print_message("once more: %.2f ms\n", vkb_now_ms() - start);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_chains_vanish),
        cmocka_unit_test(shape_chains_wait_for_shapes),
        cmocka_unit_test(constants_fold),
        cmocka_unit_test(shapes_by_constant_values_fold),
        cmocka_unit_test(large_results_are_not_folded),
        cmocka_unit_test(unsupported_nodes_stay),
        cmocka_unit_test(dead_nodes_go),
        cmocka_unit_test(equal_nodes_merge),
        cmocka_unit_test(attributes_keep_nodes_apart),
        cmocka_unit_test(identities_go),
        cmocka_unit_test(near_identities_stay),
        cmocka_unit_test(names_of_outputs_survive),
        cmocka_unit_test(views_merge),
        cmocka_unit_test(transpositions_merge),
        cmocka_unit_test(transposition_of_ones_is_a_view),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(without_fusion_nothing_fuses),
        cmocka_unit_test(planning_again_is_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
