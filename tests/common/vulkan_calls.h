/* SPDX-License-Identifier: Apache-2.0
 * A device's function table wrapped: calls and commands are counted, one of them can be made to fail, and
 * objects that were made and not destroyed are known. One device at a time. A header alone:
 * tests/CMakeLists.txt leaves out what includes vulkan/internal.h where there is no Vulkan. */
#ifndef TESTS_COMMON_VULKAN_CALLS_H
#define TESTS_COMMON_VULKAN_CALLS_H

#include <stdatomic.h>

#include "vulkan/internal.h"

static vkr_device_functions real;
static atomic_int calls, live, fail_at; /* of the wrapped functions; pipelines are made by several threads */
static VkResult failure;

/* Counts the call; false: it must fail. */
static bool note(void)
{
    return atomic_fetch_add(&calls, 1) + 1 != atomic_load(&fail_at);
}

#define CREATE(name, params, args)                                                                           \
    static VKAPI_ATTR VkResult VKAPI_CALL wrap_##name params                                                 \
    {                                                                                                        \
        if (!note()) return failure;                                                                         \
        VkResult result = real.name args;                                                                    \
        if (result == VK_SUCCESS) atomic_fetch_add(&live, 1);                                                \
        return result;                                                                                       \
    }
#define DESTROY(name, type)                                                                                  \
    static VKAPI_ATTR void VKAPI_CALL wrap_##name(VkDevice d, type object, const VkAllocationCallbacks *a)   \
    {                                                                                                        \
        atomic_fetch_sub(&live, 1);                                                                          \
        real.name(d, object, a);                                                                             \
    }
#define OBJECT(name, type)                                                                                   \
    CREATE(Create##name,                                                                                     \
           (VkDevice d, const Vk##name##CreateInfo *i, const VkAllocationCallbacks *a, type *o),             \
           (d, i, a, o))                                                                                     \
    DESTROY(Destroy##name, type)
#define CALL(name, params, args)                                                                             \
    static VKAPI_ATTR VkResult VKAPI_CALL wrap_##name params                                                 \
    {                                                                                                        \
        return note() ? real.name args : failure;                                                            \
    }
#define COMMAND(name, params, args)                                                                          \
    static VKAPI_ATTR void VKAPI_CALL wrap_##name params                                                     \
    {                                                                                                        \
        atomic_fetch_add(&commands, 1);                                                                      \
        real.name args;                                                                                      \
    }
static atomic_int commands;

OBJECT(Buffer, VkBuffer)
OBJECT(BufferView, VkBufferView)
OBJECT(ShaderModule, VkShaderModule)
OBJECT(DescriptorSetLayout, VkDescriptorSetLayout)
OBJECT(PipelineLayout, VkPipelineLayout)
OBJECT(DescriptorPool, VkDescriptorPool)
OBJECT(CommandPool, VkCommandPool)
OBJECT(QueryPool, VkQueryPool)
OBJECT(Fence, VkFence)
CREATE(AllocateMemory,
       (VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *a, VkDeviceMemory *o),
       (d, i, a, o))
DESTROY(FreeMemory, VkDeviceMemory)
CREATE(CreateComputePipelines,
       (VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i,
        const VkAllocationCallbacks *a, VkPipeline *o),
       (d, c, n, i, a, o))
DESTROY(DestroyPipeline, VkPipeline)
CALL(BindBufferMemory, (VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize o), (d, b, m, o))
CALL(MapMemory, (VkDevice d, VkDeviceMemory m, VkDeviceSize o, VkDeviceSize s, VkMemoryMapFlags f, void **p),
     (d, m, o, s, f, p))
CALL(AllocateDescriptorSets, (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *o),
     (d, i, o))
CALL(AllocateCommandBuffers, (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *o),
     (d, i, o))
CALL(BeginCommandBuffer, (VkCommandBuffer b, const VkCommandBufferBeginInfo *i), (b, i))
CALL(EndCommandBuffer, (VkCommandBuffer b), (b))
COMMAND(UpdateDescriptorSets,
        (VkDevice d, uint32_t n, const VkWriteDescriptorSet *w, uint32_t m, const VkCopyDescriptorSet *c),
        (d, n, w, m, c))
COMMAND(CmdBindPipeline, (VkCommandBuffer b, VkPipelineBindPoint p, VkPipeline o), (b, p, o))
COMMAND(CmdDispatch, (VkCommandBuffer b, uint32_t x, uint32_t y, uint32_t z), (b, x, y, z))
COMMAND(CmdCopyBuffer, (VkCommandBuffer b, VkBuffer s, VkBuffer d, uint32_t n, const VkBufferCopy *r),
        (b, s, d, n, r))

static void wrap(vkr_device *device)
{
    real = device->vk;
    atomic_store(&calls, 0);
    atomic_store(&commands, 0);
    atomic_store(&live, 0);
    atomic_store(&fail_at, 0);
    failure = VK_ERROR_OUT_OF_DEVICE_MEMORY;
#define SET(name)        device->vk.name = wrap_##name;
#define SET_OBJECT(name) SET(Create##name) SET(Destroy##name)
    SET_OBJECT(Buffer)
    SET_OBJECT(BufferView)
    SET_OBJECT(ShaderModule)
    SET_OBJECT(DescriptorSetLayout)
    SET_OBJECT(PipelineLayout)
    SET_OBJECT(DescriptorPool)
    SET_OBJECT(CommandPool)
    SET_OBJECT(QueryPool)
    SET_OBJECT(Fence)
    SET(AllocateMemory)
    SET(FreeMemory)
    SET(CreateComputePipelines)
    SET(DestroyPipeline)
    SET(BindBufferMemory)
    SET(MapMemory)
    SET(AllocateDescriptorSets)
    SET(AllocateCommandBuffers)
    SET(BeginCommandBuffer)
    SET(EndCommandBuffer)
    SET(UpdateDescriptorSets)
    SET(CmdBindPipeline)
    SET(CmdDispatch)
    SET(CmdCopyBuffer)
}

#endif
