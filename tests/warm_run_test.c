/* SPDX-License-Identifier: Apache-2.0
 * A run on a warm session allocates nothing, creates no Vulkan object, writes no descriptor and records no
 * command: after the first run every function of the device that could do so is replaced by one that counts,
 * and so is the allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/counting.h"
#include "common/gpu_run.h"
#include "common/small_models.h"
#include "session/session.h"
#include "vulkan/internal.h"

enum { SIZE = 32, RUNS = 5 };

static int forbidden;

static VkResult forbidden_call(void)
{
    forbidden++;
    return VK_ERROR_UNKNOWN;
}

/* What a run may call: submit, wait, and keep host memory coherent. */
static vkr_device_functions trap_all_but_running(const vkr_device_functions *real)
{
    vkr_device_functions trap;
#define TRAP(name) trap.name = (PFN_vk##name)(PFN_vkVoidFunction)forbidden_call;
    VKR_DEVICE_FUNCTIONS(TRAP)
#undef TRAP
    trap.QueueSubmit = real->QueueSubmit;
    trap.WaitForFences = real->WaitForFences;
    trap.ResetFences = real->ResetFences;
    trap.FlushMappedMemoryRanges = real->FlushMappedMemoryRanges;
    trap.InvalidateMappedMemoryRanges = real->InvalidateMappedMemoryRanges;
    trap.GetQueryPoolResults = real->GetQueryPoolResults;
    return trap;
}

static void run_all(vki_session *s, const float *image, size_t bytes, float *scores)
{
    uint64_t first, second;
    assert_int_equal(vki_session_write(s, 0, image, bytes, NULL), VKI_OK);
    assert_int_equal(vki_session_run(s, 0, NULL), VKI_OK);
    if (s->options.in_flight > 1) { /* the second with inputs that keep their values */
        assert_int_equal(vki_session_submit(s, NULL, &first, NULL), VKI_OK);
        assert_int_equal(vki_session_submit(s, NULL, &second, NULL), VKI_OK);
        assert_int_equal(vki_session_wait(s, first, 0, NULL), VKI_OK);
        assert_int_equal(vki_session_wait(s, second, 0, NULL), VKI_OK);
    }
    assert_int_equal(vki_session_read(s, 1, scores, 5 * sizeof *scores, NULL), VKI_OK);
}

static void check(vki_backend backend, bool staging, vki_placement placement, int in_flight)
{
    counting c = {0};
    vki_allocator a = counting_allocator(&c);
    vki_context_options o = {.size = sizeof o, .backend = backend, .allocator = &a, .force_staging = staging};
    vki_context *context = NULL;
    vki_model *model = NULL;
    vki_session *session = NULL;
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, SIZE);
    assert_int_equal(vki_context_create(&o, &context, NULL), VKI_OK);
    assert_int_equal(vki_model_load_file(context, small_model_file(&g), &model, NULL), VKI_OK);
    vki_session_options so = {.size = sizeof so, .placement = placement, .runs_in_flight = in_flight};
    assert_int_equal(vki_session_create(model, &so, &session, NULL), VKI_OK);
    static float image[3 * SIZE * SIZE];
    for (size_t i = 0; i < VKB_COUNT(image); i++) image[i] = (float)(i % 17) * 0.1f;
    float first[5], again[5];
    run_all(session, image, sizeof image, first);

    vkr_device *device = context->device;
    vkr_device_functions real = {0};
    if (device) {
        real = device->vk;
        device->vk = trap_all_but_running(&real);
    }
    forbidden = 0;
    long long calls = atomic_load(&c.calls);
    for (int i = 0; i < RUNS; i++) {
        memset(again, 0, sizeof again);
        run_all(session, image, sizeof image, again);
        assert_memory_equal(first, again, sizeof first);
    }
    assert_int_equal(forbidden, 0);
    assert_int_equal(atomic_load(&c.calls), calls);
    if (device) { /* the trap itself works: making another plan falls into it */
        vki_session *other = NULL;
        assert_int_not_equal(vki_session_create(model, &so, &other, NULL), VKI_OK);
        assert_true(forbidden > 0);
        device->vk = real;
    }
    vki_session_destroy(&session);
    vki_model_destroy(&model);
    vki_context_destroy(&context);
    assert_int_equal(atomic_load(&c.live), 0);
    gr_free(&g);
}

static void warm_on_the_cpu(void **state)
{
    (void)state;
    for (int in_flight = 1; in_flight < 4; in_flight++)
        check(VKI_BACKEND_CPU, false, VKI_PLACE_CPU_ONLY, in_flight);
}

static void warm_on_vulkan(void **state)
{
    (void)state;
    if (!gpu_run_device()) { /* stays open: LSan counts an unloaded driver's own data as leaked */
        print_message("no Vulkan device\n");
        skip();
    }
    for (int in_flight = 1; in_flight < 4; in_flight++) {
        check(VKI_BACKEND_VULKAN, false, VKI_PLACE_GPU_ONLY, in_flight);
        check(VKI_BACKEND_VULKAN, true, VKI_PLACE_GPU_ONLY, in_flight);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(warm_on_the_cpu), cmocka_unit_test(warm_on_vulkan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
