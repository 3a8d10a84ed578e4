/* SPDX-License-Identifier: Apache-2.0
 * Einsum by value. The first operand is 1, 2, 3, ... in the shape given, all others are one matrix. The
 * values are numpy's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include "common/onnx_expect.h"

static void build(ob *b, const char *equation, const char *dims)
{
    ob_node_t *n = oe_start(b, 12, "Einsum", dims);
    char inputs[64] = "x";
    ob_text(b, n, "equation", equation);
    ob_initializer(b, "w", VKI_F32, "3,2", X32(1, 0, 0, 1, 1, 1));
    for (const char *p = equation; (p = strchr(p, ',')); p++) strcat(inputs, ",w");
    ob_inputs(b, n, inputs);
}

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *equation, *dims, *shape;
        int count;
        float want[12];
    } cases[] = {
        {"ij->ji", "3,2", "2,3", 6, {1, 3, 5, 2, 4, 6}},
        {"ij -> i", "3,2", "3", 3, {3, 7, 11}},
        {"ij->", "3,2", "", 1, {21}},
        {"ba", "3,2", "2,3", 6, {1, 3, 5, 2, 4, 6}},
        {"ij,jk->ik", "2,3", "2,2", 4, {4, 5, 10, 11}},
        {"ij,jk->ki", "2,3", "2,2", 4, {4, 10, 5, 11}},
        {"ij,jk", "2,3", "2,2", 4, {4, 5, 10, 11}},
        {"bij,jk->bik", "2,1,3", "2,1,2", 4, {4, 5, 10, 11}},
        {"aij,jk->ikaj", "1,1,3", "1,2,1,3", 6, {1, 0, 3, 0, 2, 3}},
        {"ijx,jk->ik", "1,3,2", "1,2", 2, {14, 18}},
        {"j,jk->k", "3", "2", 2, {4, 5}},
        {"...j,jk->...k", "2,1,3", "2,1,2", 4, {4, 5, 10, 11}},
        {"...j,jk", "2,1,3", "2,1,2", 4, {4, 5, 10, 11}},
        {"...ij->...ji", "1,3,2", "1,2,3", 6, {1, 3, 5, 2, 4, 6}},
        {"i...->...", "3,2", "2", 2, {9, 12}},
        {"...,...->...", "3,2", "3,2", 6, {1, 0, 0, 4, 5, 6}},
        {"j...,...->...j", "1", "3,2,1", 6, {1, 0, 0, 1, 1, 1}},
        {"...j,...->j...", "3,2,1", "1,3,2", 6, {1, 0, 0, 4, 5, 6}},
        {"ii->i", "2,2", "2", 2, {1, 4}},
        {"ii", "2,2", "", 1, {5}},
        {"...ii->...i", "1,2,2", "1,2", 2, {1, 4}},
        {"iij->j", "1,1,6", "6", 6, {1, 2, 3, 4, 5, 6}},
        {"iii->i", "1,1,1", "1", 1, {1}},
        {"ii,ji->j", "2,2", "3", 3, {1, 4, 5}},
        {"ij,ij->", "3,2", "", 1, {16}},
        {"kij,ij->k", "1,3,2", "1", 1, {16}},
        {"xij,ij,ij->x", "1,3,2", "1", 1, {16}},
        {"ik,jk,jk->ij", "3,2", "3,3", 9, {1, 2, 3, 3, 4, 7, 5, 6, 11}},
        {"ab,cd->cdb", "1,2", "3,2,2", 12, {1, 2, 0, 0, 0, 0, 1, 2, 1, 2, 1, 2}},
        {"ij,kl->jl", "2,1", "1,2", 2, {6, 6}},
        {"ij,jk->ik", "2,1", "2,2", 4, {2, 2, 4, 4}},
        {"i,jk->", "2", "", 1, {12}},
        {",ij->ji", "", "2,3", 6, {1, 0, 1, 0, 1, 1}},
        {"abcdij,ij->dcba", "1,1,1,1,3,2", "1,1,1,1", 1, {16}},
    };
    for (int i = 0; i < LEN(cases); i++) {
        ob b;
        build(&b, cases[i].equation, cases[i].dims);
        oe_expect(&b, X32(1, 2, 3, 4, 5, 6), cases[i].shape, cases[i].want, cases[i].count);
    }
}

/* Nothing is known of the input but its rank, or not even that. */
static void open_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *equation, *dims;
        float want[4];
    } cases[] = {{"ij,jk->ik", NULL, {4, 5, 10, 11}},
                 {"...j,jk->...k", "N,M", {4, 5, 10, 11}},
                 {"ij,ji->i", "N,M", {4, 11}},
                 {"ij,ji->", "N,M", {15}},
                 {"ij,jk,ji->ik", "N,M", {4, 3, 6, 11}}};
    for (int i = 0; i < LEN(cases); i++) {
        ob b;
        gr_graph g;
        vki_error err;
        build(&b, cases[i].equation, cases[i].dims);
        if (ob_import(&b, &g, NULL, &err) != VKI_OK) fail_msg("%s: %s", cases[i].equation, err.text);
        vki_shape shape = {.input = "x", .rank = 2, .dims = {2, 3}};
        assert_int_equal(gr_bind_shapes(&g, &shape, 1, &err), VKI_OK);
        g.tensors[g.inputs[0]].data = X32(1, 2, 3, 4, 5, 6);
        oe_evaluate(&g);
        const gr_tensor *y = &g.tensors[g.outputs[0]];
        for (int k = 0; k < gr_elements(y); k++)
            if (((const float *)y->data)[k] != cases[i].want[k])
                fail_msg("%s: %g", cases[i].equation, (double)((const float *)y->data)[k]);
        gr_free(&g);
        ob_end(&b);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const equations[] = {"jj2",      "i..j",     "ij->ii",      "ij->k",
                                            "...i...j", "ij->i->j", "abcdefghi->a"};
    ob b;
    for (int i = 0; i < LEN(equations); i++) {
        build(&b, equations[i], "2,3");
        oe_refuses(&b, "Einsum (node 'Einsum_0': equation = '");
    }
    build(&b, "...i->...", NULL);
    oe_refuses(&b, "an ellipsis for an input whose number of dimensions is not known");
    build(&b, "abcdef,gh,ij->a", "1,1,1,1,1,1"); /* ten letters, never more than eight at once */
    oe_expect(&b, X32(2), "1", X32(2 * 4 * 4), 1);
    build(&b, "abcdefg,hi->abcdefgh", "1,1,1,1,1,1,1");
    oe_expect(&b, X32(2), "1,1,1,1,1,1,1,3", X32(2, 2, 4), 3);
    build(&b, "abcdefg,hi->abcdefghi", "1,1,1,1,1,1,1");
    oe_refuses(&b, "equation = '");
    build(&b, "ijk->i", "2,3");
    oe_fails(&b, "input 0 has 2 dimensions, but 3 letters");
    build(&b, "i...->i", "");
    oe_fails(&b, "input 0 has 0 dimensions, but 1 letters");
    build(&b, "ij,jk->ik", "2,3");
    ob_inputs(&b, b.graph.node[0], "x");
    oe_fails(&b, "input 1 is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(open_shapes),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    puts("skipped: built without the ONNX importer");
    return 0;
}
#endif
