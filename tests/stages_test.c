/* SPDX-License-Identifier: Apache-2.0
 * Networks whose shapes depend on values: shapes that differ from run to run, empty results, plans that are
 * kept and dropped, failures in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/gpu_run.h"
#include "common/run_net.h"
#include "session/stage.h"

static bool have_vulkan;

/* Every way to run a network: fast and reference kernels, no passes, the device. */
static const run_options ways[] = {{0},
                                   {.reference = true},
                                   {.disable_passes = "fold_constants,identities,dead_code,inline_bodies"},
                                   {.vulkan = true},
                                   {.vulkan = true, .disable_passes = "inline_bodies"}};

static void on_each(gr_graph *g, void (*check)(run_net *r))
{
    for (size_t i = 0; i < VKB_COUNT(ways); i++) {
        if (ways[i].vulkan && !have_vulkan) continue;
        run_net r = run_open(g, &ways[i]);
        check(&r);
        run_close(&r);
    }
    gr_free(g);
}

/* ---- shapes by values ---- */

/* x [6] -> what is not 0 -> times 2 -> sum; and where it is. Two values decide: which, and how many. */
static void picking(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(6));
    gr_id at = net_unary(g, OP_NonZero, net_unary(g, OP_Relu, x));
    gr_id flat = net_node(g, OP_Reshape, IN(at, net_ints(g, 1, I64S(-1))));
    gr_id picked = net_node(g, OP_Gather, IN(x, flat));
    net_output(g, net_binary(g, OP_Mul, picked, net_scalar(g, 2)));
    net_output(g, at);
    net_output(g, net_node(g, OP_ReduceSum, IN(picked)));
    ((op_reduce_attrs *)net_last(g)->attrs)->keepdims = 0;
}

static void check_picking(run_net *r)
{
    vki_tensor_info info;
    assert_int_equal(vki_session_output(r->session, 1, &info), VKI_OK);
    assert_true(info.rank == 2 && info.dims[1] == -1 && info.dtype == VKI_I64); /* unknown before a run */
    for (int round = 0; round < 3; round++) {
        run_write(r, 0, F32(1, -1, 2, 0, 3, -5));
        run_expect(r, 0, VKI_F32, DIMS(3), F32(2, 4, 6));
        run_expect(r, 1, VKI_I64, DIMS(1, 3), I64S(0, 2, 4));
        run_expect(r, 2, VKI_F32, 0, NULL, F32(6));
        run_write(r, 0, F32(0, 0, -1, -2, 0, 0)); /* nothing */
        run_expect(r, 0, VKI_F32, DIMS(0), NULL);
        run_expect(r, 1, VKI_I64, DIMS(1, 0), NULL);
        run_expect(r, 2, VKI_F32, 0, NULL, F32(0));
        run_write(r, 0, F32(1, 2, 3, 4, 5, 6));
        run_expect(r, 0, VKI_F32, DIMS(6), F32(2, 4, 6, 8, 10, 12));
        run_expect(r, 2, VKI_F32, 0, NULL, F32(21));
    }
    assert_int_equal(vki_session_output(r->session, 1, &info), VKI_OK);
    assert_int_equal(info.dims[1], 6);
}

static void shapes_differ_from_run_to_run(void **state)
{
    (void)state;
    gr_graph g;
    picking(&g);
    on_each(&g, check_picking);
}

/* Every operator that takes its output's shape from an input, with inputs of the network's. */
static void shaping(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(2, 3));
    gr_id sizes = run_input(g, "sizes", VKI_I64, DIMS(2)), n = run_input(g, "n", VKI_I64, 0, NULL);
    gr_id half = net_input(g, "half", 0, NULL);
    net_output(g, net_node(g, OP_Reshape, IN(x, sizes)));
    net_output(g, net_node(g, OP_Tile, IN(x, sizes)));
    gr_id zero = net_scalar(g, 0);
    net_output(g, net_node(g, OP_Range, IN(zero, net_unary(g, OP_Exp, half), half)));
    gr_id count = net_node(g, OP_Range, IN(run_scalar(g, VKI_I64, 0), n, run_scalar(g, VKI_I64, 1)));
    net_output(g, count);
    net_output(g, net_node(g, OP_ConstantOfShape, IN(sizes, zero)));
    gr_id shape = net_unary(g, OP_Shape, count);
    net_output(g, net_node(g, OP_Expand, IN(half, shape)));
    net_output(g, net_node(g, OP_Slice, IN(x, net_ints(g, 1, I64S(0)), shape, net_ints(g, 1, I64S(1)))));
}

static void check_shaping(run_net *r)
{
    run_write(r, 0, F32(1, 2, 3, 4, 5, 6));
    run_write(r, 3, F32(0.5f));
    run_write(r, 1, I64S(3, 2));
    run_write(r, 2, I64S(2));
    run_expect(r, 0, VKI_F32, DIMS(3, 2), F32(1, 2, 3, 4, 5, 6));
    run_expect(r, 2, VKI_F32, DIMS(4), F32(0, 0.5f, 1, 1.5f));
    run_expect(r, 3, VKI_I64, DIMS(2), I64S(0, 1));
    run_expect(r, 4, VKI_F32, DIMS(3, 2), F32(0, 0, 0, 0, 0, 0));
    run_expect(r, 5, VKI_F32, DIMS(2), F32(0.5f, 0.5f));
    run_expect(r, 6, VKI_F32, DIMS(2, 2), F32(1, 2, 4, 5));
    run_write(r, 1, I64S(1, 6));
    run_write(r, 2, I64S(-3));
    run_expect(r, 0, VKI_F32, DIMS(1, 6), F32(1, 2, 3, 4, 5, 6));
    run_expect(r, 3, VKI_I64, DIMS(0), NULL);
    run_expect(r, 5, VKI_F32, DIMS(0), NULL);
    run_expect(r, 6, VKI_F32, DIMS(2, 0), NULL);
    /* Wrong values are an error of that run alone. */
    run_write(r, 1, I64S(4, 4));
    assert_int_equal(run_once(r, 0), VKI_E_SHAPE);
    if (!r->err.node[0] || !strstr(r->err.text, "16")) fail_msg("'%s': %s", r->err.node, r->err.text);
    float data[6];
    assert_int_equal(vki_session_read(r->session, 0, data, sizeof data, NULL), VKI_E_STATE);
    run_write(r, 1, I64S(2, 3));
    run_write(r, 2, I64S(1));
    run_expect(r, 0, VKI_F32, DIMS(2, 3), F32(1, 2, 3, 4, 5, 6));
    run_expect(r, 6, VKI_F32, DIMS(2, 1), F32(1, 4));
}

static void shapes_from_inputs(void **state)
{
    (void)state;
    gr_graph g;
    shaping(&g);
    on_each(&g, check_shaping);
}

/* What comes out of one such node goes into the next: x -> above 0 -> above 1 -> above 2. */
static void check_sieve(run_net *r)
{
    run_write(r, 0, F32(0.5f, 1.5f, 2.5f, 3.5f, 1.25f));
    run_expect(r, 0, VKI_F32, DIMS(2), F32(2.5f, 3.5f));
    run_write(r, 0, F32(0, 0, 1, 2, -3));
    run_expect(r, 0, VKI_F32, DIMS(0), NULL);
    run_write(r, 0, F32(9, 8, 7, 6, 5));
    run_expect(r, 0, VKI_F32, DIMS(5), F32(9, 8, 7, 6, 5));
}

static void stage_after_stage(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(5));
    for (int i = 0; i < 3; i++)
        x = net_node(&g, OP_Compress, IN(x, net_binary(&g, OP_Greater, x, net_scalar(&g, (float)i))));
    net_output(&g, x);
    on_each(&g, check_sieve);
}

static void some_outputs_are_early(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(3)), k = net_ints(&g, 1, I64S(7));
    net_output(&g, net_unary(&g, OP_NonZero, x));
    net_output(&g, x);
    net_output(&g, k);
    net_output(&g, net_unary(&g, OP_Exp, x));
    run_net r = run_open(&g, &ways[0]);
    run_write(&r, 0, F32(0, 1, 0));
    run_expect(&r, 0, VKI_I64, DIMS(1, 1), I64S(1));
    run_expect(&r, 1, VKI_F32, DIMS(3), F32(0, 1, 0));
    run_expect(&r, 2, VKI_I64, DIMS(1), I64S(7));
    run_expect(&r, 3, VKI_F32, DIMS(3), F32(1, 2.7182818f, 1));
    run_close(&r);
    gr_free(&g);
}

/* ---- what is kept ---- */

/* x [40], how many of them are not 0. */
static void write_count(run_net *r, int count)
{
    float x[40] = {0};
    for (int i = 0; i < count; i++) x[i] = (float)i + 1;
    run_write(r, 0, x);
}

static void counting_net(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(40));
    gr_id at = net_unary(g, OP_NonZero, x);
    net_output(g, net_unary(g, OP_Relu, net_node(g, OP_Gather, IN(x, at))));
}

static void plans_are_kept_and_dropped(void **state)
{
    (void)state;
    gr_graph g;
    counting_net(&g);
    for (int vulkan = 0; vulkan <= have_vulkan; vulkan++) {
        counting c = {0};
        vki_allocator a = counting_allocator(&c);
        run_net r = run_open(&g, &(run_options){.vulkan = vulkan, .allocator = &a});
        long long live = 0, calls = 0;
        for (int i = 0; i < 120; i++) { /* more shapes than plans are kept */
            write_count(&r, i % 40);
            if (run_once(&r, 0) != VKI_OK) fail_msg("%s", r.err.text);
            assert_true(r.session->n_stages <= SES_STAGES_MAX);
            if (i == 39) live = atomic_load(&c.live);
            if (i % 40 == 39) assert_int_equal(atomic_load(&c.live), live);
        }
        for (int i = 0; i < 20; i++) { /* shapes that are there: nothing new */
            if (i == 4) calls = atomic_load(&c.calls);
            write_count(&r, 30 + i % 4);
            if (run_once(&r, 0) != VKI_OK) fail_msg("%s", r.err.text);
        }
        assert_int_equal(atomic_load(&c.calls), calls);
        run_close(&r);
        assert_int_equal(atomic_load(&c.live), 0);
    }
    gr_free(&g);
}

/* A network without such nodes: shapes that come back find their plan. */
static void shapes_that_come_back(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(gr_symbol(&g, "N"), 3));
    net_output(&g, net_unary(&g, OP_Softmax, x));
    counting c = {0};
    vki_allocator a = counting_allocator(&c);
    run_net r = run_open(&g, &(run_options){.allocator = &a});
    for (int64_t n = 1; n < 5; n++)
        assert_int_equal(vki_session_reshape(r.session, &(vki_shape){"x", 2, {n, 3}}, 1, NULL), VKI_OK);
    const ses_plan *last = r.session->plan;
    assert_int_equal(vki_session_reshape(r.session, &(vki_shape){"x", 2, {2, 3}}, 1, NULL), VKI_OK);
    assert_ptr_not_equal(r.session->plan, last);
    assert_int_equal(run_once(&r, 0), VKI_E_STATE); /* inputs were never written for it */
    assert_int_equal(vki_session_reshape(r.session, &(vki_shape){"x", 2, {4, 3}}, 1, NULL), VKI_OK);
    assert_ptr_equal(r.session->plan, last);
    assert_int_equal(r.session->n_stages, 4);
    run_close(&r);
    assert_int_equal(atomic_load(&c.live), 0);
    gr_free(&g);
}

static void limits_hold_for_all_stages(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(40));
    gr_id n = net_node(&g, OP_Gather,
                       IN(net_unary(&g, OP_Shape, net_unary(&g, OP_NonZero, x)), net_ints(&g, 1, I64S(1))));
    gr_id wide = net_node(&g, OP_Expand, IN(net_unary(&g, OP_ReduceMax, x), n));
    gr_id big = net_node(&g, OP_Tile, IN(net_unary(&g, OP_Exp, wide), net_ints(&g, 1, I64S(1000))));
    net_output(&g, net_unary(&g, OP_ReduceSum, net_unary(&g, OP_Neg, big)));
    run_net r = run_open(&g, &(run_options){.memory_limit = 100000});
    write_count(&r, 5);
    if (run_once(&r, 0) != VKI_OK) fail_msg("%s", r.err.text);
    write_count(&r, 35);
    assert_int_equal(run_once(&r, 0), VKI_E_NOMEM);
    assert_non_null(strstr(r.err.text, "100000"));
    for (int i = 1; i < 9; i++) { /* what earlier runs have left counts, and goes */
        write_count(&r, i);
        if (run_once(&r, 0) != VKI_OK) fail_msg("%d: %s", i, r.err.text);
    }
    run_close(&r);
    gr_free(&g);
}

/* ---- failures ---- */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    gr_graph g;
    picking(&g);
    for (int vulkan = 0; vulkan <= have_vulkan; vulkan++) {
        int tries = 0;
        for (long long at = 1;; at += vulkan ? 7 : 1, tries++) {
            counting c = {.fail_at = 0};
            vki_allocator a = counting_allocator(&c);
            run_net r = run_open(&g, &(run_options){.vulkan = vulkan, .allocator = &a});
            run_write(&r, 0, F32(1, -1, 2, 0, 3, -5));
            long long before = atomic_load(&c.calls);
            atomic_store(&c.fail_at, before + at);
            vki_status status = run_once(&r, 0);
            bool done = atomic_load(&c.calls) < before + at;
            assert_true(status == VKI_OK || status == VKI_E_NOMEM);
            if (!done && status == VKI_OK)
                assert_true(r.session->n_stages > 0); /* dropped some and went on */
            atomic_store(&c.fail_at, 0);
            run_expect(&r, 0, VKI_F32, DIMS(3), F32(2, 4, 6)); /* the session is as good as before */
            run_close(&r);
            assert_int_equal(atomic_load(&c.live), 0);
            if (done) break;
            assert_true(tries < 5000);
        }
        assert_true(tries > 10);
    }
    gr_free(&g);
}

/* ---- reports ---- */

typedef struct seen {
    int nodes, relu, nonzero, gather, on_device;
} seen;

static void see(void *user, const vki_node_report *n)
{
    seen *s = user;
    s->nodes++;
    s->relu += !strcmp(n->op, "Relu");
    s->nonzero += !strcmp(n->op, "NonZero");
    s->gather += !strcmp(n->op, "Gather");
    s->on_device += !strcmp(n->place, "vulkan");
}

static void reports_cover_all_stages(void **state)
{
    (void)state;
    gr_graph g;
    picking(&g);
    for (int vulkan = 0; vulkan <= have_vulkan; vulkan++) {
        run_net r = run_open(&g, &(run_options){.vulkan = vulkan});
        seen before = {0}, after = {0};
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_report(r.session, see, &before), VKI_OK);
        assert_true(before.relu == 1 && before.nonzero == 1 && before.gather == 0);
        run_write(&r, 0, F32(1, -1, 2, 0, 3, -5));
        run_expect(&r, 0, VKI_F32, DIMS(3), F32(2, 4, 6));
        assert_int_equal(vki_session_report(r.session, see, &after), VKI_OK);
        assert_true(after.relu == 1 && after.nonzero == 1 && after.gather == 1);
        assert_int_equal(vki_session_stats_get(r.session, &stats), VKI_OK);
        assert_int_equal(stats.nodes, after.nodes);
        assert_true(after.on_device >= 2 * vulkan && stats.dispatches >= 2 * vulkan);
        run_close(&r);
    }
    gr_free(&g);
}

static int set_up(void **state)
{
    (void)state;
    have_vulkan = gpu_run_device() != NULL;
    if (!have_vulkan) print_message("no Vulkan device: sessions run on the CPU only\n");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_differ_from_run_to_run),
        cmocka_unit_test(shapes_from_inputs),
        cmocka_unit_test(stage_after_stage),
        cmocka_unit_test(some_outputs_are_early),
        cmocka_unit_test(plans_are_kept_and_dropped),
        cmocka_unit_test(shapes_that_come_back),
        cmocka_unit_test(limits_hold_for_all_stages),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(reports_cover_all_stages),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
