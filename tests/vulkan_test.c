/* SPDX-License-Identifier: Apache-2.0
 * The Vulkan runtime on whatever device the test machine has (a software one will do). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/gpu_run.h"

/* A kernel that reads slices and writes rows, so that the builder converts its input first. */
static bool any_fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b, (void)n, (void)why;
    return true;
}

static void emit_row_from_c4(gpu_builder *b, const gr_node *n)
{
    int64_t batch, c, slices, spatial;
    gpu_c4_dims(&b->g->tensors[n->in[0]], &batch, &c, &slices, &spatial);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, layout_row_from_c4));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_C4), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid(b, d, spatial, slices, batch, 8, 8, 1);
    gpu_push(d, batch);
    gpu_push(d, c);
    gpu_push(d, slices);
    gpu_push(d, spatial);
}

static const gpu_kernel from_c4 = {"test_row_from_c4", any_fits, emit_row_from_c4};

static void check_round_trip(int rank, const int64_t *dims, bool half, bool constant)
{
    gr_graph g;
    gr_init(&g, &vkb_libc_allocator);
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= dims[i];
    float *in = malloc((size_t)count * 4), *out = malloc((size_t)count * 4);
    for (int64_t i = 0; i < count; i++) in[i] = (float)(i % 1021) * 0.25f - 100.0f; /* exact in half */
    gr_id x = constant ? gr_add_const(&g, "x", VKI_F32, rank, dims, in, true)
                       : gr_add_tensor(&g, "x", VKI_F32, rank, dims);
    gr_id y = gr_add_tensor(&g, "y", VKI_F32, rank, dims);
    assert_non_null(gr_add_node(&g, OP_Identity, "node", 1, &x, 1, &y));
    vki_error err = {0};
    vki_status status =
        gpu_run_node(gpu_run_device(), &g, &from_c4, half, (const void *[]){in}, (void *[]){out}, &err);
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
    assert_non_null(strstr(err.text, "/nonexistent/libvulkan.so"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_loader),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
