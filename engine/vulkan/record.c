/* SPDX-License-Identifier: Apache-2.0
 * Descriptor sets and command buffers of a plan: written and recorded once. */
#include "vulkan/internal.h"

#include <string.h>

static VkDescriptorBufferInfo descriptor(const vkr_plan *plan, const vkr_recording *r, const gpu_bind *bind)
{
    VkDescriptorBufferInfo info = {0};
    if (bind->space == GPU_SPACE_WEIGHTS) {
        const vkr_slice *slice = &r->slices[bind->index];
        info.buffer = vkr_weights_block(r->weights, slice->block);
        info.offset = slice->offset + bind->offset;
        info.range = bind->bytes ? bind->bytes : slice->bytes - bind->offset;
    } else {
        info.buffer = plan->arena.handle;
        gpu_arena_range(r->desc->program, bind, &info.offset, &info.range);
    }
    return info;
}

static vki_status create_pool(vkr_plan *plan, const gpu_program *program, vki_error *err)
{
    uint32_t buffers = 0, texels = 0, n = 0;
    for (int i = 0; i < program->n_dispatches; i++)
        for (int k = 0; k < program->dispatches[i].n_bind; k++)
            *(vkr_bind_is_texels(&program->dispatches[i].bind[k]) ? &texels : &buffers) += 1;
    VkDescriptorPoolSize sizes[2];
    if (buffers) sizes[n++] = (VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, buffers};
    if (texels) sizes[n++] = (VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, texels};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = (uint32_t)program->n_dispatches,
                                       .poolSizeCount = n,
                                       .pPoolSizes = sizes};
    vkr_device *device = plan->device;
    VKR_TRY(device->vk.CreateDescriptorPool(device->handle, &info, NULL, &plan->descriptor_pool),
            "vkCreateDescriptorPool");
    if (!texels) return VKI_OK;
    plan->views = vkb_calloc(&device->allocator, texels, sizeof(VkBufferView));
    return plan->views ? VKI_OK : vkb_nomem(err, texels * sizeof(VkBufferView));
}

/* A view holds whole texels; buffers and weights end on 16 bytes, only the aliases of buffers may not. */
static vki_status add_view(vkr_plan *plan, const VkDescriptorBufferInfo *part, bool half, VkBufferView **out,
                           vki_error *err)
{
    VkBufferViewCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                   .buffer = part->buffer,
                                   .format =
                                       half ? VK_FORMAT_R16G16B16A16_SFLOAT : VK_FORMAT_R32G32B32A32_SFLOAT,
                                   .offset = part->offset,
                                   .range = vkb_round_up(part->range, half ? 8 : 16)};
    *out = &plan->views[plan->n_views];
    VKR_TRY(plan->device->vk.CreateBufferView(plan->device->handle, &info, NULL, *out), "vkCreateBufferView");
    plan->n_views++;
    return VKI_OK;
}

static vki_status write_set(vkr_plan *plan, const vkr_recording *r, const gpu_dispatch *d,
                            VkDescriptorSet set, vki_error *err)
{
    VkDescriptorBufferInfo infos[GPU_MAX_BINDINGS];
    VkWriteDescriptorSet writes[GPU_MAX_BINDINGS];
    for (uint32_t i = 0; i < d->n_bind; i++) {
        infos[i] = descriptor(plan, r, &d->bind[i]);
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &infos[i]};
        if (!vkr_bind_is_texels(&d->bind[i])) continue;
        VkBufferView *view;
        VKB_TRY(add_view(plan, &infos[i], d->bind[i].access & GPU_TEXELS_F16, &view, err));
        writes[i].descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
        writes[i].pBufferInfo = NULL;
        writes[i].pTexelBufferView = view;
    }
    plan->device->vk.UpdateDescriptorSets(plan->device->handle, d->n_bind, writes, 0, NULL);
    return VKI_OK;
}

vki_status vkr_write_descriptors(vkr_plan *plan, const vkr_recording *r, vki_error *err)
{
    const gpu_program *program = r->desc->program;
    vkr_device *device = plan->device;
    if (program->n_dispatches == 0) return VKI_OK;
    VKB_TRY(create_pool(plan, program, err));
    for (int i = 0; i < program->n_dispatches; i++) {
        VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                            .descriptorPool = plan->descriptor_pool,
                                            .descriptorSetCount = 1,
                                            .pSetLayouts = &r->pipelines[i]->set_layout};
        VKR_TRY(device->vk.AllocateDescriptorSets(device->handle, &info, &r->sets[i]),
                "vkAllocateDescriptorSets");
        VKB_TRY(write_set(plan, r, &program->dispatches[i], r->sets[i], err));
    }
    return VKI_OK;
}

static void barrier(const vkr_plan *plan, VkCommandBuffer commands, VkPipelineStageFlags from,
                    VkAccessFlags written, VkPipelineStageFlags to, VkAccessFlags used)
{
    VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = written, .dstAccessMask = used};
    plan->device->vk.CmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

enum {
    COMPUTE = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
    TRANSFER = VK_PIPELINE_STAGE_TRANSFER_BIT,
    HOST = VK_PIPELINE_STAGE_HOST_BIT,
    SHADER_READ_WRITE = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
    TRANSFER_READ_WRITE = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT
};

static void copy(const vkr_plan *plan, const vkr_recording *r, VkCommandBuffer commands,
                 const vkr_transfer *t, bool upload)
{
    uint64_t offset = gpu_buf_offset(r->desc->program, t->buf);
    VkBufferCopy region = {.srcOffset = upload ? t->staging_offset : offset,
                           .dstOffset = upload ? offset : t->staging_offset,
                           .size = t->bytes};
    plan->device->vk.CmdCopyBuffer(commands, upload ? plan->staging.handle : plan->arena.handle,
                                   upload ? plan->arena.handle : plan->staging.handle, 1, &region);
}

/* What earlier submissions and the host wrote becomes visible. */
static vki_status begin_commands(const vkr_plan *plan, VkCommandBuffer commands, vki_error *err)
{
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VKR_TRY(plan->device->vk.BeginCommandBuffer(commands, &begin), "vkBeginCommandBuffer");
    barrier(plan, commands, COMPUTE | TRANSFER | HOST,
            VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_WRITE_BIT,
            COMPUTE | TRANSFER, SHADER_READ_WRITE | TRANSFER_READ_WRITE);
    return VKI_OK;
}

/* The inputs go into the arena. */
static void record_uploads(const vkr_plan *plan, const vkr_recording *r, VkCommandBuffer commands,
                           const vkr_segment *s)
{
    if (!plan->staged || s->n_uploads == 0) return;
    for (int i = 0; i < s->n_uploads; i++) copy(plan, r, commands, &s->uploads[i], true);
    barrier(plan, commands, TRANSFER, VK_ACCESS_TRANSFER_WRITE_BIT, COMPUTE | TRANSFER,
            SHADER_READ_WRITE | TRANSFER_READ_WRITE);
}

static void record_links(const vkr_plan *plan, const vkr_recording *r, VkCommandBuffer commands,
                         const vkr_segment *s)
{
    if (s->n_links == 0) return;
    barrier(plan, commands, COMPUTE, SHADER_READ_WRITE, TRANSFER, TRANSFER_READ_WRITE);
    for (int i = 0; i < s->n_links; i++) {
        VkBufferCopy region = {.srcOffset = gpu_buf_offset(r->desc->program, s->links[i].from),
                               .dstOffset = gpu_buf_offset(r->desc->program, s->links[i].to),
                               .size = s->links[i].bytes};
        plan->device->vk.CmdCopyBuffer(commands, plan->arena.handle, plan->arena.handle, 1, &region);
    }
}

static void record_end(const vkr_plan *plan, const vkr_recording *r, VkCommandBuffer commands,
                       const vkr_segment *s)
{
    if (!plan->staged) {
        barrier(plan, commands, COMPUTE, VK_ACCESS_SHADER_WRITE_BIT, HOST, VK_ACCESS_HOST_READ_BIT);
    } else if (s->n_downloads > 0) {
        barrier(plan, commands, COMPUTE, VK_ACCESS_SHADER_WRITE_BIT, TRANSFER, VK_ACCESS_TRANSFER_READ_BIT);
        for (int i = 0; i < s->n_downloads; i++) copy(plan, r, commands, &s->downloads[i], false);
        barrier(plan, commands, TRANSFER, VK_ACCESS_TRANSFER_WRITE_BIT, HOST, VK_ACCESS_HOST_READ_BIT);
    }
}

static void record_dispatch(vkr_plan *plan, const vkr_recording *r, VkCommandBuffer commands, int i)
{
    const gpu_dispatch *d = &r->desc->program->dispatches[i];
    const vkr_pipeline *p = r->pipelines[i];
    const vkr_device_functions *vk = &plan->device->vk;
    vk->CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->handle);
    vk->CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->layout, 0, 1, &r->sets[i], 0,
                              NULL);
    if (d->n_push)
        vk->CmdPushConstants(commands, p->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, d->n_push * 4u, d->push);
    if (d->parts)
        vk->CmdDispatchBase(commands, d->base[0], d->base[1], d->base[2], d->groups[0], d->groups[1],
                            d->groups[2]);
    else
        vk->CmdDispatch(commands, d->groups[0], d->groups[1], d->groups[2]);
}

/* The next command buffer of the segment; a barrier at its start covers all before. */
static vki_status next_commands(const vkr_plan *plan, VkCommandBuffer **commands, gpu_hazards *hazards,
                                vki_error *err)
{
    VKR_TRY(plan->device->vk.EndCommandBuffer(**commands), "vkEndCommandBuffer");
    gpu_hazards_clear(hazards);
    return begin_commands(plan, *++*commands, err);
}

static vki_status record_dispatches(vkr_plan *plan, const vkr_recording *r, VkCommandBuffer **next, int index,
                                    gpu_hazards *hazards, vki_error *err)
{
    const vkr_segment *s = &r->desc->segments[index];
    const vkr_device_functions *vk = &plan->device->vk;
    VkCommandBuffer commands = **next;
    uint32_t query = (uint32_t)(s->first_dispatch + index);
    if (plan->queries) {
        vk->CmdResetQueryPool(commands, plan->queries, query, (uint32_t)s->n_dispatches + 1);
        vk->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, plan->queries, query++);
    }
    for (int i = s->first_dispatch; i < s->first_dispatch + s->n_dispatches; i++) {
        gpu_access accesses[GPU_MAX_BINDINGS];
        bool needed;
        if (i > s->first_dispatch && r->desc->program->dispatches[i].cut)
            VKB_TRY(next_commands(plan, next, hazards, err));
        commands = **next;
        int count = gpu_accesses(r->desc->program, &r->desc->program->dispatches[i], accesses);
        VKB_TRY(gpu_hazards_step(hazards, accesses, count, &needed, err));
        plan->info.barriers += needed && !s->again;
        if (needed ||
            (plan->queries && i > s->first_dispatch)) /* times of dispatches that overlap say nothing */
            barrier(plan, commands, COMPUTE, SHADER_READ_WRITE, COMPUTE, SHADER_READ_WRITE);
        record_dispatch(plan, r, commands, i);
        if (plan->queries)
            vk->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, plan->queries, query++);
    }
    return VKI_OK;
}

vki_status vkr_record_segment(vkr_plan *plan, const vkr_recording *r, int index, vki_error *err)
{
    const vkr_segment *s = &r->desc->segments[index];
    VkCommandBuffer *commands = plan->segments[index].commands;
    gpu_hazards *hazards;
    VKB_TRY(begin_commands(plan, *commands, err));
    record_uploads(plan, r, *commands, s);
    VKB_TRY(gpu_hazards_create(&plan->device->allocator, &hazards, err));
    vki_status status = record_dispatches(plan, r, &commands, index, hazards, err);
    gpu_hazards_destroy(&hazards);
    if (status != VKI_OK) return status;
    record_links(plan, r, *commands, s);
    record_end(plan, r, *commands, s);
    VKR_TRY(plan->device->vk.EndCommandBuffer(*commands), "vkEndCommandBuffer");
    return VKI_OK;
}
