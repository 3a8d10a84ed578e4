/* SPDX-License-Identifier: Apache-2.0
 * What passes and planner make of networks on the device: as many dispatches as there should be, and the same
 * results as the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/gpu_run.h"
#include "common/net.h"
#include "common/session_check.h"

/* On the device with fp32; frees the graph. */
static void check(gr_graph *g, int dispatches)
{
    vki_model *m = session_load(g, true, false, NULL);
    vki_session *s[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        vki_session_options o = {.size = sizeof o, .reference = i == 0, .precision = VKI_PRECISION_FP32};
        SESSION_OK(vki_session_create(m, &o, &s[i], why));
        session_write_inputs(s[i], g->n_inputs);
    }
    SESSION_OK(vki_session_run(s[0], 0, why));
    session_compare(g, s[0], s[1]);
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s[1], &stats), VKI_OK);
    assert_int_equal(stats.dispatches, dispatches);
    vki_session_destroy(&s[0]);
    vki_session_destroy(&s[1]);
    vki_model_destroy(&m);
    gr_free(g);
}

/* ---- rows straight from a convolution ---- */

static gr_id conv(gr_graph *g, gr_id x, int64_t from, int64_t to, int64_t kernel, int64_t group)
{
    const int64_t p = kernel / 2;
    gr_id w = net_random(g, DIMS(to, from / group, kernel, kernel));
    gr_id y = net_node(g, OP_Conv, IN(x, w, net_random(g, DIMS(to))));
    op_conv_attrs *a = net_last(g)->attrs;
    a->group = group;
    net_set_ints(&a->pads, 4, (const int64_t[]){p, p, p, p});
    return y;
}

static gr_id transpose(gr_graph *g, gr_id x, int rank, const int64_t *perm)
{
    gr_id y = net_unary(g, OP_Transpose, x);
    net_set_ints(&((op_transpose_attrs *)net_last(g)->attrs)->perm, rank, perm);
    return y;
}

static gr_id channels_last(gr_graph *g, gr_id x)
{
    return transpose(g, x, 4, (const int64_t[]){0, 2, 3, 1});
}

static gr_id turned(gr_graph *g, gr_id x)
{
    return transpose(g, x, 3, (const int64_t[]){0, 2, 1});
}

/* 1x1, 3x3, one kernel a channel, and that with a 1x1 behind it: to another order, or to rows of a matrix. */
static void rows_from_convolutions(void **state)
{
    (void)state;
    enum { C = 6, H = 5, W = 7 };
    for (int kind = 0; kind < 8; kind++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, C, H, W)), y = x;
        if (kind % 4 == 0) y = net_unary(&g, OP_Relu, conv(&g, x, C, C, 1, 1));
        if (kind % 4 == 1) y = conv(&g, x, C, C, 3, 1);
        if (kind % 4 == 2) y = net_unary(&g, OP_Sigmoid, conv(&g, x, C, C, 3, C));
        if (kind % 4 == 3) y = conv(&g, conv(&g, x, C, C, 3, C), C, C, 1, 1);
        if (kind < 4) {
            y = channels_last(&g, y);
        } else {
            y = net_node(&g, OP_Reshape, IN(y, net_ints(&g, 3, (const int64_t[]){2, C / 2, -1})));
            y = net_binary(&g, OP_MatMul, y, net_random(&g, DIMS(2 * H * W, 3)));
        }
        net_output(&g, y);
        check(&g, 2);
    }
}

/* Positions under another name keep the slices, whoever reads them; slices that are wanted as well stay. */
static void rows_or_slices(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        gr_graph g;
        net_init(&g);
        gr_id x = conv(&g, net_input(&g, "x", DIMS(1, 6, 4, 5)), 6, 7, 1, 1);
        gr_id flat = net_node(&g, OP_Reshape, IN(x, net_ints(&g, 3, (const int64_t[]){1, 7, 20})));
        if (kind == 0) {
            net_output(&g, turned(&g, flat));
        } else if (kind == 1) {
            net_output(&g, net_unary(&g, OP_GlobalMaxPool, flat));
        } else {
            net_output(&g, turned(&g, flat));
            net_output(&g, net_unary(&g, OP_GlobalMaxPool, x));
        }
        check(&g, kind == 2 ? 4 : 2);
    }
}

/* ---- normalization of groups ---- */

/* As exporters spell it, with SiLU behind it: statistics, their sums by group, and one pass over the data. */
static void group_normalization(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = conv(&g, net_input(&g, "x", DIMS(2, 4, 9, 7)), 4, 12, 3, 1);
    gr_id y = net_node(&g, OP_Reshape, IN(x, net_ints(&g, 3, (const int64_t[]){0, 4, -1})));
    y = net_node(&g, OP_InstanceNormalization, IN(y, net_positive(&g, DIMS(4)), net_random(&g, DIMS(4))));
    y = net_node(&g, OP_Reshape, IN(y, net_ints(&g, 4, (const int64_t[]){2, 12, 9, 7})));
    y = net_binary(&g, OP_Mul, y, net_random(&g, DIMS(12, 1, 1)));
    y = net_binary(&g, OP_Add, y, net_random(&g, DIMS(12, 1, 1)));
    y = net_binary(&g, OP_Mul, y, net_unary(&g, OP_Sigmoid, y));
    net_output(&g, conv(&g, y, 12, 5, 1, 1));
    session_check_merge(&g, 5, "group_normalization", 0.05f);
}

/* ---- networks in the QDQ form ---- */

static gr_id pair(gr_graph *g, gr_id x, float step, int zero)
{
    const uint8_t v = (uint8_t)zero;
    gr_id q = net_node(g, OP_QuantizeLinear,
                       IN(x, net_scalar(g, step), gr_add_const(g, NULL, VKI_U8, 0, NULL, &v, true)));
    return net_node(g, OP_DequantizeLinear,
                    IN(q, net_scalar(g, step), gr_add_const(g, NULL, VKI_U8, 0, NULL, &v, true)));
}

/* The roundings go into what makes the values: but for the input's they are no dispatches. Inputs and weights
 * are whole, so that the sums are exact. */
static void quantized_network(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = pair(&g, net_input(&g, "x", DIMS(1, 4, 12, 12)), 0.25f, 128);
    float ones[8 * 4];
    for (int i = 0; i < 8 * 4; i++) ones[i] = (float)(i * 5 % 7 - 3) * 0.25f;
    x = net_node(&g, OP_Conv, IN(x, gr_add_const(&g, NULL, VKI_F32, 4, (int64_t[]){8, 4, 1, 1}, ones, true)));
    x = pair(&g, net_unary(&g, OP_Relu, x), 0.375f, 0);
    gr_id pool = net_unary(&g, OP_MaxPool, x);
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->kernel_shape, 2, (const int64_t[]){2, 2});
    net_set_ints(&((op_pool_attrs *)net_last(&g)->attrs)->strides, 2, (const int64_t[]){2, 2});
    pool = pair(&g, pool, 0.375f, 0);
    gr_id sum = pair(&g, net_binary(&g, OP_Add, pool, net_input(&g, "y", DIMS(1, 8, 6, 6))), 0.375f, 100);
    net_output(&g, sum);
    session_check_merge(&g, 4, "fake_quantize", 0);
}

/* ---- cells ---- */

static gr_id product(gr_graph *g, gr_id x, int64_t from, int64_t to)
{
    gr_id y = net_node(g, OP_Gemm, IN(x, net_random(g, DIMS(to, from)), net_random(g, DIMS(to))));
    ((op_gemm_attrs *)net_last(g)->attrs)->transB = 1;
    return y;
}

static void split(gr_graph *g, gr_id x, int parts, gr_id out[])
{
    for (int i = 0; i < parts; i++) out[i] = gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
    gr_node *n = gr_add_node(g, OP_Split, NULL, 1, &x, parts, out);
    assert_non_null(n);
    ((op_axis_attrs *)n->attrs)->axis = 1;
    ((op_axis_attrs *)n->attrs)->num_outputs = parts;
}

static void lstm(gr_graph *g, gr_id x, int64_t input, int64_t hidden, gr_id *h, gr_id *c)
{
    gr_id p[4];
    split(g, net_binary(g, OP_Add, product(g, x, input, 4 * hidden), product(g, *h, hidden, 4 * hidden)), 4,
          p);
    for (int i = 0; i < 4; i++) p[i] = net_unary(g, i == 2 ? OP_Tanh : OP_Sigmoid, p[i]);
    *c = net_binary(g, OP_Add, net_binary(g, OP_Mul, p[1], *c), net_binary(g, OP_Mul, p[0], p[2]));
    *h = net_binary(g, OP_Mul, p[3], net_unary(g, OP_Tanh, *c));
}

static gr_id gru(gr_graph *g, gr_id x, int64_t input, int64_t hidden, gr_id h)
{
    gr_id p[3], q[3];
    split(g, product(g, x, input, 3 * hidden), 3, p);
    split(g, product(g, h, hidden, 3 * hidden), 3, q);
    gr_id r = net_unary(g, OP_Sigmoid, net_binary(g, OP_Add, p[0], q[0]));
    gr_id z = net_unary(g, OP_Sigmoid, net_binary(g, OP_Add, p[1], q[1]));
    gr_id k = net_unary(g, OP_Tanh, net_binary(g, OP_Add, p[2], net_binary(g, OP_Mul, r, q[2])));
    return net_binary(g, OP_Add, k, net_binary(g, OP_Mul, z, net_binary(g, OP_Sub, h, k)));
}

/* Two steps of two products and all gates. */
static void cells(void **state)
{
    (void)state;
    static const int64_t sizes[] = {16, 72};
    for (int kind = 0; kind < 4; kind++) {
        const int64_t n = sizes[kind / 2];
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, n)), h = net_input(&g, "h", DIMS(2, n)),
              c = net_input(&g, "c", DIMS(2, n));
        for (int step = 0; step < 2; step++) {
            if (kind % 2)
                h = gru(&g, step ? h : x, n, n, step ? c : h);
            else
                lstm(&g, step ? h : x, n, n, &h, &c);
        }
        net_output(&g, h);
        session_check_merge(&g, 6, "recurrent_cells", 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_from_convolutions),
        cmocka_unit_test(rows_or_slices),
        cmocka_unit_test(group_normalization),
        cmocka_unit_test(quantized_network),
        cmocka_unit_test(cells),
    };
    if (!gpu_run_device()) {
        print_message("device_fusions_test: skipped: no Vulkan device\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
