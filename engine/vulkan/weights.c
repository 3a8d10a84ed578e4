/* SPDX-License-Identifier: Apache-2.0
 * Packed weights of a model in device memory. Each call that brings new ones adds blocks; nothing moves, so
 * plans keep their descriptors. */
#include "vulkan/internal.h"

#include <string.h>

enum { STAGING_BYTES = 32 << 20 };              /* of an upload, at least; one weight is never split */
static const uint64_t BLOCK_BYTES = 1ull << 30; /* what every device can allocate at once (Vulkan 1.1) */

typedef struct entry {
    uint64_t const_key;
    gpu_pack_fn pack;
    gpu_pack_arg arg;
    vkr_slice slice;
} entry;

struct vkr_weights {
    vkr_device *device;
    pthread_mutex_t lock; /* of all that follows */
    vkr_buffer *blocks;
    int n_blocks, cap_blocks;
    entry *entries;
    int n_entries, cap_entries;
};

vki_status vkr_weights_create(vkr_device *device, vkr_weights **out, vki_error *err)
{
    *out = vkb_calloc(&device->allocator, 1, sizeof **out);
    if (!*out) return vkb_nomem(err, sizeof **out);
    (*out)->device = device;
    pthread_mutex_init(&(*out)->lock, NULL);
    return VKI_OK;
}

void vkr_weights_destroy(vkr_weights **handle)
{
    vkr_weights *w = *handle;
    *handle = NULL;
    if (!w) return;
    for (int i = 0; i < w->n_blocks; i++) vkr_buffer_destroy(w->device, &w->blocks[i]);
    const vki_allocator *a = &w->device->allocator;
    vkb_free(a, w->blocks);
    vkb_free(a, w->entries);
    pthread_mutex_destroy(&w->lock);
    vkb_free(a, w);
}

uint64_t vkr_weights_bytes(vkr_weights *w)
{
    uint64_t total = 0;
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < w->n_blocks; i++) total += w->blocks[i].bytes;
    pthread_mutex_unlock(&w->lock);
    return total;
}

VkBuffer vkr_weights_block(vkr_weights *w, int32_t block)
{
    pthread_mutex_lock(&w->lock);
    VkBuffer handle = w->blocks[block].handle;
    pthread_mutex_unlock(&w->lock);
    return handle;
}

static const entry *find(const vkr_weights *w, uint64_t key, const gpu_weight *wanted)
{
    for (int i = 0; i < w->n_entries; i++) {
        const entry *e = &w->entries[i];
        if (e->const_key == key && e->pack == wanted->pack && e->slice.bytes == wanted->bytes &&
            memcmp(&e->arg, &wanted->arg, sizeof e->arg) == 0)
            return e;
    }
    return NULL;
}

/* One block being filled: slices [first, n_entries) of the entries belong to it. */
typedef struct upload {
    vkr_weights *w;
    const gr_graph *g;
    const gpu_weight *const *sources; /* of those entries */
    int first, count;
} upload;

static void pack_into(const upload *u, int i, void *dst)
{
    const gpu_weight *source = u->sources[i];
    const gr_tensor *tensor = source->tensor == GR_NONE ? NULL : &u->g->tensors[source->tensor];
    source->pack(dst, tensor, &source->arg);
}

static vki_status fill_mapped(const upload *u, const vkr_buffer *block, vki_error *err)
{
    vkr_device *device = u->w->device;
    const entry *entries = &u->w->entries[u->first];
    for (int i = 0; i < u->count; i++) pack_into(u, i, (char *)block->mapped + entries[i].slice.offset);
    if (block->coherent) return VKI_OK;
    VkMappedMemoryRange range = vkr_buffer_range(device, block, 0, block->bytes);
    return vkr_device_fail(device, device->vk.FlushMappedMemoryRanges(device->handle, 1, &range),
                           "vkFlushMappedMemoryRanges", err);
}

/* Packs as many as fit into the staging buffer, copies them, and goes on with the next. */
static vki_status fill_staged(const upload *u, const vkr_buffer *block, vki_error *err)
{
    vkr_device *device = u->w->device;
    const entry *entries = &u->w->entries[u->first];
    uint64_t size = block->bytes < STAGING_BYTES ? block->bytes : STAGING_BYTES;
    for (int i = 0; i < u->count; i++)
        if (entries[i].slice.bytes > size) size = entries[i].slice.bytes;
    vkr_buffer staging;
    VKB_TRY(vkr_buffer_create(device, VKR_USE_STAGING, size, &staging, err));
    vki_status status = VKI_OK;
    for (int i = 0, end; i < u->count && status == VKI_OK; i = end) {
        uint64_t base = entries[i].slice.offset, used = 0;
        for (end = i; end < u->count; end++) {
            uint64_t to = entries[end].slice.offset + entries[end].slice.bytes - base;
            if (to > size) break;
            pack_into(u, end, (char *)staging.mapped + (entries[end].slice.offset - base));
            used = to;
        }
        if (!staging.coherent) {
            VkMappedMemoryRange range = vkr_buffer_range(device, &staging, 0, used);
            status = vkr_device_fail(device, device->vk.FlushMappedMemoryRanges(device->handle, 1, &range),
                                     "vkFlushMappedMemoryRanges", err);
        }
        if (status == VKI_OK) status = vkr_copy(device, &staging, 0, block, base, used, err);
    }
    vkr_buffer_destroy(device, &staging);
    return status;
}

/* Adds one block with as many of sources[0..count) as belong into one; *taken says how many. */
static vki_status add_block(vkr_weights *w, const gr_graph *g, const gpu_weight *const *sources, int count,
                            int *taken, vki_error *err)
{
    const vki_allocator *a = &w->device->allocator;
    uint64_t align = w->device->physical.limits.offset_align, bytes = 0;
    upload u = {w, g, sources, w->n_entries, 0};
    if (!VKB_GROW(a, w->entries, w->cap_entries, w->n_entries + count) ||
        !VKB_GROW(a, w->blocks, w->cap_blocks, w->n_blocks + 1))
        return vkb_nomem(err, (uint64_t)count * sizeof *w->entries);
    for (; u.count < count; u.count++) {
        const gpu_weight *s = sources[u.count];
        uint64_t end = bytes + s->bytes;
        if (u.count > 0 && end > BLOCK_BYTES) break;
        w->entries[u.first + u.count] =
            (entry){gpu_weight_key(g, s->tensor), s->pack, s->arg, {w->n_blocks, bytes, s->bytes}};
        bytes = vkb_round_up(end, align);
    }
    vkr_buffer block;
    VKB_TRY(vkr_buffer_create(w->device, VKR_USE_WEIGHTS, bytes, &block, err));
    vki_status status = block.mapped ? fill_mapped(&u, &block, err) : fill_staged(&u, &block, err);
    if (status != VKI_OK) {
        vkr_buffer_destroy(w->device, &block);
        return status;
    }
    w->blocks[w->n_blocks++] = block;
    w->n_entries += u.count;
    *taken = u.count;
    return VKI_OK;
}

uint64_t vkr_weights_missing(vkr_weights *w, const gr_graph *g, const gpu_weight *list, int count)
{
    uint64_t bytes = 0, align = w->device->physical.limits.offset_align;
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < count; i++)
        if (!find(w, gpu_weight_key(g, list[i].tensor), &list[i]))
            bytes += vkb_round_up(list[i].bytes, align);
    pthread_mutex_unlock(&w->lock);
    return bytes;
}

static vki_status add_missing(vkr_weights *w, const gr_graph *g, const gpu_weight *list, int count,
                              const gpu_weight **missing, vki_error *err)
{
    int n = 0, taken = 0;
    for (int i = 0; i < count; i++)
        if (!find(w, gpu_weight_key(g, list[i].tensor), &list[i])) missing[n++] = &list[i];
    for (int i = 0; i < n; i += taken) VKB_TRY(add_block(w, g, missing + i, n - i, &taken, err));
    return VKI_OK;
}

vki_status vkr_weights_add(vkr_weights *w, const gr_graph *g, const gpu_weight *list, int count,
                           vkr_slice *slices, vki_error *err)
{
    const vki_allocator *a = &w->device->allocator;
    const gpu_weight **missing = vkb_calloc(a, (size_t)count, sizeof *missing);
    if (!missing) return vkb_nomem(err, (uint64_t)count * sizeof *missing);
    pthread_mutex_lock(&w->lock);
    vki_status status = add_missing(w, g, list, count, missing, err);
    for (int i = 0; i < count && status == VKI_OK; i++)
        slices[i] = find(w, gpu_weight_key(g, list[i].tensor), &list[i])->slice;
    pthread_mutex_unlock(&w->lock);
    vkb_free(a, missing);
    return status;
}
