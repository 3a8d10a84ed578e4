/* SPDX-License-Identifier: Apache-2.0
 * What the runtime asks of the driver, seen by wrapping the device's function table: a run creates and
 * records nothing, every failing call is reported and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/counting.h"
#include "common/gpu_run.h"
#include "common/vulkan_calls.h"
#include "common/vulkan_net.h"
#include "vulkan/internal.h"
#include "vulkan/shader_code.h"

static vkr_device *open_device(bool staging, bool validation, vki_log_fn log, const vki_allocator *a)
{
    vki_context_options o = {
        .size = sizeof o, .force_staging = staging, .validation = validation, .log = log};
    vkr_device *device = NULL;
    vkr_device_create(&o, a, &device, NULL);
    return device;
}

static void test_run_makes_nothing(void **state)
{
    (void)state;
    for (int staging = 0; staging < 2; staging++) {
        counting c = {0};
        vki_allocator a = counting_allocator(&c);
        net t;
        vkr_weights *weights;
        vkr_plan *plan;
        vkr_device *device = open_device(staging, false, NULL, &a);
        if (!device) skip();
        wrap(device);
        assert_int_equal(net_make(&t, vkr_device_limits(device), &a, true), VKI_OK);
        assert_int_equal(vkr_weights_create(device, &weights, NULL), VKI_OK);
        assert_int_equal(vkr_plan_create(device, weights, &t.desc, &plan, NULL), VKI_OK);
        assert_true(atomic_load(&calls) > 15 && atomic_load(&commands) > 6);
        int before = atomic_load(&calls), commands_before = atomic_load(&commands);
        long long blocks = atomic_load(&c.calls);
        for (int i = 0; i < 3; i++) assert_int_equal(net_run(&t, plan, (float)i, NULL), VKI_OK);
        double us[3];
        vkr_plan_times(plan, us);
        assert_int_equal(atomic_load(&calls), before);
        assert_int_equal(atomic_load(&commands), commands_before);
        assert_int_equal(atomic_load(&c.calls), blocks);
        vkr_plan_destroy(&plan);
        vkr_weights_destroy(&weights);
        net_free(&t);
        vkr_device_destroy(&device);
        assert_int_equal(atomic_load(&live), 0);
        assert_int_equal(c.live, 0);
    }
}

/* One attempt in which the call (or host allocation) number `at` fails. */
static vki_status attempt(int at, VkResult result, bool staging, counting *c, vki_error *err)
{
    vki_allocator a = counting_allocator(c);
    net t;
    vkr_weights *weights = NULL;
    vkr_plan *plan = NULL;
    vkr_device *device = open_device(staging, false, NULL, &a);
    assert_non_null(device);
    assert_int_equal(net_make(&t, vkr_device_limits(device), &vkb_libc_allocator, true), VKI_OK);
    wrap(device);
    failure = result;
    if (result != VK_SUCCESS)
        atomic_store(&fail_at, at);
    else
        atomic_store(&c->fail_at, atomic_load(&c->calls) + at);
    vki_status status = vkr_weights_create(device, &weights, err);
    if (status == VKI_OK) status = vkr_plan_create(device, weights, &t.desc, &plan, err);
    atomic_store(&fail_at, 0);
    atomic_store(&c->fail_at, 0);
    if (status == VKI_OK) {
        assert_int_equal(net_run(&t, plan, 1.0f, err), VKI_OK);
    } else if (weights) { /* the device is as good as before */
        assert_null(plan);
        assert_int_equal(vkr_plan_create(device, weights, &t.desc, &plan, NULL), VKI_OK);
        assert_int_equal(net_run(&t, plan, 1.0f, NULL), VKI_OK);
    }
    vkr_plan_destroy(&plan);
    vkr_weights_destroy(&weights);
    net_free(&t);
    vkr_device_destroy(&device);
    assert_int_equal(atomic_load(&live), 0);
    assert_int_equal(c->live, 0);
    return status;
}

static void sweep(VkResult result, vki_status expected)
{
    vkr_device *device = open_device(false, false, NULL, &vkb_libc_allocator);
    if (!device) skip();
    vkr_device_destroy(&device);
    for (int staging = 0; staging < 2; staging++) {
        int at = 1;
        for (vki_status status = expected; status != VKI_OK; at++) {
            counting c = {0};
            vki_error err = {0};
            status = attempt(at, result, staging, &c, &err);
            if (status != VKI_OK && status != expected) fail_msg("call %d: %d %s", at, status, err.text);
            if (status != VKI_OK) assert_true(err.text[0]);
        }
        assert_true(at > 10);
    }
}

static void test_device_memory(void **state)
{
    (void)state;
    sweep(VK_ERROR_OUT_OF_DEVICE_MEMORY, VKI_E_NOMEM);
}

static void test_driver_error(void **state)
{
    (void)state;
    sweep(VK_ERROR_UNKNOWN, VKI_E_DEVICE);
}

static void test_host_memory(void **state)
{
    (void)state;
    sweep(VK_SUCCESS, VKI_E_NOMEM);
}

static void test_host_memory_at_start(void **state)
{
    (void)state;
    vki_context_options o = {.size = sizeof o};
    vki_status status = VKI_E_NOMEM;
    int at = 1;
    for (; status != VKI_OK; at++) {
        counting c = {.fail_at = at};
        vki_allocator a = counting_allocator(&c);
        vki_error err = {0};
        vkr_device *device;
        status = vkr_device_create(&o, &a, &device, &err);
        if (status == VKI_E_NO_DEVICE) skip();
        if (status != VKI_OK) {
            assert_int_equal(status, VKI_E_NOMEM);
            assert_null(device);
        }
        vkr_device_destroy(&device);
        assert_int_equal(c.live, 0);
    }
    assert_true(at > 3);
}

/* Every embedded shader is whole instructions and no more. */
static void test_shaders(void **state)
{
    (void)state;
    int seen = 0;
    for (int pack = 0; pack < SH_PACKS; pack++) {
        uint32_t *words;
        size_t bytes;
        assert_int_equal(vkr_pack_expand(pack, &vkb_libc_allocator, &words), VK_SUCCESS);
        for (int i = 0; i < SH_COUNT; i++) {
            if (vkr_shader_codes[i].pack != pack) continue;
            const uint32_t *module = vkr_pack_module(words, i, &bytes);
            assert_int_equal(module[0], 0x07230203);
            size_t at = 5, count = bytes / 4; /* behind the header */
            while (at < count && module[at] >> 16) at += module[at] >> 16;
            assert_int_equal(at, count);
            assert_int_equal(bytes % 4, 0);
            seen++;
        }
        vkb_free(&vkb_libc_allocator, words);
    }
    assert_int_equal(seen, SH_COUNT);
}

/* A library that was damaged on its way is told apart from one that was not: no driver sees such code. */
static void test_damaged_shaders(void **state)
{
    (void)state;
    for (int i = 0; i < SH_PACKS; i++) {
        const vkr_shader_pack *pack = &vkr_shader_packs[i];
        const size_t head = 4 * (size_t)pack->count, bytes = pack->bytes - head;
        uint32_t *words;
        size_t last, expanded;
        int shader = SH_COUNT - 1;
        while (vkr_shader_codes[shader].pack != i || vkr_shader_codes[shader].index != pack->count - 1)
            shader--;
        assert_int_equal(vkr_pack_expand(i, &vkb_libc_allocator, &words), VK_SUCCESS);
        expanded = (size_t)(vkr_pack_module(words, shader, &last) - words) * 4 + last;
        uint8_t *copy = malloc(bytes);
        memcpy(copy, pack->data + head, bytes);
        assert_true(vkb_expand_lzma2(words, expanded, copy, bytes));
        for (size_t at = 7; at < bytes - 8;
             at += bytes / 5) { /* up to three zeros end it that are not read */
            copy[at] ^= 1;
            assert_false(vkb_expand_lzma2(words, expanded, copy, bytes));
            copy[at] ^= 1;
        }
        free(copy);
        vkb_free(&vkb_libc_allocator, words);
    }
}

/* ---- a run that does not end well ---- */

static atomic_int timeouts;
static VKAPI_ATTR VkResult VKAPI_CALL slow_wait(VkDevice d, uint32_t n, const VkFence *f, VkBool32 all,
                                                uint64_t ns)
{
    if (atomic_fetch_sub(&timeouts, 1) > 0) return VK_TIMEOUT;
    return real.WaitForFences(d, n, f, all, ns);
}

static VKAPI_ATTR VkResult VKAPI_CALL lost_submit(VkQueue q, uint32_t n, const VkSubmitInfo *s, VkFence f)
{
    (void)q, (void)n, (void)s, (void)f;
    return VK_ERROR_DEVICE_LOST;
}

static void test_timeout_and_loss(void **state)
{
    (void)state;
    net t;
    vkr_weights *weights;
    vkr_plan *plan;
    vki_error err = {0};
    double us[3];
    vkr_device *device = open_device(false, false, NULL, &vkb_libc_allocator);
    if (!device) skip();
    real = device->vk;
    assert_int_equal(net_make(&t, vkr_device_limits(device), &vkb_libc_allocator, true), VKI_OK);
    assert_int_equal(vkr_weights_create(device, &weights, NULL), VKI_OK);
    assert_int_equal(vkr_plan_create(device, weights, &t.desc, &plan, &err), VKI_OK);

    device->vk.WaitForFences = slow_wait;
    atomic_store(&timeouts, 2);
    assert_int_equal(vkr_plan_run(plan, 0, 1000000, &err), VKI_E_TIMEOUT);
    assert_non_null(strstr(err.text, "1.000 ms"));
    assert_false(vkr_plan_times(plan, us));
    assert_int_equal(vkr_plan_run(plan, 0, 1000000, &err), VKI_E_TIMEOUT); /* still waits for the first */
    assert_int_equal(net_run(&t, plan, 5.0f, &err), VKI_OK);
    atomic_store(&timeouts, 1);
    assert_int_equal(vkr_plan_run(plan, 0, 1, &err), VKI_E_TIMEOUT);
    vkr_plan_destroy(&plan); /* waits */

    assert_int_equal(vkr_plan_create(device, weights, &t.desc, &plan, &err), VKI_OK);
    device->vk.QueueSubmit = lost_submit;
    assert_int_equal(vkr_plan_run(plan, 0, 0, &err), VKI_E_DEVICE_LOST);
    device->vk.QueueSubmit = real.QueueSubmit;
    assert_int_equal(vkr_plan_run(plan, 0, 0, &err), VKI_E_DEVICE_LOST); /* for good */
    vkr_plan_destroy(&plan);
    vkr_weights_destroy(&weights);
    net_free(&t);
    vkr_device_destroy(&device);
}

/* ---- the validation layer sees a missing barrier: so its silence elsewhere means something ---- */

static atomic_int messages;
static void on_log(void *user, vki_log_level level, const char *text)
{
    (void)user, (void)text;
    if (level == VKI_LOG_ERROR) atomic_fetch_add(&messages, 1);
}

static VKAPI_ATTR void VKAPI_CALL no_barrier(VkCommandBuffer b, VkPipelineStageFlags from,
                                             VkPipelineStageFlags to, VkDependencyFlags f, uint32_t n,
                                             const VkMemoryBarrier *m, uint32_t nb,
                                             const VkBufferMemoryBarrier *mb, uint32_t ni,
                                             const VkImageMemoryBarrier *mi)
{
    (void)b, (void)from, (void)to, (void)f, (void)n, (void)m, (void)nb, (void)mb, (void)ni, (void)mi;
}

static void test_validation_sees(void **state)
{
    (void)state;
    if (!GPU_RUN_CAN_VALIDATE) skip();
    for (int barriers = 0; barriers < 2; barriers++) {
        net t;
        vkr_weights *weights;
        vkr_plan *plan;
        vkr_device *device = open_device(true, true, on_log, &vkb_libc_allocator);
        if (!device) {
            print_message("skipped: no driver or no validation layer\n");
            skip();
        }
        if (!barriers) device->vk.CmdPipelineBarrier = no_barrier;
        atomic_store(&messages, 0);
        assert_int_equal(net_make(&t, vkr_device_limits(device), &vkb_libc_allocator, false), VKI_OK);
        assert_int_equal(vkr_weights_create(device, &weights, NULL), VKI_OK);
        assert_int_equal(vkr_plan_create(device, weights, &t.desc, &plan, NULL), VKI_OK);
        assert_int_equal(atomic_load(&messages) == 0, barriers);
        vkr_plan_destroy(&plan);
        vkr_weights_destroy(&weights);
        net_free(&t);
        vkr_device_destroy(&device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shaders),
        cmocka_unit_test(test_damaged_shaders),
        cmocka_unit_test(test_run_makes_nothing),
        cmocka_unit_test(test_device_memory),
        cmocka_unit_test(test_driver_error),
        cmocka_unit_test(test_host_memory),
        cmocka_unit_test(test_host_memory_at_start),
        cmocka_unit_test(test_timeout_and_loss),
        cmocka_unit_test(test_validation_sees),
    };
    gpu_run_device();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
