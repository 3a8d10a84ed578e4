/* SPDX-License-Identifier: Apache-2.0
 * fp16 and bf16 arithmetic on the CPU (VKI_PRECISION_FP16, BF16): as accurate as these allow, where the
 * option's text promises it, refused where the CPU has none, and the report says which layers stay fp32.
 * Where the CPU has none, the tiles' specification stands in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/net.h"
#include "common/session_check.h"
#include "cpu/half.h"
#include "cpu/micro.h"

static char reason[640], kernel[64]; /* of the node of that operator */

static void note_node(void *user, const vki_node_report *n)
{
    if (strcmp(n->op, user) != 0) return;
    snprintf(reason, sizeof reason, "%s", n->reason);
    snprintf(kernel, sizeof kernel, "%s", n->kernel);
}

static vki_precision precision; /* that is tested */

/* Runs the graph in that precision beside the reference, and frees it. `expected`: the operator's kernel, or
 * part of its reason. */
static void check_graph(gr_graph *g, const char *op, const char *expected)
{
    vki_model *m = session_load(g, false, false, NULL);
    for (int threads = 1; threads <= 3; threads += 2) {
        vki_session *s = NULL, *reference = NULL;
        vki_session_options o = {.size = sizeof o, .threads = threads, .precision = precision};
        SESSION_OK(vki_session_create(m, &o, &s, why));
        o.reference = true;
        SESSION_OK(vki_session_create(m, &o, &reference, why));
        reason[0] = kernel[0] = 0;
        assert_int_equal(vki_session_report(s, note_node, (void *)(uintptr_t)op), VKI_OK);
        if (!strstr(kernel, expected) && !strstr(reason, expected))
            fail_msg("%s: no '%s' in: %s (%s)", op, expected, reason, kernel);
        session_write_inputs(s, g->n_inputs);
        session_write_inputs(reference, g->n_inputs);
        SESSION_OK(vki_session_run(reference, 0, why));
        session_compare_within(g, reference, s, 2e-2F);
        vki_session_destroy(&s);
        vki_session_destroy(&reference);
    }
    vki_model_destroy(&m);
    gr_free(g);
}

typedef struct conv_case {
    int64_t in, out, group, kernel, stride, pad, height, width;
    const char *expected;
} conv_case;

static void check_conv(const conv_case *c)
{
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, c->in, c->height, c->width));
    gr_id w = net_random(&g, DIMS(c->out, c->in / c->group, c->kernel, c->kernel));
    const float scale = 1 / (float)(c->in / c->group * c->kernel * c->kernel);
    for (int64_t i = 0; i < gr_elements(&g.tensors[w]); i++)
        ((float *)(uintptr_t)g.tensors[w].data)[i] *= scale; /* results about 1 */
    gr_id y = net_node(&g, OP_Conv, IN(x, w, net_random(&g, DIMS(c->out))));
    op_conv_attrs *a = net_last(&g)->attrs;
    a->group = c->group;
    net_set_ints(&a->strides, 2, (int64_t[]){c->stride, c->stride});
    net_set_ints(&a->pads, 4, (int64_t[]){c->pad, c->pad, c->pad, c->pad});
    net_output(&g, net_unary(&g, OP_HardSwish, y));
    check_graph(&g, "Conv", c->expected);
}

static void convolutions(void **state)
{
    (void)state;
    static const conv_case cases[] = {
        {8, 8, 1, 1, 1, 0, 1, 1, "conv2d_half"},
        {32, 17, 1, 1, 1, 0, 7, 7, "conv2d_half"},
        {9, 13, 1, 1, 2, 0, 9, 11, "conv2d_half"},
        {150, 40, 1, 1, 1, 0, 5, 13, "conv2d_half"}, /* more steps than a sum in fp16 has */
        {11, 26, 1, 5, 2, 2, 13, 17, "conv2d_half"},
        {22, 20, 2, 3, 2, 1, 9, 10, "conv2d_half"},
        {3, 16, 1, 3, 2, 1, 12, 12, "arithmetic in fp32: few channels"},
        {16, 16, 16, 3, 1, 1, 12, 12, "arithmetic in fp32: few channels"},
        {64, 64, 1, 3, 1, 1, 24, 24, "arithmetic in fp32: Winograd"},
    };
    for (size_t i = 0; i < VKB_COUNT(cases); i++) check_conv(&cases[i]);
}

static void check_gemm(int64_t rows, int64_t k, int64_t n, bool transposed, const char *expected)
{
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(rows, k));
    gr_id w = transposed ? net_random(&g, DIMS(n, k)) : net_random(&g, DIMS(k, n));
    net_output(&g, net_unary(&g, OP_Relu, net_node(&g, OP_Gemm, IN(x, w, net_random(&g, DIMS(n))))));
    op_gemm_attrs *a = g.nodes[0].attrs;
    a->transB = transposed;
    a->alpha = 1 / (float)k;
    check_graph(&g, "Gemm", expected);
}

static void products(void **state)
{
    (void)state;
    check_gemm(5, 1, 1, false, "matmul_half");
    check_gemm(7, 33, 17, true, "matmul_half");
    check_gemm(13, 300, 40, false, "matmul_half");
    check_gemm(4, 33, 17, true, "weights as fp16; arithmetic in fp32: few rows");
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3, 50)); /* one product of six rows, and one of two inputs */
    net_output(&g, net_binary(&g, OP_MatMul, net_binary(&g, OP_MatMul, x, net_positive(&g, DIMS(50, 24))),
                              net_input(&g, "w", DIMS(24, 9))));
    check_graph(&g, "MatMul", "arithmetic in fp32: the matrix is computed");
}

/* Half of the bytes. */
static void memory(void **state)
{
    (void)state;
    enum { SIZE = 64 };
    for (int half = 0; half < 2; half++) {
        gr_graph g;
        net_init(&g);
        net_output(&g, net_binary(&g, OP_MatMul, net_input(&g, "x", DIMS(9, SIZE)),
                                  net_random(&g, DIMS(SIZE, SIZE))));
        vki_model *m = session_load(&g, false, false, NULL);
        vki_session *s = NULL;
        vki_session_options o = {.size = sizeof o, .precision = half ? precision : VKI_PRECISION_FP32};
        SESSION_OK(vki_session_create(m, &o, &s, why));
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        assert_int_equal(stats.weight_bytes, SIZE * SIZE * (half ? 2 : 4));
        vki_session_destroy(&s);
        vki_model_destroy(&m);
        gr_free(&g);
    }
}

/* A CPU without is no reason to compute in fp32 silently. */
static void refused(void **state)
{
    (void)state;
    cpu_micro without = *cpu_micro_get();
    const cpu_micro *before = cpu_micro_get();
    const bool bf16 = precision == VKI_PRECISION_BF16;
    without.half[bf16 ? CPU_BF16 : CPU_F16] = (cpu_half_math){0};
    gr_graph g;
    net_init(&g);
    net_output(&g, net_unary(&g, OP_Relu, net_input(&g, "x", DIMS(1))));
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *s = NULL;
    vki_error err = {0};
    const vki_session_options o = {.size = sizeof o, .precision = precision};
    cpu_micro_force(&without);
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, bf16 ? "bf16 products" : "fp16 arithmetic"));
    cpu_micro_force(before);
    SESSION_OK(vki_session_create(m, &o, &s, why));
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    gr_free(&g);
}

int main(void)
{
    static cpu_micro table; /* the CPU's, with the specification where it has no such arithmetic */
    table = *cpu_micro_get();
    for (int half = 0; half < CPU_HALVES; half++) {
        const bool own = table.half[half].gemm;
        printf("%s: %s by %s\n", table.isa, cpu_half_name((cpu_half)half),
               own ? "the CPU" : "the specification");
        if (own) continue;
        table.half[half] = cpu_half_c[half];
        table.wide = false; /* the specification takes one panel */
    }
    cpu_micro_force(&table);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(products),
        cmocka_unit_test(memory),
        cmocka_unit_test(refused),
    };
    precision = VKI_PRECISION_FP16;
    const int failed = cmocka_run_group_tests_name("fp16", tests, NULL, NULL);
    precision = VKI_PRECISION_BF16;
    return failed + cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
