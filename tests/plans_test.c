/* SPDX-License-Identifier: Apache-2.0
 * Plans that networks seldom need: nodes on both places in turn, views of constants, outputs that are inputs
 * or constants, runs that fail, hundreds of plans in one session. All against the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/counting.h"
#include "common/gpu_run.h"
#include "common/net.h"
#include "common/session_check.h"
#include "common/small_models.h"
#include "session/session.h"

static bool have_vulkan;

/* On one device: every pass left out in turn, all at once, and every intermediate kept. */
static void try_on(const gr_graph *g, bool vulkan, bool staging)
{
    static const char few[] = "fold_constants,identities,common_subexpressions,dead_code";
    vki_model *m = session_load(g, vulkan, staging, NULL);
    vki_session *reference = NULL;
    SESSION_OK(vki_session_create(
        m, &(vki_session_options){.size = sizeof(vki_session_options), .reference = true}, &reference, why));
    session_write_inputs(reference, g->n_inputs);
    SESSION_OK(vki_session_run(reference, 0, why));
    int passes = 0;
    while (gr_passes[passes]) passes++;
    for (int i = -2; i < passes; i++) {
        for (int keep = 0; keep < 2; keep++) {
            vki_session *s = NULL;
            vki_session_options o = {.size = sizeof o, .keep_intermediates = keep, .profile = keep};
            o.disable_passes = i == -2 ? NULL : i == -1 ? few : gr_passes[i]->name;
            SESSION_OK(vki_session_create(m, &o, &s, why));
            session_write_inputs(s, g->n_inputs);
            session_compare(g, reference, s);
            vki_session_destroy(&s);
        }
    }
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
}

static void try_everywhere(gr_graph *g)
{
    try_on(g, false, false);
    if (have_vulkan) try_on(g, true, false);
    if (have_vulkan) try_on(g, true, true);
    gr_free(g);
}

static gr_id cast(gr_graph *g, gr_id x, vki_dtype to)
{
    gr_id y = net_unary(g, OP_Cast, x);
    ((op_cast_attrs *)net_last(g)->attrs)->to = to;
    return y;
}

static gr_id reshape(gr_graph *g, gr_id x, int rank, const int64_t *dims)
{
    return net_node(g, OP_Reshape, IN(x, net_ints(g, rank, dims)));
}

/* 64-bit integers that could be large are the CPU's: three times there and back, with views on both sides of
 * each crossing. */
static void both_places_in_turn(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 4, 6, 6)), h = net_unary(&g, OP_Relu, x), first = h;
    for (int i = 0; i < 3; i++) {
        gr_id flat = reshape(&g, h, DIMS(1, 144));
        gr_id whole = cast(&g, flat, VKI_I64), view = reshape(&g, whole, DIMS(4, 36));
        gr_id back = reshape(&g, cast(&g, view, VKI_F32), DIMS(1, 4, 6, 6));
        gr_id sum = net_binary(&g, OP_Add, back, first);
        h = net_unary(&g, OP_Relu, sum);
        net_output(&g, view);
        net_output(&g, i == 1 ? back : h);
    }
    net_output(&g, reshape(&g, net_conv(&g, h), DIMS(6, 36)));
    net_output(&g, reshape(&g, x, DIMS(144)));
    try_everywhere(&g);
}

/* The device would compute in fp32: 1 + 1e-12 is 1 there. */
static void float64_stays_on_the_cpu(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 8)), wide = cast(&g, x, VKI_F64);
    gr_id small = gr_add_const(&g, NULL, VKI_F64, DIMS(1), (const double[]){1e-12}, true);
    gr_id sum = net_binary(&g, OP_Add, wide, small);
    net_output(&g, cast(&g, net_binary(&g, OP_Sub, sum, wide), VKI_F32));
    net_output(&g, sum);
    try_everywhere(&g);
}

/* A GPU segment, a CPU segment that reads nothing of it, and a GPU segment that reads both: the first two run
 * at once. */
static void both_places_at_once(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 4, 64, 64)), h = net_conv(&g, x); /* longer than a submit */
    for (int i = 0; i < 3; i++) {
        gr_id wide = net_unary(&g, OP_Neg, cast(&g, x, VKI_F64));
        gr_id sum = net_node(&g, OP_ReduceSum, IN(wide, net_ints(&g, 3, (const int64_t[]){1, 2, 3})));
        h = net_binary(&g, OP_Add, net_unary(&g, OP_Relu, h), cast(&g, sum, VKI_F32));
        if (i == 1) net_output(&g, sum);
    }
    net_output(&g, h);
    if (have_vulkan) {
        vki_model *m = session_load(&g, true, false, NULL);
        vki_session *s = NULL;
        SESSION_OK(vki_session_create(m, NULL, &s, why));
        int at_once = 0;
        for (int i = 1; i < s->plan->n_segments; i++)
            at_once += !s->plan->segments[i].gpu && !s->plan->segments[i].waits;
        assert_true(at_once > 0);
        vki_session_destroy(&s);
        vki_model_destroy(&m);
    }
    try_everywhere(&g);
}

static void constants_and_inputs_are_outputs(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3)), unused = net_input(&g, "unused", DIMS(5)),
          k = net_random(&g, DIMS(6));
    gr_id a = reshape(&g, k, DIMS(1, 6)), b = reshape(&g, a, DIMS(3, 2)), c = reshape(&g, b, DIMS(2, 3));
    gr_id y = net_binary(&g, OP_Add, x, c);
    net_unary(&g, OP_Exp, y); /* nobody reads it */
    const gr_id outputs[] = {x, k, b, y, unused, net_unary(&g, OP_Identity, x)};
    for (size_t i = 0; i < VKB_COUNT(outputs); i++) net_output(&g, outputs[i]);
    try_everywhere(&g);
}

static void no_nodes_at_all(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    net_output(&g, net_input(&g, "x", DIMS(1, 3)));
    net_output(&g, net_scalar(&g, 3));
    try_everywhere(&g);
}

/* ---- plans without a device ---- */

static vki_session_stats stats_of(vki_backend backend, const char *path)
{
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_session *s = NULL;
    vki_context_options o = {.size = sizeof o, .backend = backend};
    vki_session_stats stats = {.size = sizeof stats};
    SESSION_OK(vki_context_create(&o, &c, why));
    SESSION_OK(vki_model_load_file(c, path, &m, why));
    SESSION_OK(vki_session_create(m, NULL, &s, why));
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    if (backend == VKI_BACKEND_PLAN) {
        float x[3 * 16 * 16] = {0};
        assert_int_equal(vki_session_write(s, 0, x, sizeof x, NULL), VKI_E_STATE);
        assert_int_equal(vki_session_run(s, 0, NULL), VKI_E_STATE);
        assert_int_equal(vki_session_read(s, 0, x, sizeof x, NULL), VKI_E_STATE);
    }
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
    return stats;
}

/* What is said beforehand is what the device then has. */
static void a_plan_needs_no_device(void **state)
{
    (void)state;
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, 16);
    char path[256];
    snprintf(path, sizeof path, "%s", small_model_file(&g));
    gr_free(&g);
    vki_session_stats planned = stats_of(VKI_BACKEND_PLAN, path);
    assert_true(planned.dispatches > 0 && planned.pipelines > 0 && planned.activation_bytes > 0);
    if (!have_vulkan) return;
    vki_session_stats real = stats_of(VKI_BACKEND_VULKAN, path);
    assert_int_equal(planned.dispatches, real.dispatches);
    assert_int_equal(planned.barriers, real.barriers);
    assert_int_equal(planned.pipelines, real.pipelines);
    assert_int_equal(planned.segments, real.segments);
}

/* ---- many plans ---- */

static void many_plans(bool vulkan)
{
    counting counts = {0};
    vki_allocator a = counting_allocator(&counts);
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, 0);
    vki_model *m = session_load(&g, vulkan, false, &a);
    gr_free(&g);
    vki_session *s = NULL;
    SESSION_OK(vki_session_create(m, NULL, &s, why));
    long long live = 0;
    uint64_t weights = 0;
    for (int i = 0; i < 60; i++) {
        int64_t size = 8 + 2 * (i % 10);
        SESSION_OK(vki_session_reshape(s, &(vki_shape){"image", 4, {1, 3, size, size + 2}}, 1, why));
        session_write_inputs(s, 1);
        SESSION_OK(vki_session_run(s, 0, why));
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        if (i == 9) live = atomic_load(&counts.live), weights = stats.weight_bytes;
        if (i % 10 == 9) {
            assert_int_equal(atomic_load(&counts.live), live);
            assert_int_equal(stats.weight_bytes, weights);
        }
    }
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    assert_int_equal(atomic_load(&counts.live), 0);
}

static void plans_leave_nothing_behind(void **state)
{
    (void)state;
    many_plans(false);
    if (have_vulkan) many_plans(true);
}

/* ---- a run that fails ---- */

static void nothing_to_read_after_a_timeout(void **state)
{
    (void)state;
    if (!have_vulkan) skip();
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, 256);
    vki_model *m = session_load(&g, true, false, NULL);
    gr_free(&g);
    vki_session *s = NULL;
    SESSION_OK(vki_session_create(m, NULL, &s, why));
    session_write_inputs(s, 1);
    float before[5], after[5];
    SESSION_OK(vki_session_run(s, 0, why));
    SESSION_OK(vki_session_read(s, 1, before, sizeof before, why));
    vki_status status = vki_session_run(s, 1, NULL);
    if (status != VKI_OK) { /* no device is that fast, but one may be asked late */
        assert_int_equal(status, VKI_E_TIMEOUT);
        assert_int_equal(vki_session_read(s, 1, after, sizeof after, NULL), VKI_E_STATE);
    }
    SESSION_OK(vki_session_run(s, 0, why));
    SESSION_OK(vki_session_read(s, 1, after, sizeof after, why));
    assert_memory_equal(before, after, sizeof before);
    vki_session_run(s, 1, NULL); /* and destroyed while it may still run */
    vki_session_destroy(&s);
    vki_model_destroy(&m);
}

int main(void)
{
    have_vulkan =
        gpu_run_device() != NULL; /* stays open: LSan counts an unloaded driver's own data as leaked */
    if (!have_vulkan) print_message("no Vulkan device: the Vulkan half of these tests is skipped\n");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_places_in_turn),
        cmocka_unit_test(both_places_at_once),
        cmocka_unit_test(float64_stays_on_the_cpu),
        cmocka_unit_test(constants_and_inputs_are_outputs),
        cmocka_unit_test(no_nodes_at_all),
        cmocka_unit_test(a_plan_needs_no_device),
        cmocka_unit_test(plans_leave_nothing_behind),
        cmocka_unit_test(nothing_to_read_after_a_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
