/* SPDX-License-Identifier: Apache-2.0
 * The cost model: estimates by class of device, and what dispatches read, write and compute, against figures
 * worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/net.h"
#include "cpu/cpu.h"
#include "gpu/gpu.h"

/* ---- estimates ---- */

static void test_roofline(void **state)
{
    (void)state;
    const cost_rates r = {.name = "test", .macs = 100, .bytes = 10, .launch_us = 5, .lanes = 64};
    const struct {
        uint64_t macs, read, written, lanes;
        double us;
    } rows[] = {
        {0, 0, 0, 0, 5},
        {1000, 30, 20, 0, 5 + 10},     /* arithmetic decides */
        {1000, 200, 100, 0, 5 + 30},   /* memory decides */
        {1000, 200, 100, 64, 5 + 30},  /* the device is full */
        {1000, 200, 100, 16, 5 + 120}, /* a quarter of it */
    };
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        const cost_work w = {
            .macs = rows[i].macs, .read = rows[i].read, .written = rows[i].written, .lanes = rows[i].lanes};
        if (fabs(cost_us(&r, &w) - rows[i].us) > 1e-9)
            fail_msg("row %zu: %g us instead of %g", i, cost_us(&r, &w), rows[i].us);
    }
}

static void test_classes(void **state)
{
    (void)state;
    static const char *const kinds[] = {"minimum", "adreno", "mali", "nvidia"};
    assert_null(cost_rates_of("abacus"));
    for (size_t i = 0; i < VKB_COUNT(kinds); i++)
        assert_string_equal(gpu_rates(gpu_limits_of(kinds[i]))->name, kinds[i]);
    gpu_limits unknown = gpu_limits_minimum;
    unknown.vendor = 0x1234;
    assert_string_equal(gpu_rates(&unknown)->name, "minimum");
    cost_rates one = cpu_rates(1), four = cpu_rates(4);
    assert_int_equal(strncmp(one.name, "cpu ", 4), 0);
    assert_true(four.macs == 4 * one.macs && four.bytes > one.bytes && four.bytes < 4 * one.bytes);
    assert_true(one.submit_us == 0);
}

/* ---- dispatches ---- */

typedef struct planned {
    gr_graph g;
    gpu_builder b;
    gpu_program p;
} planned;

/* Emits every node of f->g by the first kernel that takes it. */
static void emit_all(planned *f)
{
    vki_error err;
    const char *why;
    assert_int_equal(gr_infer(&f->g, &err), VKI_OK);
    assert_int_equal(gpu_builder_init(&f->b, &f->g, &gpu_limits_minimum, false, &f->p, &err), VKI_OK);
    for (gr_id i = 0; i < f->g.n_nodes; i++) {
        const gpu_kernel *k = gpu_choose(&f->b, &f->g.nodes[i], &why);
        if (!k) fail_msg("%s", why);
        if (gpu_emit(&f->b, i, k) != VKI_OK) fail_msg("%s", f->b.err->text);
    }
}

static void end(planned *f)
{
    gpu_builder_free(&f->b);
    gpu_program_free(&f->p, f->g.allocator);
    gr_free(&f->g);
}

/* x [1, 6, 5, 7] in rows becomes 2 slices; a 1x1 convolution to 9 channels makes 3 slices. */
static void test_convolution(void **state)
{
    (void)state;
    planned f;
    net_init(&f.g);
    gr_id x = net_input(&f.g, "x", DIMS(1, 6, 5, 7));
    net_output(&f.g, net_node(&f.g, OP_Conv, IN(x, net_random(&f.g, DIMS(9, 6, 1, 1)))));
    emit_all(&f);
    assert_int_equal(f.p.n_dispatches, 2);
    cost_work conversion = gpu_dispatch_work(&f.p, &f.p.dispatches[0]);
    assert_int_equal(conversion.macs, 0);
    assert_int_equal(conversion.read, vkb_round_up(6 * 35 * 4, 16));
    assert_int_equal(conversion.written, 8 * 35 * 4);
    cost_work conv = gpu_dispatch_work(&f.p, &f.p.dispatches[1]);
    uint64_t weights = 0;
    for (int i = 0; i < f.p.n_weights; i++) weights += f.p.weights[i].bytes;
    assert_int_equal(conv.macs, 9 * 6 * 35);
    assert_int_equal(conv.read, 8 * 35 * 4 + weights);
    assert_int_equal(conv.written, 12 * 35 * 4);
    const cost_rates *r = gpu_rates(&gpu_limits_minimum);
    assert_true(gpu_dispatch_cost(&f.p, &f.p.dispatches[1], &gpu_limits_minimum) > r->launch_us);
    end(&f);
}

/* An operand that is bound twice is read once; what a node computes is all of its dispatches' together. */
static void test_shares(void **state)
{
    (void)state;
    planned f;
    net_init(&f.g);
    gr_id x = net_input(&f.g, "x", DIMS(3, 50));
    net_output(&f.g, net_binary(&f.g, OP_Add, x, x));
    enum { STEPS = 5, BATCH = 2, INPUT = 12, HIDDEN = 8 };
    gr_id seq = net_input(&f.g, "seq", DIMS(STEPS, BATCH, INPUT));
    gr_id w = net_random(&f.g, DIMS(1, 4 * HIDDEN, INPUT)), r = net_random(&f.g, DIMS(1, 4 * HIDDEN, HIDDEN));
    gr_id y = net_node(&f.g, OP_LSTM, IN(seq, w, r));
    ((op_recurrent_attrs *)net_last(&f.g)->attrs)->hidden_size = HIDDEN;
    net_output(&f.g, y);
    emit_all(&f);
    cost_work add = gpu_dispatch_work(&f.p, &f.p.dispatches[0]);
    assert_int_equal(add.read, 608); /* 600, up to 16 */
    assert_int_equal(add.written, 608);
    uint64_t macs = 0, steps = f.p.dispatches[f.p.n_dispatches - 1].macs;
    for (int i = 0; i < f.p.n_dispatches; i++)
        macs += f.p.dispatches[i].node == 1 ? f.p.dispatches[i].macs : 0;
    assert_int_equal(steps, STEPS * BATCH * 4 * HIDDEN * HIDDEN);
    assert_int_equal(macs, STEPS * BATCH * 4 * HIDDEN * (INPUT + HIDDEN));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_roofline), cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_convolution), cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
