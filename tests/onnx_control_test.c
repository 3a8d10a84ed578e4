/* SPDX-License-Identifier: Apache-2.0
 * If, Loop and Scan from ONNX: what their subgraphs read of the graphs around them, and files that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/onnx_expect.h"
#include "common/run_net.h"

#ifdef VKI_HAVE_ONNX

static run_net open_model(ob *b)
{
    gr_graph g;
    vki_error err;
    if (ob_import(b, &g, NULL, &err) != VKI_OK) fail_msg("%s", err.text);
    run_net r = run_open(&g, &(run_options){.vulkan = false});
    gr_free(&g);
    ob_end(b);
    return r;
}

/* A subgraph that is one node. */
static void one_node(ob *b, const char *op, const char *inputs, const char *output)
{
    ob_start(b, 16);
    ob_node(b, op, inputs, output);
    ob_output(b, output, VKI_F32, "");
}

/* x and a weight are read two levels down; a name of the branch hides none of the graph around. */
static void captures_through_two_levels(void **state)
{
    (void)state;
    ob b, then, other, deep, flat;
    ob_start(&b, 16);
    ob_input(&b, "x", VKI_F32, "2");
    ob_input(&b, "c", VKI_BOOL, "");
    ob_initializer(&b, "w", VKI_F32, "2", X32(10, 20));
    ob_node(&b, "Neg", "x", "only_in_branches");
    one_node(&deep, "Add", "only_in_branches,w", "deep_y");
    one_node(&flat, "Sub", "x,w", "flat_y");
    ob_start(&then, 16);
    ob_node_t *inner = ob_node(&then, "If", "c", "t");
    ob_graph_attr(&then, inner, "then_branch", &deep);
    ob_graph_attr(&then, inner, "else_branch", &flat);
    ob_output(&then, "t", VKI_F32, "2");
    one_node(&other, "Identity", "x", "e");
    ob_node_t *n = ob_node(&b, "If", "c", "y");
    ob_graph_attr(&b, n, "then_branch", &then);
    ob_graph_attr(&b, n, "else_branch", &other);
    ob_output(&b, "y", VKI_F32, "2");
    run_net r = open_model(&b);
    run_write(&r, 0, X32(1, 2));
    run_write(&r, 1, &(uint8_t){1});
    run_expect(&r, 0, VKI_F32, DIMS(2), X32(9, 18));
    run_write(&r, 1, &(uint8_t){0});
    run_expect(&r, 0, VKI_F32, DIMS(2), X32(1, 2));
    run_close(&r);
    ob_end(&then);
    ob_end(&other);
    ob_end(&deep);
    ob_end(&flat);
}

/* A branch gives what it reads, and a constant of its own; outputs beyond those named are there. */
static void branches_without_nodes(void **state)
{
    (void)state;
    ob b, then, other;
    ob_start(&b, 16);
    ob_input(&b, "x", VKI_F32, "2");
    ob_input(&b, "c", VKI_BOOL, "");
    ob_start(&then, 16);
    ob_output(&then, "x", VKI_F32, "2");
    ob_output(&then, "x", VKI_F32, "2");
    ob_start(&other, 16);
    ob_initializer(&other, "k", VKI_F32, "1", X32(7));
    ob_output(&other, "k", VKI_F32, "1");
    ob_output(&other, "x", VKI_F32, "2");
    ob_node_t *n = ob_node(&b, "If", "c", "y");
    ob_graph_attr(&b, n, "then_branch", &then);
    ob_graph_attr(&b, n, "else_branch", &other);
    ob_output(&b, "y", VKI_F32, "?");
    run_net r = open_model(&b);
    run_write(&r, 0, X32(1, 2));
    run_write(&r, 1, &(uint8_t){1});
    run_expect(&r, 0, VKI_F32, DIMS(2), X32(1, 2));
    run_write(&r, 1, &(uint8_t){0});
    run_expect(&r, 0, VKI_F32, DIMS(1), X32(7));
    run_close(&r);
    ob_end(&then);
    ob_end(&other);
}

/* The body of a loop, its inputs without the types that exporters leave out. */
static void loop_body(ob *body)
{
    ob_start(body, 16);
    ob_input(body, "i", VKI_I64, NULL);
    ob_input(body, "go", VKI_BOOL, NULL);
    ob_input(body, "v", VKI_F32, NULL);
    ob_node(body, "Add", "v,x", "next");
    ob_node(body, "Identity", "go", "on");
    ob_output(body, "on", VKI_BOOL, "");
    ob_output(body, "next", VKI_F32, "2");
    ob_output(body, "next", VKI_F32, "2");
}

static void loops(void **state)
{
    (void)state;
    ob b, body;
    ob_start(&b, 16);
    ob_input(&b, "x", VKI_F32, "2");
    ob_input(&b, "n", VKI_I64, "1");
    loop_body(&body);
    ob_node_t *n = ob_node(&b, "Loop", "n,,x", "last,all");
    ob_graph_attr(&b, n, "body", &body);
    ob_output(&b, "last", VKI_F32, "2");
    ob_output(&b, "all", VKI_F32, "?,2");
    run_net r = open_model(&b);
    run_write(&r, 0, X32(1, 2));
    run_write(&r, 1, I64(3));
    run_expect(&r, 0, VKI_F32, DIMS(2), X32(4, 8));
    run_expect(&r, 1, VKI_F32, DIMS(3, 2), X32(2, 4, 3, 6, 4, 8));
    run_close(&r);
    ob_end(&body);
}

/* Opset 8: a batch of sequences. */
static void scan_with_a_batch(void **state)
{
    (void)state;
    ob b, body;
    ob_start(&body, 8);
    ob_input(&body, "s", VKI_F32, "1");
    ob_input(&body, "e", VKI_F32, "1");
    ob_node(&body, "Add", "s,e", "sum");
    ob_node(&body, "Mul", "sum,k", "scaled");
    ob_output(&body, "sum", VKI_F32, "1");
    ob_output(&body, "scaled", VKI_F32, "1");
    ob_start(&b, 8);
    ob_input(&b, "start", VKI_F32, "2,1");
    ob_input(&b, "x", VKI_F32, "2,3,1");
    ob_initializer(&b, "k", VKI_F32, "1", X32(10));
    ob_node_t *n = ob_node(&b, "Scan", ",start,x", "last,all");
    ob_graph_attr(&b, n, "body", &body);
    ob_int(&b, n, "num_scan_inputs", 1);
    ob_ints(&b, n, "directions", 1, I64(1));
    ob_output(&b, "last", VKI_F32, "2,1");
    ob_output(&b, "all", VKI_F32, "2,3,1");
    run_net r = open_model(&b);
    run_write(&r, 0, X32(100, 200));
    run_write(&r, 1, X32(1, 2, 3, 4, 5, 6));
    run_expect(&r, 0, VKI_F32, DIMS(2, 1), X32(106, 215));
    run_expect(&r, 1, VKI_F32, DIMS(2, 3, 1), X32(1030, 1050, 1060, 2060, 2110, 2150));
    run_close(&r);
    ob_end(&body);
}

/* ---- files that are wrong ---- */

static void expect_failure(ob *b, const char *text)
{
    gr_graph g;
    vki_error err;
    assert_int_equal(ob_import(b, &g, NULL, &err), VKI_E_FORMAT);
    if (!strstr(err.text, text)) fail_msg("\"%s\" does not hold \"%s\"", err.text, text);
}

static void wrong_subgraphs(void **state)
{
    (void)state;
    ob b, body, empty;
    ob_start(&b, 16);
    ob_input(&b, "x", VKI_F32, "2");
    ob_input(&b, "n", VKI_I64, "");
    ob_output(&b, "y", VKI_F32, "2");
    ob_node_t *n = ob_node(&b, "Loop", "n,,x", "y");
    expect_failure(&b, "'body' is missing");
    ob_start(&empty, 16);
    Onnx__AttributeProto *a = ob_attr(&b, n, "body", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);
    a->g = &empty.graph;
    expect_failure(&b, "its body has 0 inputs");
    loop_body(&body);
    a->g = &body.graph;
    ob_inputs(&b, n, "n,,x,x");
    expect_failure(&b, "its body has 3 inputs and 3 outputs; with 2 values");
    ob_inputs(&b, n, "n,,x");
    ob_outputs(&b, n, "y,z,more");
    expect_failure(&b, "has 3 outputs, but its body gives 2");
    ob_outputs(&b, n, "y");
    ob_inputs(&body, body.graph.node[0], "v,nowhere");
    expect_failure(&b, "'nowhere' is made by no node");
    ob_end(&b);
    ob_end(&body);
    ob_end(&empty);
}

static void too_deep(void **state)
{
    (void)state;
    enum { LEVELS = GR_MAX_DEPTH + 2 };
    static ob levels[LEVELS], leaf;
    one_node(&leaf, "Relu", "x", "r");
    for (int i = LEVELS - 1; i >= 0; i--) {
        ob_start(&levels[i], 16);
        if (i == 0) ob_input(&levels[i], "x", VKI_F32, "2");
        if (i == 0) ob_input(&levels[i], "c", VKI_BOOL, "");
        char name[16] = {'y', (char)('a' + i), 0};
        ob_node_t *n = ob_node(&levels[i], "If", "c", name);
        ob_graph_attr(&levels[i], n, "then_branch", i == LEVELS - 1 ? &leaf : &levels[i + 1]);
        ob_graph_attr(&levels[i], n, "else_branch", &leaf);
        ob_output(&levels[i], name, VKI_F32, "2");
    }
    expect_failure(&levels[0], "bodies within bodies");
    for (int i = 0; i < LEVELS; i++) ob_end(&levels[i]);
    ob_end(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_through_two_levels),
        cmocka_unit_test(branches_without_nodes),
        cmocka_unit_test(loops),
        cmocka_unit_test(scan_with_a_batch),
        cmocka_unit_test(wrong_subgraphs),
        cmocka_unit_test(too_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 0; /* this build has no importer */
}

#endif
