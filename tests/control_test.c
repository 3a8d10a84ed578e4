/* SPDX-License-Identifier: Apache-2.0
 * If, Loop and Scan: inlined and run round by round, on each place, with captures, shapes that grow, no
 * rounds at all, and bodies within bodies. */
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

static const run_options ways[] = {{0},
                                   {.reference = true},
                                   {.disable_passes = "inline_bodies"},
                                   {.disable_passes = "fold_constants,identities,dead_code"},
                                   {.vulkan = true},
                                   {.vulkan = true, .gpu_only = true},
                                   {.vulkan = true, .disable_passes = "inline_bodies"}};

static void on_each(gr_graph *g, bool all_on_gpu, void (*check)(run_net *r))
{
    for (size_t i = 0; i < VKB_COUNT(ways); i++) {
        if ((ways[i].vulkan && !have_vulkan) || (ways[i].gpu_only && !all_on_gpu)) continue;
        run_net r = run_open(g, &ways[i]);
        check(&r);
        run_close(&r);
    }
    gr_free(g);
}

static void set_axis(gr_graph *g, int64_t axis)
{
    ((op_axis_attrs *)net_last(g)->attrs)->axis = axis;
}

/* ---- If ---- */

/* c ? relu(x) : (x twice as long), times k. Branches of different shapes, with captures and a constant. */
static void branches(gr_graph *g, bool constant)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(3)), in[2];
    gr_id c = constant ? run_scalar(g, VKI_BOOL, 1) : run_input(g, "c", VKI_BOOL, 0, NULL);
    gr_graph *then = run_body(g, 1, in);
    net_output(then, net_unary(then, OP_Relu, in[0]));
    gr_graph *other = run_body(g, 2, in);
    gr_id twice = net_node(other, OP_Concat, IN(in[0], in[1]));
    set_axis(other, 0);
    net_output(other, net_binary(other, OP_Mul, twice, net_scalar(other, 10)));
    gr_id y = net_node(g, OP_If, IN(c, x, x, net_unary(g, OP_Neg, x)));
    *(op_if_attrs *)net_last(g)->attrs = (op_if_attrs){0, 1, 1};
    net_output(g, net_binary(g, OP_Mul, y, net_scalar(g, 2)));
}

static void check_branches(run_net *r)
{
    for (int round = 0; round < 2; round++) {
        run_write(r, 0, F32(1, -2, 3));
        run_write(r, 1, &(uint8_t){1});
        run_expect(r, 0, VKI_F32, DIMS(3), F32(2, 0, 6));
        run_write(r, 1, &(uint8_t){0});
        run_expect(r, 0, VKI_F32, DIMS(6), F32(20, -40, 60, -20, 40, -60));
    }
}

static void branch_at_run_time(void **state)
{
    (void)state;
    gr_graph g;
    branches(&g, false);
    on_each(&g, true, check_branches);
}

static void constant_branch_is_inlined(void **state)
{
    (void)state;
    gr_graph g;
    branches(&g, true);
    run_net r = run_open(&g, &ways[0]);
    assert_true(r.session->root->last); /* one stage */
    assert_non_null(net_find(&r.session->plan->graph, OP_Relu));
    run_write(&r, 0, F32(1, -2, 3));
    run_expect(&r, 0, VKI_F32, DIMS(3), F32(2, 0, 6));
    run_close(&r);
    net_optimize(&g, "inline_bodies");
    assert_null(net_find(&g, OP_If));
    assert_int_equal(gr_check(&g, NULL), VKI_OK);
    gr_free(&g);
}

/* ---- Loop ---- */

/* sum += x * i, n times, as long as sum < limit; the sums, and twice the round's number, are scan outputs. */
static void summing(gr_graph *g, bool constant)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(2)), in[5], out[3];
    gr_id n = constant ? run_scalar(g, VKI_I64, 4) : run_input(g, "n", VKI_I64, 0, NULL);
    gr_id limit = constant ? net_scalar(g, 1e9f) : net_input(g, "limit", 0, NULL);
    gr_graph *body = run_body(g, 5, in); /* round, condition, sum; x, limit */
    gr_id i = net_unary(body, OP_Cast, in[0]);
    ((op_cast_attrs *)net_last(body)->attrs)->to = VKI_F32;
    gr_id sum = net_binary(body, OP_Add, in[2], net_binary(body, OP_Mul, in[3], i));
    gr_id most = net_unary(body, OP_ReduceMax, sum);
    ((op_reduce_attrs *)net_last(body)->attrs)->keepdims = 0;
    gr_id on = net_binary(body, OP_Less, most, in[4]);
    net_output(body, constant ? in[1] : on);
    net_output(body, sum);
    net_output(body, sum);
    net_output(body, net_binary(body, OP_Add, in[0], in[0]));
    run_node(g, OP_Loop, 5, (gr_id[]){n, GR_NONE, net_unary(g, OP_Abs, x), x, limit}, 3, out);
    *(op_loop_attrs *)net_last(g)->attrs = (op_loop_attrs){0, 1};
    net_output(g, net_unary(g, OP_Neg, out[0]));
    net_output(g, out[1]);
    net_output(g, out[2]);
}

static void check_summing(run_net *r)
{
    run_write(r, 0, F32(1, 2));
    run_write(r, 1, I64S(4));
    run_write(r, 2, F32(1000));
    run_expect(r, 0, VKI_F32, DIMS(2), F32(-7, -14));
    run_expect(r, 1, VKI_F32, DIMS(4, 2), F32(1, 2, 2, 4, 4, 8, 7, 14));
    run_expect(r, 2, VKI_I64, DIMS(4), I64S(0, 2, 4, 6));
    run_write(r, 2, F32(5)); /* ends it after the third round */
    run_expect(r, 1, VKI_F32, DIMS(3, 2), F32(1, 2, 2, 4, 4, 8));
    run_write(r, 1, I64S(0));
    run_expect(r, 0, VKI_F32, DIMS(2), F32(-1, -2));
    run_expect(r, 1, VKI_F32, DIMS(0, 2), NULL);
    run_expect(r, 2, VKI_I64, DIMS(0), NULL);
    run_write(r, 1, I64S(-5));
    run_expect(r, 2, VKI_I64, DIMS(0), NULL);
    run_write(r, 1, I64S(1));
    run_expect(r, 1, VKI_F32, DIMS(1, 2), F32(1, 2));
}

static void loop_at_run_time(void **state)
{
    (void)state;
    gr_graph g;
    summing(&g, false);
    on_each(&g, true, check_summing);
}

static void check_constant(run_net *r)
{
    run_write(r, 0, F32(1, 2));
    run_expect(r, 0, VKI_F32, DIMS(2), F32(-7, -14));
    run_expect(r, 1, VKI_F32, DIMS(4, 2), F32(1, 2, 2, 4, 4, 8, 7, 14));
    run_expect(r, 2, VKI_I64, DIMS(4), I64S(0, 2, 4, 6));
}

static void short_loop_is_unrolled(void **state)
{
    (void)state;
    gr_graph g;
    summing(&g, true);
    run_net r = run_open(&g, &ways[0]);
    assert_true(r.session->root->last);
    run_close(&r);
    on_each(&g, true, check_constant);
}

/* The body plans once, whatever the number of rounds; its report is part of the session's. */
static void count_casts(void *user, const vki_node_report *n)
{
    *(int *)user += !strcmp(n->op, "Cast") || !strcmp(n->kernel, "loop");
}

static void rounds_share_a_plan(void **state)
{
    (void)state;
    gr_graph g;
    int casts = 0;
    summing(&g, false);
    run_net r = run_open(&g, &ways[0]);
    run_write(&r, 0, F32(1, 2));
    run_write(&r, 1, I64S(500));
    run_write(&r, 2, F32(1e9f));
    if (run_once(&r, 0) != VKI_OK) fail_msg("%s", r.err.text);
    assert_int_equal(r.session->n_stages, 4); /* before, the loop, its body, after */
    assert_int_equal(vki_session_report(r.session, count_casts, &casts), VKI_OK);
    assert_int_equal(casts, 2);
    run_close(&r);
    gr_free(&g);
}

/* Neither a number of rounds nor a condition before the first: x doubles until it is over 100. And without an
 * end, the time given ends it. */
static void endless(gr_graph *g, bool ends)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(1)), in[3];
    gr_graph *body = run_body(g, 3, in);
    gr_id twice = net_binary(body, OP_Add, in[2], in[2]);
    gr_id on = net_binary(body, OP_LessOrEqual, twice, net_scalar(body, 100));
    net_output(body, ends ? on : in[1]);
    net_output(body, twice);
    net_output(g, net_node(g, OP_Loop, IN(GR_NONE, GR_NONE, x)));
    *(op_loop_attrs *)net_last(g)->attrs = (op_loop_attrs){0, 1};
}

static void check_endless(run_net *r)
{
    run_write(r, 0, F32(3));
    run_expect(r, 0, VKI_F32, DIMS(1), F32(192));
    run_write(r, 0, F32(1000));
    run_expect(r, 0, VKI_F32, DIMS(1), F32(2000));
}

static void loops_without_a_count(void **state)
{
    (void)state;
    gr_graph g;
    endless(&g, true);
    on_each(&g, true, check_endless);
    endless(&g, false);
    run_net r = run_open(&g, &ways[0]);
    run_write(&r, 0, F32(0));
    assert_int_equal(run_once(&r, 20 * 1000000), VKI_E_TIMEOUT);
    run_close(&r);
    gr_free(&g);
}

/* A value that grows: [x], [x x], ... Every round has shapes of its own; so has what follows. */
static void check_growing(run_net *r)
{
    run_write(r, 0, F32(1, 2));
    run_write(r, 1, I64S(2));
    run_expect(r, 0, VKI_F32, DIMS(6), F32(1, 2, 1, 2, 1, 2));
    run_write(r, 1, I64S(30)); /* more shapes than plans are kept */
    if (run_once(r, 0) != VKI_OK) fail_msg("%s", r->err.text);
    assert_true(r->session->n_stages <= SES_STAGES_MAX);
    run_write(r, 1, I64S(0));
    run_expect(r, 0, VKI_F32, DIMS(2), F32(1, 2));
}

static void values_that_grow(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2)), n = run_input(&g, "n", VKI_I64, DIMS(1)), in[4];
    gr_graph *body = run_body(&g, 4, in);
    gr_id longer = net_node(body, OP_Concat, IN(in[2], in[3]));
    set_axis(body, 0);
    net_output(body, in[1]);
    net_output(body, longer);
    gr_id y = net_node(&g, OP_Loop, IN(n, GR_NONE, x, x));
    *(op_loop_attrs *)net_last(&g)->attrs = (op_loop_attrs){0, 1};
    net_output(&g, net_unary(&g, OP_Relu, y));
    on_each(&g, true, check_growing);
}

/* Scan outputs that differ from round to round cannot be stacked: an error of that run, no more. */
static void scan_outputs_must_agree(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id n = run_input(&g, "n", VKI_I64, 0, NULL), in[2];
    gr_graph *body = run_body(&g, 2, in);
    gr_id next = net_binary(body, OP_Add, in[0], run_scalar(body, VKI_I64, 1));
    net_output(body, in[1]);
    net_output(
        body, net_node(body, OP_Range, IN(run_scalar(body, VKI_I64, 0), next, run_scalar(body, VKI_I64, 1))));
    net_output(&g, net_node(&g, OP_Loop, IN(n)));
    *(op_loop_attrs *)net_last(&g)->attrs = (op_loop_attrs){0, 0};
    run_net r = run_open(&g, &ways[0]);
    run_write(&r, 0, I64S(3));
    assert_int_equal(run_once(&r, 0), VKI_E_SHAPE);
    assert_string_equal(r.err.op, "Loop");
    run_write(&r, 0, I64S(1));
    run_expect(&r, 0, VKI_I64, DIMS(1, 1), I64S(0));
    run_close(&r);
    gr_free(&g);
}

/* ---- Scan ---- */

/* sum += element along axis 1, from the end; sums along axis -1, from the end, and the element itself along
 * 0. */
static void scanning(gr_graph *g, int64_t length)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(2, length, 2)), k = net_input(g, "k", DIMS(2)), in[3], out[3];
    gr_graph *body = run_body(g, 3, in);
    gr_id sum = net_binary(body, OP_Add, in[0], net_binary(body, OP_Mul, in[1], in[2]));
    net_output(body, sum);
    net_output(body, sum);
    net_output(body, net_unary(body, OP_Neg, in[1]));
    gr_id zero = net_node(g, OP_ConstantOfShape, IN(net_ints(g, 2, I64S(2, 2)), net_scalar(g, 0)));
    run_node(g, OP_Scan, 3, (gr_id[]){zero, x, k}, 3, out);
    op_scan_attrs *a = net_last(g)->attrs;
    a->body = 0;
    a->states = a->num_scan_inputs = 1;
    net_set_ints(&a->scan_input_axes, 1, I64S(-2));
    net_set_ints(&a->scan_input_directions, 1, I64S(1));
    net_set_ints(&a->scan_output_axes, 2, I64S(-1, 0));
    net_set_ints(&a->scan_output_directions, 2, I64S(1, 0));
    for (int i = 0; i < 3; i++) net_output(g, out[i]);
}

static void check_scanning(run_net *r)
{
    run_write(r, 0, F32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    run_write(r, 1, F32(1, 10));
    run_expect(r, 0, VKI_F32, DIMS(2, 2), F32(9, 120, 27, 300));
    run_expect(r, 1, VKI_F32, DIMS(2, 2, 3), F32(9, 8, 5, 120, 100, 60, 27, 20, 11, 300, 220, 120));
    run_expect(r, 2, VKI_F32, DIMS(3, 2, 2), F32(-5, -6, -11, -12, -3, -4, -9, -10, -1, -2, -7, -8));
}

static void scans(void **state)
{
    (void)state;
    gr_graph g;
    scanning(&g, 3);
    on_each(&g, true, check_scanning);
}

/* x [5] -> the elements above 0 -> their running sums: none of them is no round. */
static void check_running_sums(run_net *r)
{
    run_write(r, 0, F32(1, -2, 3, 0, 5));
    run_expect(r, 0, VKI_F32, DIMS(3), F32(1, 4, 9));
    run_write(r, 0, F32(-1, -2, -3, 0, -5));
    run_expect(r, 0, VKI_F32, DIMS(0), NULL);
    run_write(r, 0, F32(1, 2, 3, 4, 5));
    run_expect(r, 0, VKI_F32, DIMS(5), F32(1, 3, 6, 10, 15));
}

static void scans_of_any_length(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(5)), in[2], out[2];
    gr_id above = net_node(&g, OP_Compress, IN(x, net_binary(&g, OP_Greater, x, net_scalar(&g, 0))));
    gr_graph *body = run_body(&g, 2, in);
    gr_id sum = net_binary(body, OP_Add, in[0], in[1]);
    net_output(body, sum);
    net_output(body, sum);
    run_node(&g, OP_Scan, 2, (gr_id[]){net_scalar(&g, 0), above}, 2, out);
    op_scan_attrs *a = net_last(&g)->attrs;
    a->body = 0;
    a->states = a->num_scan_inputs = 1;
    net_output(&g, out[1]);
    on_each(&g, false, check_running_sums);
}

/* ---- within each other ---- */

/* For i below n: for j below i + 1: sum += x where the sum is below 10, else sum -= 100. */
static void nested(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(1)), n = run_input(g, "n", VKI_I64, 0, NULL), in[4], deep[4], leaf[2];
    gr_graph *outer = run_body(g, 4, in);       /* i, condition, sum; x */
    gr_graph *inner = run_body(outer, 4, deep); /* j, condition, sum; x */
    gr_graph *then = run_body(inner, 2, leaf);
    net_output(then, net_binary(then, OP_Add, leaf[0], leaf[1]));
    gr_graph *other = run_body(inner, 1, leaf);
    net_output(other, net_binary(other, OP_Sub, leaf[0], net_scalar(other, 100)));
    gr_id low = net_binary(inner, OP_Less, deep[2], net_scalar(inner, 10));
    gr_id y = net_node(inner, OP_If, IN(low, deep[2], deep[3], deep[2]));
    *(op_if_attrs *)net_last(inner)->attrs = (op_if_attrs){0, 1, 2};
    net_output(inner, deep[1]);
    net_output(inner, y);
    gr_id rounds = net_binary(outer, OP_Add, in[0], run_scalar(outer, VKI_I64, 1));
    gr_id z = net_node(outer, OP_Loop, IN(rounds, in[1], in[2], in[3]));
    *(op_loop_attrs *)net_last(outer)->attrs = (op_loop_attrs){0, 1};
    net_output(outer, in[1]);
    net_output(outer, z);
    net_output(g, net_node(g, OP_Loop, IN(n, GR_NONE, x, x)));
    *(op_loop_attrs *)net_last(g)->attrs = (op_loop_attrs){0, 1};
}

static void check_nested(run_net *r)
{
    run_write(r, 0, F32(1));
    run_write(r, 1, I64S(3));
    run_expect(r, 0, VKI_F32, DIMS(1), F32(7));
    run_write(r, 1, I64S(4));
    run_expect(r, 0, VKI_F32, DIMS(1), F32(-90)); /* 10, then the branch that subtracts */
    run_write(r, 1, I64S(0));
    run_expect(r, 0, VKI_F32, DIMS(1), F32(1));
}

static void bodies_within_bodies(void **state)
{
    (void)state;
    gr_graph g;
    nested(&g);
    on_each(&g, true, check_nested);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    gr_graph g;
    summing(&g, false);
    int tries = 0;
    for (long long at = 1;; at++, tries++) {
        counting c = {.fail_at = 0};
        vki_allocator a = counting_allocator(&c);
        run_net r = run_open(&g, &(run_options){.allocator = &a});
        run_write(&r, 0, F32(1, 2));
        run_write(&r, 1, I64S(4));
        run_write(&r, 2, F32(1000));
        long long before = atomic_load(&c.calls);
        atomic_store(&c.fail_at, before + at);
        vki_status status = run_once(&r, 0);
        bool done = atomic_load(&c.calls) < before + at;
        assert_true(status == VKI_OK || status == VKI_E_NOMEM);
        atomic_store(&c.fail_at, 0);
        run_expect(&r, 1, VKI_F32, DIMS(4, 2), F32(1, 2, 2, 4, 4, 8, 7, 14));
        run_close(&r);
        assert_int_equal(atomic_load(&c.live), 0);
        if (done) break;
        assert_true(tries < 5000);
    }
    assert_true(tries > 10);
    gr_free(&g);
}

/* ---- graphs that are wrong ---- */

static void wrong_bodies_are_refused(void **state)
{
    (void)state;
    gr_graph g;
    vki_error err;
    summing(&g, true);
    gr_node *loop = NULL;
    for (int i = 0; i < g.n_nodes; i++)
        if (g.nodes[i].op == OP_Loop) loop = &g.nodes[i];
    assert_non_null(loop);
    op_loop_attrs *a = loop->attrs;
    assert_int_equal(gr_check(&g, &err), VKI_OK);
    a->body = 1;
    assert_int_equal(gr_check(&g, &err), VKI_E_FORMAT);
    a->body = 0;
    a->carried = 4;
    assert_int_equal(gr_check(&g, &err), VKI_E_FORMAT);
    a->carried = 1;
    loop->n_in--;
    assert_int_equal(gr_check(&g, &err), VKI_E_FORMAT);
    loop->n_in++;
    gr_id limit = loop->in[4];
    loop->in[4] = GR_NONE;
    assert_int_equal(gr_check(&g, &err), VKI_E_FORMAT);
    loop->in[4] = limit;
    gr_graph *deepest = &g;
    for (int i = 0; i <= GR_MAX_DEPTH; i++) {
        int body = gr_new_body(deepest);
        deepest = deepest->bodies[body].graph;
    }
    assert_int_equal(gr_check(&g, &err), VKI_E_FORMAT);
    assert_non_null(strstr(err.text, "deep"));
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
        cmocka_unit_test(branch_at_run_time),
        cmocka_unit_test(constant_branch_is_inlined),
        cmocka_unit_test(loop_at_run_time),
        cmocka_unit_test(short_loop_is_unrolled),
        cmocka_unit_test(rounds_share_a_plan),
        cmocka_unit_test(loops_without_a_count),
        cmocka_unit_test(values_that_grow),
        cmocka_unit_test(scan_outputs_must_agree),
        cmocka_unit_test(scans),
        cmocka_unit_test(scans_of_any_length),
        cmocka_unit_test(bodies_within_bodies),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(wrong_bodies_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
