/* SPDX-License-Identifier: Apache-2.0
 * The pipeline cache and its file. The file is this header and the driver's data; whatever does not fit this
 * device, driver and library, or is damaged, is ignored: drivers have crashed on foreign data. */
#include "vulkan/internal.h"

#include <string.h>

typedef struct cache_header {
    char magic[8];
    uint32_t library, vendor_id, device_id, driver_version;
    uint8_t cache_uuid[VK_UUID_SIZE], device_uuid[VK_UUID_SIZE], driver_uuid[VK_UUID_SIZE];
    uint64_t bytes;    /* of the data that follows */
    uint64_t checksum; /* of the data, seeded by that of the header up to here */
} cache_header;

static cache_header header_for(const vkr_device *device, const void *data, size_t bytes)
{
    const vkr_physical *p = &device->physical;
    cache_header h = {.magic = {'V', 'K', 'I', 'P', 'C', '1', '\r', '\n'}};
    h.library = VKI_API_VERSION;
    h.vendor_id = p->info.vendor_id;
    h.device_id = p->info.device_id;
    h.driver_version = p->driver_version;
    memcpy(h.cache_uuid, p->cache_uuid, VK_UUID_SIZE);
    memcpy(h.device_uuid, p->device_uuid, VK_UUID_SIZE);
    memcpy(h.driver_uuid, p->driver_uuid, VK_UUID_SIZE);
    h.bytes = bytes;
    h.checksum = vkb_hash(data, bytes, vkb_hash(&h, offsetof(cache_header, checksum), 0));
    return h;
}

/* NULL if the file can be used; else why not. */
static const char *refuse(const vkr_device *device, const vkb_file *file)
{
    if (file->bytes < sizeof(cache_header)) return "it is too short";
    const void *data = file->data + sizeof(cache_header);
    size_t bytes = file->bytes - sizeof(cache_header);
    cache_header expected = header_for(device, data, bytes), found;
    memcpy(&found, file->data, sizeof found);
    if (memcmp(&found, &expected, offsetof(cache_header, library))) return "it is not such a file";
    if (memcmp(&found, &expected, offsetof(cache_header, bytes)))
        return "it was written for another device, driver or library version";
    return memcmp(&found, &expected, sizeof found) ? "it is damaged" : NULL;
}

static VkResult create(vkr_device *device, const void *data, size_t bytes)
{
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                      .initialDataSize = bytes,
                                      .pInitialData = data};
    return device->vk.CreatePipelineCache(device->handle, &info, NULL, &device->cache);
}

static void read_file(vkr_device *device)
{
    vkb_file file;
    vki_error why;
    if (vkb_file_map(&file, device->cache_path, &why) != VKI_OK) {
        vkr_say(&device->instance.log, VKI_LOG_INFO, "pipeline cache: %s", why.text);
        return;
    }
    const char *reason = refuse(device, &file);
    if (reason) {
        vkr_say(&device->instance.log, VKI_LOG_WARNING, "pipeline cache %s is ignored: %s",
                device->cache_path, reason);
    } else {
        const void *data = file.data + sizeof(cache_header);
        size_t bytes = file.bytes - sizeof(cache_header);
        if (create(device, data, bytes) == VK_SUCCESS)
            device->cache_hash = vkb_hash(data, bytes, 0);
        else
            device->cache = VK_NULL_HANDLE;
    }
    vkb_file_unmap(&file);
}

vki_status vkr_cache_open(vkr_device *device, const char *path, vki_error *err)
{
    if (path) {
        size_t bytes = strlen(path) + 1;
        device->cache_path = vkb_alloc(&device->allocator, bytes);
        if (!device->cache_path) return vkb_nomem(err, bytes);
        memcpy(device->cache_path, path, bytes);
        read_file(device);
    }
    if (!device->cache) VKR_TRY(create(device, NULL, 0), "vkCreatePipelineCache");
    return VKI_OK;
}

static void write_file(vkr_device *device)
{
    size_t bytes = 0;
    vki_error why;
    if (device->vk.GetPipelineCacheData(device->handle, device->cache, &bytes, NULL) != VK_SUCCESS || !bytes)
        return;
    void *data = vkb_alloc(&device->allocator, bytes);
    if (!data) return;
    if (device->vk.GetPipelineCacheData(device->handle, device->cache, &bytes, data) == VK_SUCCESS &&
        vkb_hash(data, bytes, 0) != device->cache_hash) {
        cache_header header = header_for(device, data, bytes);
        const vkb_span parts[] = {{&header, sizeof header}, {data, bytes}};
        if (vkb_file_write(device->cache_path, parts, VKB_COUNT(parts), &why) != VKI_OK)
            vkr_say(&device->instance.log, VKI_LOG_WARNING, "pipeline cache: %s", why.text);
    }
    vkb_free(&device->allocator, data);
}

void vkr_cache_close(vkr_device *device)
{
    if (device->cache) {
        if (device->cache_path && !atomic_load(&device->lost)) write_file(device);
        device->vk.DestroyPipelineCache(device->handle, device->cache, NULL);
    }
    vkb_free(&device->allocator, device->cache_path);
    device->cache = VK_NULL_HANDLE;
    device->cache_path = NULL;
}
