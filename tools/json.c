/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <stdio.h>

const char *device_kind_name(vki_device_kind kind)
{
    static const char *const names[] = {[VKI_DEVICE_CPU] = "cpu",
                                        [VKI_DEVICE_GPU_INTEGRATED] = "integrated",
                                        [VKI_DEVICE_GPU_DISCRETE] = "discrete",
                                        [VKI_DEVICE_GPU_VIRTUAL] = "virtual",
                                        [VKI_DEVICE_GPU_SOFTWARE] = "software"};
    return (unsigned)kind < VKB_COUNT(names) ? names[kind] : "unknown";
}

cJSON *device_json(const vki_device_info *d)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", d->name);
    cJSON_AddStringToObject(o, "type", device_kind_name(d->kind));
    cJSON_AddStringToObject(o, "driver", d->driver);
    cJSON_AddNumberToObject(o, "memory_bytes", (double)d->memory_bytes);
    if (d->kind == VKI_DEVICE_CPU) {
        cJSON_AddStringToObject(o, "features", d->features);
        return o;
    }
    char version[32];
    snprintf(version, sizeof version, "%u.%u.%u", (unsigned)(d->api_version >> 22 & 0x7f),
             (unsigned)(d->api_version >> 12 & 0x3ff), (unsigned)(d->api_version & 0xfff));
    cJSON_AddStringToObject(o, "api_version", version);
    cJSON_AddNumberToObject(o, "vendor_id", d->vendor_id);
    cJSON_AddNumberToObject(o, "device_id", d->device_id);
    cJSON_AddNumberToObject(o, "max_storage_range", (double)d->max_storage_range);
    cJSON_AddNumberToObject(o, "max_workgroup_invocations", d->max_workgroup_invocations);
    cJSON_AddNumberToObject(o, "max_shared_bytes", d->max_shared_bytes);
    cJSON_AddNumberToObject(o, "subgroup_size", d->subgroup_size);
    cJSON_AddBoolToObject(o, "unified_memory", d->unified_memory);
    cJSON_AddBoolToObject(o, "fp16_storage", d->fp16_storage);
    cJSON_AddBoolToObject(o, "fp16_arithmetic", d->fp16_arithmetic);
    cJSON_AddBoolToObject(o, "int8_storage", d->int8_storage);
    cJSON_AddBoolToObject(o, "int8_dot", d->int8_dot);
    cJSON_AddBoolToObject(o, "timestamps", d->timestamps);
    return o;
}

vki_status json_write(cJSON *root, const char *path, vki_error *err)
{
    char *text = root ? cJSON_Print(root) : NULL;
    vki_status status = text ? tool_write_text(path, text, err) : vkb_nomem(err, 0);
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}
