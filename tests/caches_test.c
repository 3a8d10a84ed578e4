/* SPDX-License-Identifier: Apache-2.0
 * Sizes of caches: read from files as in sysfs, and networks that give the same bits whatever they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "common/session_check.h"
#include "common/sysfs.h"
#include "cpu/cpu.h"

/* ---- what the system tells ---- */

static void tell_cache(const char *root, int core, int index, const char *const words[4])
{
    static const char *const names[4] = {"level", "type", "size", "shared_cpu_list"};
    char name[64];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "cache/index%d/%s", index, names[i]);
        if (words[i]) sysfs_tell(root, core, name, words[i]);
    }
}

/* Cores 0 to 3 small, 4 to 6 large, 7 larger: as on phones. Two threads a core are told of core 7. */
static void sizes_are_read(void **state)
{
    (void)state;
    static const vkb_cores cores = {.usable = {8, {true, true, true, true, true, true, true, true}},
                                    .fast = {4, {[4] = true, [5] = true, [6] = true, [7] = true}}};
    char root[] = "/tmp/vkinfer_caches_XXXXXX";
    assert_non_null(mkdtemp(root));
    vkb_caches c;
    vkb_caches_find(&c, &cores, root); /* nothing there */
    assert_in_range(c.first, 16 << 10, 128 << 10);
    assert_in_range(c.second, 128 << 10, 2 << 20);
    tell_cache(root, 4, 0, (const char *const[]){"1\n", "Data\n", "64K\n", "4\n"});
    tell_cache(root, 4, 1, (const char *const[]){"1\n", "Instruction\n", "48K\n", "4\n"});
    tell_cache(root, 4, 2, (const char *const[]){"2\n", "Unified\n", "768K\n", "4,5-6\n"});
    tell_cache(root, 4, 3, (const char *const[]){"3\n", "Unified\n", "4M\n", "0-7\n"});
    tell_cache(root, 7, 0, (const char *const[]){"1\n", "Data\n", "96K\n", "7-8\n"});
    tell_cache(root, 7, 1, (const char *const[]){"2\n", "Unified\n", "1M\n", "7-8\n"});
    sysfs_tell(root, 7, "topology/thread_siblings_list", "7-8\n");
    vkb_caches_find(&c, &cores, root);
    assert_int_equal(c.first, 64 << 10);
    assert_int_equal(c.second, 256 << 10); /* of 768 shared by three */
    tell_cache(root, 4, 0, (const char *const[]){"1\n", "Data\n", "512K\n", "4\n"});
    tell_cache(root, 4, 2, (const char *const[]){"2\n", "Unified\n", "16M\n", "4\n"});
    vkb_caches_find(&c, &cores, root);
    assert_int_equal(c.first, 96 << 10);
    assert_int_equal(c.second, 1 << 20);
    sysfs_forget(root);
}

/* ---- what it changes ---- */

static gr_id conv(gr_graph *g, gr_id x, int64_t out, int64_t in, int64_t size, int64_t stride, int64_t group)
{
    const gr_id y = net_node(
        g, OP_Conv, IN(x, net_random(g, DIMS(out, in / group, size, size)), net_random(g, DIMS(out))));
    op_conv_attrs *a = net_last(g)->attrs;
    const int64_t pad = size / 2;
    a->group = group;
    net_set_ints(&a->strides, 2, (const int64_t[]){stride, stride});
    net_set_ints(&a->pads, 4, (const int64_t[]){pad, pad, pad, pad});
    return net_unary(g, OP_Relu, y);
}

static gr_id pool(gr_graph *g, op_kind op, gr_id x)
{
    const gr_id y = net_unary(g, op, x);
    op_pool_attrs *a = net_last(g)->attrs;
    net_set_ints(&a->kernel_shape, 2, (const int64_t[]){3, 3});
    net_set_ints(&a->strides, 2, (const int64_t[]){2, 2});
    net_set_ints(&a->pads, 4, (const int64_t[]){1, 1, 1, 1});
    return y;
}

/* Every kind of work that is cut by the sizes of caches: a pool within a convolution, a 1x1 convolution
 * within a depthwise one, a depthwise one alone, a 1x1 convolution of many channels, products whose panels
 * are packed in blocks, pools. */
static void make_net(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(1, 3, 127, 131));
    x = pool(g, OP_MaxPool, conv(g, x, 40, 3, 3, 2, 1));
    x = conv(g, conv(g, x, 150, 40, 1, 1, 1), 150, 150, 3, 1, 150);
    x = conv(g, x, 150, 150, 5, 2, 150);
    x = conv(g, pool(g, OP_AveragePool, x), 30, 150, 5, 1, 1);
    x = conv(g, conv(g, x, 300, 30, 1, 1, 1), 120, 300, 1, 1, 1);
    net_output(g, x);
    const gr_id a = net_input(g, "a", DIMS(150, 700)), b = net_input(g, "b", DIMS(700, 300));
    net_output(g, net_binary(g, OP_MatMul, a, b));
}

static char *run(vki_model *m, const vkb_caches *caches, size_t bytes[2])
{
    const vki_session_options o = {.size = sizeof o, .threads = 2};
    vki_session *s = NULL;
    cpu_caches_force(caches);
    SESSION_OK(vki_session_create(m, &o, &s, why));
    session_write_inputs(s, 3);
    SESSION_OK(vki_session_run(s, 0, why));
    for (int i = 0; i < 2; i++) {
        vki_tensor_info info;
        assert_int_equal(vki_session_output(s, i, &info), VKI_OK);
        bytes[i] = session_elements(&info) * sizeof(float);
    }
    char *y = malloc(bytes[0] + bytes[1]);
    assert_non_null(y);
    SESSION_OK(vki_session_read(s, 0, y, bytes[0], why));
    SESSION_OK(vki_session_read(s, 1, y + bytes[0], bytes[1], why));
    vki_session_destroy(&s);
    cpu_caches_force(NULL);
    return y;
}

static void results_do_not_depend_on_them(void **state)
{
    (void)state;
    static const vkb_caches sizes[] = {
        {32 << 10, 512 << 10}, {16 << 10, 128 << 10}, {64 << 10, 256 << 10}, {128 << 10, 2 << 20}};
    gr_graph g;
    make_net(&g);
    vki_model *m = session_load(&g, false, false, NULL);
    size_t bytes[2];
    char *want = run(m, &sizes[0], bytes);
    for (size_t i = 1; i < VKB_COUNT(sizes); i++) {
        char *got = run(m, &sizes[i], bytes);
        assert_memory_equal(got, want, bytes[0] + bytes[1]);
        free(got);
    }
    free(want);
    vki_model_destroy(&m);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_are_read),
                                       cmocka_unit_test(results_do_not_depend_on_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
