/* SPDX-License-Identifier: Apache-2.0
 * Attention recovered from its primitives, and imported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#ifdef VKI_HAVE_ONNX
#include "common/onnx_expect.h"
#endif

enum { BATCH = 2, ROWS = 7, HEADS = 3, SIZE = 5 };
static const double ROUNDING = 5e-6;

static gr_id transpose(gr_graph *g, gr_id x, int rank, const int64_t *perm)
{
    gr_id y = net_unary(g, OP_Transpose, x);
    net_set_ints(&((op_transpose_attrs *)net_last(g)->attrs)->perm, rank, perm);
    return y;
}

/* [BATCH, ROWS, HEADS SIZE] -> [BATCH, HEADS, ROWS, SIZE], or with the keys last */
static gr_id heads_of(gr_graph *g, gr_id x, bool keys_last)
{
    gr_id shape = net_ints(g, 4, (const int64_t[]){BATCH, ROWS, HEADS, SIZE});
    x = net_node(g, OP_Reshape, IN(x, shape));
    return keys_last ? transpose(g, x, DIMS(0, 2, 3, 1)) : transpose(g, x, DIMS(0, 2, 1, 3));
}

static gr_id merged(gr_graph *g, gr_id y)
{
    y = transpose(g, y, DIMS(0, 2, 1, 3));
    return net_node(g, OP_Reshape, IN(y, net_ints(g, 3, (const int64_t[]){BATCH, ROWS, HEADS * SIZE})));
}

static gr_id sequence(gr_graph *g, const char *name)
{
    return net_input(g, name, DIMS(BATCH, ROWS, HEADS * SIZE));
}

/* As BERT's exporters write it: scale and mask on the scores. */
static gr_id bert(gr_graph *g, bool divide, bool swap)
{
    gr_id q = heads_of(g, sequence(g, "q"), false), k = heads_of(g, sequence(g, "k"), true);
    gr_id v = heads_of(g, sequence(g, "v"), false), mask = net_input(g, "mask", DIMS(BATCH, 1, 1, ROWS));
    gr_id s = net_binary(g, OP_MatMul, q, k);
    s = net_binary(g, divide ? OP_Div : OP_Mul, s, net_scalar(g, divide ? 3.0f : 0.3f));
    s = swap ? net_binary(g, OP_Add, mask, s) : net_binary(g, OP_Add, s, mask);
    return net_binary(g, OP_MatMul, net_unary(g, OP_Softmax, s), v);
}

static void heads_are_read_where_they_are(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        gr_graph g;
        net_init(&g);
        net_output(&g, merged(&g, bert(&g, form % 2, form / 2)));
        net_pass(&g, NULL);
        const gr_node *n = net_find(&g, OP_Attention);
        assert_non_null(n);
        assert_int_equal(n->n_in, 4);
        assert_int_equal(((const op_attention_attrs *)n->attrs)->q_num_heads, HEADS);
        assert_int_equal(net_count(&g, OP_NONE), 1); /* no Transpose, no Reshape */
        net_pass_end(&g, ROUNDING);
    }
}

/* The scale before the product, once or by its root on both sides; the output of each head wanted. */
static void other_places_of_the_scale(void **state)
{
    (void)state;
    for (int both = 0; both < 2; both++) {
        gr_graph g;
        net_init(&g);
        gr_id q = heads_of(&g, sequence(&g, "q"), false), k = heads_of(&g, sequence(&g, "k"), true);
        gr_id v = heads_of(&g, sequence(&g, "v"), false);
        q = net_binary(&g, OP_Mul, q, net_scalar(&g, 0.6f));
        if (both) k = net_binary(&g, OP_Mul, net_scalar(&g, 0.6f), k);
        gr_id p = net_unary(&g, OP_Softmax, net_binary(&g, OP_MatMul, q, k));
        net_output(&g, net_binary(&g, OP_MatMul, p, v));
        net_pass(&g, NULL);
        const gr_node *n = net_find(&g, OP_Attention);
        assert_non_null(n);
        float scale = ((const op_attention_attrs *)n->attrs)->scale;
        assert_true(scale > (both ? 0.35f : 0.59f) && scale < (both ? 0.37f : 0.61f));
        assert_int_equal(net_count(&g, OP_Transpose), 1);
        net_pass_end(&g, ROUNDING);
    }
}

/* Heads that come as they are wanted, of four dimensions or three. */
static void plain_heads(void **state)
{
    (void)state;
    for (int rank = 3; rank <= 4; rank++) {
        gr_graph g;
        net_init(&g);
        const int64_t dims[4] = {BATCH, HEADS, ROWS, SIZE}, *own = dims + 4 - rank;
        gr_id q = net_input(&g, "q", rank, own), k = net_input(&g, "k", rank, own);
        gr_id v = net_input(&g, "v", rank, own), mask = net_input(&g, "mask", DIMS(1, ROWS, ROWS));
        k = rank == 4 ? transpose(&g, k, DIMS(0, 1, 3, 2)) : transpose(&g, k, DIMS(0, 2, 1));
        gr_id s = net_binary(&g, OP_Add, net_binary(&g, OP_MatMul, q, k), mask);
        net_output(&g, net_binary(&g, OP_MatMul, net_unary(&g, OP_Softmax, s), v));
        net_pass(&g, NULL);
        assert_non_null(net_find(&g, OP_Attention));
        assert_int_equal(net_count(&g, OP_NONE), 1);
        net_pass_end(&g, ROUNDING);
    }
}

/* Scores or weights that are wanted themselves, a mask that widens, another axis, keys that are not turned.
 */
static void what_is_no_attention(void **state)
{
    (void)state;
    for (int form = 0; form < 5; form++) {
        gr_graph g;
        net_init(&g);
        gr_id q = net_input(&g, "q", DIMS(1, HEADS, ROWS, SIZE)),
              v = net_input(&g, "v", DIMS(1, HEADS, ROWS, SIZE));
        gr_id k = net_input(&g, "k", DIMS(1, HEADS, SIZE, ROWS)),
              mask = net_input(&g, "mask", DIMS(2, 1, 1, ROWS));
        if (form != 4) k = transpose(&g, transpose(&g, k, DIMS(2, 1, 0, 3)), DIMS(2, 1, 0, 3));
        gr_id s = net_binary(&g, OP_MatMul, q, k);
        if (form == 0) net_output(&g, s);
        if (form == 1) s = net_binary(&g, OP_Add, s, mask);
        gr_id p = net_unary(&g, OP_Softmax, s);
        if (form == 2) ((op_axis_attrs *)net_last(&g)->attrs)->axis = 2;
        if (form == 3) net_output(&g, p);
        net_output(&g, net_binary(&g, OP_MatMul, p, v));
        net_pass(&g, NULL);
        assert_null(net_find(&g, OP_Attention));
        net_pass_end(&g, ROUNDING);
    }
}

#ifdef VKI_HAVE_ONNX
static ob_node_t *start(ob *b, int opset)
{
    ob_node_t *n = oe_start(b, opset, "Attention", "1,2,2");
    ob_initializer(b, "k", VKI_F32, "1,2,2", X32(1, 0, 0, 1));
    ob_initializer(b, "m", VKI_F32, "2,2", X32(0, -1e30f, 0, 0));
    ob_int(b, n, "q_num_heads", 1);
    ob_int(b, n, "kv_num_heads", 1);
    ob_float(b, n, "scale", 1);
    return n;
}

static void imported(void **state)
{
    (void)state;
    static const float want[] = {1, 0, 0.26894142f, 0.73105858f};
    for (int causal = 0; causal < 2; causal++) {
        ob b;
        ob_node_t *n = start(&b, 23);
        ob_inputs(&b, n, causal ? "x,k,k" : "x,k,k,m");
        if (causal) ob_int(&b, n, "is_causal", 1);
        oe_expect(&b, X32(1, 0, 0, 1), "1,2,2", want, 4);
    }
    ob b;
    ob_node_t *n = start(&b, 23);
    ob_inputs(&b, n, "x,k,k,m");
    ob_float(&b, n, "softcap", 1);
    oe_refuses(&b, "before opset 24");
    n = start(&b, 23);
    ob_inputs(&b, n, "x,k,k,,k,k");
    oe_refuses(&b, "former calls");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_where_they_are),
        cmocka_unit_test(other_places_of_the_scale),
        cmocka_unit_test(plain_heads),
        cmocka_unit_test(what_is_no_attention),
#ifdef VKI_HAVE_ONNX
        cmocka_unit_test(imported),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
