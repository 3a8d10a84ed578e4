/* SPDX-License-Identifier: Apache-2.0
 * The Vulkan runtime on whatever device the test machine has (a software one will do). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/gpu_run.h"
#include "common/vulkan_net.h"

static void check_round_trip(int rank, const int64_t *dims, bool half, bool constant)
{
    gr_graph g;
    gr_init(&g, &vkb_libc_allocator);
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= dims[i];
    float *in = malloc((size_t)count * 4), *out = malloc((size_t)count * 4);
    net_fill(in, count, -100.0f);
    gr_id x = constant ? gr_add_const(&g, "x", VKI_F32, rank, dims, in, true)
                       : gr_add_tensor(&g, "x", VKI_F32, rank, dims);
    gr_id y = gr_add_tensor(&g, "y", VKI_F32, rank, dims);
    assert_non_null(gr_add_node(&g, OP_Identity, "node", 1, &x, 1, &y));
    vki_error err = {0};
    vki_status status = gpu_run_node(gpu_run_device(), &g, &net_row_from_c4, half, (const void *[]){in},
                                     (void *[]){out}, &err);
    if (status != VKI_OK) fail_msg("%s: %s", vki_status_name(status), err.text);
    assert_memory_equal(in, out, (size_t)count * 4);
    free(in);
    free(out);
    gr_free(&g);
}

static void test_round_trip(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    static const struct {
        int rank;
        int64_t dims[4];
    } shapes[] = {{2, {3, 5}},       {2, {2, 8}},        {2, {1, 7}},         {3, {2, 3, 11}},
                  {4, {1, 4, 1, 1}}, {4, {2, 6, 9, 13}}, {4, {1, 17, 40, 3}}, {4, {1, 1, 300, 301}}};
    bool half = vkr_device_limits(gpu_run_device())->half_storage;
    for (size_t i = 0; i < VKB_COUNT(shapes); i++)
        for (int h = 0; h <= half; h++) {
            check_round_trip(shapes[i].rank, shapes[i].dims, h, false);
            check_round_trip(shapes[i].rank, shapes[i].dims, h, true);
        }
}

static int messages;
static void on_log(void *user, vki_log_level level, const char *text)
{
    (void)user;
    if (level > VKI_LOG_WARNING) return;
    messages++;
    fprintf(stderr, "%s\n", text);
}

/* NULL where there is no driver. */
static vkr_device *open_device(vki_context_options o, const vki_allocator *a)
{
    vki_error err = {0};
    vkr_device *device = NULL;
    o.size = sizeof o;
    o.log = on_log;
    vki_status status = vkr_device_create(&o, a, &device, &err);
    if (status != VKI_OK && status != VKI_E_NO_DEVICE) fail_msg("%s", err.text);
    return device;
}

static void check_plan(vkr_device *device, vkr_weights *weights, bool profile)
{
    net t;
    vkr_plan *plan;
    vkr_plan_info info;
    double us[3] = {-1, -1, -1};
    vki_error err = {0};
    assert_int_equal(net_make(&t, vkr_device_limits(device), &vkb_libc_allocator, profile), VKI_OK);
    if (vkr_plan_create(device, weights, &t.desc, &plan, &err) != VKI_OK) fail_msg("%s", err.text);
    vkr_plan_info_get(plan, &info);
    assert_int_equal(info.dispatches, 3);
    assert_int_equal(info.barriers, 1); /* between writing m and reading it */
    assert_int_equal(info.pipelines, 2);
    assert_true(info.arena_bytes >= t.desc.arena_bytes);
    assert_int_equal(info.staging_bytes > 0, !vkr_device_unified(device));
    assert_false(vkr_plan_times(plan, us)); /* nothing ran */
    for (int i = 0; i < 3; i++)
        if (net_run(&t, plan, (float)i, &err) != VKI_OK) fail_msg("%s", err.text);
    if (profile && vkr_device_info_of(device)->timestamps) {
        assert_true(vkr_plan_times(plan, us));
        for (int i = 0; i < 3; i++) assert_true(us[i] >= 0 && us[i] < 1e7);
    } else {
        assert_false(vkr_plan_times(plan, us));
    }
    vkr_plan_destroy(&plan);
    assert_null(plan);
    net_free(&t);
}

static void test_plans(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        vkr_weights *weights;
        vkr_device *device = open_device((vki_context_options){.force_staging = i & 1}, &vkb_libc_allocator);
        if (!device) skip();
        if (i & 1) assert_false(vkr_device_unified(device));
        assert_int_equal(vkr_weights_create(device, &weights, NULL), VKI_OK);
        check_plan(device, weights, i & 2);
        uint64_t bytes = vkr_weights_bytes(weights);
        int pipelines = vkr_device_pipelines(device);
        assert_true(bytes >= 2 * 2 * 35 * 16);
        check_plan(device, weights, i & 2); /* finds weights and pipelines */
        assert_int_equal(vkr_weights_bytes(weights), bytes);
        assert_int_equal(vkr_device_pipelines(device), pipelines);
        vkr_weights_destroy(&weights);
        vkr_device_destroy(&device);
        assert_null(device);
    }
}

typedef struct worker {
    vkr_device *device;
    vkr_weights *weights;
} worker;

static void *work(void *arg)
{
    const worker *w = arg;
    for (int i = 0; i < 10; i++) check_plan(w->device, w->weights, false);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    worker w = {.device = open_device((vki_context_options){0}, &vkb_libc_allocator)};
    if (!w.device) skip();
    assert_int_equal(vkr_weights_create(w.device, &w.weights, NULL), VKI_OK);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, work, &w), 0);
    work(&w);
    pthread_join(other, NULL);
    assert_int_equal(vkr_device_pipelines(w.device), 2);
    vkr_weights_destroy(&w.weights);
    vkr_device_destroy(&w.device);
}

/* ---- devices ---- */

static void test_list(void **state)
{
    (void)state;
    vki_context_options o = {.size = sizeof o};
    vki_device_info infos[8];
    vki_error err = {0};
    int count = -1;
    assert_int_equal(vkr_list(&o, &vkb_libc_allocator, infos, 8, &count, &err), VKI_OK);
    if (count == 0) skip();
    static const int rank[] = {[VKI_DEVICE_GPU_DISCRETE] = 0,
                               [VKI_DEVICE_GPU_INTEGRATED] = 1,
                               [VKI_DEVICE_GPU_VIRTUAL] = 2,
                               [VKI_DEVICE_GPU_SOFTWARE] = 3};
    for (int i = 0; i < count && i < 8; i++) {
        assert_true(infos[i].name[0] && infos[i].driver[0] && infos[i].memory_bytes > 0);
        assert_true(infos[i].max_storage_range >= gpu_limits_minimum.max_range);
        if (i) assert_true(rank[infos[i - 1].kind] <= rank[infos[i].kind]);
    }
    vkr_device *device = NULL;
    o.device_index = count;
    assert_int_equal(vkr_device_create(&o, &vkb_libc_allocator, &device, &err), VKI_E_NO_DEVICE);
    assert_null(device);
}

static void test_no_loader(void **state)
{
    (void)state;
    vki_context_options o = {.size = sizeof o, .loader_path = "/nonexistent/libvulkan.so"};
    vki_error err = {0};
    int count = -1;
    vkr_device *device = NULL;
    assert_int_equal(vkr_list(&o, &vkb_libc_allocator, NULL, 0, &count, &err), VKI_OK);
    assert_int_equal(count, 0);
    assert_int_equal(vkr_device_create(&o, &vkb_libc_allocator, &device, &err), VKI_E_NO_DEVICE);
    assert_null(device);
    bool built = !strstr(err.text, "this build");
    if (built) assert_non_null(strstr(err.text, "/nonexistent/libvulkan.so"));
}

static void test_validation(void **state)
{
    (void)state;
    if (!GPU_RUN_CAN_VALIDATE) skip();
    vki_context_options o = {.size = sizeof o, .validation = true, .log = on_log};
    vki_error err = {0};
    for (int staging = 0; staging < 2; staging++) {
        vkr_device *device = NULL;
        vkr_weights *weights;
        o.force_staging = staging;
        messages = 0;
        vki_status status = vkr_device_create(&o, &vkb_libc_allocator, &device, &err);
        if (status == VKI_E_UNSUPPORTED || status == VKI_E_NO_DEVICE) {
            print_message("skipped: %s\n", err.text);
            skip();
        }
        assert_int_equal(status, VKI_OK);
        assert_int_equal(vkr_weights_create(device, &weights, &err), VKI_OK);
        check_plan(device, weights, false);
        check_plan(device, weights, true);
        vkr_weights_destroy(&weights);
        vkr_device_destroy(&device);
        assert_int_equal(messages, 0);
    }
}

/* ---- the pipeline cache's file ---- */

static vkb_file map(const char *path)
{
    vkb_file file;
    assert_int_equal(vkb_file_map(&file, path, NULL), VKI_OK);
    return file;
}

/* Opens a device on the file, uses it, closes it; returns the number of warnings. */
static int use_cache(const char *path)
{
    vkr_weights *weights;
    messages = 0;
    vkr_device *device = open_device((vki_context_options){.cache_path = path}, &vkb_libc_allocator);
    assert_non_null(device);
    assert_int_equal(vkr_weights_create(device, &weights, NULL), VKI_OK);
    check_plan(device, weights, false);
    vkr_weights_destroy(&weights);
    vkr_device_destroy(&device);
    return messages;
}

static void test_cache_file(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    char path[64];
    snprintf(path, sizeof path, "/tmp/vkinfer-cache-test-%ld", (long)getpid());
    unlink(path);
    assert_int_equal(use_cache(path), 0); /* a file that is not there is no reason to complain */
    vkb_file good = map(path);
    assert_true(good.bytes > 64);
    uint8_t *bytes = malloc(good.bytes);
    memcpy(bytes, good.data, good.bytes);
    size_t size = good.bytes;
    vkb_file_unmap(&good);
    assert_int_equal(use_cache(path), 0);
    /* magic, library, driver version, a UUID, checksum, data, a short and an empty file */
    static const size_t at[] = {0, 8, 20, 30, 80, 90};
    for (size_t i = 0; i < VKB_COUNT(at) + 2; i++) {
        uint8_t *damaged = malloc(size);
        memcpy(damaged, bytes, size);
        if (i < VKB_COUNT(at)) damaged[at[i]] ^= 0x40;
        vkb_span span = {damaged, i < VKB_COUNT(at) ? size : i == VKB_COUNT(at) ? size - 1 : 0};
        assert_int_equal(vkb_file_write(path, &span, 1, NULL), VKI_OK);
        assert_int_equal(use_cache(path), 1);
        vkb_file again = map(path); /* replaced by a good one */
        assert_int_equal(again.bytes, size);
        assert_memory_equal(again.data, bytes, 80);
        vkb_file_unmap(&again);
        free(damaged);
    }
    assert_int_equal(use_cache("/nonexistent/folder/cache"), 1); /* cannot be written */
    unlink(path);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_loader),  cmocka_unit_test(test_list),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_plans),      cmocka_unit_test(test_threads), cmocka_unit_test(test_cache_file),
        cmocka_unit_test(test_validation),
    };
    gpu_run_device();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
