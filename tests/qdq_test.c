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
        assert_int_equal(net_count(&g, OP_NONE), kind == 2 ? 5 : 3);
        net_pass_end(&g, 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(convolutions), cmocka_unit_test(products),
                                       cmocka_unit_test(movements)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
