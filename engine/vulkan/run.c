/* SPDX-License-Identifier: Apache-2.0
 * Running a plan: nothing here allocates, creates or records. */
#include "vulkan/internal.h"

static vki_status wait(vkr_device *device, vkr_plan_segment *s, uint64_t timeout_ns, vki_error *err)
{
    VkResult result =
        device->vk.WaitForFences(device->handle, 1, &s->fence, VK_TRUE, timeout_ns ? timeout_ns : UINT64_MAX);
    if (result == VK_TIMEOUT)
        return vkb_fail(err, VKI_E_TIMEOUT,
                        "the device did not finish within %.3f ms; it may still be running",
                        (double)timeout_ns * 1e-6);
    /* of a lost device nothing more comes; after another failure the commands may still run */
    s->pending = result != VK_SUCCESS && result != VK_ERROR_DEVICE_LOST;
    if (result != VK_SUCCESS) return vkr_device_fail(device, result, "vkWaitForFences", err);
    return VKI_OK;
}

vki_status vkr_plan_submit(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err)
{
    vkr_device *device = plan->device;
    vkr_plan_segment *s = &plan->segments[index];
    if (s->pending) VKB_TRY(wait(device, s, timeout_ns, err));
    VkResult result = device->vk.ResetFences(device->handle, 1, &s->fence);
    if (result != VK_SUCCESS) return vkr_device_fail(device, result, "vkResetFences", err);
    if (s->n_flush) {
        result = device->vk.FlushMappedMemoryRanges(device->handle, (uint32_t)s->n_flush, s->flush);
        if (result != VK_SUCCESS) return vkr_device_fail(device, result, "vkFlushMappedMemoryRanges", err);
    }
    VKB_TRY(vkr_submit(device, s->commands, s->n_commands, s->fence, err));
    s->pending = true;
    return VKI_OK;
}

vki_status vkr_plan_wait(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err)
{
    vkr_device *device = plan->device;
    vkr_plan_segment *s = &plan->segments[index];
    VkResult result;
    VKB_TRY(wait(device, s, timeout_ns, err));
    s->done = true;
    if (s->n_invalidate) {
        result =
            device->vk.InvalidateMappedMemoryRanges(device->handle, (uint32_t)s->n_invalidate, s->invalidate);
        if (result != VK_SUCCESS)
            return vkr_device_fail(device, result, "vkInvalidateMappedMemoryRanges", err);
    }
    return VKI_OK;
}

vki_status vkr_plan_settle(vkr_plan *plan, uint64_t timeout_ns, vki_error *err)
{
    for (int i = 0; i < plan->n_segments; i++)
        if (plan->segments[i].pending) VKB_TRY(wait(plan->device, &plan->segments[i], timeout_ns, err));
    return VKI_OK;
}

vki_status vkr_plan_run(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err)
{
    VKB_TRY(vkr_plan_submit(plan, index, timeout_ns, err));
    return vkr_plan_wait(plan, index, timeout_ns, err);
}

bool vkr_plan_times(vkr_plan *plan, double *us)
{
    vkr_device *device = plan->device;
    if (!plan->queries) return false;
    size_t total = (size_t)(plan->info.dispatches + plan->n_segments);
    for (int i = 0; i < plan->n_segments; i++) /* else its queries have no values */
        if (plan->segments[i].pending || !plan->segments[i].done) return false;
    if (device->vk.GetQueryPoolResults(device->handle, plan->queries, 0, (uint32_t)total, total * 8,
                                       plan->ticks, 8, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return false;
    uint32_t bits = device->physical.timestamp_bits;
    uint64_t mask = bits >= 64 ? UINT64_MAX : (1ull << bits) - 1; /* the counter wraps */
    for (int i = 0; i < plan->n_segments; i++) {
        const vkr_plan_segment *s = &plan->segments[i];
        const uint64_t *t = plan->ticks + s->first_dispatch + i;
        for (int k = 0; k < s->n_dispatches; k++)
            us[s->first_dispatch + k] =
                (double)((t[k + 1] - t[k]) & mask) * device->physical.timestamp_ns * 1e-3;
    }
    return true;
}
