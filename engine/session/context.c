/* SPDX-License-Identifier: Apache-2.0 */
#include "session/choice.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void describe_cpu(vki_device_info *info)
{
    memset(info, 0, sizeof *info);
    snprintf(info->name, sizeof info->name, "CPU");
    snprintf(info->driver, sizeof info->driver, "vkinfer");
    info->kind = VKI_DEVICE_CPU;
    cpu_features_text(info->features, sizeof info->features);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0) info->memory_bytes = (uint64_t)pages * (uint64_t)page;
    info->unified_memory = true;
}

/* "vulkan" with the limits of a kind of device that need not be there. */
static vki_status plan_only(vki_context *c, const char *kind, vki_error *err)
{
    if (!kind) kind = "minimum";
    c->limits = gpu_limits_of(kind);
    if (!c->limits)
        return vkb_fail(
            err, VKI_E_ARG,
            "vki_context_options.plan_device is \"%s\"; it must be minimum, adreno, mali or nvidia", kind);
    c->unified = c->limits->vendor != 0x10de; /* phones share their memory; so does Jetson, boards do not */
    vki_device_info *info = &c->info;
    snprintf(info->name, sizeof info->name, "plan for %s", kind);
    snprintf(info->driver, sizeof info->driver, "none");
    info->kind = VKI_DEVICE_GPU_VIRTUAL;
    info->vendor_id = c->limits->vendor;
    info->max_storage_range = c->limits->max_range;
    info->max_workgroup_invocations = c->limits->max_invocations;
    info->max_shared_bytes = c->limits->max_shared;
    info->subgroup_size = c->limits->subgroup;
    info->fp16_storage = c->limits->half_storage;
    info->unified_memory = c->unified;
    return VKI_OK;
}

static vki_status read_options(const vki_context_options *given, vki_context_options *o, vki_error *err)
{
    memset(o, 0, sizeof *o);
    if (given) {
        if (given->size != sizeof *o)
            return vkb_fail(err, VKI_E_ARG,
                            "vki_context_options.size is %zu, this library expects %zu: set it to "
                            "sizeof(vki_context_options) and build against this library's header",
                            given->size, sizeof *o);
        *o = *given;
    }
    if ((unsigned)o->backend > VKI_BACKEND_PLAN)
        return vkb_fail(err, VKI_E_ARG, "vki_context_options.backend is %d; it must be a vki_backend",
                        (int)o->backend);
    if (o->device_index < 0)
        return vkb_fail(err, VKI_E_ARG, "vki_context_options.device_index is %d; it must be 0 or more",
                        o->device_index);
    if (o->allocator && (!o->allocator->alloc || !o->allocator->free))
        return vkb_fail(err, VKI_E_ARG, "vki_context_options.allocator needs both alloc and free");
    return VKI_OK;
}

vki_status vki_devices(const vki_context_options *options, vki_device_info *out, int capacity, int *count,
                       vki_error *err)
{
    if (!count || capacity < 0 || (capacity && !out))
        return vkb_fail(err, VKI_E_ARG, "vki_devices needs `count`, and `out` for a capacity of %d",
                        capacity);
    *count = 0;
    vki_context_options o;
    VKB_TRY(read_options(options, &o, err));
    int vulkan = 0;
    VKB_TRY(vkr_list(&o, o.allocator ? o.allocator : &vkb_libc_allocator, out, capacity, &vulkan, err));
    if (vulkan < capacity) describe_cpu(&out[vulkan]);
    *count = vulkan + 1;
    return VKI_OK;
}

/* AUTO takes the first device of the list that is real hardware: software Vulkan is slower than our CPU path.
 */
static vki_status wants_vulkan(vki_context_options *o, const vki_allocator *a, bool *vulkan, vki_error *err)
{
    *vulkan = o->backend == VKI_BACKEND_VULKAN;
    if (o->backend != VKI_BACKEND_AUTO) return VKI_OK;
    vki_device_info list[16];
    int count = 0;
    VKB_TRY(vkr_list(o, a, list, (int)VKB_COUNT(list), &count, err));
    for (int i = 0; i < count && i < (int)VKB_COUNT(list); i++) {
        if (list[i].kind == VKI_DEVICE_GPU_SOFTWARE) continue;
        o->device_index = i;
        *vulkan = true;
        return VKI_OK;
    }
    return VKI_OK;
}

vki_status vki_context_create(const vki_context_options *options, vki_context **out, vki_error *err)
{
    if (!out) return vkb_fail(err, VKI_E_ARG, "vki_context_create: `out` is NULL");
    *out = NULL;
    vki_context_options o;
    VKB_TRY(read_options(options, &o, err));
    vki_allocator a = o.allocator ? *o.allocator : vkb_libc_allocator;
    vki_context *c = vkb_calloc(&a, 1, sizeof *c);
    if (!c) return vkb_nomem(err, sizeof *c);
    c->allocator = a;
    c->log = o.log;
    c->log_user = o.log_user;
    atomic_init(&c->references, 1);
    bool vulkan;
    vki_status status = wants_vulkan(&o, &c->allocator, &vulkan, err);
    if (status == VKI_OK && vulkan) status = vkr_device_create(&o, &c->allocator, &c->device, err);
    if (status == VKI_OK && vulkan) status = ses_verdicts_create(c, o.cache_path, &c->verdicts, err);
    if (status == VKI_OK && o.backend == VKI_BACKEND_PLAN) status = plan_only(c, o.plan_device, err);
    if (status != VKI_OK) {
        ses_context_release(c);
        return status;
    }
    if (c->device) {
        c->info = *vkr_device_info_of(c->device);
        c->limits = vkr_device_limits(c->device);
        c->unified = vkr_device_unified(c->device);
        c->chosen = o.backend == VKI_BACKEND_AUTO;
    } else if (!c->limits) {
        describe_cpu(&c->info);
    }
    *out = c;
    return VKI_OK;
}

void ses_context_release(vki_context *c)
{
    if (atomic_fetch_sub(&c->references, 1) != 1) return;
    vkr_device_destroy(&c->device);
    ses_verdicts_destroy(&c->verdicts);
    vki_allocator a = c->allocator; /* it lies in what is freed */
    vkb_free(&a, c);
}

void vki_context_destroy(vki_context **context)
{
    if (!context || !*context) return;
    ses_context_release(*context);
    *context = NULL;
}

vki_status vki_context_device(const vki_context *context, vki_device_info *out)
{
    if (!context || !out) return VKI_E_ARG;
    *out = context->info;
    return VKI_OK;
}
