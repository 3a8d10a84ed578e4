/* SPDX-License-Identifier: Apache-2.0
 * Ranges of shapes declared up front: memory is allocated once, reshapes within neither allocate device
 * memory nor make pipelines, results are those of sessions without ranges, and what lies outside is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/device_memory.h"
#include "common/gpu_run.h"
#include "common/net.h"
#include "common/session_check.h"
#include "session/session.h"
#include "vulkan/internal.h"

/* Two inputs of one height; convolutions, a pool, maps, a sum. */
static void make_net(gr_graph *g)
{
    net_init(g);
    int64_t h = gr_symbol(g, "H"), w = gr_symbol(g, "W");
    gr_id x = net_input(g, "x", DIMS(1, 4, h, w)), y = net_input(g, "y", DIMS(1, 4, h, w));
    gr_id a = net_unary(g, OP_Sigmoid, net_conv(g, net_unary(g, OP_Relu, x))),
          b = net_conv(g, net_unary(g, OP_Exp, y));
    gr_id sum = net_binary(g, OP_Add, a, b);
    net_output(g, net_unary(g, OP_GlobalAveragePool, sum));
    net_output(g, net_unary(g, OP_HardSwish, sum));
}

static const vki_range ranges[] = {{"x", 4, {1, 4, 8, 16}, {1, 4, 64, 48}},
                                   {"y", 4, {1, 4, 8, 16}, {1, 4, 64, 48}}};

static vki_session_options with_ranges(void)
{
    return (vki_session_options){
        .size = sizeof(vki_session_options), .ranges = ranges, .range_count = (int)VKB_COUNT(ranges)};
}

static void reshape(vki_session *s, int64_t h, int64_t w)
{
    vki_shape shapes[] = {{"x", 4, {1, 4, h, w}}, {"y", 4, {1, 4, h, w}}};
    SESSION_OK(vki_session_reshape(s, shapes, 2, why));
}

static vki_session_stats stats_of(vki_session *s)
{
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    return stats;
}

static void check(bool vulkan, bool staging)
{
    gr_graph g;
    make_net(&g);
    vki_model *m = session_load(&g, vulkan, staging, NULL);
    vki_session *reference = NULL, *s = NULL;
    vki_session_options plain = {.size = sizeof plain}, o = with_ranges();
    SESSION_OK(vki_session_create(m, &plain, &reference, why));
    SESSION_OK(vki_session_create(m, &o, &s, why));
    vki_tensor_info info;
    assert_int_equal(vki_session_input(s, 0, &info), VKI_OK); /* begins with the largest */
    assert_true(info.dims[2] == 64 && info.dims[3] == 48);
    const uint64_t reserved = stats_of(s).reserved_bytes;
    assert_true(reserved >= stats_of(s).activation_bytes + stats_of(s).staging_bytes);
    vkr_device *device = m->context->device;
    const int pipelines = device ? vkr_device_pipelines(device) : 0;
    static const int64_t sizes[][2] = {{8, 16},  {64, 48}, {40, 32}, {8, 48}, {64, 16}, {24, 20},
                                       {12, 44}, {40, 32}, {33, 17}, {9, 47}, {63, 31}};
    const size_t whole = 8; /* those before are multiples of four, as the ends are: no other kernels */
    for (size_t i = 0; i < VKB_COUNT(sizes); i++) {
        device_memory_watch(device); /* the other session may allocate what it wants */
        reshape(s, sizes[i][0], sizes[i][1]);
        device_memory_unwatch(device);
        assert_int_equal(stats_of(s).reserved_bytes, reserved);
        assert_int_equal(stats_of(s).unreserved_bytes, 0);
        assert_false(stats_of(s).stages_follow);
        reshape(reference, sizes[i][0], sizes[i][1]);
        session_write_inputs(reference, 2);
        SESSION_OK(vki_session_run(reference, 0, why));
        session_write_inputs(s, 2);
        session_compare(&g, reference, s);
        if (device && i < whole) assert_int_equal(vkr_device_pipelines(device), pipelines);
    }
    assert_int_equal(device_memory_allocations, 0);
    vki_session_destroy(&s);
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    gr_free(&g);
}

static void on_the_cpu(void **state)
{
    (void)state;
    check(false, false);
}

static void on_vulkan(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    check(true, false);
    check(true, true);
}

static void expect_refusal(vki_model *m, vki_session_options *o, vki_status status, const char *text)
{
    vki_session *s = NULL;
    vki_error err = {0};
    assert_int_equal(vki_session_create(m, o, &s, &err), status);
    assert_null(s);
    if (!strstr(err.text, text)) fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void what_is_outside_is_refused(void **state)
{
    (void)state;
    gr_graph g;
    make_net(&g);
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *s = NULL;
    vki_session_options o = with_ranges();
    SESSION_OK(vki_session_create(m, &o, &s, why));
    reshape(s, 40, 32);
    const vki_shape outside[] = {{"x", 4, {1, 4, 40, 49}}, {"y", 4, {1, 4, 40, 49}}},
                    unequal[] = {{"x", 4, {1, 4, 41, 32}}};
    vki_error err = {0};
    assert_int_equal(vki_session_reshape(s, outside, 2, &err), VKI_E_SHAPE);
    assert_non_null(strstr(err.text, "dimension 3 is 49"));
    assert_int_equal(vki_session_reshape(s, unequal, 1, &err), VKI_E_SHAPE); /* H of x is H of y */
    vki_tensor_info info;
    assert_int_equal(vki_session_input(s, 0, &info), VKI_OK); /* the old plan is in force */
    assert_true(info.dims[2] == 40 && info.dims[3] == 32);
    vki_session_destroy(&s);

    vki_range bad = {"z", 4, {1, 4, 8, 16}, {1, 4, 64, 48}};
    o = (vki_session_options){.size = sizeof o, .ranges = &bad, .range_count = 1};
    expect_refusal(m, &o, VKI_E_ARG, "no such input");
    bad.input = "x";
    expect_refusal(m, &o, VKI_E_SHAPE, "input y");
    bad.rank = 3;
    expect_refusal(m, &o, VKI_E_ARG, "dimensions");
    bad.rank = 4;
    bad.min[1] = 3;
    expect_refusal(m, &o, VKI_E_ARG, "always 4");
    bad.min[1] = 4;
    bad.min[2] = 65;
    expect_refusal(m, &o, VKI_E_ARG, "65 to 64");
    o.ranges = NULL;
    expect_refusal(m, &o, VKI_E_ARG, "ranges is NULL");
    o = with_ranges();
    o.memory_limit = 20000;
    expect_refusal(m, &o, VKI_E_NOMEM, "memory_limit");
    vki_model_destroy(&m);
    gr_free(&g);
}

/* What follows NonZero is planned in the run, and lies beyond what was reserved. */
static void later_stages_lie_beyond(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(gr_symbol(&g, "N"), 6));
    gr_id places = net_node(&g, OP_NonZero, IN(net_unary(&g, OP_Relu, x)));
    net_output(&g, net_binary(&g, OP_Add, places, net_unary(&g, OP_Neg, places)));
    const vki_range range = {"x", 2, {2, 6}, {32, 6}};
    vki_session_options o = {.size = sizeof o, .ranges = &range, .range_count = 1};
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *s = NULL;
    SESSION_OK(vki_session_create(m, &o, &s, why));
    vki_session_stats before = stats_of(s);
    assert_true(before.stages_follow && before.reserved_bytes > 0);
    assert_int_equal(before.unreserved_bytes, 0);
    session_write_inputs(s, 1);
    SESSION_OK(vki_session_run(s, 0, why));
    vki_session_stats after = stats_of(s);
    assert_int_equal(after.reserved_bytes, before.reserved_bytes);
    assert_true(after.unreserved_bytes > 0);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_cpu),
        cmocka_unit_test(on_vulkan),
        cmocka_unit_test(what_is_outside_is_refused),
        cmocka_unit_test(later_stages_lie_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
