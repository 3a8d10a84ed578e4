/* SPDX-License-Identifier: Apache-2.0
 * Steps of LSTM and GRU, spelled out in primitives, become those operators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"

enum { BATCH = 3, INPUT = 5, HIDDEN = 7 };

static const double ROUNDING = 5e-6;

enum { /* forms of a cell */
       PLAIN = 0,
       SLICES = 1, /* the parts by Slices */
       MATMUL = 2, /* the products by MatMul, with Adds of the biases */
       BARE = 4,   /* without biases */
       TURNED = 8, /* operands in the other order, and the gates, too */
       FORMS = 16,
       /* what is no cell, or none that may be taken: */
       SHIFTED = 16,    /* a gate is another activation's */
       SCALED = 32,     /* alpha is 2 */
       READ_GATE = 64,  /* an output of the graph is in the middle */
       READ_SUM = 128,  /* and so is the sum of the products */
       VARIABLE = 256,  /* R is an input */
       SAME_PART = 512, /* two gates of one part */
};

static gr_id binary(gr_graph *g, op_kind op, gr_id a, gr_id b, int turned)
{
    return turned ? net_binary(g, op, b, a) : net_binary(g, op, a, b);
}

typedef struct layer {
    gr_id w[2], b[2]; /* of x, of h; as the form wants them */
    int64_t rows;     /* gates HIDDEN */
    int form;
} layer;

static layer make_layer(gr_graph *g, int gates, int input, int form)
{
    layer l = {.rows = gates * HIDDEN, .form = form};
    for (int i = 0; i < 2; i++) {
        int64_t k = i ? HIDDEN : input;
        const int64_t dims[2] = {form & MATMUL ? k : l.rows, form & MATMUL ? l.rows : k};
        l.w[i] = i && form & VARIABLE ? net_input(g, "R", 2, dims) : net_random(g, 2, dims);
        l.b[i] = form & BARE ? GR_NONE : net_random(g, DIMS(l.rows));
    }
    return l;
}

static gr_id product(gr_graph *g, const layer *l, gr_id x, int i)
{
    bool bare = l->form & BARE;
    if (l->form & MATMUL) {
        gr_id y = net_binary(g, OP_MatMul, x, l->w[i]);
        return bare ? y : net_binary(g, OP_Add, l->b[i], y);
    }
    gr_id y = net_node(g, OP_Gemm, bare ? 2 : 3, (const gr_id[]){x, l->w[i], l->b[i]});
    op_gemm_attrs *a = net_last(g)->attrs;
    a->transB = 1;
    if (l->form & SCALED) a->alpha = 2;
    return y;
}

static void split(gr_graph *g, gr_id x, int parts, gr_id out[], int form)
{
    for (int i = 0; i < parts; i++) {
        const int64_t start = i * HIDDEN, end = start + HIDDEN, axis = i % 2 ? 1 : -1;
        out[i] = form & SLICES ? net_node(g, OP_Slice,
                                          IN(x, net_ints(g, 1, &start), net_ints(g, 1, &end),
                                             net_ints(g, 1, &axis), net_ints(g, 1, (const int64_t[]){1})))
                               : gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
    }
    if (form & SLICES) return;
    gr_node *n = gr_add_node(g, OP_Split, NULL, 1, &x, parts, out);
    assert_non_null(n);
    ((op_axis_attrs *)n->attrs)->axis = 1;
    ((op_axis_attrs *)n->attrs)->num_outputs = parts;
}

/* ---- LSTM ---- */

static void lstm_step(gr_graph *g, const layer *l, gr_id x, gr_id *h, gr_id *c)
{
    static const int ways[2][4] = {{0, 1, 2, 3}, {3, 0, 1, 2}}; /* i f g o, and another order */
    const int *at = ways[l->form & TURNED ? 1 : 0], turned = l->form & TURNED;
    gr_id part[4], sum = binary(g, OP_Add, product(g, l, x, 0), product(g, l, *h, 1), turned);
    split(g, sum, 4, part, l->form);
    gr_id i = net_unary(g, OP_Sigmoid, part[at[0]]), f = net_unary(g, OP_Sigmoid, part[at[1]]);
    gr_id u = net_unary(g, l->form & SHIFTED ? OP_Softsign : OP_Tanh, part[at[2]]);
    gr_id o = net_unary(g, OP_Sigmoid, part[at[l->form & SAME_PART ? 1 : 3]]);
    *c = binary(g, OP_Add, binary(g, OP_Mul, f, *c, turned), binary(g, OP_Mul, i, u, turned), turned);
    *h = binary(g, OP_Mul, o, net_unary(g, OP_Tanh, *c), turned);
    if (l->form & READ_GATE) net_output(g, f);
    if (l->form & READ_SUM) net_output(g, sum);
}

static void lstm_graph(gr_graph *g, int form, bool want_c)
{
    net_init(g);
    layer l = make_layer(g, 4, INPUT, form);
    gr_id x = net_input(g, "x", DIMS(BATCH, INPUT)), h = net_input(g, "h", DIMS(BATCH, HIDDEN)),
          c = net_input(g, "c", DIMS(BATCH, HIDDEN));
    lstm_step(g, &l, x, &h, &c);
    net_output(g, h);
    if (want_c) net_output(g, c);
    net_pass(g, "recurrent_cells");
}

static void lstm_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 2 * FORMS; form++) {
        gr_graph g;
        bool want_c = form < FORMS;
        lstm_graph(&g, form % FORMS, want_c);
        const gr_node *n = net_find(&g, OP_LSTM);
        assert_non_null(n);
        assert_int_equal(n->n_out, want_c ? 3 : 2);
        assert_int_equal(net_count(&g, OP_NONE), want_c ? 6 : 5); /* and Reshapes */
        net_pass_end(&g, ROUNDING);
    }
}

static void not_lstm(void **state)
{
    (void)state;
    static const int forms[] = {SHIFTED, SCALED, READ_GATE, READ_SUM, VARIABLE, READ_SUM | SLICES};
    for (size_t i = 0; i < VKB_COUNT(forms); i++) {
        gr_graph g;
        lstm_graph(&g, forms[i], true);
        assert_null(net_find(&g, OP_LSTM));
        net_pass_end(&g, 0);
    }
    gr_graph g;
    lstm_graph(&g, SAME_PART | SLICES, true);
    assert_null(net_find(&g, OP_LSTM));
    net_pass_end(&g, 0);
}

/* One row of a state for all rows of x: what is spelled out widens it, the operator does not. */
static void states_that_widen(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        gr_graph g;
        net_init(&g);
        layer l = make_layer(&g, 4, INPUT, PLAIN);
        gr_id x = net_input(&g, "x", DIMS(BATCH, INPUT)),
              h = net_input(&g, "h", DIMS(which ? BATCH : 1, HIDDEN)),
              c = net_input(&g, "c", DIMS(which ? 1 : BATCH, HIDDEN));
        lstm_step(&g, &l, x, &h, &c);
        net_output(&g, h);
        net_pass(&g, "recurrent_cells");
        assert_null(net_find(&g, OP_LSTM));
        net_pass_end(&g, 0);
    }
}

/* Two layers of three steps: each layer's weights are packed once. All passes leave the same. */
static void lstm_steps(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        gr_graph g;
        net_init(&g);
        layer l[2] = {make_layer(&g, 4, INPUT, PLAIN), make_layer(&g, 4, HIDDEN, MATMUL | TURNED)};
        gr_id h[2], c[2];
        for (int i = 0; i < 2; i++) {
            h[i] = net_input(&g, i ? "h1" : "h0", DIMS(BATCH, HIDDEN));
            c[i] = net_input(&g, i ? "c1" : "c0", DIMS(BATCH, HIDDEN));
        }
        for (int step = 0; step < 3; step++) {
            static const char *const names[] = {"x0", "x1", "x2"};
            lstm_step(&g, &l[0], net_input(&g, names[step], DIMS(BATCH, INPUT)), &h[0], &c[0]);
            lstm_step(&g, &l[1], h[0], &h[1], &c[1]);
        }
        net_output(&g, h[1]);
        net_output(&g, c[1]);
        net_pass(&g, all ? NULL : "recurrent_cells");
        assert_int_equal(net_count(&g, OP_LSTM), 6);
        assert_int_equal(net_count(&g, OP_Gemm) + net_count(&g, OP_MatMul) + net_count(&g, OP_Mul), 0);
        gr_id w[6], count = 0;
        for (int i = 0; i < g.n_nodes; i++)
            if (g.nodes[i].op == OP_LSTM) w[count++] = g.nodes[i].in[1];
        for (int i = 0; i < 6; i++) assert_int_equal(w[i], w[i % 2]);
        assert_int_not_equal(w[0], w[1]);
        net_pass_end(&g, 4 * ROUNDING);
    }
}

/* ---- GRU ---- */

static gr_id gru_step(gr_graph *g, const layer *l, gr_id x, gr_id h, bool weights)
{
    const int turned = l->form & TURNED, first = turned ? 2 : 0;
    gr_id p[3], q[3], px = product(g, l, x, 0), ph = product(g, l, h, 1);
    split(g, px, 3, p, l->form);
    split(g, ph, 3, q, l->form);
    gr_id r = net_unary(g, OP_Sigmoid, binary(g, OP_Add, p[first], q[first], turned));
    gr_id z = net_unary(g, OP_Sigmoid,
                        binary(g, OP_Add, p[1], q[l->form & SAME_PART ? first : 1], l->form & SLICES));
    gr_id reset = binary(g, OP_Mul, r, q[2 - first], turned);
    gr_id k = net_unary(g, OP_Tanh, binary(g, OP_Add, p[2 - first], reset, turned));
    if (l->form & READ_GATE) net_output(g, z);
    if (l->form & READ_SUM) net_output(g, ph);
    if (!weights)
        return binary(g, OP_Add, k, binary(g, OP_Mul, z, net_binary(g, OP_Sub, h, k), turned), turned);
    gr_id rest = net_binary(g, OP_Sub, net_scalar(g, l->form & SHIFTED ? 2 : 1), z);
    return binary(g, OP_Add, binary(g, OP_Mul, rest, k, turned), binary(g, OP_Mul, z, h, turned), turned);
}

static void gru_graph(gr_graph *g, int form, bool weights)
{
    net_init(g);
    layer l = make_layer(g, 3, INPUT, form);
    gr_id x = net_input(g, "x", DIMS(BATCH, INPUT)), h = net_input(g, "h", DIMS(BATCH, HIDDEN));
    net_output(g, gru_step(g, &l, x, h, weights));
    net_pass(g, "recurrent_cells");
}

static void gru_forms(void **state)
{
    (void)state;
    for (int form = 0; form < 2 * FORMS; form++) {
        gr_graph g;
        gru_graph(&g, form % FORMS, form >= FORMS);
        const gr_node *n = net_find(&g, OP_GRU);
        assert_non_null(n);
        assert_int_equal(((const op_recurrent_attrs *)n->attrs)->linear_before_reset, 1);
        assert_int_equal(net_count(&g, OP_NONE), 4);
        net_pass_end(&g, ROUNDING);
    }
}

static void not_gru(void **state)
{
    (void)state;
    static const int forms[] = {SHIFTED, SCALED, READ_GATE, READ_SUM, VARIABLE, SAME_PART | SLICES};
    for (size_t i = 0; i < VKB_COUNT(forms); i++) {
        gr_graph g;
        gru_graph(&g, forms[i], true);
        assert_null(net_find(&g, OP_GRU));
        net_pass_end(&g, 0);
    }
    gr_graph g; /* the state that is kept is another than the one in the product */
    net_init(&g);
    layer l = make_layer(&g, 3, INPUT, PLAIN);
    gr_id h = net_input(&g, "h", DIMS(BATCH, HIDDEN)), other = net_input(&g, "o", DIMS(BATCH, HIDDEN));
    net_output(&g, gru_step(&g, &l, net_input(&g, "x", DIMS(BATCH, INPUT)), h, false));
    for (int i = 0; i < g.n_nodes; i++)
        if (g.nodes[i].op == OP_Sub) g.nodes[i].in[0] = other;
    net_pass(&g, "recurrent_cells");
    assert_null(net_find(&g, OP_GRU));
    net_pass_end(&g, 0);
}

/* While the batch is a symbol the activations are fused into the sums; the cell is found nevertheless, when
 * its shapes are known. */
static void known_later(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        gr_graph g;
        vki_error err;
        net_init(&g);
        int64_t n = gr_symbol(&g, "N");
        layer l = make_layer(&g, i ? 3 : 4, INPUT, PLAIN);
        gr_id x = net_input(&g, "x", DIMS(n, INPUT)), h = net_input(&g, "h", DIMS(n, HIDDEN)), c = GR_NONE;
        if (i == 0) {
            c = net_input(&g, "c", DIMS(n, HIDDEN));
            lstm_step(&g, &l, x, &h, &c);
        } else {
            h = gru_step(&g, &l, x, h, i == 2);
        }
        net_output(&g, h);
        net_optimize(&g, NULL);
        assert_int_equal(net_count(&g, OP_LSTM) + net_count(&g, OP_GRU), 0);
        const vki_shape shapes[] = {{.input = "x", .rank = 2, .dims = {BATCH, INPUT}},
                                    {.input = "h", .rank = 2, .dims = {BATCH, HIDDEN}},
                                    {.input = "c", .rank = 2, .dims = {BATCH, HIDDEN}}};
        assert_int_equal(gr_bind_shapes(&g, shapes, i ? 2 : 3, &err), VKI_OK);
        net_pass(&g, NULL);
        assert_int_equal(net_count(&g, i ? OP_GRU : OP_LSTM), 1);
        net_pass_end(&g, ROUNDING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lstm_forms),  cmocka_unit_test(not_lstm),  cmocka_unit_test(states_that_widen),
        cmocka_unit_test(lstm_steps),  cmocka_unit_test(gru_forms), cmocka_unit_test(not_gru),
        cmocka_unit_test(known_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
