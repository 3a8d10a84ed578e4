/* SPDX-License-Identifier: Apache-2.0 */
#include "vulkan/internal.h"

static const struct {
    VkResult result;
    vki_status status;
    const char *text;
} rows[] = {
    {VK_NOT_READY, VKI_E_DEVICE, "VK_NOT_READY"},
    {VK_TIMEOUT, VKI_E_TIMEOUT, "VK_TIMEOUT"},
    {VK_INCOMPLETE, VKI_E_DEVICE, "VK_INCOMPLETE"},
    {VK_ERROR_OUT_OF_HOST_MEMORY, VKI_E_NOMEM, "out of host memory"},
    {VK_ERROR_OUT_OF_DEVICE_MEMORY, VKI_E_NOMEM, "out of device memory"},
    {VK_ERROR_OUT_OF_POOL_MEMORY, VKI_E_NOMEM, "out of descriptor pool memory"},
    {VK_ERROR_FRAGMENTED_POOL, VKI_E_NOMEM, "VK_ERROR_FRAGMENTED_POOL"},
    {VK_ERROR_FRAGMENTATION, VKI_E_NOMEM, "VK_ERROR_FRAGMENTATION"},
    {VK_ERROR_TOO_MANY_OBJECTS, VKI_E_NOMEM, "VK_ERROR_TOO_MANY_OBJECTS"},
    {VK_ERROR_MEMORY_MAP_FAILED, VKI_E_NOMEM, "device memory cannot be mapped"},
    {VK_ERROR_DEVICE_LOST, VKI_E_DEVICE_LOST, "the device was lost; make a new context"},
    {VK_ERROR_INITIALIZATION_FAILED, VKI_E_DEVICE, "VK_ERROR_INITIALIZATION_FAILED"},
    {VK_ERROR_LAYER_NOT_PRESENT, VKI_E_UNSUPPORTED, "a layer is not installed"},
    {VK_ERROR_EXTENSION_NOT_PRESENT, VKI_E_UNSUPPORTED, "an extension is missing"},
    {VK_ERROR_FEATURE_NOT_PRESENT, VKI_E_UNSUPPORTED, "a feature is missing"},
    {VK_ERROR_INCOMPATIBLE_DRIVER, VKI_E_NO_DEVICE, "no driver for Vulkan 1.1 is installed"},
    {VK_ERROR_INVALID_SHADER_NV, VKI_E_DEVICE, "the shader is damaged or refused"},
    {VK_ERROR_UNKNOWN, VKI_E_DEVICE, "VK_ERROR_UNKNOWN"},
};

vki_status vkr_check(VkResult result, const char *call, vki_error *err)
{
    if (result == VK_SUCCESS) return VKI_OK;
    for (size_t i = 0; i < VKB_COUNT(rows); i++)
        if (rows[i].result == result) return vkb_fail(err, rows[i].status, "%s: %s", call, rows[i].text);
    return vkb_fail(err, VKI_E_DEVICE, "%s: VkResult %d", call, (int)result);
}

vki_status vkr_device_fail(vkr_device *device, VkResult result, const char *call, vki_error *err)
{
    if (result == VK_ERROR_DEVICE_LOST) atomic_store(&device->lost, true);
    return vkr_check(result, call, err);
}
