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

static gr_graph before;

static void optimize(gr_graph *g, const char *only)
{
    assert_int_equal(gr_clone(&before, g, NULL), VKI_OK);
    net_optimize(g, only);
}

static void finish(gr_graph *g, int nodes, double tolerance)
{
    assert_int_equal(net_count(g, OP_NONE), nodes);
    net_same_results(&before, g, tolerance);
    gr_free(&before);
    gr_free(g);
}

static gr_id unary(gr_graph *g, op_kind op, gr_id x)
{
    return net_node(g, op, IN(x));
}

static gr_id binary(gr_graph *g, op_kind op, gr_id a, gr_id b)
{
    return net_node(g, op, IN(a, b));
}

/* 3x3, padded by 1: 4 channels to 6 */
static gr_id conv(gr_graph *g, gr_id x)
{
    gr_id y = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(6, 4, 3, 3)), net_random(g, DIMS(6))));
    net_set_ints(&((op_conv_attrs *)net_last(g)->attrs)->pads, 4, (const int64_t[]){1, 1, 1, 1});
    return y;
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
        optimize(&g, "fold_batchnorm");
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
        optimize(&g, "fold_batchnorm");
        finish(&g, 1, ROUNDING);
    }
}

static void scales_and_shifts(void **state)
{
    (void)state;
    gr_graph g;
    gr_id y = conv(&g, input4(&g));
    y = binary(&g, OP_Mul, y, net_positive(&g, DIMS(6, 1, 1)));
    y = binary(&g, OP_Add, net_random(&g, DIMS(1, 6, 1, 1)), y);
    y = binary(&g, OP_Sub, y, net_scalar(&g, 0.3f));
    y = binary(&g, OP_Sub, net_random(&g, DIMS(6, 1, 1)), y);
    y = binary(&g, OP_Div, y, net_positive(&g, DIMS(1, 6, 1, 1)));
    net_output(&g, y);
    optimize(&g, "fold_batchnorm");
    finish(&g, 1, ROUNDING);
}

static void batchnorm_keeps_its_activation(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(gr_symbol(&g, "N"), 4, 5, 6)); /* no shapes are needed */
    net_output(&g, unary(&g, OP_Relu, batchnorm(&g, conv(&g, x), 6)));
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
    gr_id twice = conv(&g, x);
    net_output(&g, batchnorm(&g, twice, 6));
    net_output(&g, unary(&g, OP_Neg, twice)); /* somebody else reads it */
    gr_id seen = conv(&g, x);
    net_output(&g, seen); /* a graph output */
    net_output(&g, batchnorm(&g, seen, 6));
    net_output(&g, binary(&g, OP_Mul, conv(&g, x), net_random(&g, DIMS(6)))); /* along the width */
    net_output(&g, binary(&g, OP_Add, conv(&g, x), net_random(&g, DIMS(1, 6, 5, 6))));
    net_output(&g, binary(&g, OP_Div, net_random(&g, DIMS(6, 1, 1)),
                          binary(&g, OP_Add, conv(&g, x), net_input(&g, "big", DIMS(1)))));
    net_output(&g, binary(&g, OP_Mul, conv(&g, x), net_random(&g, DIMS(2, 1, 1, 1, 1)))); /* widens */
    gr_id act = conv(&g, x);
    net_last(&g)->epilogue.act = GR_ACT_RELU;
    net_output(&g, binary(&g, OP_Mul, act, net_scalar(&g, 2)));
    gr_id own = net_node(&g, OP_Conv, IN(x, net_input(&g, "w", DIMS(6, 4, 3, 3)))); /* weights are an input */
    net_output(&g, binary(&g, OP_Mul, own, net_scalar(&g, 2)));
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
    net_output(&g, conv(&g, p));
    net_output(&g,
               net_node(&g, OP_Conv, IN(p, net_random(&g, DIMS(6, 4, 3, 3))))); /* without pads of its own */
    gr_id pool = unary(&g, OP_AveragePool, pad(&g, x, (const int64_t[]){0, 0, 1, 0, 0, 0, 0, 1}, 0));
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 2, (const int64_t[]){3, 2});
    net_output(&g, pool);
    optimize(&g, "fold_pad");
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
    net_output(&g, conv(&g, pad(&g, x, around, 0.5f)));
    net_output(&g, conv(&g, pad(&g, x, cut, 0)));
    gr_id edge = pad(&g, x, around, 0);
    ((op_pad_attrs *)net_last(&g)->attrs)->mode = OP_PADDING_EDGE;
    net_output(&g, conv(&g, edge));
    gr_id same = conv(&g, pad(&g, x, around, 0));
    op_conv_attrs *a = net_last(&g)->attrs;
    a->auto_pad = OP_PAD_SAME_UPPER;
    a->pads.count = 0;
    net_output(&g, same);
    gr_id pool = unary(&g, OP_AveragePool, pad(&g, x, around, 0)); /* its own pads are not counted */
    op_pool_attrs *p = net_last(&g)->attrs;
    net_set_ints(&p->kernel_shape, 2, (const int64_t[]){3, 3});
    net_set_ints(&p->pads, 4, (const int64_t[]){1, 1, 1, 1});
    net_output(&g, pool);
    gr_id most = unary(&g, OP_MaxPool, pad(&g, x, around, 0)); /* a zero is not minus infinity */
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 2, (const int64_t[]){3, 3});
    net_output(&g, most);
    const int64_t channels[8] = {0, 1, 1, 1, 0, 0, 1, 1};
    gr_id wide = pad(&g, net_input(&g, "three", DIMS(2, 3, 5, 6)), channels, 0);
    net_output(&g, conv(&g, wide));
    optimize(&g, "fold_pad");
    finish(&g, 14, 0);
}

/* ---- composites ---- */

static gr_id relu6_of_plus3(gr_graph *g, gr_id x, float shift)
{
    gr_id sum = binary(g, OP_Add, x, net_scalar(g, shift));
    return net_node(g, OP_Clip, IN(sum, net_scalar(g, 0), net_scalar(g, 6)));
}

static void hard_swish_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 7; form++) {
        gr_graph g;
        gr_id x = conv(&g, input4(&g)), six = net_scalar(&g, 6), sixth = net_scalar(&g, 1.0f / 6), y;
        gr_id clip = relu6_of_plus3(&g, x, 3);
        switch (form) {
        case 0:
            y = binary(&g, OP_Div, binary(&g, OP_Mul, x, clip), six);
            break;
        case 1:
            y = binary(&g, OP_Mul, binary(&g, OP_Mul, clip, x), sixth);
            break;
        case 2:
            y = binary(&g, OP_Mul, x, binary(&g, OP_Div, clip, six));
            break;
        case 3:
            y = binary(&g, OP_Mul, binary(&g, OP_Mul, sixth, clip), x);
            break;
        case 4:
            y = binary(&g, OP_Mul, binary(&g, OP_Div, x, six), clip);
            break;
        case 5:
            y = binary(&g, OP_Mul, clip, binary(&g, OP_Mul, x, sixth));
            break;
        default:
            y = binary(&g, OP_Div, binary(&g, OP_Mul, clip, x), six);
            break;
        }
        net_output(&g, y);
        optimize(&g, "composites");
        assert_int_equal(net_count(&g, OP_HardSwish), 1);
        finish(&g, 2, ROUNDING);
    }
}

static void hard_swish_of_hard_sigmoid(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), h = unary(&g, OP_HardSigmoid, x);
    op_unary_attrs *a = net_last(&g)->attrs;
    a->alpha = 1.0f / 6;
    a->beta = 0.5f;
    net_output(&g, binary(&g, OP_Mul, h, x));
    gr_id other = unary(&g, OP_HardSigmoid, x); /* with 0.2, as it is by default */
    net_output(&g, binary(&g, OP_Mul, other, x));
    optimize(&g, "composites");
    assert_int_equal(net_count(&g, OP_HardSwish), 1);
    finish(&g, 3, ROUNDING);
}

static void hard_sigmoid_forms(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), zero = net_scalar(&g, 0), one = net_scalar(&g, 1);
    net_output(&g, binary(&g, OP_Div, relu6_of_plus3(&g, x, 3), net_scalar(&g, 6)));
    gr_id line = binary(&g, OP_Add, binary(&g, OP_Mul, x, net_scalar(&g, 0.3f)), net_scalar(&g, 0.4f));
    net_output(&g, net_node(&g, OP_Clip, IN(line, zero, one)));
    optimize(&g, "composites");
    assert_int_equal(net_count(&g, OP_HardSigmoid), 2);
    finish(&g, 2, ROUNDING);
}

static void silu(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    net_output(&g, binary(&g, OP_Mul, x, unary(&g, OP_Sigmoid, x)));
    net_output(&g, binary(&g, OP_Mul, unary(&g, OP_Sigmoid, x), net_input(&g, "z", DIMS(2, 4, 5, 6))));
    optimize(&g, "composites");
    assert_int_equal(net_count(&g, OP_Silu), 1);
    finish(&g, 3, ROUNDING);
}

static void almost_composites(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), six = net_scalar(&g, 6);
    net_output(&g, binary(&g, OP_Div, binary(&g, OP_Mul, x, relu6_of_plus3(&g, x, 3.1f)), six));
    net_output(&g, binary(&g, OP_Div, binary(&g, OP_Mul, x, relu6_of_plus3(&g, x, 3)), net_scalar(&g, 5)));
    gr_id other = net_input(&g, "o", DIMS(2, 4, 5, 6));
    net_output(&g, binary(&g, OP_Div, binary(&g, OP_Mul, other, relu6_of_plus3(&g, x, 3)), six));
    gr_id clip = relu6_of_plus3(&g, x, 3); /* is wanted elsewhere, too */
    net_output(&g, clip);
    net_output(&g, binary(&g, OP_Div, binary(&g, OP_Mul, x, clip), six));
    gr_id s = unary(&g, OP_Sigmoid, x);
    net_output(&g, s);
    net_output(&g, binary(&g, OP_Mul, x, s));
    gr_id wide =
        gr_add_const(&g, NULL, VKI_F32, 5, (const int64_t[]){1, 1, 1, 1, 1}, (const float[]){6}, true);
    net_output(&g, binary(&g, OP_Div, relu6_of_plus3(&g, x, 3), wide));
    int nodes = g.n_nodes;
    optimize(&g, "composites");
    finish(&g, nodes, 0);
}

/* ---- layer_normalization ---- */

/* form: 1 squares by Mul, 2 has no scale, 4 has no bias */
static gr_id layer_norm(gr_graph *g, gr_id x, int64_t n, int64_t axis, int form)
{
    gr_id axes = net_ints(g, 1, &axis);
    gr_id d = binary(g, OP_Sub, x, net_node(g, OP_ReduceMean, IN(x, axes)));
    gr_id square = form & 1 ? binary(g, OP_Mul, d, d) : binary(g, OP_Pow, d, net_scalar(g, 2));
    gr_id v = net_node(g, OP_ReduceMean, IN(square, axes));
    gr_id y = binary(g, OP_Div, d, unary(g, OP_Sqrt, binary(g, OP_Add, v, net_scalar(g, 1e-5f))));
    if (form & 2) return y;
    y = binary(g, OP_Mul, net_random(g, DIMS(n)), y);
    return form & 4 ? y : binary(g, OP_Add, y, net_random(g, DIMS(n)));
}

static void layer_normalization_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, 5, 8));
        net_output(&g, layer_norm(&g, x, 8, form & 1 ? -1 : 2, form));
        optimize(&g, "layer_normalization");
        const gr_node *n = net_find(&g, OP_LayerNormalization);
        assert_non_null(n);
        assert_int_equal(n->n_in, form & 6 ? 2 : 3);
        assert_true(((op_norm_attrs *)n->attrs)->epsilon == 1e-5f);
        finish(&g, 1, 2e-5);
    }
}

static void other_normalizations_stay(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 8, 8));
    net_output(&g, layer_norm(&g, x, 8, 1, 0)); /* over another dimension */
    gr_id y = layer_norm(&g, x, 8, -1, 2);
    net_output(&g, g.nodes[g.n_nodes - 2].out[0]); /* the deviation is wanted */
    net_output(&g, y);
    net_output(&g, layer_norm(&g, unary(&g, OP_Exp, x), 8, -1, 2));
    gr_id centred = net_last(&g)->in[0];
    net_output(&g, unary(&g, OP_Neg, centred)); /* so is what it is divided into */
    int nodes = g.n_nodes;
    optimize(&g, "layer_normalization");
    finish(&g, nodes, 0);
}

/* ---- fuse_activation ---- */

static gr_id activation(gr_graph *g, op_kind op, gr_id x)
{
    if (op != OP_Clip) return unary(g, op, x);
    return net_node(g, OP_Clip, IN(x, net_scalar(g, -0.5f), net_scalar(g, 0.75f)));
}

static void activations_fuse(void **state)
{
    static const struct {
        op_kind op;
        gr_act act;
        float alpha, beta;
    } rows[] = {
        {OP_Relu, GR_ACT_RELU, 0, 0},           {OP_LeakyRelu, GR_ACT_LEAKY, 0.01f, 0},
        {OP_Clip, GR_ACT_CLIP, -0.5f, 0.75f},   {OP_Sigmoid, GR_ACT_SIGMOID, 0, 0},
        {OP_Tanh, GR_ACT_TANH, 0, 0},           {OP_HardSigmoid, GR_ACT_HARDSIGMOID, 0.2f, 0.5f},
        {OP_HardSwish, GR_ACT_HARDSWISH, 0, 0}, {OP_Silu, GR_ACT_SILU, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gr_graph g;
        gr_id x = conv(&g, input4(&g));
        net_output(&g, activation(&g, rows[i].op, x));
        const char *name = net_last(&g)->name;
        optimize(&g, "fuse_activation");
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
    net_output(&g, net_node(&g, OP_Clip, IN(conv(&g, x), net_scalar(&g, 0)))); /* Relu by another name */
    net_output(&g, net_node(&g, OP_Clip, IN(conv(&g, x), GR_NONE, net_scalar(&g, 1))));
    net_output(&g, net_node(&g, OP_Clip, IN(conv(&g, x))));
    optimize(&g, "fuse_activation");
    assert_int_equal(g.nodes[0].epilogue.act, GR_ACT_RELU);
    assert_int_equal(g.nodes[1].epilogue.act, GR_ACT_CLIP);
    finish(&g, 3, 0);
}

static void activations_that_stay(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    gr_id seen = conv(&g, x);
    net_output(&g, seen);
    net_output(&g, unary(&g, OP_Relu, seen));
    gr_id twice = conv(&g, x);
    net_output(&g, unary(&g, OP_Relu, twice));
    net_output(&g, unary(&g, OP_Tanh, twice));
    gr_id limit = net_input(&g, "limit", 0, NULL);
    net_output(&g, net_node(&g, OP_Clip, IN(conv(&g, x), GR_NONE, limit))); /* known only when it runs */
    net_output(&g, unary(&g, OP_Relu, unary(&g, OP_Softmax, x)));           /* takes no epilogue */
    net_output(&g, unary(&g, OP_Relu, x));
    gr_id taken = conv(&g, x);
    net_last(&g)->epilogue.act = GR_ACT_TANH;
    net_output(&g, unary(&g, OP_Relu, taken));
    net_output(&g, unary(&g, OP_Exp, conv(&g, x)));
    int nodes = g.n_nodes;
    optimize(&g, "fuse_activation");
    finish(&g, nodes, 0);
}

static void integers_are_left_alone(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = gr_add_tensor(&g, "x", VKI_I32, DIMS(4));
    assert_true(gr_add_input(&g, x));
    net_output(&g, unary(&g, OP_Relu, binary(&g, OP_Add, x, x)));
    net_optimize(&g, NULL);
    assert_int_equal(net_count(&g, OP_NONE), 2);
    gr_free(&g);
}

/* ---- fuse_residual ---- */

static void residual_before(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), shortcut = unary(&g, OP_Exp, net_input(&g, "s", DIMS(2, 6, 5, 6)));
    net_output(&g, unary(&g, OP_Relu, binary(&g, OP_Add, shortcut, conv(&g, x))));
    optimize(&g, NULL);
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
    net_output(&g, unary(&g, OP_Tanh, binary(&g, OP_Add, unary(&g, OP_Relu, conv(&g, x)), shortcut)));
    net_optimize(&g, NULL); /* Tanh went into the Add, so nothing else fits */
    assert_int_equal(net_count(&g, OP_Add), 1);
    gr_free(&g);

    x = input4(&g);
    shortcut = net_input(&g, "s", DIMS(2, 6, 5, 6));
    net_output(&g, unary(&g, OP_Neg, binary(&g, OP_Add, unary(&g, OP_Relu, conv(&g, x)), shortcut)));
    optimize(&g, NULL);
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
    gr_id late = unary(&g, OP_Exp, net_input(&g, "s", DIMS(2, 6, 3, 4)));
    late = unary(&g, OP_Neg, late);
    net_output(&g, late);
    net_output(&g, unary(&g, OP_Sqrt, unary(&g, OP_Abs, binary(&g, OP_Add, y, late))));
    optimize(&g, "fuse_residual");
    assert_int_equal(g.nodes[2].op, OP_Conv);
    assert_int_equal(g.nodes[2].n_in, 3); /* no bias, so the residual is input 2 */
    finish(&g, 5, ROUNDING);
}

static void residual_of_two_convolutions(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    gr_id a = conv(&g, x), b = conv(&g, x), c = conv(&g, x);
    net_output(&g, unary(&g, OP_Relu, binary(&g, OP_Add, binary(&g, OP_Add, a, b), c)));
    optimize(&g, NULL);
    finish(&g, 3, ROUNDING);
}

static void sums_that_stay(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    net_output(&g, binary(&g, OP_Add, conv(&g, x), net_input(&g, "row", DIMS(6, 5, 1)))); /* broadcast */
    gr_id y = conv(&g, x);
    net_output(&g, binary(&g, OP_Add, y, y));
    gr_id seen = conv(&g, x);
    net_output(&g, seen);
    net_output(&g, binary(&g, OP_Add, seen, net_input(&g, "s", DIMS(2, 6, 5, 6))));
    net_output(&g, binary(&g, OP_Add, conv(&g, x), net_random(&g, DIMS(2, 6, 5, 6))));
    net_output(&g, binary(&g, OP_Sub, conv(&g, x), net_input(&g, "t", DIMS(2, 6, 5, 6))));
    gr_id narrow = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(1, 4, 1, 1)))); /* is widened itself */
    net_output(&g, binary(&g, OP_Add, narrow, net_input(&g, "u", DIMS(2, 6, 5, 6))));
    int nodes = g.n_nodes;
    optimize(&g, "fuse_residual");
    finish(&g, nodes, 0);
}

/* Conv - BN - Relu - Conv - BN - (+) - Relu, twice, then pool and classify: what is left are the products. */
static void residual_network(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = conv(&g, input4(&g));
    for (int block = 0; block < 2; block++) {
        gr_id y = x;
        for (int layer = 0; layer < 2; layer++) {
            gr_id w = net_random(&g, DIMS(6, 6, 3, 3));
            y = net_node(&g, OP_Conv, IN(y, w));
            net_set_ints(&((op_conv_attrs *)net_last(&g)->attrs)->pads, 4, (const int64_t[]){1, 1, 1, 1});
            y = batchnorm(&g, y, 6);
            if (layer == 0) y = unary(&g, OP_Relu, y);
        }
        x = unary(&g, OP_Relu, binary(&g, OP_Add, x, y));
    }
    gr_id flat = unary(&g, OP_Flatten, unary(&g, OP_GlobalAveragePool, x));
    net_output(&g, net_node(&g, OP_Gemm, IN(flat, net_random(&g, DIMS(6, 10)), net_random(&g, DIMS(10)))));
    optimize(&g, NULL);
    assert_int_equal(net_count(&g, OP_Conv), 5);
    finish(&g, 8, 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batchnorm_into_convolutions),
        cmocka_unit_test(batchnorm_into_gemm),
        cmocka_unit_test(scales_and_shifts),
        cmocka_unit_test(batchnorm_keeps_its_activation),
        cmocka_unit_test(what_is_not_folded),
        cmocka_unit_test(padding_into_windows),
        cmocka_unit_test(padding_that_stays),
        cmocka_unit_test(hard_swish_forms),
        cmocka_unit_test(hard_swish_of_hard_sigmoid),
        cmocka_unit_test(hard_sigmoid_forms),
        cmocka_unit_test(silu),
        cmocka_unit_test(almost_composites),
        cmocka_unit_test(layer_normalization_forms),
        cmocka_unit_test(other_normalizations_stay),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
