/* SPDX-License-Identifier: Apache-2.0
 * Counts allocations of a device's memory. One device at a time, one thread. A header alone:
 * tests/CMakeLists.txt leaves out what includes vulkan/internal.h where there is no Vulkan. */
#ifndef TESTS_COMMON_DEVICE_MEMORY_H
#define TESTS_COMMON_DEVICE_MEMORY_H

#include "vulkan/internal.h"

static int device_memory_allocations; /* while watched */
static PFN_vkAllocateMemory device_memory_real;

static VkResult VKAPI_PTR device_memory_count(VkDevice device, const VkMemoryAllocateInfo *info,
                                              const VkAllocationCallbacks *callbacks, VkDeviceMemory *out)
{
    device_memory_allocations++;
    return device_memory_real(device, info, callbacks, out);
}

/* A NULL device has none. */
static void device_memory_watch(vkr_device *device)
{
    if (!device) return;
    device_memory_real = device->vk.AllocateMemory;
    device->vk.AllocateMemory = device_memory_count;
}

static void device_memory_unwatch(vkr_device *device)
{
    if (device) device->vk.AllocateMemory = device_memory_real;
}

#endif
