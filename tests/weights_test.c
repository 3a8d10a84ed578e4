/* SPDX-License-Identifier: Apache-2.0
 * Weights kept as fp16 or int8: as accurate as their rounding allows, where the option's text promises them,
 * and the report says where they are and where not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net.h"
#include "common/session_check.h"
#include "cpu/narrow.h"

/* ---- packed matrices ---- */

/* y = x B of a packed matrix against the sums in double; the error that rounding the weights may make. */
static void check_matrix(vki_weights kind, int64_t k, int64_t n, bool transposed, const float *magnitudes,
                         int count)
{
    float *b = malloc((size_t)(k * n) * sizeof *b), *x = malloc((size_t)k * sizeof *x);
    void *packed = vkb_alloc(&vkb_libc_allocator, (size_t)cpu_narrow_bytes(kind, n, k));
    assert_true(b && x && packed);
    const int64_t row = transposed ? 1 : n, col = transposed ? k : 1;
    for (int64_t i = 0; i < k; i++) {
        x[i] = (float)(i * 37 % 23) / 11 - 1;
        for (int64_t j = 0; j < n; j++)
            b[i * row + j * col] = ((float)((i * 31 + j * 17) % 41) / 20 - 1) * magnitudes[j % count];
    }
    cpu_narrow_pack(packed, kind, b, row, col, k, n, 0.5F);
    for (int64_t panel = 0; panel < vkb_ceil_div(n, CPU_NR); panel++) {
        float y[CPU_NR] = {0};
        cpu_narrow_row(cpu_micro_get(), kind, y, x, packed, n, k, panel);
        for (int64_t j = panel * CPU_NR; j < n && j < (panel + 1) * CPU_NR; j++) {
            double sum = 0, bound = 0, largest = 0, share = kind == VKI_WEIGHTS_FP16 ? 1.0 / 2048 : 1.0 / 254;
            for (int64_t i = 0; i < k; i++) largest = fmax(largest, fabs(0.5 * (double)b[i * row + j * col]));
            for (int64_t i = 0; i < k; i++) {
                const double w = 0.5 * (double)b[i * row + j * col];
                sum += (double)x[i] * w;
                bound += fabs((double)x[i]) *
                         (share * (kind == VKI_WEIGHTS_FP16 ? fabs(w) : largest) + 3e-7 * largest);
            }
            const double error = fabs((double)y[j - panel * CPU_NR] - sum);
            if (!(error <= bound))
                fail_msg("%d of %d x %d: column %d is off by %g, more than %g", (int)kind, (int)k, (int)n,
                         (int)j, error, bound);
        }
    }
    vkb_free(&vkb_libc_allocator, packed);
    free(b);
    free(x);
}

static void matrices(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{1, 1}, {3, 16}, {127, 17}, {128, 8}, {129, 31}, {200, 40}, {5, 25}};
    /* beyond fp16 at both ends, and zeros */
    const float magnitudes[] = {1, 1e-3F, 1e6F, 0, 1e-12F, 1e20F, 70000, 3e-38F};
    for (int kind = VKI_WEIGHTS_FP16; kind <= VKI_WEIGHTS_INT8; kind++)
        for (size_t i = 0; i < VKB_COUNT(sizes); i++)
            for (int transposed = 0; transposed < 2; transposed++)
                check_matrix((vki_weights)kind, sizes[i][0], sizes[i][1], transposed, magnitudes,
                             (int)VKB_COUNT(magnitudes));
}

/* ---- sessions ---- */

static char reason[640]; /* of the node of that operator */

static void note_reason(void *user, const vki_node_report *n)
{
    if (!strcmp(n->op, user)) snprintf(reason, sizeof reason, "%s", n->reason);
}

/* Runs the graph of one node with weights of that kind beside the reference, and frees it. `expected`: part
 * of the node's reason; `within`: of 1 and the value. The largest error. */
static void check_graph(gr_graph *g, const char *op, vki_weights kind, const char *expected, float within)
{
    vki_model *m = session_load(g, false, false, NULL);
    vki_session *s = NULL, *reference = NULL;
    vki_session_options o = {.size = sizeof o, .threads = 2, .weights = kind};
    SESSION_OK(vki_session_create(m, &o, &s, why));
    o.reference = true;
    SESSION_OK(vki_session_create(m, &o, &reference, why));
    reason[0] = 0;
    assert_int_equal(vki_session_report(s, note_reason, (void *)(uintptr_t)op), VKI_OK);
    if (!strstr(reason, expected)) fail_msg("%s: no '%s' in: %s", op, expected, reason);
    session_write_inputs(s, g->n_inputs);
    session_write_inputs(reference, g->n_inputs);
    SESSION_OK(vki_session_run(reference, 0, why));
    session_compare_within(g, reference, s, within);
    vki_session_destroy(&s);
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    gr_free(g);
}

static const float tolerance[] = {
    [VKI_WEIGHTS_FP32] = 2e-5F, [VKI_WEIGHTS_FP16] = 3e-3F, [VKI_WEIGHTS_INT8] = 4e-2F};

static void check_gemm(int64_t rows, int64_t k, int64_t n, vki_weights kind, const char *expected)
{
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(rows, k)), w = net_random(&g, DIMS(n, k));
    net_output(&g, net_unary(&g, OP_Relu, net_node(&g, OP_Gemm, IN(x, w, net_random(&g, DIMS(n))))));
    op_gemm_attrs *a = g.nodes[0].attrs;
    a->transB = 1;
    a->alpha = 1 / (float)k;
    check_graph(&g, "Gemm", kind, expected, tolerance[kind]);
}

static void products(void **state)
{
    (void)state;
    for (int64_t rows = 1; rows <= 4; rows++) {
        check_gemm(rows, 61, 37, VKI_WEIGHTS_FP16, "weights as fp16");
        check_gemm(rows, 300, 16 * rows, VKI_WEIGHTS_INT8, "weights as int8");
    }
    check_gemm(5, 61, 37, VKI_WEIGHTS_INT8, "weights as fp32: more than 4 rows");
    check_gemm(1, 61, 37, VKI_WEIGHTS_FP32, "first candidate that fits");
    for (int kind = VKI_WEIGHTS_FP16; kind <= VKI_WEIGHTS_INT8; kind++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(3, 1, 50)); /* one product of three rows */
        net_output(&g, net_binary(&g, OP_MatMul, x, net_random(&g, DIMS(50, 70))));
        check_graph(&g, "MatMul", (vki_weights)kind,
                    kind == VKI_WEIGHTS_INT8 ? "weights as int8" : "weights as fp16", tolerance[kind] * 8);
        net_init(&g);
        x = net_input(&g, "x", DIMS(1, 50));
        net_output(&g, net_binary(&g, OP_MatMul, x, net_input(&g, "w", DIMS(50, 70))));
        check_graph(&g, "MatMul", (vki_weights)kind, "weights as fp32: the matrix is computed", tolerance[0]);
        net_init(&g);
        net_output(&g, net_conv(&g, net_input(&g, "x", DIMS(1, 4, 9, 9))));
        check_graph(&g, "Conv", (vki_weights)kind, "weights as fp32: a convolution", tolerance[0]);
    }
}

static void check_recurrent(op_kind op, int64_t steps, int64_t batch, vki_weights kind, const char *expected)
{
    enum { INPUT = 19, HIDDEN = 21 };
    const int64_t gates = op == OP_LSTM ? 4 : op == OP_GRU ? 3 : 1, rows = gates * HIDDEN;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(steps, batch, INPUT));
    gr_id w = net_random(&g, DIMS(2, rows, INPUT)), r = net_random(&g, DIMS(2, rows, HIDDEN));
    for (int64_t i = 0; i < 2 * rows * HIDDEN; i++) /* so that errors do not grow from step to step */
        ((float *)(uintptr_t)g.tensors[r].data)[i] *= 0.2F;
    for (int64_t i = 0; i < 2 * rows * INPUT; i++) ((float *)(uintptr_t)g.tensors[w].data)[i] *= 0.1F;
    net_output(&g, net_node(&g, op, IN(x, w, r, net_random(&g, DIMS(2, 2 * rows)))));
    op_recurrent_attrs *a = net_last(&g)->attrs;
    a->hidden_size = HIDDEN;
    a->direction = 2;
    check_graph(&g, op_get(op)->name, kind, expected, tolerance[kind]);
}

static void recurrences(void **state)
{
    (void)state;
    static const op_kind ops[] = {OP_LSTM, OP_GRU, OP_RNN};
    for (size_t i = 0; i < VKB_COUNT(ops); i++) {
        check_recurrent(ops[i], 1, 1, VKI_WEIGHTS_FP16, "weights as fp16");
        check_recurrent(ops[i], 4, 1, VKI_WEIGHTS_INT8, "weights as int8");
        check_recurrent(ops[i], 17, 1, VKI_WEIGHTS_INT8,
                        "weights as int8 for the state, fp32 for the inputs");
        check_recurrent(ops[i], 17, 1, VKI_WEIGHTS_FP16,
                        "weights as fp16 for the state, fp32 for the inputs");
        check_recurrent(ops[i], 1, 3, VKI_WEIGHTS_INT8,
                        "weights as int8 for the inputs, fp32 for the states");
        check_recurrent(ops[i], 9, 3, VKI_WEIGHTS_INT8, "weights as fp32: several sequences");
    }
}

/* A quarter of the bytes and no more is what the session takes for them. */
static void memory(void **state)
{
    (void)state;
    enum { SIZE = 512 };
    uint64_t bytes[3];
    for (int kind = 0; kind < 3; kind++) {
        gr_graph g;
        net_init(&g);
        net_output(&g, net_binary(&g, OP_MatMul, net_input(&g, "x", DIMS(1, SIZE)),
                                  net_random(&g, DIMS(SIZE, SIZE))));
        vki_model *m = session_load(&g, false, false, NULL);
        vki_session *s = NULL;
        SESSION_OK(vki_session_create(
            m, &(vki_session_options){.size = sizeof(vki_session_options), .weights = (vki_weights)kind}, &s,
            why));
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        bytes[kind] = stats.weight_bytes;
        vki_session_destroy(&s);
        vki_model_destroy(&m);
        gr_free(&g);
    }
    assert_int_equal(bytes[VKI_WEIGHTS_FP32], SIZE * SIZE * 4);
    assert_int_equal(bytes[VKI_WEIGHTS_FP16], SIZE * SIZE * 2 + SIZE * 4);
    assert_int_equal(bytes[VKI_WEIGHTS_INT8], SIZE * SIZE + SIZE * 4);
}

static void no_such_kind(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    net_output(&g, net_unary(&g, OP_Relu, net_input(&g, "x", DIMS(1))));
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *s = NULL;
    vki_error err = {0};
    const vki_session_options o = {.size = sizeof o, .weights = (vki_weights)3};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_ARG);
    assert_non_null(strstr(err.text, "weights 3"));
    vki_model_destroy(&m);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices), cmocka_unit_test(products),     cmocka_unit_test(recurrences),
        cmocka_unit_test(memory),   cmocka_unit_test(no_such_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
