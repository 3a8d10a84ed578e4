/* SPDX-License-Identifier: Apache-2.0
 * What the installed devices are and can do. */
#include "vulkan/internal.h"

#include <stdio.h>
#include <string.h>

typedef struct extensions {
    bool driver_properties, float16_int8, storage_8bit, integer_dot, portability;
} extensions;

static vki_status find_extensions(const vkr_instance *instance, VkPhysicalDevice device,
                                  const vki_allocator *a, extensions *out, vki_error *err)
{
    const struct {
        const char *name;
        bool *found;
    } wanted[] = {
        {VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME, &out->driver_properties},
        {VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME, &out->float16_int8},
        {VK_KHR_8BIT_STORAGE_EXTENSION_NAME, &out->storage_8bit},
        {VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME, &out->integer_dot},
        {"VK_KHR_portability_subset", &out->portability},
    };
    uint32_t count = 0;
    *out = (extensions){0};
    VKR_TRY(instance->vk.EnumerateDeviceExtensionProperties(device, NULL, &count, NULL),
            "vkEnumerateDeviceExtensionProperties");
    VkExtensionProperties *list = vkb_calloc(a, count + 1, sizeof *list);
    if (!list) return vkb_nomem(err, (count + 1) * sizeof *list);
    VkResult result = instance->vk.EnumerateDeviceExtensionProperties(device, NULL, &count, list);
    for (uint32_t i = 0; i < count && result >= 0; i++)
        for (size_t k = 0; k < VKB_COUNT(wanted); k++)
            if (strcmp(list[i].extensionName, wanted[k].name) == 0) *wanted[k].found = true;
    vkb_free(a, list);
    return result < 0 ? vkr_check(result, "vkEnumerateDeviceExtensionProperties", err) : VKI_OK;
}

static void query_features(const vkr_instance *instance, const extensions *have, uint32_t api,
                           vkr_physical *p)
{
    VkPhysicalDevice16BitStorageFeatures half = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES};
    VkPhysicalDeviceShaderFloat16Int8Features arithmetic = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    VkPhysicalDevice8BitStorageFeatures byte = {.sType =
                                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES};
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
    VkPhysicalDeviceFeatures2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &half};
    void **next = &half.pNext;
    if (api >= VK_API_VERSION_1_2 || have->float16_int8) *next = &arithmetic, next = &arithmetic.pNext;
    if (api >= VK_API_VERSION_1_2 || have->storage_8bit) *next = &byte, next = &byte.pNext;
    if (api >= VK_API_VERSION_1_3 || have->integer_dot) *next = &dot;
    instance->vk.GetPhysicalDeviceFeatures2(p->handle, &all);
    p->info.fp16_storage = half.storageBuffer16BitAccess;
    p->info.fp16_arithmetic = arithmetic.shaderFloat16;
    p->info.int8_storage = byte.storageBuffer8BitAccess;
    p->info.int8_dot = dot.shaderIntegerDotProduct;
}

static vki_device_kind kind_of(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return VKI_DEVICE_GPU_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return VKI_DEVICE_GPU_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return VKI_DEVICE_GPU_SOFTWARE;
    default:
        return VKI_DEVICE_GPU_VIRTUAL;
    }
}

static int rank_of(vki_device_kind kind)
{
    static const vki_device_kind order[] = {VKI_DEVICE_GPU_DISCRETE, VKI_DEVICE_GPU_INTEGRATED,
                                            VKI_DEVICE_GPU_VIRTUAL, VKI_DEVICE_GPU_SOFTWARE};
    int rank = 0;
    while (rank < (int)VKB_COUNT(order) && order[rank] != kind) rank++;
    return rank;
}

static void take_limits(vkr_physical *p, const VkPhysicalDeviceLimits *l, uint64_t max_allocation)
{
    gpu_limits *limits = &p->limits;
    limits->max_range = l->maxStorageBufferRange;
    p->max_allocation = max_allocation;
    p->atom = l->nonCoherentAtomSize;
    /* Buffers that share no atom and no cache line can be flushed apart; both limits are powers of two. */
    limits->offset_align =
        (uint32_t)vkb_max(64, vkb_max((int64_t)l->minStorageBufferOffsetAlignment, (int64_t)p->atom));
    limits->offset_align = (uint32_t)vkb_max(limits->offset_align, (int64_t)l->minTexelBufferOffsetAlignment);
    limits->max_texels = l->maxTexelBufferElements;
    limits->max_invocations = l->maxComputeWorkGroupInvocations;
    memcpy(limits->max_group_size, l->maxComputeWorkGroupSize, sizeof limits->max_group_size);
    memcpy(limits->max_groups, l->maxComputeWorkGroupCount, sizeof limits->max_groups);
    limits->max_shared = l->maxComputeSharedMemorySize;
    p->max_bindings = l->maxPerStageDescriptorStorageBuffers;
    p->max_push_bytes = l->maxPushConstantsSize;
    p->timestamp_ns = (double)l->timestampPeriod;
}

static void query_properties(const vkr_instance *instance, const extensions *have, uint32_t api,
                             vkr_physical *p)
{
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, .pNext = &sizes};
    VkPhysicalDeviceIDProperties ids = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
                                        .pNext = &subgroup};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &ids};
    if (api >= VK_API_VERSION_1_2 || have->driver_properties) sizes.pNext = &driver;
    instance->vk.GetPhysicalDeviceProperties2(p->handle, &all);

    const VkPhysicalDeviceProperties *properties = &all.properties;
    vki_device_info *info = &p->info;
    snprintf(info->name, sizeof info->name, "%.*s", (int)sizeof info->name - 1, properties->deviceName);
    if (driver.driverName[0])
        snprintf(info->driver, sizeof info->driver, "%.60s %.60s", driver.driverName, driver.driverInfo);
    else
        snprintf(info->driver, sizeof info->driver, "version 0x%x", properties->driverVersion);
    info->kind = kind_of(properties->deviceType);
    info->vendor_id = properties->vendorID;
    info->device_id = properties->deviceID;
    info->api_version = properties->apiVersion;
    p->driver_version = properties->driverVersion;
    p->quirks = vkr_quirks_of(driver.driverID, properties->vendorID, properties->driverVersion);
    memcpy(p->cache_uuid, properties->pipelineCacheUUID, VK_UUID_SIZE);
    memcpy(p->device_uuid, ids.deviceUUID, VK_UUID_SIZE);
    memcpy(p->driver_uuid, ids.driverUUID, VK_UUID_SIZE);
    take_limits(p, &properties->limits, sizes.maxMemoryAllocationSize);
    p->limits.subgroup = subgroup.subgroupSize;
    p->limits.vendor = properties->vendorID;
    info->max_storage_range = p->limits.max_range;
    info->max_workgroup_invocations = p->limits.max_invocations;
    info->max_shared_bytes = p->limits.max_shared;
    info->subgroup_size = p->limits.subgroup;
}

/* The first family that computes: on every known driver the one for all kinds of work. */
static bool find_queue(const vkr_instance *instance, vkr_physical *p)
{
    VkQueueFamilyProperties families[16];
    uint32_t count = VKB_COUNT(families);
    instance->vk.GetPhysicalDeviceQueueFamilyProperties(p->handle, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || !families[i].queueCount) continue;
        p->queue_family = i;
        p->timestamp_bits = families[i].timestampValidBits;
        return true;
    }
    return false;
}

static vki_status query(const vkr_instance *instance, const vki_context_options *o, const vki_allocator *a,
                        vkr_physical *p, bool *usable, vki_error *err)
{
    VkPhysicalDeviceProperties basic;
    extensions have;
    instance->vk.GetPhysicalDeviceProperties(p->handle, &basic);
    *usable = basic.apiVersion >= VK_API_VERSION_1_1 && find_queue(instance, p);
    if (!*usable) return VKI_OK;
    VKB_TRY(find_extensions(instance, p->handle, a, &have, err));
    query_properties(instance, &have, basic.apiVersion, p);
    query_features(instance, &have, basic.apiVersion, p);
    instance->vk.GetPhysicalDeviceMemoryProperties(p->handle, &p->memory);
    for (uint32_t i = 0; i < p->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *heap = &p->memory.memoryHeaps[i];
        if ((heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && heap->size > p->info.memory_bytes)
            p->info.memory_bytes = heap->size;
    }
    if (!p->timestamp_bits || !(p->timestamp_ns > 0)) p->timestamp_bits = 0;
    p->info.timestamps = p->timestamp_bits > 0;
    p->limits.half_storage = p->info.fp16_storage;
    p->info.unified_memory = vkr_memory_unified(p) && !o->force_staging;
    p->portability = have.portability;
    return VKI_OK;
}

static vki_status query_all(const vkr_instance *instance, const vki_context_options *o,
                            const vki_allocator *a, const VkPhysicalDevice *handles, uint32_t total,
                            vkr_physical *list, int *count, vki_error *err)
{
    for (uint32_t i = 0; i < total; i++) {
        vkr_physical found = {.handle = handles[i]};
        bool usable;
        VKB_TRY(query(instance, o, a, &found, &usable, err));
        if (!usable) continue;
        int at = (*count)++; /* insertion keeps the driver's order within a kind */
        for (; at > 0 && rank_of(list[at - 1].info.kind) > rank_of(found.info.kind); at--)
            list[at] = list[at - 1];
        list[at] = found;
    }
    return VKI_OK;
}

vki_status vkr_physical_list(const vkr_instance *instance, const vki_context_options *o,
                             const vki_allocator *a, vkr_physical **out, int *count, vki_error *err)
{
    uint32_t total = 0;
    *out = NULL;
    *count = 0;
    VkResult result = instance->vk.EnumeratePhysicalDevices(instance->handle, &total, NULL);
    /* loaders without a driver say VK_ERROR_INITIALIZATION_FAILED, a driver without a device none */
    if (result == VK_ERROR_INITIALIZATION_FAILED || total == 0) return VKI_OK;
    if (result < 0) return vkr_check(result, "vkEnumeratePhysicalDevices", err);
    VkPhysicalDevice *handles = vkb_calloc(a, total, sizeof *handles);
    *out = vkb_calloc(a, total, sizeof **out);
    vki_status status = handles && *out ? VKI_OK : vkb_nomem(err, total * sizeof **out);
    if (status == VKI_OK) {
        result = instance->vk.EnumeratePhysicalDevices(instance->handle, &total, handles);
        status = result < 0 ? vkr_check(result, "vkEnumeratePhysicalDevices", err)
                            : query_all(instance, o, a, handles, total, *out, count, err);
    }
    vkb_free(a, handles);
    if (status != VKI_OK) {
        vkb_free(a, *out);
        *out = NULL;
        *count = 0;
    }
    return status;
}
