/* SPDX-License-Identifier: Apache-2.0
 * Operators recovered from the primitives that exporters spell them out in. */
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

static const double ROUNDING = 5e-6;

/* ---- composites ---- */

static gr_id relu6_of_plus3(gr_graph *g, gr_id x, float shift)
{
    gr_id sum = net_binary(g, OP_Add, x, net_scalar(g, shift));
    return net_node(g, OP_Clip, IN(sum, net_scalar(g, 0), net_scalar(g, 6)));
}

static void hard_swish_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 7; form++) {
        gr_graph g;
        gr_id x = net_conv(&g, input4(&g)), six = net_scalar(&g, 6), sixth = net_scalar(&g, 1.0f / 6), y;
        gr_id clip = relu6_of_plus3(&g, x, 3);
        switch (form) {
        case 0:
            y = net_binary(&g, OP_Div, net_binary(&g, OP_Mul, x, clip), six);
            break;
        case 1:
            y = net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, clip, x), sixth);
            break;
        case 2:
            y = net_binary(&g, OP_Mul, x, net_binary(&g, OP_Div, clip, six));
            break;
        case 3:
            y = net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, sixth, clip), x);
            break;
        case 4:
            y = net_binary(&g, OP_Mul, net_binary(&g, OP_Div, x, six), clip);
            break;
        case 5:
            y = net_binary(&g, OP_Mul, clip, net_binary(&g, OP_Mul, x, sixth));
            break;
        default:
            y = net_binary(&g, OP_Div, net_binary(&g, OP_Mul, clip, x), six);
            break;
        }
        net_output(&g, y);
        net_pass(&g, "composites");
        assert_int_equal(net_count(&g, OP_HardSwish), 1);
        finish(&g, 2, ROUNDING);
    }
}

static gr_id erf_gate(gr_graph *g, gr_id x, bool divide, float one)
{
    gr_id scaled = divide ? net_binary(g, OP_Div, x, net_scalar(g, 1.41421354f))
                          : net_binary(g, OP_Mul, net_scalar(g, 0.707106769f), x);
    return net_binary(g, OP_Add, net_unary(g, OP_Erf, scaled), net_scalar(g, one));
}

static void gelu_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 6; form++) {
        gr_graph g;
        gr_id x = net_conv(&g, input4(&g)), half = net_scalar(&g, 0.5f), two = net_scalar(&g, 2), y;
        gr_id gate = erf_gate(&g, x, form % 2, 1);
        switch (form) {
        case 0:
            y = net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, gate), half);
            break;
        case 1:
            y = net_binary(&g, OP_Div, net_binary(&g, OP_Mul, gate, x), two);
            break;
        case 2:
            y = net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, half), gate);
            break;
        case 3:
            y = net_binary(&g, OP_Mul, gate, net_binary(&g, OP_Mul, half, x));
            break;
        case 4:
            y = net_binary(&g, OP_Mul, x, net_binary(&g, OP_Mul, gate, half));
            break;
        default:
            y = net_binary(&g, OP_Mul, net_binary(&g, OP_Div, gate, two), x);
            break;
        }
        net_output(&g, y);
        net_pass(&g, "composites");
        assert_int_equal(net_count(&g, OP_Gelu), 1);
        finish(&g, 2, ROUNDING);
    }
}

/* Another number, another factor, another x, and a gate that somebody else reads. */
/* 1 + Tanh(sqrt(2/pi) (x + c x^3)); the cube as a power or as products */
static gr_id tanh_gate(gr_graph *g, gr_id x, bool power, float c)
{
    gr_id cube = power ? net_binary(g, OP_Pow, x, net_scalar(g, 3))
                       : net_binary(g, OP_Mul, net_binary(g, OP_Mul, x, x), x);
    gr_id sum = net_binary(g, OP_Add, x, net_binary(g, OP_Mul, cube, net_scalar(g, c)));
    gr_id curve = net_unary(g, OP_Tanh, net_binary(g, OP_Mul, net_scalar(g, 0.79788458f), sum));
    return net_binary(g, OP_Add, curve, net_scalar(g, 1));
}

static void gelu_by_tanh(void **state)
{
    (void)state;
    for (int form = 0; form < 6; form++) {
        gr_graph g;
        gr_id x = net_conv(&g, input4(&g)), half = net_scalar(&g, 0.5f), y;
        gr_id gate = tanh_gate(&g, x, form % 2, form < 4 ? 0.044715f : 0.05f);
        if (form / 2 == 0)
            y = net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, half), gate);
        else
            y = net_binary(&g, OP_Mul, half, net_binary(&g, OP_Mul, gate, x));
        net_output(&g, y);
        net_pass(&g, "composites");
        const gr_node *n = net_find(&g, OP_Gelu);
        assert_int_equal(n != NULL, form < 4);
        if (n) assert_int_equal(((const op_unary_attrs *)n->attrs)->approximate, 1);
        finish(&g, form < 4 ? 2 : g.n_nodes, ROUNDING);
    }
}

/* Exp(x) / ReduceSum(Exp(x)), with the largest taken off before or not; not along two axes. */
static void softmax_spelled_out(void **state)
{
    (void)state;
    for (int form = 0; form < 5; form++) {
        gr_graph g;
        gr_id x = net_conv(&g, input4(&g)), s = x,
              axes = net_ints(&g, 1, (const int64_t[]){form == 1 ? -1 : 1});
        if (form < 2 || form == 4) s = net_binary(&g, OP_Sub, x, net_binary(&g, OP_ReduceMax, x, axes));
        if (form == 3) axes = net_ints(&g, 2, (const int64_t[]){1, 2});
        gr_id e = net_unary(&g, OP_Exp, s), sum = net_binary(&g, OP_ReduceSum, e, axes);
        if (form == 4) net_output(&g, e);
        net_output(&g, net_binary(&g, OP_Div, e, sum));
        net_pass(&g, "softmax");
        const gr_node *n = net_find(&g, OP_Softmax);
        assert_int_equal(n != NULL, form < 3);
        if (n) assert_int_equal(((const op_axis_attrs *)n->attrs)->axis, form == 1 ? 3 : 1);
        finish(&g, n ? 2 : g.n_nodes, ROUNDING);
    }
}

static void softmax_between_views(void **state)
{
    (void)state;
    for (int form = 0; form < 5; form++) {
        gr_graph g;
        gr_id x = net_conv(&g, input4(&g)); /* [2, 6, 5, 6] */
        gr_id flat = form < 4 ? net_unary(&g, OP_Flatten, x)
                              : net_node(&g, OP_Reshape, IN(x, net_ints(&g, 2, (const int64_t[]){-1, 12})));
        if (form < 4) ((op_view_attrs *)net_last(&g)->attrs)->axis = form == 3 ? 2 : 3;
        gr_id y = net_unary(&g, form == 1 ? OP_LogSoftmax : OP_Softmax, flat);
        if (form == 2) ((op_axis_attrs *)net_last(&g)->attrs)->axis = 0;
        net_output(&g, net_node(&g, OP_Reshape, IN(y, net_ints(&g, 4, (const int64_t[]){2, 6, 5, 6}))));
        net_pass(&g, "softmax");
        finish(&g, form < 2 ? 2 : 4, ROUNDING);
    }
}

static void mish(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        gr_graph g;
        gr_id x = net_conv(&g, input4(&g)), soft = net_unary(&g, OP_Softplus, x);
        gr_id curve = net_unary(&g, OP_Tanh, soft);
        net_output(&g, form % 2 ? net_binary(&g, OP_Mul, curve, x) : net_binary(&g, OP_Mul, x, curve));
        if (form == 2) net_output(&g, soft);
        if (form == 3) net_output(&g, net_binary(&g, OP_Mul, curve, soft));
        net_pass(&g, "composites");
        assert_int_equal(net_count(&g, OP_Mish), form < 2);
        finish(&g, form < 2 ? 2 : g.n_nodes, ROUNDING);
    }
}

static void not_gelu(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), half = net_scalar(&g, 0.5f), third = net_scalar(&g, 0.3f);
    gr_id a = erf_gate(&g, x, true, 2), b = erf_gate(&g, x, true, 1), c = erf_gate(&g, third, true, 1);
    gr_id d = erf_gate(&g, x, false, 1);
    net_output(&g, net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, a), half));
    net_output(&g, net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, b), third));
    net_output(&g, net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, c), half));
    net_output(&g, net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, d), half));
    net_output(&g, d);
    net_pass(&g, "composites");
    assert_int_equal(net_count(&g, OP_Gelu), 0);
    finish(&g, net_count(&g, OP_NONE), ROUNDING);
}

static void hard_swish_of_hard_sigmoid(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), h = net_unary(&g, OP_HardSigmoid, x);
    op_unary_attrs *a = net_last(&g)->attrs;
    a->alpha = 1.0f / 6;
    a->beta = 0.5f;
    net_output(&g, net_binary(&g, OP_Mul, h, x));
    gr_id other = net_unary(&g, OP_HardSigmoid, x); /* with 0.2, as it is by default */
    net_output(&g, net_binary(&g, OP_Mul, other, x));
    net_pass(&g, "composites");
    assert_int_equal(net_count(&g, OP_HardSwish), 1);
    finish(&g, 3, ROUNDING);
}

static void hard_sigmoid_forms(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), zero = net_scalar(&g, 0), one = net_scalar(&g, 1);
    net_output(&g, net_binary(&g, OP_Div, relu6_of_plus3(&g, x, 3), net_scalar(&g, 6)));
    gr_id line =
        net_binary(&g, OP_Add, net_binary(&g, OP_Mul, x, net_scalar(&g, 0.3f)), net_scalar(&g, 0.4f));
    net_output(&g, net_node(&g, OP_Clip, IN(line, zero, one)));
    net_pass(&g, "composites");
    assert_int_equal(net_count(&g, OP_HardSigmoid), 2);
    finish(&g, 2, ROUNDING);
}

static void silu(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g);
    net_output(&g, net_binary(&g, OP_Mul, x, net_unary(&g, OP_Sigmoid, x)));
    net_output(&g,
               net_binary(&g, OP_Mul, net_unary(&g, OP_Sigmoid, x), net_input(&g, "z", DIMS(2, 4, 5, 6))));
    net_pass(&g, "composites");
    assert_int_equal(net_count(&g, OP_Silu), 1);
    finish(&g, 3, ROUNDING);
}

static void almost_composites(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = input4(&g), six = net_scalar(&g, 6);
    net_output(&g, net_binary(&g, OP_Div, net_binary(&g, OP_Mul, x, relu6_of_plus3(&g, x, 3.1f)), six));
    net_output(
        &g, net_binary(&g, OP_Div, net_binary(&g, OP_Mul, x, relu6_of_plus3(&g, x, 3)), net_scalar(&g, 5)));
    gr_id other = net_input(&g, "o", DIMS(2, 4, 5, 6));
    net_output(&g, net_binary(&g, OP_Div, net_binary(&g, OP_Mul, other, relu6_of_plus3(&g, x, 3)), six));
    gr_id clip = relu6_of_plus3(&g, x, 3); /* is wanted elsewhere, too */
    net_output(&g, clip);
    net_output(&g, net_binary(&g, OP_Div, net_binary(&g, OP_Mul, x, clip), six));
    gr_id s = net_unary(&g, OP_Sigmoid, x);
    net_output(&g, s);
    net_output(&g, net_binary(&g, OP_Mul, x, s));
    gr_id wide =
        gr_add_const(&g, NULL, VKI_F32, 5, (const int64_t[]){1, 1, 1, 1, 1}, (const float[]){6}, true);
    net_output(&g, net_binary(&g, OP_Div, relu6_of_plus3(&g, x, 3), wide));
    int nodes = g.n_nodes;
    net_pass(&g, "composites");
    finish(&g, nodes, 0);
}

/* ---- layer_normalization ---- */

/* form: 1 squares by Mul, 2 has no scale, 4 has no bias */
static gr_id layer_norm(gr_graph *g, gr_id x, int64_t n, int64_t axis, int form)
{
    gr_id axes = net_ints(g, 1, &axis);
    gr_id d = net_binary(g, OP_Sub, x, net_node(g, OP_ReduceMean, IN(x, axes)));
    gr_id square = form & 1 ? net_binary(g, OP_Mul, d, d) : net_binary(g, OP_Pow, d, net_scalar(g, 2));
    gr_id v = net_node(g, OP_ReduceMean, IN(square, axes));
    gr_id y = net_binary(g, OP_Div, d, net_unary(g, OP_Sqrt, net_binary(g, OP_Add, v, net_scalar(g, 1e-5f))));
    if (form & 2) return y;
    y = net_binary(g, OP_Mul, net_random(g, DIMS(n)), y);
    return form & 4 ? y : net_binary(g, OP_Add, y, net_random(g, DIMS(n)));
}

static void layer_normalization_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, 5, 8));
        net_output(&g, layer_norm(&g, x, 8, form & 1 ? -1 : 2, form));
        net_pass(&g, "layer_normalization");
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
    int nodes = g.n_nodes;
    net_pass(&g, "layer_normalization");
    finish(&g, nodes, 0);
}

/* The deviation is read elsewhere: it stays, and what is left is not centred. */
static void deviation_that_is_wanted(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        gr_graph g;
        net_init(&g);
        gr_id y = layer_norm(&g, net_input(&g, "x", DIMS(2, 8, 8)), 8, -1, 2), d = net_last(&g)->in[0];
        net_output(&g, y);
        net_output(&g, form ? d : net_unary(&g, OP_Neg, d));
        net_pass(&g, "layer_normalization");
        const gr_node *n = net_find(&g, OP_LayerNormalization);
        assert_non_null(n);
        assert_int_equal(((const op_norm_attrs *)n->attrs)->centred, 0);
        finish(&g, form ? 3 : 4, 2e-5);
    }
}

/* ---- RMS normalization ---- */

enum { BY_DIV, BY_RECIPROCAL, BY_QUOTIENT, BY_POWER, ROOTS };

typedef struct rms { /* x / Sqrt(ReduceMean(x^2) + epsilon), scaled */
    gr_id x, epsilon, square, sum;
    int64_t axis;
    int root;
    bool product, scaled, cast;
} rms;

static gr_id rms_norm(gr_graph *g, rms *r, int64_t n)
{
    gr_id x = r->cast ? net_unary(g, OP_Cast, r->x) : r->x, factor; /* to float32, by default */
    r->square = r->product ? net_binary(g, OP_Mul, x, x) : net_binary(g, OP_Pow, x, net_scalar(g, 2));
    r->sum = net_binary(g, OP_Add, net_binary(g, OP_ReduceMean, r->square, net_ints(g, 1, &r->axis)),
                        r->epsilon == GR_NONE ? net_scalar(g, 1e-6f) : r->epsilon);
    if (r->root == BY_POWER)
        factor = net_binary(g, OP_Pow, r->sum, net_scalar(g, -0.5f));
    else if (r->root == BY_QUOTIENT)
        factor = net_binary(g, OP_Div, net_scalar(g, 1), net_unary(g, OP_Sqrt, r->sum));
    else
        factor = net_unary(g, OP_Sqrt, r->sum);
    if (r->root == BY_RECIPROCAL) factor = net_unary(g, OP_Reciprocal, factor);
    gr_id y = r->product && r->root != BY_DIV ? net_binary(g, OP_Mul, factor, x)
                                              : net_binary(g, r->root == BY_DIV ? OP_Div : OP_Mul, x, factor);
    if (r->cast) y = net_unary(g, OP_Cast, y);
    return r->scaled ? net_binary(g, OP_Mul, net_random(g, DIMS(n)), y) : y;
}

static void rms_normalization_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 8 * ROOTS; form++) {
        gr_graph g;
        net_init(&g);
        rms r = {.x = net_input(&g, "x", DIMS(2, 5, 8)), .epsilon = GR_NONE, .root = form / 8};
        r.product = form & 1;
        r.scaled = form & 2;
        r.cast = form & 4;
        r.axis = form & 1 ? -1 : 2;
        net_output(&g, net_binary(&g, OP_Add, rms_norm(&g, &r, 8), r.x)); /* x is read elsewhere, too */
        net_pass(&g, r.cast ? NULL : "layer_normalization");
        const gr_node *n = net_find(&g, OP_LayerNormalization);
        assert_non_null(n);
        const op_norm_attrs *a = n->attrs;
        assert_int_equal(n->n_in, 2);
        assert_int_equal(a->centred, 0);
        assert_true(a->epsilon == 1e-6f);
        finish(&g, 2, 2e-5);
    }
}

/* Along another dimension; an epsilon that is computed, one a row, or negative; a power of 4; the square and
 * the sum wanted elsewhere; x divided by the root of another's square; a number that adds a dimension. */
static void almost_rms_normalizations(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 8, 8)), z = net_input(&g, "z", DIMS(1));
    rms along = {.x = x, .epsilon = GR_NONE, .axis = 1, .scaled = true};
    net_output(&g, rms_norm(&g, &along, 8));
    const gr_id epsilons[] = {net_unary(&g, OP_Exp, z), net_positive(&g, DIMS(8, 1)), net_scalar(&g, -1e-9f)};
    for (size_t i = 0; i < VKB_COUNT(epsilons); i++) {
        rms r = {.x = x, .epsilon = epsilons[i], .axis = -1, .root = BY_RECIPROCAL};
        net_output(&g, rms_norm(&g, &r, 8));
    }
    rms square = {.x = x, .epsilon = GR_NONE, .axis = -1, .root = BY_RECIPROCAL}, sum = square;
    net_output(&g, rms_norm(&g, &square, 8));
    net_output(&g, square.square);
    net_output(&g, rms_norm(&g, &sum, 8));
    net_output(&g, net_unary(&g, OP_Neg, sum.sum));
    rms other = {.x = net_unary(&g, OP_Exp, x), .epsilon = GR_NONE, .axis = -1, .product = true};
    rms_norm(&g, &other, 8);
    net_last(&g)->in[0] = x;
    net_output(&g, net_last(&g)->out[0]);
    gr_id one = gr_add_const(&g, NULL, VKI_F32, 4, (const int64_t[]){1, 1, 1, 1}, (const float[]){1}, true);
    rms wide = {.x = x, .epsilon = one, .axis = -1};
    net_output(&g, rms_norm(&g, &wide, 8));
    rms cube = {.x = x, .epsilon = GR_NONE, .axis = -1};
    net_output(&g, rms_norm(&g, &cube, 8));
    gr_node *power = NULL;
    for (int i = 0; i < g.n_nodes; i++)
        if (g.nodes[i].out[0] == cube.square) power = &g.nodes[i];
    power->in[1] = net_scalar(&g, 4);
    int nodes = g.n_nodes;
    net_pass(&g, "layer_normalization");
    assert_int_equal(net_count(&g, OP_LayerNormalization), 0);
    finish(&g, nodes, 0);
}

/* ---- group_normalization ---- */

/* Of 6 channels in 3 groups, as rows and back. */
static gr_id groups(gr_graph *g, gr_id x)
{
    gr_id in[3] = {net_node(g, OP_Reshape, IN(x, net_ints(g, 3, (const int64_t[]){0, 3, -1}))),
                   net_positive(g, DIMS(3)), net_random(g, DIMS(3))};
    gr_id y = net_node(g, OP_InstanceNormalization, 3, in);
    return net_node(g, OP_Reshape, IN(y, net_ints(g, 4, (const int64_t[]){2, 6, 5, 6})));
}

static void group_normalization_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        gr_graph g;
        gr_id y = groups(&g, net_conv(&g, input4(&g)));
        if (form & 1)
            y = net_binary(&g, OP_Mul, net_random(&g, DIMS(1, 6, 1, 1)), y);
        else
            y = net_binary(&g, OP_Mul, y, net_random(&g, DIMS(6, 1, 1)));
        if (!(form & 4)) y = net_binary(&g, OP_Add, net_random(&g, DIMS(6, 1, 1)), y);
        if (form & 2) y = net_binary(&g, OP_Mul, y, net_unary(&g, OP_Sigmoid, y));
        net_output(&g, y);
        net_pass(&g, form & 2 ? NULL : "group_normalization");
        const gr_node *n = net_find(&g, OP_GroupNormalization);
        assert_non_null(n);
        assert_int_equal(n->epilogue.act, form & 2 ? GR_ACT_SILU : GR_ACT_NONE);
        assert_int_equal(((const op_norm_attrs *)n->attrs)->num_groups, 3);
        finish(&g, 2, ROUNDING);
    }
}

/* Before opset 21 nothing comes behind the groups; any InstanceNormalization takes scale and shift. */
static void scales_of_norms(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = net_conv(&g, input4(&g));
    net_output(&g, groups(&g, x));
    gr_id y =
        net_node(&g, OP_InstanceNormalization, IN(x, net_positive(&g, DIMS(6)), net_random(&g, DIMS(6))));
    net_output(&g, net_binary(&g, OP_Mul, y, net_random(&g, DIMS(6, 1, 1))));
    net_pass(&g, "group_normalization");
    assert_int_equal(net_count(&g, OP_GroupNormalization), 1);
    assert_int_equal(net_count(&g, OP_InstanceNormalization), 1);
    finish(&g, 3, ROUNDING);
}

/* The normal values read elsewhere; one number a column; a scale that is computed; no normalization. */
static void other_scales_stay(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = net_conv(&g, input4(&g)), y = groups(&g, x);
    gr_id channel = net_random(&g, DIMS(6, 1, 1)), column = net_random(&g, DIMS(6));
    gr_id computed = net_unary(&g, OP_Exp, net_input(&g, "s", DIMS(6, 1, 1)));
    net_output(&g, net_binary(&g, OP_Mul, y, channel));
    net_output(&g, net_binary(&g, OP_Mul, y, channel));
    net_output(&g, net_binary(&g, OP_Mul, groups(&g, x), column));
    net_output(&g, net_binary(&g, OP_Mul, groups(&g, x), computed));
    net_output(&g, net_binary(&g, OP_Add, net_binary(&g, OP_Mul, x, channel), channel));
    net_pass(&g, "group_normalization");
    assert_int_equal(net_count(&g, OP_GroupNormalization), 3);
    finish(&g, 1 + 3 + 1 + 4 + 2, ROUNDING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_forms),
        cmocka_unit_test(gelu_by_tanh),
        cmocka_unit_test(softmax_spelled_out),
        cmocka_unit_test(softmax_between_views),
        cmocka_unit_test(mish),
        cmocka_unit_test(not_gelu),
        cmocka_unit_test(hard_swish_forms),
        cmocka_unit_test(hard_swish_of_hard_sigmoid),
        cmocka_unit_test(hard_sigmoid_forms),
        cmocka_unit_test(silu),
        cmocka_unit_test(almost_composites),
        cmocka_unit_test(layer_normalization_forms),
        cmocka_unit_test(other_normalizations_stay),
        cmocka_unit_test(deviation_that_is_wanted),
        cmocka_unit_test(rms_normalization_forms),
        cmocka_unit_test(almost_rms_normalizations),
        cmocka_unit_test(group_normalization_forms),
        cmocka_unit_test(scales_of_norms),
        cmocka_unit_test(other_scales_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
