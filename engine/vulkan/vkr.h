/* SPDX-License-Identifier: Apache-2.0
 * The Vulkan runtime's face to the rest of the engine: no Vulkan type in it. Only files in engine/vulkan/
 * include vulkan.h; where Vulkan is left out of the build, engine/vulkan/none.c stands in (VKI_E_NO_DEVICE).
 */
#ifndef VULKAN_VKR_H
#define VULKAN_VKR_H

#include "gpu/gpu.h"

/* ---- device.c: loader, instance, device, quirks, pipeline cache ---- */
typedef struct vkr_device vkr_device; /* thread safe */

/* Vulkan devices, best first: discrete, integrated, virtual, software. 0 without a loader or driver (not an
 * error). */
vki_status vkr_list(const vki_context_options *o, const vki_allocator *a, vki_device_info *out, int capacity,
                    int *count, vki_error *err);
/* The device o->device_index of that list. VKI_E_NO_DEVICE, VKI_E_DEVICE, VKI_E_NOMEM, VKI_E_UNSUPPORTED. */
vki_status vkr_device_create(const vki_context_options *o, const vki_allocator *a, vkr_device **out,
                             vki_error *err);
void vkr_device_destroy(vkr_device **device); /* saves the pipeline cache */
const vki_device_info *vkr_device_info_of(const vkr_device *device);
const gpu_limits *vkr_device_limits(const vkr_device *device);
bool vkr_device_unified(
    const vkr_device *device); /* host writes go straight into device memory (force_staging: false) */
int vkr_device_pipelines(vkr_device *device); /* made so far */
uint64_t vkr_shaders_hash(void);              /* of all that are built in; 0 without Vulkan */

/* ---- weights.c: packed weights of one model, shared by all its plans and sessions; thread safe ---- */
typedef struct vkr_weights vkr_weights;
typedef struct vkr_slice { /* where a weight lies */
    int32_t block;         /* buffer; the first plan's weights are one block */
    uint64_t offset, bytes;
} vkr_slice;
vki_status vkr_weights_create(vkr_device *device, vkr_weights **out, vki_error *err);
void vkr_weights_destroy(vkr_weights **weights);
/* Packs those of `list` that are not there yet (key: const_key, pack, arg) and uploads them as one block;
 * slices[i] is where list[i] lies. */
vki_status vkr_weights_add(vkr_weights *weights, const gr_graph *g, const gpu_weight *list, int count,
                           vkr_slice *slices, vki_error *err);
uint64_t vkr_weights_bytes(vkr_weights *weights);
/* By how much vkr_weights_add would make it grow. */
uint64_t vkr_weights_missing(vkr_weights *weights, const gr_graph *g, const gpu_weight *list, int count);

/* ---- plan.c: a recorded program ---- */
typedef struct vkr_transfer { /* a tensor that crosses between host and device */
    int32_t buf;              /* of the program, GPU_ROW */
    uint64_t staging_offset;  /* in the staging buffer (unused on unified devices) */
    uint64_t bytes;
} vkr_transfer;

typedef struct vkr_link { /* between buffers of the program, both GPU_ROW with memory of their own */
    int32_t from, to;
    uint64_t bytes;
} vkr_link;

typedef struct vkr_segment { /* consecutive dispatches between two host steps: one submit */
    int32_t first_dispatch, n_dispatches;
    const vkr_transfer *uploads, *downloads;
    int n_uploads, n_downloads;
    const vkr_link *links; /* copies in the arena after the dispatches */
    int n_links;
    bool again; /* the dispatches of the segment before it once more, with transfers of its own: for runs
                   that follow each other without waiting */
} vkr_segment;

typedef struct vkr_memory vkr_memory; /* for plans of which one is in use at a time */
/* staging_bytes 0: none. VKI_E_NOMEM, VKI_E_DEVICE. */
vki_status vkr_memory_create(vkr_device *device, uint64_t arena_bytes, uint64_t staging_bytes,
                             vkr_memory **out, vki_error *err);
void vkr_memory_destroy(vkr_device *device, vkr_memory **memory); /* *memory may be NULL */

typedef struct vkr_plan_desc { /* copied as needed; nothing is kept */
    const gr_graph *g;
    const gpu_program *program; /* offsets set */
    const vkr_segment *segments;
    int n_segments;
    uint64_t arena_bytes, staging_bytes;
    bool profile;             /* timestamps around every dispatch */
    bool staged;              /* transfers go through staging memory even on unified devices */
    const vkr_memory *memory; /* what it has is used where it suffices, and outlives the plan; NULL */
} vkr_plan_desc;

typedef struct vkr_plan_info {
    int dispatches, barriers, pipelines; /* pipelines: distinct ones this plan uses */
    uint64_t arena_bytes, staging_bytes; /* really allocated */
    double pipelines_ms;
} vkr_plan_info;

/* One thread at a time, but a segment may be waited for while another thread submits others. */
typedef struct vkr_plan vkr_plan;
/* Makes buffers, pipelines, descriptor sets and command buffers. VKI_E_NOMEM, VKI_E_DEVICE,
 * VKI_E_UNSUPPORTED. */
vki_status vkr_plan_create(vkr_device *device, vkr_weights *weights, const vkr_plan_desc *desc,
                           vkr_plan **out, vki_error *err);
void vkr_plan_destroy(vkr_plan **plan);
void vkr_plan_info_get(const vkr_plan *plan, vkr_plan_info *out);
/* Host address of a transfer's bytes: in the arena itself (unified) or in the staging buffer. Valid while the
 * plan lives. */
void *vkr_plan_host(const vkr_plan *plan, const vkr_transfer *t);
/* Submits segment `index` (upload copies, dispatches, download copies), after waiting for it if it is still
 * running; waits for it. Segments run in the order of their submits. timeout_ns 0: no limit. Allocate, record
 * and create nothing. VKI_E_TIMEOUT, VKI_E_DEVICE, VKI_E_DEVICE_LOST. After VKI_E_TIMEOUT it is still
 * running. */
vki_status vkr_plan_submit(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err);
vki_status vkr_plan_wait(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err);
/* Waits for all segments that are still running: after VKI_E_TIMEOUT. */
vki_status vkr_plan_settle(vkr_plan *plan, uint64_t timeout_ns, vki_error *err);
/* Submits and waits. */
vki_status vkr_plan_run(vkr_plan *plan, int index, uint64_t timeout_ns, vki_error *err);
/* Microseconds of every dispatch in the last run, into us[n_dispatches]; false without profile or timestamps.
 */
bool vkr_plan_times(vkr_plan *plan, double *us);

#endif
