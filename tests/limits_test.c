/* SPDX-License-Identifier: Apache-2.0
 * memory_limit: held to the byte, before anything large is allocated; over it the CPU takes kernels that need
 * less, and if that does not help, the error has the figure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/device_memory.h"
#include "common/gpu_run.h"
#include "common/net.h"
#include "common/session_check.h"
#include "session/session.h"
#include "vulkan/internal.h"

static size_t largest; /* block asked for */

static void *watched_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    largest = bytes > largest ? bytes : largest;
    return vkb_libc_allocator.alloc(NULL, bytes, align);
}

static void watched_free(void *user, void *p)
{
    (void)user;
    vkb_libc_allocator.free(NULL, p);
}

static const vki_allocator watched = {NULL, watched_alloc, watched_free};
/* Two convolutions that Winograd's algorithm serves, with four times their weights and a lot of scratch. */
static void make_net(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(1, 32, 56, 56));
    for (int i = 0; i < 2; i++) {
        x = net_node(g, OP_Conv, IN(x, net_positive(g, DIMS(32, 32, 3, 3))));
        net_set_ints(&((op_conv_attrs *)net_last(g)->attrs)->pads, 4, (const int64_t[]){1, 1, 1, 1});
    }
    net_output(g, x);
}

typedef struct outcome {
    vki_status status;
    uint64_t bytes; /* that the session takes */
    bool thrifty;   /* some kernel was taken for its memory */
    vki_error err;
} outcome;

static void look(void *user, const vki_node_report *node)
{
    outcome *o = user;
    o->thrifty = o->thrifty || strstr(node->reason, "least memory");
}

/* With a model of its own, so that nothing is packed yet. */
static outcome try_limit(const gr_graph *g, bool vulkan, uint64_t limit)
{
    vki_model *m = session_load(g, vulkan, false, &watched);
    vki_session *s = NULL;
    outcome o = {0};
    vkr_device *device = m->context->device;
    largest = 0;
    device_memory_allocations = 0;
    device_memory_watch(device);
    vki_session_options so = {.size = sizeof so,
                              .memory_limit = limit,
                              .threads = 1,
                              .placement = vulkan ? VKI_PLACE_GPU_ONLY : VKI_PLACE_CPU_ONLY};
    o.status = vki_session_create(m, &so, &s, &o.err);
    device_memory_unwatch(device);
    if (s) {
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        o.bytes = stats.weight_bytes + stats.activation_bytes + stats.staging_bytes;
        assert_int_equal(vki_session_report(s, look, &o), VKI_OK);
    }
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    return o;
}

/* The least limit that is enough takes as much; one byte less is refused with that figure. */
static void check_refusal(const gr_graph *g, bool vulkan, uint64_t least)
{
    char figure[32];
    outcome o = try_limit(g, vulkan, least);
    assert_int_equal(o.status, VKI_OK);
    assert_int_equal(o.bytes, least);
    o = try_limit(g, vulkan, least - 1);
    assert_int_equal(o.status, VKI_E_NOMEM);
    snprintf(figure, sizeof figure, "%llu", (unsigned long long)least);
    if (!strstr(o.err.text, figure)) fail_msg("\"%s\" does not say %s", o.err.text, figure);
    assert_true(largest < 32 * 56 * 56 * sizeof(float)); /* no tensor was allocated */
    assert_int_equal(device_memory_allocations, 0);
}

static void on_the_cpu(void **state)
{
    (void)state;
    gr_graph g;
    make_net(&g);
    outcome fast = try_limit(&g, false, 0), enough = try_limit(&g, false, fast.bytes);
    assert_int_equal(enough.status, VKI_OK);
    assert_int_equal(enough.bytes, fast.bytes);
    assert_false(fast.thrifty || enough.thrifty);
    outcome thrifty = try_limit(&g, false, fast.bytes - 1);
    assert_int_equal(thrifty.status, VKI_OK);
    assert_true(thrifty.thrifty);
    print_message("fast kernels take %llu bytes, thrifty ones %llu\n", (unsigned long long)fast.bytes,
                  (unsigned long long)thrifty.bytes);
    assert_true(thrifty.bytes < fast.bytes);
    check_refusal(&g, false, thrifty.bytes);
    gr_free(&g);
}

static void on_vulkan(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    gr_graph g;
    make_net(&g);
    check_refusal(&g, true, try_limit(&g, true, 0).bytes);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_the_cpu), cmocka_unit_test(on_vulkan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
