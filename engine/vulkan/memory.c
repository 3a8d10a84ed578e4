/* SPDX-License-Identifier: Apache-2.0
 * Buffers. There are few and they are large (an arena and a staging buffer a plan, a block of weights a
 * model), so each has its own allocation. */
#include "vulkan/internal.h"

enum {
    LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
    VISIBLE = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
    COHERENT = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT
};

/* Wanted properties, best first. The host reads results from arena and staging: uncached reads are slow. */
static const VkMemoryPropertyFlags arena_unified[] = {LOCAL | VISIBLE | CACHED | COHERENT,
                                                      LOCAL | VISIBLE | CACHED, LOCAL | VISIBLE};
static const VkMemoryPropertyFlags arena_slow_invalidate[] = {LOCAL | VISIBLE | CACHED | COHERENT,
                                                              LOCAL | VISIBLE | COHERENT, LOCAL | VISIBLE};
static const VkMemoryPropertyFlags weights_unified[] = {LOCAL | VISIBLE | COHERENT, LOCAL | VISIBLE};
static const VkMemoryPropertyFlags device_only[] = {LOCAL, 0};
static const VkMemoryPropertyFlags staging[] = {VISIBLE | CACHED | COHERENT, VISIBLE | CACHED, VISIBLE};
static const VkMemoryPropertyFlags staging_slow_invalidate[] = {VISIBLE | CACHED | COHERENT,
                                                                VISIBLE | COHERENT, VISIBLE};

bool vkr_memory_unified(const vkr_physical *p)
{
    /* A discrete GPU's host-visible memory lies behind a bus: reading results through it costs more than a
     * copy. Elsewhere a visible window much smaller than the memory is not for whole networks. */
    if (p->info.kind == VKI_DEVICE_GPU_DISCRETE) return false;
    for (uint32_t i = 0; i < p->memory.memoryTypeCount; i++) {
        const VkMemoryType *type = &p->memory.memoryTypes[i];
        if ((type->propertyFlags & (LOCAL | VISIBLE)) == (LOCAL | VISIBLE) &&
            p->memory.memoryHeaps[type->heapIndex].size >= p->info.memory_bytes / 2)
            return true;
    }
    return false;
}

static int find_type(const vkr_physical *p, uint32_t allowed, const VkMemoryPropertyFlags *wishes,
                     int n_wishes)
{
    for (int w = 0; w < n_wishes; w++)
        for (uint32_t i = 0; i < p->memory.memoryTypeCount; i++)
            if ((allowed & 1u << i) && (p->memory.memoryTypes[i].propertyFlags & wishes[w]) == wishes[w])
                return (int)i;
    return -1;
}

static int choose_type(const vkr_device *device, vkr_use use, uint32_t allowed)
{
    const vkr_physical *p = &device->physical;
    bool slow = p->quirks & VKR_QUIRK_SLOW_INVALIDATE;
    if (use == VKR_USE_STAGING) return find_type(p, allowed, slow ? staging_slow_invalidate : staging, 3);
    if (!device->unified) return find_type(p, allowed, device_only, 2);
    if (use == VKR_USE_WEIGHTS) return find_type(p, allowed, weights_unified, 2);
    return find_type(p, allowed, slow ? arena_slow_invalidate : arena_unified, 3);
}

static vki_status allocate(vkr_device *device, vkr_use use, vkr_buffer *out, vki_error *err)
{
    VkMemoryRequirements needs;
    device->vk.GetBufferMemoryRequirements(device->handle, out->handle, &needs);
    int type = choose_type(device, use, needs.memoryTypeBits);
    if (type < 0) return vkb_fail(err, VKI_E_DEVICE, "the device has no memory type for this buffer");
    const vkr_physical *p = &device->physical;
    VkMemoryPropertyFlags flags = p->memory.memoryTypes[type].propertyFlags;
    uint64_t heap = p->memory.memoryHeaps[p->memory.memoryTypes[type].heapIndex].size;
    /* some drivers grant more than there is and fail later */
    if (needs.size > heap || needs.size > p->max_allocation)
        return vkb_fail(
            err, VKI_E_NOMEM, "%llu bytes of device memory are needed; the device has %llu, %llu at once",
            (unsigned long long)needs.size, (unsigned long long)heap, (unsigned long long)p->max_allocation);
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = needs.size,
                                 .memoryTypeIndex = (uint32_t)type};
    VkResult result = device->vk.AllocateMemory(device->handle, &info, NULL, &out->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY)
        return vkb_fail(err, VKI_E_NOMEM, "vkAllocateMemory: %llu bytes of device memory cannot be had",
                        (unsigned long long)needs.size);
    if (result != VK_SUCCESS) return vkr_device_fail(device, result, "vkAllocateMemory", err);
    VKR_TRY(device->vk.BindBufferMemory(device->handle, out->handle, out->memory, 0), "vkBindBufferMemory");
    out->coherent = flags & COHERENT;
    if (use != VKR_USE_STAGING && !device->unified) return VKI_OK;
    VKR_TRY(device->vk.MapMemory(device->handle, out->memory, 0, VK_WHOLE_SIZE, 0, &out->mapped),
            "vkMapMemory");
    return VKI_OK;
}

vki_status vkr_buffer_create(vkr_device *device, vkr_use use, uint64_t bytes, vkr_buffer *out, vki_error *err)
{
    *out = (vkr_buffer){.bytes = vkb_round_up(bytes ? bytes : 1, device->physical.limits.offset_align)};
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = out->bytes,
                               .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    if (use != VKR_USE_STAGING)
        info.usage |= VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT;
    VkResult result = device->vk.CreateBuffer(device->handle, &info, NULL, &out->handle);
    vki_status status = result == VK_SUCCESS ? allocate(device, use, out, err)
                                             : vkr_device_fail(device, result, "vkCreateBuffer", err);
    if (status != VKI_OK) vkr_buffer_destroy(device, out);
    return status;
}

void vkr_buffer_destroy(vkr_device *device, vkr_buffer *buffer)
{
    if (buffer->handle) device->vk.DestroyBuffer(device->handle, buffer->handle, NULL);
    if (buffer->memory) device->vk.FreeMemory(device->handle, buffer->memory, NULL); /* unmaps too */
    *buffer = (vkr_buffer){0};
}

VkMappedMemoryRange vkr_buffer_range(const vkr_device *device, const vkr_buffer *buffer, uint64_t offset,
                                     uint64_t bytes)
{
    uint64_t atom = device->physical.atom, begin = offset / atom * atom;
    uint64_t end = vkb_round_up(offset + bytes, atom); /* the buffer's size is a multiple of the atom */
    return (VkMappedMemoryRange){.sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
                                 .memory = buffer->memory,
                                 .offset = begin,
                                 .size = (end < buffer->bytes ? end : buffer->bytes) - begin};
}

static vki_status record_copy(vkr_device *device, VkCommandPool pool, const vkr_buffer *from,
                              const vkr_buffer *to, VkBufferCopy region, VkCommandBuffer *out, vki_error *err)
{
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VKR_TRY(device->vk.AllocateCommandBuffers(device->handle, &info, out), "vkAllocateCommandBuffers");
    VKR_TRY(device->vk.BeginCommandBuffer(*out, &begin), "vkBeginCommandBuffer");
    device->vk.CmdCopyBuffer(*out, from->handle, to->handle, 1, &region);
    VKR_TRY(device->vk.EndCommandBuffer(*out), "vkEndCommandBuffer");
    return VKI_OK;
}

vki_status vkr_copy(vkr_device *device, const vkr_buffer *from, uint64_t from_offset, const vkr_buffer *to,
                    uint64_t to_offset, uint64_t bytes, vki_error *err)
{
    VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                         .queueFamilyIndex = device->physical.queue_family};
    VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkCommandPool pool = VK_NULL_HANDLE;
    VkFence fence = VK_NULL_HANDLE;
    VkCommandBuffer commands = VK_NULL_HANDLE;
    vki_status status = vkr_check(device->vk.CreateCommandPool(device->handle, &pool_info, NULL, &pool),
                                  "vkCreateCommandPool", err);
    if (status == VKI_OK)
        status = vkr_check(device->vk.CreateFence(device->handle, &fence_info, NULL, &fence), "vkCreateFence",
                           err);
    if (status == VKI_OK)
        status = record_copy(device, pool, from, to, (VkBufferCopy){from_offset, to_offset, bytes}, &commands,
                             err);
    if (status == VKI_OK) status = vkr_submit(device, &commands, 1, fence, err);
    if (status == VKI_OK)
        status =
            vkr_device_fail(device, device->vk.WaitForFences(device->handle, 1, &fence, VK_TRUE, UINT64_MAX),
                            "vkWaitForFences", err);
    if (fence) device->vk.DestroyFence(device->handle, fence, NULL);
    if (pool) device->vk.DestroyCommandPool(device->handle, pool, NULL);
    return status;
}
