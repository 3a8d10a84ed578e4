/* SPDX-License-Identifier: Apache-2.0
 * vkinfer devices: what there is to run on. */
#include "json.h"
#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char about[] = "Lists the Vulkan devices, best first, in the order that --device vulkan:N "
                            "counts, and then the CPU, with the\n"
                            "features and limits that decide how a network runs on them.\n";

static const char *yes(bool value)
{
    return value ? "yes" : "no";
}

static void print_vulkan(const vki_device_info *d)
{
    uint32_t v = d->api_version;
    printf("  Vulkan           %u.%u.%u, vendor 0x%04x, device 0x%04x\n", v >> 22 & 0x7f, v >> 12 & 0x3ff,
           v & 0xfff, (unsigned)d->vendor_id, (unsigned)d->device_id);
    printf("  memory           %.0f MiB device-local%s\n", (double)d->memory_bytes / 1048576,
           d->unified_memory ? ", shared with the CPU" : "");
    printf("  limits           %.0f MiB a binding, %u invocations and %u bytes of shared memory a workgroup, "
           "subgroup of "
           "%u\n",
           (double)d->max_storage_range / 1048576, (unsigned)d->max_workgroup_invocations,
           (unsigned)d->max_shared_bytes, (unsigned)d->subgroup_size);
    printf("  fp16             storage %s, arithmetic %s\n", yes(d->fp16_storage), yes(d->fp16_arithmetic));
    printf("  int8             storage %s, dot products %s\n", yes(d->int8_storage), yes(d->int8_dot));
    printf("  timestamps       %s\n", yes(d->timestamps));
}

static void print_devices(const vki_device_info *devices, int count)
{
    for (int i = 0, vulkan = 0; i < count; i++) {
        const vki_device_info *d = &devices[i];
        if (d->kind == VKI_DEVICE_CPU) {
            printf("cpu: %s\n  instruction sets %s\n  memory           %.0f MiB\n", d->name, d->features,
                   (double)d->memory_bytes / 1048576);
            continue;
        }
        printf("vulkan:%d: %s (%s)\n  driver           %s\n", vulkan++, d->name, device_kind_name(d->kind),
               d->driver);
        print_vulkan(d);
    }
}

static vki_status list(bool json, const opt_engine *engine, vki_error *err)
{
    int count = 0;
    VKB_TRY(vki_devices(&engine->context, NULL, 0, &count, err));
    vki_device_info *devices = calloc((size_t)count, sizeof *devices);
    if (!devices) return vkb_nomem(err, (uint64_t)count * sizeof *devices);
    int capacity = count;
    vki_status status = vki_devices(&engine->context, devices, capacity, &count, err);
    if (count > capacity) count = capacity; /* one was plugged in between the calls */
    if (status == VKI_OK && json) {
        cJSON *root = cJSON_CreateArray();
        for (int i = 0; i < count; i++) cJSON_AddItemToArray(root, device_json(&devices[i]));
        status = json_write(root, NULL, err);
    } else if (status == VKI_OK) {
        print_devices(devices, count);
    }
    free(devices);
    return status;
}

int cmd_devices(int argc, char **argv)
{
    opt_engine engine = {0};
    bool json = false;
    const opt_row rows[] = {
        {"--json", 0, OPT_FLAG, &json, NULL, "print JSON", 0, 0},
        {"--verbose", 'v', OPT_FLAG, &engine.verbose, NULL, "print the engine's log to stderr", 0, 0},
    };
    opt_line line = {.command = "devices",
                     .usage = "[--json]",
                     .about = about,
                     .rows = rows,
                     .row_count = VKB_COUNT(rows)};
    int code = options_parse(&line, argc, argv);
    if (code != OPT_GO_ON) return code;
    vki_error err = {0};
    opt_engine_finish(&engine);
    return list(json, &engine, &err) == VKI_OK ? TOOL_OK : tool_failed(&err);
}
