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

cJSON *memory_json(const vki_session_stats *s)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "weights", (double)s->weight_bytes);
    cJSON_AddNumberToObject(o, "activations", (double)s->activation_bytes);
    cJSON_AddNumberToObject(o, "activations_lower_bound", (double)s->activation_lower_bound);
    cJSON_AddNumberToObject(o, "staging", (double)s->staging_bytes);
    if (s->reserved_bytes) {
        cJSON_AddNumberToObject(o, "reserved", (double)s->reserved_bytes);
        cJSON_AddNumberToObject(o, "unreserved", (double)s->unreserved_bytes);
    }
    return o;
}

void add_totals(cJSON *root, const vki_session_stats *s)
{
    cJSON *traffic = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "placement", s->placement);
    cJSON_AddNumberToObject(root, "segments", s->segments);
    cJSON_AddNumberToObject(root, "submits", s->submits);
    cJSON_AddNumberToObject(root, "dispatches", s->dispatches);
    cJSON_AddNumberToObject(root, "barriers", s->barriers);
    cJSON_AddNumberToObject(root, "pipelines", s->pipelines);
    cJSON_AddNumberToObject(traffic, "read", (double)s->read_bytes);
    cJSON_AddNumberToObject(traffic, "written", (double)s->written_bytes);
    cJSON_AddNumberToObject(traffic, "lower_bound", (double)s->traffic_lower_bound);
    cJSON_AddNumberToObject(traffic, "transfers", (double)s->transfer_bytes);
    cJSON_AddItemToObject(root, "traffic_bytes", traffic);
    cJSON_AddNumberToObject(root, "estimated_ms", s->estimated_ms);
    cJSON_AddBoolToObject(root, "stages_follow", s->stages_follow);
}

static void add_names(cJSON *o, const char *key, const char *const *names, int count)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);
    for (int i = 0; i < count; i++)
        cJSON_AddItemToArray(list, names[i] ? cJSON_CreateString(names[i]) : cJSON_CreateNull());
}

static cJSON *node_json(const vki_node_report *n)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", n->name);
    cJSON_AddStringToObject(o, "op", n->op);
    cJSON_AddStringToObject(o, "place", n->place);
    cJSON_AddStringToObject(o, "kernel", n->kernel);
    cJSON_AddStringToObject(o, "reason", n->reason);
    cJSON_AddStringToObject(o, "fused", n->fused);
    cJSON_AddStringToObject(o, "output", n->output);
    add_names(o, "inputs", n->inputs, n->input_count);
    add_names(o, "outputs", n->outputs, n->output_count);
    if (n->us >= 0)
        cJSON_AddNumberToObject(o, "us", n->us);
    else
        cJSON_AddNullToObject(o, "us"); /* not measured */
    cJSON_AddNumberToObject(o, "estimated_us", n->estimated_us);
    cJSON_AddNumberToObject(o, "macs", (double)n->macs);
    cJSON_AddNumberToObject(o, "bytes", (double)n->bytes);
    cJSON_AddNumberToObject(o, "read_bytes", (double)n->read_bytes);
    cJSON_AddNumberToObject(o, "written_bytes", (double)n->written_bytes);
    cJSON_AddNumberToObject(o, "dispatches", n->dispatches);
    cJSON_AddNumberToObject(o, "segment", n->segment);
    cJSON_AddNumberToObject(o, "arena_offset", (double)n->arena_offset);
    return o;
}

cJSON *nodes_json(const node_list *nodes)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < nodes->count; i++) cJSON_AddItemToArray(list, node_json(&nodes->items[i]));
    return list;
}

/* Bytes at `s` that make one character of UTF-8 (RFC 3629); 0 if they make none. */
static size_t character_bytes(const unsigned char *s)
{
    if (s[0] < 0x80) return 1;
    size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f); /* surrogates, the end */
    return overlong || beyond ? 0 : n;
}

/* Names in models and of files are any bytes; JSON is UTF-8. What is none becomes '?'. */
static void make_utf8(char *text)
{
    for (unsigned char *s = (unsigned char *)text; *s;) {
        size_t n = character_bytes(s);
        if (!n) *s = '?';
        s += n ? n : 1;
    }
}

vki_status json_write(cJSON *root, const char *path, vki_error *err)
{
    char *text = root ? cJSON_Print(root) : NULL;
    if (text) make_utf8(text);
    vki_status status = text ? tool_write_text(path, text, err) : vkb_nomem(err, 0);
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}
