/* SPDX-License-Identifier: Apache-2.0
 * Building, editing, checking and cloning graphs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/counting.h"
#include "common/net.h"

/* ---- building ---- */

static void names_are_unique(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    assert_int_equal(gr_find_tensor(&g, "a"), GR_NONE);
    gr_id a = gr_add_tensor(&g, "a", VKI_F32, 0, NULL), b = gr_add_tensor(&g, "a", VKI_F32, 0, NULL);
    gr_id c = gr_add_tensor(&g, NULL, VKI_F32, 0, NULL), d = gr_add_tensor(&g, "", VKI_F32, 0, NULL);
    assert_string_equal(g.tensors[a].name, "a");
    assert_string_not_equal(g.tensors[b].name, "a");
    assert_string_not_equal(g.tensors[c].name, "");
    assert_string_equal(g.tensors[d].name, "");
    assert_int_equal(gr_find_tensor(&g, "a"), a);
    assert_int_equal(gr_find_tensor(&g, g.tensors[b].name), b);
    assert_int_equal(gr_find_tensor(&g, g.tensors[c].name), c);
    assert_int_equal(gr_check(&g, NULL), VKI_OK);
    gr_free(&g);
}

static void large_graphs_build_fast(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(4));
    double start = vkb_now_ms();
    for (int i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer%d", i % 10000); /* half of them taken */
        gr_id y = gr_add_tensor(&g, name, VKI_DT_NONE, -1, NULL);
        assert_non_null(gr_add_node(&g, OP_Relu, name, 1, &x, 1, &y));
        x = y;
    }
    net_output(&g, x);
    double built = vkb_now_ms() - start;
    assert_int_equal(gr_check(&g, NULL), VKI_OK);
    assert_int_equal(gr_infer(&g, NULL), VKI_OK);
    print_message("20000 nodes: built in %.1f ms, checked and inferred in %.1f ms\n", built,
                  vkb_now_ms() - start - built);
    assert_true(built < 2000); /* it takes some 10 ms; quadratic work would take minutes */
    gr_free(&g);
}

static void pointers_into_the_graph_are_fine(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id t = gr_add_tensor(&g, "t", VKI_F32, DIMS(1, 2, 3));
    for (int i = 0; i < 100; i++) t = gr_add_tensor(&g, g.tensors[t].name, VKI_F32, 3, g.tensors[t].dims);
    assert_int_equal(g.tensors[t].dims[2], 3);
    gr_graph copy;
    assert_int_equal(gr_add_tensor(&g, "bad", VKI_F32, GR_MAX_RANK + 1, (const int64_t[9]){0}), GR_NONE);
    assert_int_equal(gr_clone(&copy, &g, NULL), VKI_OK);
    gr_free(&g);
    gr_free(&copy);
    gr_free(&copy); /* an empty graph may be freed again */
}

static void constants_are_aligned(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    for (int64_t n = 0; n < 600; n += 7) {
        uint8_t data[640] = {1, 2, 3};
        gr_id t = gr_add_const(&g, NULL, VKI_U8, 1, &n, data + 1, true);
        assert_int_equal((uintptr_t)g.tensors[t].data % 64, 0);
        assert_memory_equal(g.tensors[t].data, data + 1, (size_t)n);
    }
    float same[2] = {1, 2};
    gr_id a = gr_add_const(&g, NULL, VKI_F32, DIMS(2), same, true);
    gr_id b = gr_add_const(&g, NULL, VKI_F32, DIMS(2), same, true);
    gr_id c = gr_add_const(&g, NULL, VKI_I32, DIMS(2), same, true);
    assert_true(g.tensors[a].const_key == g.tensors[b].const_key);
    assert_true(g.tensors[a].const_key != g.tensors[c].const_key);
    assert_int_equal(gr_add_const(&g, NULL, VKI_F32, DIMS(-1), same, true), GR_NONE);
    gr_free(&g);
}

static void metadata_and_symbols(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    assert_null(gr_get_meta(&g, "license"));
    assert_true(gr_add_meta(&g, "license", "MIT") && gr_add_meta(&g, "origin", "here"));
    assert_true(gr_add_meta(&g, "license", "Apache-2.0"));
    assert_string_equal(gr_get_meta(&g, "license"), "Apache-2.0");
    assert_int_equal(g.n_meta, 2);
    int64_t n = gr_symbol(&g, "N"), h = gr_symbol(&g, "H");
    assert_true(n < GR_UNKNOWN && h < GR_UNKNOWN && n != h && n == gr_symbol(&g, "N"));
    assert_string_equal(gr_symbol_name(&g, h), "H");
    assert_null(gr_symbol_name(&g, GR_UNKNOWN));
    assert_null(gr_symbol_name(&g, 5));
    assert_null(gr_symbol_name(&g, h - 1));
    char text[64];
    gr_tensor t = {.dtype = VKI_F32, .rank = 4, .dims = {1, n, GR_UNKNOWN, 7}};
    assert_string_equal(gr_shape_text(&g, &t, text, sizeof text), "float32[1,N,?,7]");
    assert_string_equal(gr_shape_text(&g, &t, text, 10), "float32[1");
    t = (gr_tensor){.rank = -1};
    assert_string_equal(gr_shape_text(&g, &t, text, sizeof text), "?[...]");
    gr_free(&g);
}

static void inputs_are_replaced(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2)), y = net_input(&g, "y", DIMS(2));
    net_node(&g, OP_Add, IN(x, y));
    gr_node *n = net_last(&g);
    assert_true(gr_set_inputs(&g, n, 1, n->in + 1)); /* a part of its own list */
    assert_true(n->n_in == 1 && n->in[0] == y);
    assert_true(gr_set_inputs(&g, n, IN(x, x, y)));
    assert_true(n->n_in == 3 && n->in[0] == x && n->in[2] == y);
    gr_free(&g);
}

/* ---- editing ---- */

static void uses_are_counted(void **state)
{
    (void)state;
    gr_graph g;
    gr_uses u;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2)), a = net_unary(&g, OP_Exp, x), b = net_unary(&g, OP_Neg, a);
    gr_id c = net_node(&g, OP_Mul, IN(b, b));
    net_output(&g, c);
    net_unary(&g, OP_Abs, c);
    assert_int_equal(gr_uses_make(&u, &g, NULL), VKI_OK);
    assert_int_equal(u.producer[x], GR_NONE);
    assert_int_equal(u.producer[a], 0);
    assert_true(u.count[a] == 1 && u.reader[a] == 1);
    assert_true(u.count[b] == 2 && u.reader[b] == GR_NONE);
    assert_true(u.count[c] == 2 && u.reader[c] == GR_NONE);
    gr_uses_free(&u, &g);
    gr_replace_tensor(&g, c, a);
    assert_int_equal(g.outputs[0], a);
    assert_true(g.tensors[a].flags & GR_OUTPUT && !(g.tensors[c].flags & GR_OUTPUT));
    assert_int_equal(g.nodes[3].in[0], a);
    gr_free(&g);
}

static void sorting(void **state)
{
    (void)state;
    gr_graph g;
    vki_error err;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2)), t[5];
    for (int i = 0; i < 5; i++) t[i] = gr_add_tensor(&g, NULL, VKI_DT_NONE, -1, NULL);
    const gr_id edges[][3] = {{3, 1, 0}, {1, 0, 0}, {4, 3, 2}, {0, -1, 0}, {2, -1, 0}}; /* out, in, in */
    for (int i = 0; i < 5; i++) {
        gr_id in[2] = {edges[i][1] < 0 ? x : t[edges[i][1]], edges[i][1] < 0 ? x : t[edges[i][2]]};
        assert_non_null(gr_add_node(&g, OP_Add, NULL, 2, in, 1, &t[edges[i][0]]));
    }
    net_output(&g, t[4]);
    assert_int_equal(gr_check(&g, &err), VKI_E_FORMAT);
    assert_int_equal(gr_sort(&g, &err), VKI_OK);
    assert_int_equal(gr_check(&g, &err), VKI_OK);
    gr_id order[5];
    for (int i = 0; i < 5; i++) order[i] = g.nodes[i].out[0];
    assert_int_equal(gr_sort(&g, &err), VKI_OK);
    for (int i = 0; i < 5; i++) assert_int_equal(order[i], g.nodes[i].out[0]); /* what is sorted stays */
    g.nodes[0].in[0] = t[4];
    assert_int_equal(gr_sort(&g, &err), VKI_E_FORMAT);
    assert_non_null(strstr(err.text, "cycle"));
    gr_free(&g);
}

static void deep_graphs_sort(void **state)
{
    (void)state;
    enum { N = 50000 };
    gr_graph g;
    net_init(&g);
    for (int i = 0; i <= N; i++) gr_add_tensor(&g, NULL, VKI_F32, DIMS(1));
    assert_true(gr_add_input(&g, 0));
    for (gr_id i = N; i > 0; i--) assert_non_null(gr_add_node(&g, OP_Relu, "r", IN(i - 1), 1, &i));
    assert_int_equal(gr_sort(&g, NULL), VKI_OK);
    assert_int_equal(gr_check(&g, NULL), VKI_OK);
    gr_free(&g);
}

static void compaction(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2)), unused = net_input(&g, "unused", DIMS(2));
    net_unary(&g, OP_Exp, x);
    net_last(&g)->dead = true;
    net_random(&g, DIMS(4));
    gr_id y = net_unary(&g, OP_Neg, x);
    const char *name = g.tensors[y].name;
    net_output(&g, y);
    (void)unused;
    gr_compact(&g);
    assert_int_equal(g.n_nodes, 1);
    assert_int_equal(g.n_tensors, 3);
    assert_int_equal(g.n_inputs, 2);
    assert_int_equal(gr_find_tensor(&g, name), g.outputs[0]);
    assert_int_equal(gr_check(&g, NULL), VKI_OK);
    gr_free(&g);
}

static void clones_stand_alone(void **state)
{
    (void)state;
    gr_graph g, copy;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(gr_symbol(&g, "N"), 4)), y = net_unary(&g, OP_LeakyRelu, x);
    net_output(&g, y);
    assert_int_equal(gr_clone(&copy, &g, NULL), VKI_OK);
    ((op_unary_attrs *)copy.nodes[0].attrs)->alpha = 9;
    copy.nodes[0].in[0] = y;
    copy.tensors[x].dims[1] = 7;
    assert_true(((op_unary_attrs *)g.nodes[0].attrs)->alpha != 9);
    assert_true(g.nodes[0].in[0] == x && g.tensors[x].dims[1] == 4);
    assert_true(gr_add_tensor(&copy, "more", VKI_F32, 0, NULL) != GR_NONE);
    assert_int_equal(gr_find_tensor(&g, "more"), GR_NONE);
    assert_int_equal(gr_find_tensor(&copy, "x"), x);
    gr_free(&copy);
    assert_int_equal(gr_check(&g, NULL), VKI_OK);
    gr_free(&g);
}

/* ---- checking ---- */

/* x -> Conv (residual) -> y */
static void checked_graph(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(1, 2, 4, 4)), s = net_input(g, "s", DIMS(1, 3, 4, 4));
    net_output(g, net_node(g, OP_Conv, IN(x, net_random(g, DIMS(3, 2, 1, 1)), s)));
    net_last(g)->epilogue.residual = GR_RESIDUAL_BEFORE;
    assert_int_equal(gr_infer(g, NULL), VKI_OK);
    assert_int_equal(gr_check(g, NULL), VKI_OK);
}

static void damage(gr_graph *g, int kind)
{
    gr_node *n = &g->nodes[0];
    gr_tensor *x = &g->tensors[0], *w = &g->tensors[2], *y = &g->tensors[3];
    switch (kind) {
    case 0:
        x->name = NULL;
        break;
    case 1:
        x->name = y->name;
        break;
    case 2:
        x->dtype = (vki_dtype)8;
        break;
    case 3:
        x->rank = GR_MAX_RANK + 1;
        break;
    case 4:
        x->dims[0] = -2;
        break; /* no such symbol */
    case 5:
        x->flags = 4;
        break;
    case 6:
        x->flags = 0;
        break;
    case 7:
        y->flags = GR_INPUT | GR_OUTPUT;
        break;
    case 8:
        x->data = w->data;
        break;
    case 9:
        w->dims[0] = GR_UNKNOWN;
        break;
    case 10:
        w->data = (const char *)w->data + 4;
        break;
    case 11:
        n->in[0] = 99;
        break;
    case 12:
        n->in[0] = GR_NONE;
        break;
    case 13:
        n->in[0] = 3;
        break;
    case 14:
        n->out[0] = 0;
        break;
    case 15:
        n->out[0] = GR_NONE;
        break;
    case 16:
        n->out[0] = -7;
        break;
    case 17:
        n->n_in = 1;
        break;
    case 18:
        n->epilogue.residual = (gr_residual)3;
        break;
    case 19:
        n->epilogue.act = GR_ACT_COUNT;
        break;
    case 20:
        n->epilogue.alpha = NAN;
        break;
    case 21:
        n->op = OP_COUNT;
        break;
    case 22:
        ((op_conv_attrs *)n->attrs)->group = 0;
        break;
    case 23:
        ((op_conv_attrs *)n->attrs)->pads.count = 17;
        break;
    case 24:
        ((op_conv_attrs *)n->attrs)->auto_pad = 4;
        break;
    case 25:
        n->attrs = NULL;
        break;
    case 26:
        g->tensors[1].dims[1] = 2;
        break; /* the residual's shape */
    case 27:
        g->outputs[0] = 77;
        break;
    case 28:
        g->inputs[1] = 0;
        break;
    case 29:
        n->name = NULL;
        break;
    case 30:
        n->dead = true;
        break;
    case 31:
        n->op = OP_Softmax;
        break;
    default:
        break;
    }
}

static void every_damage_is_found(void **state)
{
    (void)state;
    for (int kind = 0; kind < 32; kind++) {
        gr_graph g;
        vki_error err = {.code = VKI_OK};
        checked_graph(&g);
        damage(&g, kind);
        if (gr_check(&g, &err) != VKI_E_FORMAT) fail_msg("damage %d was not found", kind);
        assert_int_equal(err.code, VKI_E_FORMAT);
        assert_string_not_equal(err.text, "");
        gr_free(&g);
    }
}

/* ---- memory ---- */

static bool build_and_edit(const vki_allocator *a)
{
    gr_graph g, copy;
    gr_init(&g, a);
    gr_init(&copy, a);
    gr_id x = gr_add_tensor(&g, "x", VKI_F32, DIMS(2, 3)), y = gr_add_tensor(&g, "y", VKI_DT_NONE, -1, NULL);
    gr_id c = gr_add_const(&g, "c", VKI_F32, DIMS(3), (const float[]){1, 2, 3}, true);
    bool good = x != GR_NONE && y != GR_NONE && c != GR_NONE && gr_add_input(&g, x) && gr_add_output(&g, y) &&
                gr_add_node(&g, OP_Add, "sum", IN(x, c), 1, &y) && gr_add_meta(&g, "key", "value") &&
                gr_symbol(&g, "N") != GR_UNKNOWN && gr_check(&g, NULL) == VKI_OK &&
                gr_sort(&g, NULL) == VKI_OK && gr_clone(&copy, &g, NULL) == VKI_OK &&
                gr_optimize(&copy, &(gr_pass_options){.evaluator = &net_evaluator}, NULL) == VKI_OK;
    gr_free(&copy);
    gr_free(&g);
    return good;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int at = 1;; at++) {
        counting c = {.fail_at = at, .fail_on = at % 2};
        vki_allocator a = counting_allocator(&c);
        bool good = build_and_edit(&a);
        assert_int_equal(c.live, 0);
        if (c.calls < at) { /* nothing was refused */
            assert_true(good);
            break;
        }
        assert_false(good);
        assert_true(at < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(large_graphs_build_fast),
        cmocka_unit_test(pointers_into_the_graph_are_fine),
        cmocka_unit_test(constants_are_aligned),
        cmocka_unit_test(metadata_and_symbols),
        cmocka_unit_test(inputs_are_replaced),
        cmocka_unit_test(uses_are_counted),
        cmocka_unit_test(sorting),
        cmocka_unit_test(deep_graphs_sort),
        cmocka_unit_test(compaction),
        cmocka_unit_test(clones_stand_alone),
        cmocka_unit_test(every_damage_is_found),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
