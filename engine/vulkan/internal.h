/* SPDX-License-Identifier: Apache-2.0
 * What the files of engine/vulkan/ share. Tests include it to wrap entries of vkr_device.vk. */
#ifndef VULKAN_INTERNAL_H
#define VULKAN_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "vulkan/functions.h"
#include "vulkan/vkr.h"

/* ---- result.c ---- */
/* A VkResult as a status; `call` ("vkCreateBuffer") goes into the text. VK_SUCCESS: VKI_OK. */
vki_status vkr_check(VkResult result, const char *call, vki_error *err);
#define VKR_TRY(call, name)                                                                                  \
    do {                                                                                                     \
        VkResult vkr_try_result = (call);                                                                    \
        if (vkr_try_result != VK_SUCCESS) return vkr_check(vkr_try_result, name, err);                       \
    } while (0)

/* ---- instance.c ---- */
typedef struct vkr_log {
    vki_log_fn fn; /* may be NULL */
    void *user;
} vkr_log;
void vkr_say(const vkr_log *log, vki_log_level level, const char *format, ...) VKB_PRINTF(3, 4);

typedef struct vkr_instance {
    void *library;
    VkInstance handle;
    VkDebugUtilsMessengerEXT messenger;
    vkr_instance_functions vk;
    vkr_log log;
} vkr_instance;
/* VKI_E_NO_DEVICE without a loader, a Vulkan 1.1 instance or a driver; VKI_E_UNSUPPORTED without the
 * validation layer. `instance` must not move while it lives: messages go through it. */
vki_status vkr_instance_open(vkr_instance *instance, const vki_context_options *o, const vki_allocator *a,
                             vki_error *err);
void vkr_instance_close(vkr_instance *instance);

/* ---- physical.c: what a device is and can do ---- */
typedef struct vkr_physical {
    VkPhysicalDevice handle;
    vki_device_info info;
    gpu_limits limits;
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t queue_family, timestamp_bits;
    double timestamp_ns; /* nanoseconds a tick; 0: no timestamps */
    uint64_t atom;       /* of flushes and invalidations */
    uint64_t max_allocation;
    uint32_t max_bindings, max_push_bytes, driver_version, quirks;
    uint8_t cache_uuid[VK_UUID_SIZE], device_uuid[VK_UUID_SIZE], driver_uuid[VK_UUID_SIZE];
    bool portability; /* VK_KHR_portability_subset must be enabled */
} vkr_physical;
/* Usable devices (Vulkan 1.1, a compute queue), best first; *out from `a`. */
vki_status vkr_physical_list(const vkr_instance *instance, const vki_context_options *o,
                             const vki_allocator *a, vkr_physical **out, int *count, vki_error *err);

/* ---- quirks.c ---- */
enum {                               /* vkr_physical.quirks */
       VKR_QUIRK_SLOW_INVALIDATE = 1 /* invalidating cached memory costs more than reading uncached memory */
};
uint32_t vkr_quirks_of(VkDriverId driver, uint32_t vendor_id, uint32_t driver_version);

/* ---- device.c ---- */
enum { VKR_PIPELINE_THREADS = 4 };
typedef struct vkr_pipeline { /* immutable once in the table */
    uint16_t shader;
    uint8_t n_spec, n_bind, n_push;
    uint8_t texels; /* bit i: binding i is a texel buffer */
    bool based;     /* for parts of dispatches, which begin at another workgroup than 0 */
    uint32_t spec[GPU_MAX_SPEC];
    VkPipeline handle;
    VkPipelineLayout layout;
    VkDescriptorSetLayout set_layout;
} vkr_pipeline;

typedef struct vkr_layout { /* of all pipelines with equal bindings and push words */
    uint8_t n_bind, n_push, texels;
    VkDescriptorSetLayout set;
    VkPipelineLayout pipeline;
} vkr_layout;

struct vkr_device {
    vki_allocator allocator;
    vkr_instance instance;
    vkr_physical physical;
    VkDevice handle;
    vkr_device_functions vk;
    bool unified;
    atomic_bool lost;
    VkQueue queue;
    pthread_mutex_t queue_lock;

    pthread_mutex_t pipeline_lock; /* of all that follows */
    vkr_layout *layouts;
    vkr_pipeline **pipelines;
    int n_layouts, cap_layouts, n_pipelines, cap_pipelines;
    VkPipelineCache cache;
    char *cache_path;    /* NULL: no file */
    uint64_t cache_hash; /* of the data that the file holds; 0: none */
};
vki_status vkr_device_fail(vkr_device *device, VkResult result, const char *call,
                           vki_error *err); /* vkr_check; remembers a lost device */
/* The command buffers one after the other, each a submit of its own, so that other work gets its turn between
 * them; the last signals the fence. On failure nothing of it is running any more. */
vki_status vkr_submit(vkr_device *device, const VkCommandBuffer *commands, int count, VkFence fence,
                      vki_error *err);

/* ---- memory.c ---- */
typedef enum vkr_use {
    VKR_USE_ARENA,   /* device memory; mapped on unified devices */
    VKR_USE_WEIGHTS, /* the same, written by the host once */
    VKR_USE_STAGING  /* host memory, mapped */
} vkr_use;
typedef struct vkr_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    uint64_t bytes; /* a multiple of the atom */
    void *mapped;   /* NULL: not host visible */
    bool coherent;
} vkr_buffer;
bool vkr_memory_unified(const vkr_physical *p);
vki_status vkr_buffer_create(vkr_device *device, vkr_use use, uint64_t bytes, vkr_buffer *out,
                             vki_error *err);
void vkr_buffer_destroy(vkr_device *device, vkr_buffer *buffer);
/* The range of a mapped buffer for a flush or an invalidation, widened to whole atoms. */
VkMappedMemoryRange vkr_buffer_range(const vkr_device *device, const vkr_buffer *buffer, uint64_t offset,
                                     uint64_t bytes);
/* Copies and waits: for uploads when a model is loaded. */
vki_status vkr_copy(vkr_device *device, const vkr_buffer *from, uint64_t from_offset, const vkr_buffer *to,
                    uint64_t to_offset, uint64_t bytes, vki_error *err);

/* ---- cache.c: the pipeline cache and its file ---- */
vki_status vkr_cache_open(vkr_device *device, const char *path, vki_error *err);
void vkr_cache_close(vkr_device *device); /* writes the file if there is news */

/* ---- shader.c ---- */
/* All modules of a pack (vulkan/shader_code.h), for the caller to free. Out of host memory, or
 * VK_ERROR_INVALID_SHADER_NV if the embedded code is damaged. */
VkResult vkr_pack_expand(int pack, const vki_allocator *a, uint32_t **words);
/* The SPIR-V of an enum gpu_shader in its expanded pack. */
const uint32_t *vkr_pack_module(const uint32_t *words, int shader, size_t *bytes);

/* ---- pipelines.c ---- */
bool vkr_bind_is_texels(const gpu_bind *bind);
/* out[i]: the pipeline of list[i]. Missing ones are made. *distinct: how many different ones. */
vki_status vkr_pipelines_get(vkr_device *device, const gpu_dispatch *list, int count,
                             const vkr_pipeline **out, int *distinct, vki_error *err);
void vkr_pipelines_destroy(vkr_device *device);

/* ---- weights.c ---- */
VkBuffer vkr_weights_block(vkr_weights *weights, int32_t block);

/* ---- plan.c, record.c ---- */
typedef struct vkr_plan_segment {
    VkCommandBuffer *commands; /* cut where a dispatch begins a submit */
    int n_commands;
    VkFence fence;
    bool pending; /* submitted and not waited for */
    int first_dispatch, n_dispatches;
    VkMappedMemoryRange *flush, *invalidate; /* of memory that is not coherent */
    int n_flush, n_invalidate;
    bool done; /* at least once */
} vkr_plan_segment;

struct vkr_plan {
    vkr_device *device;
    bool staged; /* the host's side of transfers is in `staging`, else in `arena` */
    vkr_buffer arena, staging;
    bool lent_arena, lent_staging; /* they belong to a vkr_memory */
    uint64_t *buf_offset;          /* in the arena, by buffer of the program */
    int n_bufs;
    VkDescriptorPool descriptor_pool;
    VkBufferView *views; /* of bindings that are read as texels */
    int n_views;
    VkCommandPool command_pool;
    VkQueryPool queries; /* a segment's stand together: its start, then the end of each dispatch */
    uint64_t *ticks;     /* room for all queries */
    vkr_plan_segment *segments;
    int n_segments;
    vkr_plan_info info;
};
/* Needed while a plan is made, by dispatch. */
typedef struct vkr_recording {
    const vkr_plan_desc *desc;
    const vkr_pipeline **pipelines;
    VkDescriptorSet *sets;
    vkr_slice *slices; /* by weight */
    vkr_weights *weights;
} vkr_recording;
/* Allocates and writes r->sets. */
vki_status vkr_write_descriptors(vkr_plan *plan, const vkr_recording *r, vki_error *err);
vki_status vkr_record_segment(vkr_plan *plan, const vkr_recording *r, int index, vki_error *err);

#endif
