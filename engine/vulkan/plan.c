/* SPDX-License-Identifier: Apache-2.0
 * A program made ready: everything that takes time happens here, so that a run is a submit and a wait. */
#include "vulkan/internal.h"

#include <string.h>

static vki_status check_desc(const vkr_device *device, const vkr_plan_desc *desc, vki_error *err)
{
    const gpu_program *p = desc->program;
    for (int i = 0; i < p->n_bufs; i++) {
        const gpu_buf *own = p->bufs[i].alias >= 0 ? &p->bufs[p->bufs[i].alias] : &p->bufs[i];
        if (own->last < 0) continue; /* nothing touches it */
        uint64_t offset = gpu_buf_offset(p, i);
        if (offset % device->physical.limits.offset_align || offset > desc->arena_bytes ||
            p->bufs[i].bytes > desc->arena_bytes - offset)
            return vkb_fail(err, VKI_E_INTERNAL, "buffer %d lies outside of the arena or unaligned", i);
    }
    int next = 0;
    for (int i = 0; i < desc->n_segments; i++) {
        const vkr_segment *s = &desc->segments[i];
        int first = next - (s->again && i ? desc->segments[i - 1].n_dispatches : 0);
        if (s->first_dispatch != first || s->n_dispatches < 0)
            return vkb_fail(err, VKI_E_INTERNAL, "segment %d does not begin at dispatch %d", i, first);
        next = first + s->n_dispatches;
    }
    if (next != p->n_dispatches)
        return vkb_fail(err, VKI_E_INTERNAL, "the segments hold %d of %d dispatches", next, p->n_dispatches);
    return VKI_OK;
}

struct vkr_memory {
    vkr_buffer arena, staging;
};

vki_status vkr_memory_create(vkr_device *device, uint64_t arena_bytes, uint64_t staging_bytes,
                             vkr_memory **out, vki_error *err)
{
    vkr_memory *m = *out = vkb_calloc(&device->allocator, 1, sizeof *m);
    if (!m) return vkb_nomem(err, sizeof *m);
    vki_status status = vkr_buffer_create(device, VKR_USE_ARENA, arena_bytes, &m->arena, err);
    if (status == VKI_OK && staging_bytes)
        status = vkr_buffer_create(device, VKR_USE_STAGING, staging_bytes, &m->staging, err);
    if (status != VKI_OK) vkr_memory_destroy(device, out);
    return status;
}

void vkr_memory_destroy(vkr_device *device, vkr_memory **memory)
{
    vkr_memory *m = *memory;
    *memory = NULL;
    if (!m) return;
    vkr_buffer_destroy(device, &m->arena);
    vkr_buffer_destroy(device, &m->staging);
    vkb_free(&device->allocator, m);
}

static vki_status get_buffer(vkr_plan *plan, vkr_use use, uint64_t bytes, const vkr_buffer *lent,
                             vkr_buffer *out, bool *is_lent, vki_error *err)
{
    *is_lent = lent && lent->handle && bytes <= lent->bytes;
    if (!*is_lent) return vkr_buffer_create(plan->device, use, bytes, out, err);
    *out = *lent;
    return VKI_OK;
}

static vki_status make_buffers(vkr_plan *plan, const vkr_plan_desc *desc, vki_error *err)
{
    const gpu_program *p = desc->program;
    plan->n_bufs = p->n_bufs;
    plan->buf_offset = vkb_calloc(&plan->device->allocator, (size_t)p->n_bufs + 1, sizeof *plan->buf_offset);
    if (!plan->buf_offset) return vkb_nomem(err, (uint64_t)p->n_bufs * sizeof *plan->buf_offset);
    for (int i = 0; i < p->n_bufs; i++) plan->buf_offset[i] = gpu_buf_offset(p, i);
    const vkr_memory *m = desc->memory;
    VKB_TRY(get_buffer(plan, VKR_USE_ARENA, desc->arena_bytes, m ? &m->arena : NULL, &plan->arena,
                       &plan->lent_arena, err));
    plan->info.arena_bytes = plan->arena.bytes;
    if (!plan->staged || desc->staging_bytes == 0) return VKI_OK;
    VKB_TRY(get_buffer(plan, VKR_USE_STAGING, desc->staging_bytes, m ? &m->staging : NULL, &plan->staging,
                       &plan->lent_staging, err));
    plan->info.staging_bytes = plan->staging.bytes;
    return VKI_OK;
}

static const vkr_buffer *host_buffer(const vkr_plan *plan)
{
    return plan->staged ? &plan->staging : &plan->arena;
}

static uint64_t host_offset(const vkr_plan *plan, const vkr_transfer *t)
{
    return plan->staged ? t->staging_offset : plan->buf_offset[t->buf];
}

static vki_status make_ranges(const vkr_plan *plan, const vkr_transfer *transfers, int count,
                              VkMappedMemoryRange **out, int *n, vki_error *err)
{
    const vkr_buffer *buffer = host_buffer(plan);
    if (count == 0 || buffer->coherent) return VKI_OK;
    *out = vkb_calloc(&plan->device->allocator, (size_t)count, sizeof **out);
    if (!*out) return vkb_nomem(err, (uint64_t)count * sizeof **out);
    for (int i = 0; i < count; i++)
        (*out)[i] =
            vkr_buffer_range(plan->device, buffer, host_offset(plan, &transfers[i]), transfers[i].bytes);
    *n = count;
    return VKI_OK;
}

static vki_status make_segments(vkr_plan *plan, const vkr_plan_desc *desc, vki_error *err)
{
    plan->segments =
        vkb_calloc(&plan->device->allocator, (size_t)desc->n_segments + 1, sizeof *plan->segments);
    if (!plan->segments) return vkb_nomem(err, (uint64_t)desc->n_segments * sizeof *plan->segments);
    plan->n_segments = desc->n_segments;
    for (int i = 0; i < desc->n_segments; i++) {
        const vkr_segment *from = &desc->segments[i];
        vkr_plan_segment *to = &plan->segments[i];
        to->first_dispatch = from->first_dispatch;
        to->n_dispatches = from->n_dispatches;
        VKB_TRY(make_ranges(plan, from->uploads, from->n_uploads, &to->flush, &to->n_flush, err));
        VKB_TRY(
            make_ranges(plan, from->downloads, from->n_downloads, &to->invalidate, &to->n_invalidate, err));
    }
    return VKI_OK;
}

static vki_status make_queries(vkr_plan *plan, const vkr_plan_desc *desc, vki_error *err)
{
    vkr_device *device = plan->device;
    if (!desc->profile || !device->physical.timestamp_bits) return VKI_OK;
    uint32_t count = (uint32_t)(desc->program->n_dispatches + desc->n_segments);
    plan->ticks = vkb_calloc(&device->allocator, count + 1, sizeof *plan->ticks);
    if (!plan->ticks) return vkb_nomem(err, count * sizeof *plan->ticks);
    VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                  .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                  .queryCount = count};
    VKR_TRY(device->vk.CreateQueryPool(device->handle, &info, NULL, &plan->queries), "vkCreateQueryPool");
    return VKI_OK;
}

static vki_status make_commands(vkr_plan *plan, const gpu_program *program, vki_error *err)
{
    vkr_device *device = plan->device;
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = device->physical.queue_family};
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VKR_TRY(device->vk.CreateCommandPool(device->handle, &pool, NULL, &plan->command_pool),
            "vkCreateCommandPool");
    for (int i = 0; i < plan->n_segments; i++) {
        vkr_plan_segment *s = &plan->segments[i];
        s->n_commands = 1;
        for (int k = 1; k < s->n_dispatches; k++)
            s->n_commands += program->dispatches[s->first_dispatch + k].cut;
        s->commands = vkb_calloc(&device->allocator, (size_t)s->n_commands, sizeof *s->commands);
        if (!s->commands) return vkb_nomem(err, (uint64_t)s->n_commands * sizeof *s->commands);
        VKR_TRY(device->vk.CreateFence(device->handle, &fence, NULL, &s->fence), "vkCreateFence");
        VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                            .commandPool = plan->command_pool,
                                            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                            .commandBufferCount = (uint32_t)s->n_commands};
        VKR_TRY(device->vk.AllocateCommandBuffers(device->handle, &info, s->commands),
                "vkAllocateCommandBuffers");
    }
    return VKI_OK;
}

static vki_status record(vkr_plan *plan, vkr_recording *r, vki_error *err)
{
    const gpu_program *p = r->desc->program;
    double start = vkb_now_ms();
    VKB_TRY(vkr_pipelines_get(plan->device, p->dispatches, p->n_dispatches, r->pipelines,
                              &plan->info.pipelines, err));
    plan->info.pipelines_ms = vkb_now_ms() - start;
    if (p->n_weights)
        VKB_TRY(vkr_weights_add(r->weights, r->desc->g, p->weights, p->n_weights, r->slices, err));
    VKB_TRY(make_buffers(plan, r->desc, err));
    VKB_TRY(make_segments(plan, r->desc, err));
    VKB_TRY(make_queries(plan, r->desc, err));
    VKB_TRY(make_commands(plan, p, err));
    VKB_TRY(vkr_write_descriptors(plan, r, err));
    for (int i = 0; i < plan->n_segments; i++) VKB_TRY(vkr_record_segment(plan, r, i, err));
    plan->info.dispatches = p->n_dispatches;
    return VKI_OK;
}

vki_status vkr_plan_create(vkr_device *device, vkr_weights *weights, const vkr_plan_desc *desc,
                           vkr_plan **out, vki_error *err)
{
    *out = NULL;
    VKB_TRY(check_desc(device, desc, err));
    const vki_allocator *a = &device->allocator;
    size_t n = (size_t)desc->program->n_dispatches + 1;
    vkr_recording r = {.desc = desc, .weights = weights};
    vkr_plan *plan = vkb_calloc(a, 1, sizeof *plan);
    r.pipelines = vkb_calloc(a, n, sizeof *r.pipelines);
    r.sets = vkb_calloc(a, n, sizeof *r.sets);
    r.slices = vkb_calloc(a, (size_t)desc->program->n_weights + 1, sizeof *r.slices);
    vki_status status = VKI_OK;
    if (plan) {
        plan->device = device;
        plan->staged = desc->staged || !device->unified;
    }
    if (plan && r.pipelines && r.sets && r.slices)
        status = record(plan, &r, err);
    else
        status = vkb_nomem(err, n * (sizeof *r.pipelines + sizeof *r.sets));
    vkb_free(a, r.pipelines);
    vkb_free(a, r.sets);
    vkb_free(a, r.slices);
    if (status != VKI_OK)
        vkr_plan_destroy(&plan);
    else
        *out = plan;
    return status;
}

void vkr_plan_destroy(vkr_plan **handle)
{
    vkr_plan *plan = *handle;
    *handle = NULL;
    if (!plan) return;
    vkr_device *device = plan->device;
    const vki_allocator *a = &device->allocator;
    for (int i = 0; i < plan->n_segments; i++) {
        vkr_plan_segment *s = &plan->segments[i];
        if (s->pending) /* ends at the latest when the driver gives the device up */
            device->vk.WaitForFences(device->handle, 1, &s->fence, VK_TRUE, UINT64_MAX);
        if (s->fence) device->vk.DestroyFence(device->handle, s->fence, NULL);
        vkb_free(a, s->commands);
        vkb_free(a, s->flush);
        vkb_free(a, s->invalidate);
    }
    if (plan->command_pool) device->vk.DestroyCommandPool(device->handle, plan->command_pool, NULL);
    for (int i = 0; i < plan->n_views; i++)
        device->vk.DestroyBufferView(device->handle, plan->views[i], NULL);
    if (plan->descriptor_pool) device->vk.DestroyDescriptorPool(device->handle, plan->descriptor_pool, NULL);
    if (plan->queries) device->vk.DestroyQueryPool(device->handle, plan->queries, NULL);
    if (!plan->lent_arena) vkr_buffer_destroy(device, &plan->arena);
    if (!plan->lent_staging) vkr_buffer_destroy(device, &plan->staging);
    vkb_free(a, plan->views);
    vkb_free(a, plan->segments);
    vkb_free(a, plan->buf_offset);
    vkb_free(a, plan->ticks);
    vkb_free(a, plan);
}

void vkr_plan_info_get(const vkr_plan *plan, vkr_plan_info *out)
{
    *out = plan->info;
}

void *vkr_plan_host(const vkr_plan *plan, const vkr_transfer *t)
{
    return (char *)host_buffer(plan)->mapped + host_offset(plan, t);
}
