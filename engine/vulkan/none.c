/* SPDX-License-Identifier: Apache-2.0
 * The Vulkan runtime of a build without Vulkan: there is no device. */
#include "vulkan/vkr.h"

static vki_status no_device(vki_error *err)
{
    return vkb_fail(err, VKI_E_NO_DEVICE, "this build of vkinfer has no Vulkan back end; use the CPU");
}

vki_status vkr_list(const vki_context_options *o, const vki_allocator *a, vki_device_info *out, int capacity,
                    int *count, vki_error *err)
{
    (void)o, (void)a, (void)out, (void)capacity, (void)err;
    *count = 0;
    return VKI_OK;
}

vki_status vkr_device_create(const vki_context_options *o, const vki_allocator *a, vkr_device **out,
                             vki_error *err)
{
    (void)o, (void)a;
    *out = NULL;
    return no_device(err);
}

void vkr_device_destroy(vkr_device **device)
{
    *device = NULL;
}
const vki_device_info *vkr_device_info_of(const vkr_device *device)
{
    return (void)device, NULL;
}
const gpu_limits *vkr_device_limits(const vkr_device *device)
{
    return (void)device, &gpu_limits_minimum;
}
bool vkr_device_unified(const vkr_device *device)
{
    return (void)device, false;
}
int vkr_device_pipelines(vkr_device *device)
{
    return (void)device, 0;
}

vki_status vkr_weights_create(vkr_device *device, vkr_weights **out, vki_error *err)
{
    (void)device;
    *out = NULL;
    return no_device(err);
}

void vkr_weights_destroy(vkr_weights **weights)
{
    *weights = NULL;
}

vki_status vkr_weights_add(vkr_weights *weights, const gr_graph *g, const gpu_weight *list, int count,
                           vkr_slice *slices, vki_error *err)
{
    (void)weights, (void)g, (void)list, (void)count, (void)slices;
    return no_device(err);
}

uint64_t vkr_weights_missing(vkr_weights *weights, const gr_graph *g, const gpu_weight *list, int count)
{
    (void)weights, (void)g, (void)list, (void)count;
    return 0;
}

uint64_t vkr_weights_bytes(vkr_weights *weights)
{
    return (void)weights, 0;
}

vki_status vkr_memory_create(vkr_device *device, uint64_t arena_bytes, uint64_t staging_bytes,
                             vkr_memory **out, vki_error *err)
{
    (void)device, (void)arena_bytes, (void)staging_bytes;
    *out = NULL;
    return no_device(err);
}

void vkr_memory_destroy(vkr_device *device, vkr_memory **memory)
{
    (void)device, (void)memory;
}

vki_status vkr_plan_create(vkr_device *device, vkr_weights *weights, const vkr_plan_desc *desc,
                           vkr_plan **out, vki_error *err)
{
    (void)device, (void)weights, (void)desc;
    *out = NULL;
    return no_device(err);
}

void vkr_plan_destroy(vkr_plan **plan)
{
    *plan = NULL;
}
void vkr_plan_info_get(const vkr_plan *plan, vkr_plan_info *out)
{
    (void)plan, *out = (vkr_plan_info){0};
}
void *vkr_plan_host(const vkr_plan *plan, const vkr_transfer *t)
{
    return (void)plan, (void)t, NULL;
}

vki_status vkr_plan_submit(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err)
{
    (void)plan, (void)index, (void)timeout_ns;
    return no_device(err);
}

vki_status vkr_plan_wait(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err)
{
    (void)plan, (void)index, (void)timeout_ns;
    return no_device(err);
}

vki_status vkr_plan_settle(vkr_plan *plan, uint64_t timeout_ns, vki_error *err)
{
    (void)plan, (void)timeout_ns;
    return no_device(err);
}

vki_status vkr_plan_run(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err)
{
    (void)plan, (void)index, (void)timeout_ns;
    return no_device(err);
}

uint64_t vkr_shaders_hash(void)
{
    return 0;
}

bool vkr_plan_times(vkr_plan *plan, double *us)
{
    return (void)plan, (void)us, false;
}
