/* SPDX-License-Identifier: Apache-2.0
 * Pipelines by shader and specialization constants, shared by all plans of a device. A driver takes
 * milliseconds to tens of milliseconds for one, so those that a plan still lacks are made by several threads.
 */
#include "vulkan/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "vulkan/shader_code.h"

bool vkr_bind_is_texels(const gpu_bind *bind)
{
    return bind->access & (GPU_TEXELS_F32 | GPU_TEXELS_F16);
}

static vki_status set_layout(vkr_device *device, vkr_layout *l, vki_error *err)
{
    VkDescriptorSetLayoutBinding bindings[GPU_MAX_BINDINGS];
    for (int i = 0; i < l->n_bind; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = (uint32_t)i,
            .descriptorType = l->texels >> i & 1 ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                                 : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    VkDescriptorSetLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                            .bindingCount = l->n_bind,
                                            .pBindings = bindings};
    VKR_TRY(device->vk.CreateDescriptorSetLayout(device->handle, &info, NULL, &l->set),
            "vkCreateDescriptorSetLayout");
    return VKI_OK;
}

static vki_status add_layout(vkr_device *device, const vkr_pipeline *p, vki_error *err)
{
    if (!VKB_GROW(&device->allocator, device->layouts, device->cap_layouts, device->n_layouts + 1))
        return vkb_nomem(err, sizeof(vkr_layout));
    vkr_layout *l = &device->layouts[device->n_layouts++];
    *l = (vkr_layout){.n_bind = p->n_bind, .n_push = p->n_push, .texels = p->texels};
    VKB_TRY(set_layout(device, l, err));
    VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, p->n_push * 4u};
    VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                       .setLayoutCount = 1,
                                       .pSetLayouts = &l->set,
                                       .pushConstantRangeCount = p->n_push > 0,
                                       .pPushConstantRanges = &range};
    VKR_TRY(device->vk.CreatePipelineLayout(device->handle, &info, NULL, &l->pipeline),
            "vkCreatePipelineLayout");
    return VKI_OK;
}

static vki_status pipeline_layout(vkr_device *device, vkr_pipeline *p, vki_error *err)
{
    int i = 0;
    for (; i < device->n_layouts; i++) {
        const vkr_layout *l = &device->layouts[i];
        if (l->pipeline && l->n_bind == p->n_bind && l->n_push == p->n_push && l->texels == p->texels) break;
    }
    if (i == device->n_layouts) VKB_TRY(add_layout(device, p, err));
    p->set_layout = device->layouts[i].set;
    p->layout = device->layouts[i].pipeline;
    return VKI_OK;
}

static vki_status check_limits(const vkr_device *device, const gpu_dispatch *d, vki_error *err)
{
    const char *name = vkr_shader_codes[d->shader].name;
    const vkr_physical *p = &device->physical;
    if (d->n_bind > p->max_bindings)
        return vkb_fail(err, VKI_E_UNSUPPORTED, "shader %s has %d bindings; the device takes %u", name,
                        d->n_bind, p->max_bindings);
    if (d->n_push * 4u > p->max_push_bytes)
        return vkb_fail(err, VKI_E_UNSUPPORTED,
                        "shader %s has %u bytes of push constants; the device takes %u", name, d->n_push * 4u,
                        p->max_push_bytes);
    size_t length = strlen(name); /* variants that store half are named so */
    if (length > 4 && strcmp(name + length - 4, "_f16") == 0 && !p->limits.half_storage)
        return vkb_fail(err, VKI_E_UNSUPPORTED, "shader %s needs 16-bit storage, which the device lacks",
                        name);
    return VKI_OK;
}

static VkResult create_pipeline(vkr_device *device, vkr_pipeline *p, const uint32_t *pack)
{
    VkShaderModule module;
    VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
    code.pCode = vkr_pack_module(pack, p->shader, &code.codeSize);
    VkResult result = device->vk.CreateShaderModule(device->handle, &code, NULL, &module);
    if (result != VK_SUCCESS) return result;
    VkSpecializationMapEntry entries[GPU_MAX_SPEC];
    for (uint32_t i = 0; i < p->n_spec; i++) entries[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    VkSpecializationInfo constants = {p->n_spec, entries, p->n_spec * 4u, p->spec};
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = p->based ? VK_PIPELINE_CREATE_DISPATCH_BASE : 0,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = p->layout};
    result = device->vk.CreateComputePipelines(device->handle, device->cache, 1, &info, NULL, &p->handle);
    device->vk.DestroyShaderModule(device->handle, module, NULL);
    /* some drivers report success without a pipeline */
    return result == VK_SUCCESS && !p->handle ? VK_ERROR_UNKNOWN : result;
}

typedef struct jobs {
    vkr_device *device;
    vkr_pipeline **list;
    VkResult *results;
    uint32_t *packs[SH_PACKS + 1]; /* expanded; NULL: not yet, or it failed */
} jobs;

static int pack_of(const jobs *j, int64_t i)
{
    return vkr_shader_codes[j->list[i]->shader].pack;
}

/* The first pipeline of a pack expands it and has the result. */
static void expand_range(void *arg, int64_t begin, int64_t end, int thread)
{
    jobs *j = arg;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        int64_t first = 0;
        while (pack_of(j, first) != pack_of(j, i)) first++;
        if (first == i)
            j->results[i] = vkr_pack_expand(pack_of(j, i), &j->device->allocator, &j->packs[pack_of(j, i)]);
    }
}

static void create_range(void *arg, int64_t begin, int64_t end, int thread)
{
    jobs *j = arg;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const uint32_t *pack = j->packs[pack_of(j, i)];
        if (pack) j->results[i] = create_pipeline(j->device, j->list[i], pack);
    }
}

static vki_status create_new(vkr_device *device, int first, vki_error *err)
{
    int count = device->n_pipelines - first;
    if (count == 0) return VKI_OK;
    for (int i = first; i < device->n_pipelines; i++)
        VKB_TRY(pipeline_layout(device, device->pipelines[i], err));
    VkResult *results = vkb_calloc(&device->allocator, (size_t)count, sizeof *results);
    if (!results) return vkb_nomem(err, (uint64_t)count * sizeof *results);
    vkb_pool *pool = NULL; /* without one the caller does it all */
    if (count > 1)
        vkb_pool_create(&device->allocator, count < VKR_PIPELINE_THREADS ? count : VKR_PIPELINE_THREADS,
                        &pool, NULL);
    jobs j = {device, device->pipelines + first, results, {NULL}};
    vkb_parallel_for(pool, count, 1, expand_range, &j);
    vkb_parallel_for(pool, count, 1, create_range, &j);
    for (int i = 0; i < SH_PACKS; i++) vkb_free(&device->allocator, j.packs[i]);
    vkb_pool_destroy(&pool);
    vki_status status = VKI_OK;
    for (int i = 0; i < count && status == VKI_OK; i++) {
        if (results[i] == VK_SUCCESS) continue;
        char call[128];
        snprintf(call, sizeof call, "vkCreateComputePipelines (%s)",
                 vkr_shader_codes[j.list[i]->shader].name);
        status = vkr_device_fail(device, results[i], call, err);
    }
    vkb_free(&device->allocator, results);
    return status;
}

static bool same_key(const vkr_pipeline *p, const gpu_dispatch *d)
{
    return p->shader == d->shader && p->based == (d->parts > 0) && p->n_bind == d->n_bind &&
           p->n_push == d->n_push && p->n_spec == d->n_spec &&
           memcmp(p->spec, d->spec, d->n_spec * sizeof d->spec[0]) == 0;
}

static vki_status find_or_add(vkr_device *device, const gpu_dispatch *d, const vkr_pipeline **out,
                              vki_error *err)
{
    for (int i = 0; i < device->n_pipelines; i++)
        if (same_key(device->pipelines[i], d)) return *out = device->pipelines[i], VKI_OK;
    VKB_TRY(check_limits(device, d, err));
    if (!VKB_GROW(&device->allocator, device->pipelines, device->cap_pipelines, device->n_pipelines + 1))
        return vkb_nomem(err, sizeof(vkr_pipeline));
    vkr_pipeline *p = vkb_calloc(&device->allocator, 1, sizeof *p);
    if (!p) return vkb_nomem(err, sizeof *p);
    p->shader = d->shader;
    p->n_spec = d->n_spec;
    p->n_bind = d->n_bind;
    p->n_push = d->n_push;
    p->based = d->parts > 0;
    for (int i = 0; i < d->n_bind; i++)
        if (vkr_bind_is_texels(&d->bind[i])) p->texels |= (uint8_t)(1u << i);
    memcpy(p->spec, d->spec, sizeof p->spec);
    device->pipelines[device->n_pipelines++] = p;
    *out = p;
    return VKI_OK;
}

static void drop_from(vkr_device *device, int first)
{
    while (device->n_pipelines > first) {
        vkr_pipeline *p = device->pipelines[--device->n_pipelines];
        if (p->handle) device->vk.DestroyPipeline(device->handle, p->handle, NULL);
        vkb_free(&device->allocator, p);
    }
}

static int count_distinct(const vkr_pipeline *const *list, int count)
{
    int distinct = 0;
    for (int i = 0; i < count; i++) {
        int k = 0;
        while (list[k] != list[i]) k++;
        distinct += k == i;
    }
    return distinct;
}

vki_status vkr_pipelines_get(vkr_device *device, const gpu_dispatch *list, int count,
                             const vkr_pipeline **out, int *distinct, vki_error *err)
{
    pthread_mutex_lock(&device->pipeline_lock); /* held while they are made: another plan may want the same */
    int first = device->n_pipelines;
    vki_status status = VKI_OK;
    for (int i = 0; i < count && status == VKI_OK; i++) status = find_or_add(device, &list[i], &out[i], err);
    if (status == VKI_OK) status = create_new(device, first, err);
    if (status != VKI_OK) drop_from(device, first);
    pthread_mutex_unlock(&device->pipeline_lock);
    if (status == VKI_OK) *distinct = count_distinct(out, count);
    return status;
}

void vkr_pipelines_destroy(vkr_device *device)
{
    drop_from(device, 0);
    vkb_free(&device->allocator, device->pipelines);
    device->pipelines = NULL;
    for (int i = 0; i < device->n_layouts; i++) {
        if (device->layouts[i].pipeline)
            device->vk.DestroyPipelineLayout(device->handle, device->layouts[i].pipeline, NULL);
        if (device->layouts[i].set)
            device->vk.DestroyDescriptorSetLayout(device->handle, device->layouts[i].set, NULL);
    }
    vkb_free(&device->allocator, device->layouts);
    device->layouts = NULL;
    device->n_layouts = device->cap_layouts = 0;
}
