/* SPDX-License-Identifier: Apache-2.0
 * The logical device: its one queue, its function table, and what sessions ask about it. */
#include "vulkan/internal.h"

#include <string.h>

vki_status vkr_list(const vki_context_options *o, const vki_allocator *a, vki_device_info *out, int capacity,
                    int *count, vki_error *err)
{
    vkr_instance instance;
    vkr_physical *list;
    *count = 0;
    vki_status status = vkr_instance_open(&instance, o, a, err);
    if (status == VKI_E_NO_DEVICE) return VKI_OK;
    if (status != VKI_OK) return status;
    status = vkr_physical_list(&instance, o, a, &list, count, err);
    for (int i = 0; i < *count && i < capacity; i++) out[i] = list[i].info;
    vkb_free(a, list);
    vkr_instance_close(&instance);
    return status;
}

static vki_status choose(vkr_device *device, const vki_context_options *o, vki_error *err)
{
    vkr_physical *list;
    int count;
    VKB_TRY(vkr_physical_list(&device->instance, o, &device->allocator, &list, &count, err));
    vki_status status = VKI_OK;
    if (o->device_index >= 0 && o->device_index < count)
        device->physical = list[o->device_index];
    else if (count == 0)
        status =
            vkb_fail(err, VKI_E_NO_DEVICE, "no Vulkan 1.1 device was found; install a driver or use the CPU");
    else
        status = vkb_fail(err, VKI_E_NO_DEVICE, "Vulkan device %d does not exist; there are %d",
                          o->device_index, count);
    vkb_free(&device->allocator, list);
    device->unified = status == VKI_OK && device->physical.info.unified_memory;
    return status;
}

static vki_status create_logical(vkr_device *device, vki_error *err)
{
    static const char *const portability[] = {"VK_KHR_portability_subset"};
    static const float priority = 1.0f;
    const vkr_physical *p = &device->physical;
    VkPhysicalDevice16BitStorageFeatures half = {.sType =
                                                     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
                                                 .storageBuffer16BitAccess = p->limits.half_storage};
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = p->queue_family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &half,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = p->portability,
                               .ppEnabledExtensionNames = portability};
    const vkr_instance *instance = &device->instance;
    VkDevice handle;
    VKR_TRY(instance->vk.CreateDevice(p->handle, &info, NULL, &handle), "vkCreateDevice");
    /* DestroyDevice first: without it the device cannot be given back */
    device->vk.DestroyDevice = (PFN_vkDestroyDevice)instance->vk.GetDeviceProcAddr(handle, "vkDestroyDevice");
    device->handle = handle;
#define LOAD(name)                                                                                           \
    device->vk.name = (PFN_vk##name)instance->vk.GetDeviceProcAddr(handle, "vk" #name);                      \
    if (!device->vk.name) return vkb_fail(err, VKI_E_DEVICE, "the driver lacks vk" #name);
    VKR_DEVICE_FUNCTIONS(LOAD)
#undef LOAD
    device->vk.GetDeviceQueue(handle, p->queue_family, 0, &device->queue);
    return VKI_OK;
}

static vki_status open_device(vkr_device *device, const vki_context_options *o, vki_error *err)
{
    VKB_TRY(vkr_instance_open(&device->instance, o, &device->allocator, err));
    VKB_TRY(choose(device, o, err));
    VKB_TRY(create_logical(device, err));
    return vkr_cache_open(device, o->cache_path, err);
}

vki_status vkr_device_create(const vki_context_options *o, const vki_allocator *a, vkr_device **out,
                             vki_error *err)
{
    *out = NULL;
    vkr_device *device = vkb_calloc(a, 1, sizeof *device);
    if (!device) return vkb_nomem(err, sizeof *device);
    device->allocator = *a;
    atomic_init(&device->lost, false);
    pthread_mutex_init(&device->queue_lock, NULL);
    pthread_mutex_init(&device->pipeline_lock, NULL);
    vki_status status = open_device(device, o, err);
    if (status != VKI_OK)
        vkr_device_destroy(&device);
    else
        *out = device;
    return status;
}

void vkr_device_destroy(vkr_device **handle)
{
    vkr_device *device = *handle;
    *handle = NULL;
    if (!device) return;
    vkr_cache_close(device);
    vkr_pipelines_destroy(device);
    if (device->handle && device->vk.DestroyDevice) device->vk.DestroyDevice(device->handle, NULL);
    vkr_instance_close(&device->instance);
    pthread_mutex_destroy(&device->queue_lock);
    pthread_mutex_destroy(&device->pipeline_lock);
    vki_allocator a = device->allocator;
    vkb_free(&a, device);
}

const vki_device_info *vkr_device_info_of(const vkr_device *device)
{
    return &device->physical.info;
}

const gpu_limits *vkr_device_limits(const vkr_device *device)
{
    return &device->physical.limits;
}

bool vkr_device_unified(const vkr_device *device)
{
    return device->unified;
}

int vkr_device_pipelines(vkr_device *device)
{
    pthread_mutex_lock(&device->pipeline_lock);
    int count = device->n_pipelines;
    pthread_mutex_unlock(&device->pipeline_lock);
    return count;
}

static VkResult submit_one(vkr_device *device, const VkCommandBuffer *commands, VkFence fence)
{
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = commands};
    pthread_mutex_lock(&device->queue_lock);
    VkResult result = device->vk.QueueSubmit(device->queue, 1, &info, fence);
    pthread_mutex_unlock(&device->queue_lock);
    return result;
}

vki_status vkr_submit(vkr_device *device, const VkCommandBuffer *commands, int count, VkFence fence,
                      vki_error *err)
{
    if (atomic_load(&device->lost))
        return vkb_fail(err, VKI_E_DEVICE_LOST, "the device was lost earlier; make a new context");
    VkResult result = VK_SUCCESS;
    int i = 0;
    for (; i < count && result == VK_SUCCESS; i++)
        result = submit_one(device, &commands[i], i == count - 1 ? fence : VK_NULL_HANDLE);
    if (result != VK_SUCCESS && i > 1) { /* no fence tells when those before it end */
        pthread_mutex_lock(&device->queue_lock);
        device->vk.QueueWaitIdle(device->queue);
        pthread_mutex_unlock(&device->queue_lock);
    }
    return vkr_device_fail(device, result, "vkQueueSubmit", err);
}
