/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdio.h>
#include <string.h>

static vki_status fail(vki_error *err, vki_status code, const char *node, const char *op, const char *format,
                       va_list args) VKB_PRINTF(5, 0);

static vki_status fail(vki_error *err, vki_status code, const char *node, const char *op, const char *format,
                       va_list args)
{
    if (!err) return code;
    char text[sizeof err->text]; /* the arguments may point into *err */
    vsnprintf(text, sizeof text, format, args);
    memset(err, 0, sizeof *err);
    err->code = code;
    snprintf(err->node, sizeof err->node, "%s", node ? node : "");
    snprintf(err->op, sizeof err->op, "%s", op ? op : "");
    memcpy(err->text, text, sizeof text);
    return code;
}

vki_status vkb_fail(vki_error *err, vki_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(err, code, NULL, NULL, format, args);
    va_end(args);
    return code;
}

vki_status vkb_fail_node(vki_error *err, vki_status code, const char *node, const char *op,
                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(err, code, node, op, format, args);
    va_end(args);
    return code;
}

vki_status vkb_nomem(vki_error *err, uint64_t bytes)
{
    return vkb_fail(err, VKI_E_NOMEM, "out of memory: %llu bytes could not be allocated",
                    (unsigned long long)bytes);
}

const char *vki_status_name(vki_status status)
{
    static const char *const names[] = {
        "VKI_OK",         "VKI_E_ARG",         "VKI_E_NOMEM",   "VKI_E_IO",
        "VKI_E_FORMAT",   "VKI_E_UNSUPPORTED", "VKI_E_SHAPE",   "VKI_E_NO_DEVICE",
        "VKI_E_DEVICE",   "VKI_E_DEVICE_LOST", "VKI_E_TIMEOUT", "VKI_E_STATE",
        "VKI_E_INTERNAL", "VKI_E_CANCELLED"};
    return (unsigned)status < VKB_COUNT(names) ? names[status] : "unknown";
}

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [VKI_F32] = {"float32", 4},   [VKI_U8] = {"uint8", 1},   [VKI_I8] = {"int8", 1},
    [VKI_U16] = {"uint16", 2},    [VKI_I16] = {"int16", 2},  [VKI_I32] = {"int32", 4},
    [VKI_I64] = {"int64", 8},     [VKI_BOOL] = {"bool", 1},  [VKI_F16] = {"float16", 2},
    [VKI_F64] = {"float64", 8},   [VKI_U32] = {"uint32", 4}, [VKI_U64] = {"uint64", 8},
    [VKI_BF16] = {"bfloat16", 2},
};

const char *vki_dtype_name(vki_dtype dtype)
{
    return (unsigned)dtype < VKB_COUNT(dtypes) && dtypes[dtype].name ? dtypes[dtype].name : "unknown";
}

size_t vki_dtype_size(vki_dtype dtype)
{
    return (unsigned)dtype < VKB_COUNT(dtypes) ? dtypes[dtype].size : 0;
}

uint32_t vki_version(void)
{
    return VKI_API_VERSION;
}
