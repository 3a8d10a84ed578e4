/* SPDX-License-Identifier: Apache-2.0
 * Weights in files beside the model. The path comes from the model and is not trusted: it must stay below the
 * model's folder. */
#include "graph/import/onnx/onnx_internal.h"

#include <stdlib.h>
#include <string.h>

static bool path_is_safe(const char *path)
{
    if (!path[0] || path[0] == '/' || strchr(path, '\\') || strchr(path, ':')) return false;
    for (const char *part = path; part;) {
        size_t length = strcspn(part, "/");
        if (length == 2 && memcmp(part, "..", 2) == 0) return false;
        part = part[length] ? part + length + 1 : NULL;
    }
    return true;
}

static bool read_number(const char *text, uint64_t *value)
{
    if (text[0] < '0' || text[0] > '9') return false;
    char *end;
    unsigned long long v = strtoull(text, &end, 10); /* saturates: too large for any file */
    *value = v;
    return *end == '\0';
}

static vki_status map_file(onnx_ctx *c, const char *location)
{
    char *path = vkb_arena_printf(&c->scratch, "%s/%s", c->directory, location);
    if (!path) return onnx_nomem(c);
    if (c->external_path && strcmp(c->external_path, path) == 0) return VKI_OK;
    vkb_file_unmap(&c->external);
    c->external_path = NULL;
    VKB_TRY(vkb_file_map(&c->external, path, c->err));
    c->external_path = path;
    return VKI_OK;
}

vki_status onnx_external(onnx_ctx *c, const Onnx__TensorProto *t, const char *name, uint64_t bytes,
                         const void **data)
{
    const char *location = NULL;
    uint64_t offset = 0, length = bytes;
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = onnx_text(t->external_data[i]->key), *value = onnx_text(t->external_data[i]->value);
        bool good = true;
        if (strcmp(key, "location") == 0)
            location = value;
        else if (strcmp(key, "offset") == 0)
            good = read_number(value, &offset);
        else if (strcmp(key, "length") == 0)
            good = read_number(value, &length);
        if (!good)
            return vkb_fail(c->err, VKI_E_FORMAT, "tensor '%s': external data has the %s '%.60s'", name, key,
                            value);
    }
    if (!location || !path_is_safe(location))
        return vkb_fail(c->err, VKI_E_FORMAT,
                        "tensor '%s': external data in '%.200s', which is no path below the model's folder",
                        name, onnx_text(location));
    if (!c->directory)
        return vkb_fail(c->err, VKI_E_IO,
                        "tensor '%s' lies in the file '%.200s' beside the model: load the model by its path",
                        name, location);
    if (length != bytes)
        return vkb_fail(c->err, VKI_E_FORMAT,
                        "tensor '%s': external data of %llu bytes, but its shape needs %llu", name,
                        (unsigned long long)length, (unsigned long long)bytes);
    VKB_TRY(map_file(c, location));
    if (offset > c->external.bytes || bytes > c->external.bytes - offset)
        return vkb_fail(
            c->err, VKI_E_FORMAT,
            "tensor '%s' needs %llu bytes from offset %llu of '%.200s', which has only %zu: the file is "
            "cut off or belongs to another model",
            name, (unsigned long long)bytes, (unsigned long long)offset, location, c->external.bytes);
    *data = c->external.data ? c->external.data + offset : (const uint8_t *)"";
    return VKI_OK;
}
