/* SPDX-License-Identifier: Apache-2.0
 * Networks quantized in the QDQ form: integers between the conversions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"

enum { IN_C = 32, OUT_C = 6, SIDE = 5 };
static const float STEP = 0.05f; /* of the activations */

static gr_id byte(gr_graph *g, vki_dtype dtype, int value)
{
    const uint8_t v = (uint8_t)value;
    return gr_add_const(g, NULL, dtype, 0, NULL, &v, true);
}

static gr_id quantize(gr_graph *g, gr_id x, float step, vki_dtype dtype, int zero)
{
    return net_node(g, OP_QuantizeLinear, IN(x, net_scalar(g, step), byte(g, dtype, zero)));
}

static gr_id dequantize(gr_graph *g, gr_id x, float step, vki_dtype dtype, int zero)
{
    return net_node(g, OP_DequantizeLinear, IN(x, net_scalar(g, step), byte(g, dtype, zero)));
}

/* Constant integers as floats, by scales along an axis or by one. */
static gr_id stored(gr_graph *g, vki_dtype dtype, int rank, const int64_t *dims, bool by_channel, float step,
                    int axis)
{
    int8_t bytes[IN_C * OUT_C * 9];
    int32_t words[OUT_C];
    float scales[IN_C];
    int64_t n = 1;
    for (int d = 0; d < rank; d++) n *= dims[d];
    assert_true(dtype == VKI_I32 ? n <= OUT_C : n <= (int64_t)sizeof bytes);
    for (int64_t i = 0; i < n; i++) {
        const int v = (int)(i * 37 % 251) - 125;
        if (dtype == VKI_I32)
            words[i] = v * 20;
        else
            bytes[i] = (int8_t)v;
    }
    for (int64_t i = 0; i < dims[axis]; i++) scales[i] = step * (1 + 0.1f * (float)i);
    gr_id q =
        gr_add_const(g, NULL, dtype, rank, dims, dtype == VKI_I32 ? (void *)words : (void *)bytes, true);
    gr_id s = by_channel ? gr_add_const(g, NULL, VKI_F32, 1, &dims[axis], scales, true) : net_scalar(g, step);
    gr_id y = net_node(g, OP_DequantizeLinear, IN(q, s));
    ((op_quantize_attrs *)net_last(g)->attrs)->axis = axis;
    return y;
}

typedef struct form {
    bool by_channel, float_bias, no_bias, relu, clip;
    vki_dtype dtype;
    int zero;     /* of the output */
    int64_t in_c; /* 0: IN_C */
    bool stays;
} form;

static gr_id convolution(gr_graph *g, gr_id x, const form *f, int64_t in_c)
{
    gr_id w = stored(g, VKI_I8, DIMS(OUT_C, in_c, 3, 3), f->by_channel, 0.01f, 0), bias = GR_NONE;
    if (f->float_bias)
        bias = net_random(g, DIMS(OUT_C));
    else if (!f->no_bias)
        bias = stored(g, VKI_I32, DIMS(OUT_C), f->by_channel, STEP * 0.01f, 0);
    gr_id y = net_node(g, OP_Conv, f->no_bias ? 2 : 3, (gr_id[]){x, w, bias});
    net_set_ints(&((op_conv_attrs *)net_last(g)->attrs)->pads, 4, (const int64_t[]){1, 1, 1, 1});
    if (f->clip) y = net_node(g, OP_Clip, IN(y, net_scalar(g, 0), net_scalar(g, 400)));
    return f->relu ? net_unary(g, OP_Relu, y) : y;
}

static void convolutions(void **state)
{
    (void)state;
    static const form forms[] = {
        {.dtype = VKI_U8, .zero = 128},
        {.by_channel = true, .dtype = VKI_I8, .zero = -3},
        {.by_channel = true, .no_bias = true, .dtype = VKI_U8, .zero = 7},
        {.by_channel = true, .float_bias = true, .dtype = VKI_U8, .zero = 7},
        {.by_channel = true, .relu = true, .dtype = VKI_U8, .zero = 0},
        {.relu = true, .clip = true, .dtype = VKI_I8, .zero = -128},
        {.relu = true, .dtype = VKI_U8, .zero = 5, .stays = true}, /* the integers go below zero */
        {.clip = true, .dtype = VKI_U8, .zero = 128, .stays = true},
        {.dtype = VKI_U8, .zero = 128, .in_c = 3, .stays = true},
    };
    for (size_t i = 0; i < VKB_COUNT(forms); i++) {
        const form *f = &forms[i];
        const int64_t in_c = f->in_c ? f->in_c : IN_C;
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, in_c, SIDE, SIDE));
        x = dequantize(&g, quantize(&g, x, STEP, VKI_U8, 120), STEP, VKI_U8, 120);
        gr_id y = convolution(&g, x, f, in_c);
        const float out = 1.5f;
        net_output(&g, dequantize(&g, quantize(&g, y, out, f->dtype, f->zero), out, f->dtype, f->zero));
        net_pass(&g, "qdq");
        assert_int_equal(net_count(&g, OP_QLinearConv), !f->stays);
        assert_int_equal(net_count(&g, OP_Conv), f->stays);
        net_pass_end(&g, 0.05); /* a step, where rounding decides */
    }
}

static void products(void **state)
{
    (void)state;
    for (int constant = 0; constant < 2; constant++) {
        gr_graph g;
        net_init(&g);
        gr_id a = net_input(&g, "a", DIMS(3, IN_C)), b;
        a = dequantize(&g, quantize(&g, a, STEP, VKI_I8, 3), STEP, VKI_I8, 3);
        if (constant)
            b = stored(&g, VKI_I8, DIMS(IN_C, OUT_C), false, 0.01f, 1);
        else
            b = dequantize(&g, quantize(&g, net_input(&g, "b", DIMS(IN_C, OUT_C)), STEP, VKI_U8, 9), STEP,
                           VKI_U8, 9);
        gr_id y = net_binary(&g, OP_MatMul, a, b);
        net_output(&g, dequantize(&g, quantize(&g, y, 0.2f, VKI_U8, 128), 0.2f, VKI_U8, 128));
        net_pass(&g, "qdq");
        assert_int_equal(net_count(&g, OP_QLinearMatMul), 1);
        assert_int_equal(net_count(&g, OP_MatMul), 0);
        net_pass_end(&g, 0.1);
    }
}

/* Elements are moved as the bytes they are, if both grids are the same. */
static void movements(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        gr_graph g;
        net_init(&g);
        gr_id x = quantize(&g, net_input(&g, "x", DIMS(1, 2, 4, 4)), STEP, VKI_U8, 120);
        gr_id y = net_unary(&g, kind == 1 ? OP_MaxPool : OP_Transpose, dequantize(&g, x, STEP, VKI_U8, 120));
        if (kind == 1)
            net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 2, (const int64_t[]){2, 2});
        const float step = kind == 2 ? 2 * STEP : STEP;
        net_output(&g, dequantize(&g, quantize(&g, y, step, VKI_U8, 120), step, VKI_U8, 120));
        net_pass(&g, NULL);
        assert_int_equal(net_count(&g, OP_NONE), 3);
        assert_int_equal(net_count(&g, OP_FakeQuantize), kind == 2 ? 2 : 0); /* of two grids */
        net_pass_end(&g, 1e-6);
    }
}

/* ---- fake_quantize ---- */

static gr_id pair(gr_graph *g, gr_id x, float step, vki_dtype dtype, int zero)
{
    return dequantize(g, quantize(g, x, step, dtype, zero), step, dtype, zero);
}

static const op_unary_attrs *levels_of(const gr_graph *g)
{
    const gr_node *n = net_find(g, OP_FakeQuantize);
    assert_non_null(n);
    return n->attrs;
}

/* Every bit stays, whatever limits before it became. */
static void pairs(void **state)
{
    (void)state;
    static const struct {
        vki_dtype dtype;
        int zero;
        op_kind act; /* before it: Relu, Clip to -0.33 .. 0.7, Tanh, none */
        int low, high;
        bool stays;
    } rows[] = {
        {VKI_U8, 128, OP_NONE, -128, 127, false}, {VKI_I8, -3, OP_NONE, -125, 130, false},
        {VKI_U8, 0, OP_Relu, 0, 255, false},      {VKI_I8, 0, OP_Relu, 0, 127, false},
        {VKI_U8, 128, OP_Clip, -7, 14, false},    {VKI_I8, -120, OP_Clip, -7, 14, false},
        {VKI_U8, 100, OP_Tanh, -100, 155, true},
    };
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, 3, 9, 11));
        if (rows[i].act == OP_Clip)
            x = net_node(&g, OP_Clip, IN(x, net_scalar(&g, -0.33f), net_scalar(&g, 0.7f)));
        else if (rows[i].act != OP_NONE)
            x = net_unary(&g, rows[i].act, x);
        net_output(&g, pair(&g, x, STEP, rows[i].dtype, rows[i].zero));
        net_pass(&g, "fake_quantize");
        assert_int_equal(net_count(&g, OP_NONE), 1 + rows[i].stays);
        assert_int_equal(levels_of(&g)->low, rows[i].low);
        assert_int_equal(levels_of(&g)->high, rows[i].high);
        net_pass_end(&g, 0);
    }
}

/* Activations that are fused already go, too, and a second rounding to the same grid behind what moves
 * elements. */
static void roundings_that_go(void **state)
{
    (void)state;
    for (int fused = 0; fused < 2; fused++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_conv(&g, net_input(&g, "x", DIMS(1, 4, 6, 6)));
        if (fused)
            net_last(&g)->epilogue.act = GR_ACT_RELU;
        else
            x = net_unary(&g, OP_Relu, x);
        x = pair(&g, net_unary(&g, OP_MaxPool, pair(&g, x, STEP, VKI_I8, 0)), STEP, VKI_I8, 0);
        net_output(&g, x);
        gr_node *pool = (gr_node *)(uintptr_t)net_find(&g, OP_MaxPool);
        net_set_ints(&((op_pool_attrs *)pool->attrs)->kernel_shape, 2, (const int64_t[]){2, 2});
        net_pass(&g, "fake_quantize");
        assert_int_equal(net_count(&g, OP_NONE), 3);
        assert_int_equal(g.nodes[0].epilogue.act, GR_ACT_NONE);
        assert_int_equal(levels_of(&g)->low, 0);
        net_pass_end(&g, 0.05);
    }
}

/* The integers are read elsewhere, the grids differ, or the second one has fewer levels. */
static void pairs_that_stay(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(3, 7)), q = quantize(&g, x, STEP, VKI_U8, 120);
        if (kind == 0) net_output(&g, q);
        gr_id y = dequantize(&g, q, kind == 1 ? 2 * STEP : STEP, VKI_U8, 120);
        if (kind == 2) y = pair(&g, y, STEP, VKI_U8, 0);
        net_output(&g, y);
        net_pass(&g, "fake_quantize");
        assert_int_equal(net_count(&g, OP_FakeQuantize), kind == 2 ? 2 : 0);
        net_pass_end(&g, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),      cmocka_unit_test(products),
        cmocka_unit_test(movements),         cmocka_unit_test(pairs),
        cmocka_unit_test(roundings_that_go), cmocka_unit_test(pairs_that_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
