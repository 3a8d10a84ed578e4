/* SPDX-License-Identifier: Apache-2.0
 * Passes that put several nodes into one: structure, epilogues, what must not be fused, equal results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"

static void finish(gr_graph *g, int nodes, double tolerance)
{
    assert_int_equal(net_count(g, OP_NONE), nodes);
    net_pass_end(g, tolerance);
}

static gr_id input4(gr_graph *g)
{
    net_init(g);
    return net_input(g, "x", DIMS(2, 4, 5, 6));
}

static gr_id batchnorm(gr_graph *g, gr_id x, int64_t channels)
{
    return net_node(g, OP_BatchNormalization,
                    IN(x, net_random(g, DIMS(channels)), net_random(g, DIMS(channels)),
                       net_random(g, DIMS(channels)), net_positive(g, DIMS(channels))));
}

static const double ROUNDING = 5e-6;

/* ---- fold_batchnorm ---- */

static void batchnorm_into_convolutions(void **state)
{
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        gr_graph g;
        gr_id x = input4(&g), y;
        bool transposed = variant & 1, bias = variant & 2;
        int64_t groups = variant & 4 ? 2 : 1, out = 6;
        gr_id w = transposed ? net_random(&g, DIMS(4, out / groups, 2, 3))
                             : net_random(&g, DIMS(out, 4 / groups, 2, 3));
        gr_id in[3] = {x, w, bias ? net_random(&g, DIMS(out)) : GR_NONE};
        y = net_node(&g, transposed ? OP_ConvTranspose : OP_Conv, bias ? 3 : 2, in);
        ((op_conv_attrs *)net_last(&g)->attrs)->group = groups;
        net_output(&g, batchnorm(&g, y, out));
        net_pass(&g, "fold_batchnorm");
        assert_int_equal(g.nodes[0].n_in, 3);
        assert_string_not_equal(g.nodes[0].fused, "");
        finish(&g, 1, ROUNDING);
    }
}

static void batchnorm_into_gemm(void **state)
{
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(3, 5));
        bool trans = variant & 1;
        gr_id w = trans ? net_random(&g, DIMS(7, 5)) : net_random(&g, DIMS(5, 7)), c = GR_NONE;
        if (variant >> 1 == 1) c = net_random(&g, DIMS(7));
        if (variant >> 1 == 2) c = net_scalar(&g, 0.7f);
        if (variant >> 1 == 3) c = net_random(&g, DIMS(1, 7));
        gr_id y = net_node(&g, OP_Gemm, IN(x, w, c));
        op_gemm_attrs *a = net_last(&g)->attrs;
        a->transB = trans;
        a->alpha = 0.5f;
        a->beta = 3;
        net_output(&g, batchnorm(&g, y, 7));
        net_pass(&g, "fold_batchnorm");
        finish(&g, 1, ROUNDING);
    }
}

static void scales_and_shifts(void **state)
{
    (void)state;
    gr_graph g;
    gr_id y = net_conv(&g, input4(&g));
    y = net_binary(&g, OP_Mul, y, net_positive(&g, DIMS(6, 1, 1)));
    y = net_binary(&g, OP_Add, net_random(&g, DIMS(1, 6, 1, 1)), y);
    y = net_binary(&g, OP_Sub, y, net_scalar(&g, 0.3f));
    y = net_binary(&g, OP_Sub, net_random(&g, DIMS(6, 1, 1)), y);
    y = net_binary(&g, OP_Div, y, net_positive(&g, DIMS(1, 6, 1, 1)));
    net_output(&g, y);
    net_pass(&g, "fold_batchnorm");
    finish(&g, 1, ROUNDING);
}

static void batchnorm_keeps_its_activation(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(gr_symbol(&g, "N"), 4, 5, 6)); /* no shapes are needed */
    net_output(&g, net_unary(&g, OP_Relu, batchnorm(&g, net_conv(&g, x), 6)));
    g.nodes[1].epilogue.act = GR_ACT_TANH;
    net_optimize(&g, "fold_batchnorm");
    assert_int_equal(net_count(&g, OP_NONE), 2);
    assert_int_equal(g.nodes[0].epilogue.act, GR_ACT_TANH);
    gr_free(&g);
}

static void what_is_not_folded(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    net_output(&g, batchnorm(&g, x, 4)); /* nothing before it */
    gr_id twice = net_conv(&g, x);
    net_output(&g, batchnorm(&g, twice, 6));
    net_output(&g, net_unary(&g, OP_Neg, twice)); /* somebody else reads it */
    gr_id seen = net_conv(&g, x);
    net_output(&g, seen); /* a graph output */
    net_output(&g, batchnorm(&g, seen, 6));
    net_output(&g, net_binary(&g, OP_Mul, net_conv(&g, x), net_random(&g, DIMS(6)))); /* along the width */
    net_output(&g, net_binary(&g, OP_Add, net_conv(&g, x), net_random(&g, DIMS(1, 6, 5, 6))));
    net_output(&g, net_binary(&g, OP_Div, net_random(&g, DIMS(6, 1, 1)),
                              net_binary(&g, OP_Add, net_conv(&g, x), net_input(&g, "big", DIMS(1)))));
    net_output(&g, net_binary(&g, OP_Mul, net_conv(&g, x), net_random(&g, DIMS(2, 1, 1, 1, 1)))); /* widens */
    gr_id act = net_conv(&g, x);
    net_last(&g)->epilogue.act = GR_ACT_RELU;
    net_output(&g, net_binary(&g, OP_Mul, act, net_scalar(&g, 2)));
    gr_id own = net_node(&g, OP_Conv, IN(x, net_input(&g, "w", DIMS(6, 4, 3, 3)))); /* weights are an input */
    net_output(&g, net_binary(&g, OP_Mul, own, net_scalar(&g, 2)));
    int nodes = g.n_nodes;
    net_optimize(&g, "fold_batchnorm");
    assert_int_equal(net_count(&g, OP_NONE), nodes);
    gr_free(&g);
}

/* ---- fold_pad ---- */

static gr_id pad(gr_graph *g, gr_id x, const int64_t amounts[8], float value)
{
    return net_node(g, OP_Pad, IN(x, net_ints(g, 8, amounts), net_scalar(g, value)));
}

static void padding_into_windows(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), p = pad(&g, x, (const int64_t[]){0, 0, 1, 0, 0, 0, 0, 2}, 0);
    net_output(&g, net_conv(&g, p));
    net_output(&g,
               net_node(&g, OP_Conv, IN(p, net_random(&g, DIMS(6, 4, 3, 3))))); /* without pads of its own */
    gr_id pool = net_unary(&g, OP_AveragePool, pad(&g, x, (const int64_t[]){0, 0, 1, 0, 0, 0, 0, 1}, 0));
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 2, (const int64_t[]){3, 2});
    net_output(&g, pool);
    net_pass(&g, "fold_pad");
    net_optimize(&g, "dead_code");
    assert_int_equal(((op_conv_attrs *)g.nodes[0].attrs)->pads.v[0], 2);
    assert_int_equal(((op_conv_attrs *)g.nodes[0].attrs)->pads.v[3], 3);
    assert_int_equal(((op_pool_attrs *)net_find(&g, OP_AveragePool)->attrs)->count_include_pad, 1);
    finish(&g, 3, 0);
}

static void padding_that_stays(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    const int64_t around[8] = {0, 0, 1, 1, 0, 0, 1, 1}, cut[8] = {0, 0, -1, 0, 0, 0, 0, 0};
    net_output(&g, net_conv(&g, pad(&g, x, around, 0.5f)));
    net_output(&g, net_conv(&g, pad(&g, x, cut, 0)));
    gr_id edge = pad(&g, x, around, 0);
    ((op_pad_attrs *)net_last(&g)->attrs)->mode = OP_PADDING_EDGE;
    net_output(&g, net_conv(&g, edge));
    gr_id same = net_conv(&g, pad(&g, x, around, 0));
    op_conv_attrs *a = net_last(&g)->attrs;
    a->auto_pad = OP_PAD_SAME_UPPER;
    a->pads.count = 0;
    net_output(&g, same);
    gr_id pool = net_unary(&g, OP_AveragePool, pad(&g, x, around, 0)); /* its own pads are not counted */
    op_pool_attrs *p = net_last(&g)->attrs;
    net_set_ints(&p->kernel_shape, 2, (const int64_t[]){3, 3});
    net_set_ints(&p->pads, 4, (const int64_t[]){1, 1, 1, 1});
    net_output(&g, pool);
    gr_id most = net_unary(&g, OP_MaxPool, pad(&g, x, around, 0)); /* a zero is not minus infinity */
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 2, (const int64_t[]){3, 3});
    net_output(&g, most);
    const int64_t channels[8] = {0, 1, 1, 1, 0, 0, 1, 1};
    gr_id wide = pad(&g, net_input(&g, "three", DIMS(2, 3, 5, 6)), channels, 0);
    net_output(&g, net_conv(&g, wide));
    net_pass(&g, "fold_pad");
    finish(&g, 14, 0);
}

/* ---- fuse_activation ---- */

static gr_id activation(gr_graph *g, op_kind op, gr_id x)
{
    if (op != OP_Clip) return net_unary(g, op, x);
    return net_node(g, OP_Clip, IN(x, net_scalar(g, -0.5f), net_scalar(g, 0.75f)));
}

static void activations_fuse(void **state)
{
    static const struct {
        op_kind op;
        gr_act act;
        float alpha, beta;
    } rows[] = {
        {OP_Relu, GR_ACT_RELU, 0, 0},
        {OP_LeakyRelu, GR_ACT_LEAKY, 0.01f, 0},
        {OP_Clip, GR_ACT_CLIP, -0.5f, 0.75f},
        {OP_Sigmoid, GR_ACT_SIGMOID, 0, 0},
        {OP_Tanh, GR_ACT_TANH, 0, 0},
        {OP_HardSigmoid, GR_ACT_HARDSIGMOID, 0.2f, 0.5f},
        {OP_HardSwish, GR_ACT_HARDSWISH, 0, 0},
        {OP_Silu, GR_ACT_SILU, 0, 0},
        {OP_FakeQuantize, GR_ACT_FAKE_QUANTIZE, 1, OP_LEVELS * -128 + 255},
    };
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gr_graph g;
        gr_id x = net_conv(&g, input4(&g));
        net_output(&g, activation(&g, rows[i].op, x));
        const char *name = net_last(&g)->name;
        net_pass(&g, "fuse_activation");
        const gr_epilogue *e = &g.nodes[0].epilogue;
        assert_int_equal(e->act, rows[i].act);
        assert_true(e->alpha == rows[i].alpha && e->beta == rows[i].beta);
        assert_int_equal(e->residual, GR_RESIDUAL_NONE);
        assert_string_equal(g.nodes[0].fused, name);
        finish(&g, 1, 1e-6);
    }
}

static void open_limits(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    net_output(&g, net_node(&g, OP_Clip, IN(net_conv(&g, x), net_scalar(&g, 0)))); /* Relu by another name */
    net_output(&g, net_node(&g, OP_Clip, IN(net_conv(&g, x), GR_NONE, net_scalar(&g, 1))));
    net_output(&g, net_node(&g, OP_Clip, IN(net_conv(&g, x))));
    net_pass(&g, "fuse_activation");
    assert_int_equal(g.nodes[0].epilogue.act, GR_ACT_RELU);
    assert_int_equal(g.nodes[1].epilogue.act, GR_ACT_CLIP);
    finish(&g, 3, 0);
}

static void activations_that_stay(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    gr_id seen = net_conv(&g, x);
    net_output(&g, seen);
    net_output(&g, net_unary(&g, OP_Relu, seen));
    gr_id twice = net_conv(&g, x);
    net_output(&g, net_unary(&g, OP_Relu, twice));
    net_output(&g, net_unary(&g, OP_Tanh, twice));
    gr_id limit = net_input(&g, "limit", 0, NULL);
    net_output(&g, net_node(&g, OP_Clip, IN(net_conv(&g, x), GR_NONE, limit))); /* known only when it runs */
    net_output(&g, net_unary(&g, OP_Relu, net_unary(&g, OP_Softmax, x)));       /* takes no epilogue */
    net_output(&g, net_unary(&g, OP_Relu, x));
    gr_id taken = net_conv(&g, x);
    net_last(&g)->epilogue.act = GR_ACT_TANH;
    net_output(&g, net_unary(&g, OP_Relu, taken));
    net_output(&g, net_unary(&g, OP_Exp, net_conv(&g, x)));
    int nodes = g.n_nodes;
    net_pass(&g, "fuse_activation");
    finish(&g, nodes, 0);
}

static void integers_are_left_alone(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = gr_add_tensor(&g, "x", VKI_I32, DIMS(4));
    assert_true(gr_add_input(&g, x));
    net_output(&g, net_unary(&g, OP_Relu, net_binary(&g, OP_Add, x, x)));
    net_optimize(&g, NULL);
    assert_int_equal(net_count(&g, OP_NONE), 2);
    gr_free(&g);
}

/* ---- fuse_residual ---- */

static void residual_before(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), shortcut = net_unary(&g, OP_Exp, net_input(&g, "s", DIMS(2, 6, 5, 6)));
    net_output(&g, net_unary(&g, OP_Relu, net_binary(&g, OP_Add, shortcut, net_conv(&g, x))));
    net_pass(&g, NULL);
    const gr_node *n = net_find(&g, OP_Conv);
    assert_int_equal(n->epilogue.residual, GR_RESIDUAL_BEFORE);
    assert_int_equal(n->epilogue.act, GR_ACT_RELU);
    assert_int_equal(n->n_in, 4);
    finish(&g, 2, ROUNDING);
}

static void residual_after(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), shortcut = net_input(&g, "s", DIMS(2, 6, 5, 6));
    net_output(&g, net_unary(&g, OP_Tanh,
                             net_binary(&g, OP_Add, net_unary(&g, OP_Relu, net_conv(&g, x)), shortcut)));
    net_optimize(&g, NULL); /* Tanh went into the Add, so nothing else fits */
    assert_int_equal(net_count(&g, OP_Add), 1);
    gr_free(&g);

    x = input4(&g);
    shortcut = net_input(&g, "s", DIMS(2, 6, 5, 6));
    net_output(
        &g, net_unary(&g, OP_Neg, net_binary(&g, OP_Add, net_unary(&g, OP_Relu, net_conv(&g, x)), shortcut)));
    net_pass(&g, NULL);
    assert_int_equal(g.nodes[0].epilogue.residual, GR_RESIDUAL_AFTER);
    assert_int_equal(g.nodes[0].epilogue.act, GR_ACT_RELU);
    finish(&g, 2, ROUNDING);
}

/* The residual is made after the convolution that takes it. */
static void residual_made_later(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    gr_id w = net_random(&g, DIMS(6, 4, 3, 3)), y = net_node(&g, OP_Conv, IN(x, w));
    gr_id late = net_unary(&g, OP_Exp, net_input(&g, "s", DIMS(2, 6, 3, 4)));
    late = net_unary(&g, OP_Neg, late);
    net_output(&g, late);
    net_output(&g, net_unary(&g, OP_Sqrt, net_unary(&g, OP_Abs, net_binary(&g, OP_Add, y, late))));
    net_pass(&g, "fuse_residual");
    assert_int_equal(g.nodes[2].op, OP_Conv);
    assert_int_equal(g.nodes[2].n_in, 3); /* no bias, so the residual is input 2 */
    finish(&g, 5, ROUNDING);
}

static void residual_of_two_convolutions(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    gr_id a = net_conv(&g, x), b = net_conv(&g, x), c = net_conv(&g, x);
    net_output(&g, net_unary(&g, OP_Relu, net_binary(&g, OP_Add, net_binary(&g, OP_Add, a, b), c)));
    net_pass(&g, NULL);
    finish(&g, 3, ROUNDING);
}

static void sums_that_stay(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    net_output(&g,
               net_binary(&g, OP_Add, net_conv(&g, x), net_input(&g, "row", DIMS(6, 5, 1)))); /* broadcast */
    gr_id y = net_conv(&g, x);
    net_output(&g, net_binary(&g, OP_Add, y, y));
    gr_id seen = net_conv(&g, x);
    net_output(&g, seen);
    net_output(&g, net_binary(&g, OP_Add, seen, net_input(&g, "s", DIMS(2, 6, 5, 6))));
    net_output(&g, net_binary(&g, OP_Add, net_conv(&g, x), net_random(&g, DIMS(2, 6, 5, 6))));
    net_output(&g, net_binary(&g, OP_Sub, net_conv(&g, x), net_input(&g, "t", DIMS(2, 6, 5, 6))));
    gr_id narrow = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(1, 4, 1, 1)))); /* is widened itself */
    net_output(&g, net_binary(&g, OP_Add, narrow, net_input(&g, "u", DIMS(2, 6, 5, 6))));
    int nodes = g.n_nodes;
    net_pass(&g, "fuse_residual");
    finish(&g, nodes, 0);
}

/* Conv - BN - Relu - Conv - BN - (+) - Relu, twice, then pool and classify: what is left are the products. */
static void residual_network(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = net_conv(&g, input4(&g));
    for (int block = 0; block < 2; block++) {
        gr_id y = x;
        for (int layer = 0; layer < 2; layer++) {
            gr_id w = net_random(&g, DIMS(6, 6, 3, 3));
            y = net_node(&g, OP_Conv, IN(y, w));
            net_set_ints(&((op_conv_attrs *)net_last(&g)->attrs)->pads, 4, (const int64_t[]){1, 1, 1, 1});
            y = batchnorm(&g, y, 6);
            if (layer == 0) y = net_unary(&g, OP_Relu, y);
        }
        x = net_unary(&g, OP_Relu, net_binary(&g, OP_Add, x, y));
    }
    gr_id flat = net_unary(&g, OP_Flatten, net_unary(&g, OP_GlobalAveragePool, x));
    net_output(&g, net_node(&g, OP_Gemm, IN(flat, net_random(&g, DIMS(6, 10)), net_random(&g, DIMS(10)))));
    net_pass(&g, NULL);
    assert_int_equal(net_count(&g, OP_Conv), 5);
    finish(&g, 8, 1e-5);
}

/* ---- fold_scale ---- */

static void scale_after_hardswish(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = net_unary(&g, OP_HardSwish, net_conv(&g, input4(&g)));
    x = net_binary(&g, OP_Mul, net_scalar(&g, 1.5f), x);
    x = net_binary(&g, OP_Sub, x, net_scalar(&g, 0.25f));
    gr_id pad = net_binary(&g, OP_Div, x, net_scalar(&g, -2));
    net_output(&g, pad);
    net_output(&g, net_unary(&g, OP_Exp, pad));
    net_pass(&g, NULL);
    assert_int_equal(g.nodes[0].epilogue.act, GR_ACT_HARDSWISH_AFFINE);
    assert_float_equal(g.nodes[0].epilogue.alpha, -0.75f, 0);
    assert_float_equal(g.nodes[0].epilogue.beta, 0.125f, 0);
    finish(&g, 2, ROUNDING);
}

static void scales_that_stay(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), y[4];
    for (int i = 0; i < 4; i++) y[i] = net_unary(&g, i == 1 ? OP_Sigmoid : OP_HardSwish, net_conv(&g, x));
    net_output(&g, y[0]); /* seen before it is scaled */
    net_output(&g, net_binary(&g, OP_Mul, y[0], net_scalar(&g, 2)));
    net_output(&g, net_binary(&g, OP_Mul, y[1], net_scalar(&g, 2)));
    net_output(&g, net_binary(&g, OP_Mul, y[2], net_random(&g, DIMS(6, 1, 1))));
    net_output(&g, net_binary(&g, OP_Sub, net_scalar(&g, 2), y[3]));
    net_pass(&g, NULL);
    finish(&g, 8, ROUNDING);
}

/* x g + x, and a sum with what Resize makes */
static void residuals_of_products_and_resizes(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), gate = net_unary(&g, OP_GlobalAveragePool, x);
    gr_id y = net_binary(&g, OP_Add, net_binary(&g, OP_Mul, x, gate), x);
    gr_id big =
        net_node(&g, OP_Resize, IN(y, GR_NONE, GR_NONE, net_ints(&g, 4, (const int64_t[]){2, 4, 10, 12})));
    net_output(&g,
               net_unary(&g, OP_Relu, net_binary(&g, OP_Add, net_input(&g, "s", DIMS(2, 4, 10, 12)), big)));
    net_pass(&g, NULL);
    assert_int_equal(net_find(&g, OP_Mul)->epilogue.residual, GR_RESIDUAL_BEFORE);
    assert_int_equal(net_find(&g, OP_Resize)->epilogue.act, GR_ACT_RELU);
    finish(&g, 3, ROUNDING);
}

/* Bias on either side; then residual and activation join; not a matrix, nor a product that is read twice. */
static void vectors_become_biases_of_products(void **state)
{
    (void)state;
    for (int form = 0; form < 5; form++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, 3, 8)), r = net_input(&g, "r", DIMS(2, 3, 5));
        gr_id y = net_binary(&g, OP_MatMul, x, net_random(&g, DIMS(8, 5)));
        gr_id bias = form == 3 ? net_random(&g, DIMS(3, 5)) : net_random(&g, DIMS(5));
        if (form == 4) net_output(&g, y);
        gr_id z = form == 1 ? net_binary(&g, OP_Add, bias, y) : net_binary(&g, OP_Add, y, bias);
        if (form == 2) z = net_unary(&g, OP_Relu, net_binary(&g, OP_Add, r, z));
        net_output(&g, z);
        net_pass(&g, form == 2 ? NULL : "matmul_bias");
        assert_int_equal(net_count(&g, OP_NONE), form < 3 ? 1 : 2);
        assert_int_equal(net_find(&g, OP_MatMul)->n_in, form == 2 ? 4 : form < 3 ? 3 : 2);
        net_pass_end(&g, 5e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_become_biases_of_products),
        cmocka_unit_test(batchnorm_into_convolutions),
        cmocka_unit_test(batchnorm_into_gemm),
        cmocka_unit_test(scales_and_shifts),
        cmocka_unit_test(batchnorm_keeps_its_activation),
        cmocka_unit_test(what_is_not_folded),
        cmocka_unit_test(padding_into_windows),
        cmocka_unit_test(padding_that_stays),
        cmocka_unit_test(activations_fuse),
        cmocka_unit_test(open_limits),
        cmocka_unit_test(activations_that_stay),
        cmocka_unit_test(integers_are_left_alone),
        cmocka_unit_test(residual_before),
        cmocka_unit_test(residual_after),
        cmocka_unit_test(residual_made_later),
        cmocka_unit_test(residual_of_two_convolutions),
        cmocka_unit_test(sums_that_stay),
        cmocka_unit_test(residual_network),
        cmocka_unit_test(scale_after_hardswish),
        cmocka_unit_test(scales_that_stay),
        cmocka_unit_test(residuals_of_products_and_resizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
