/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

vki_status tensor_size(const vki_tensor_info *info, size_t *elements, size_t *bytes, vki_error *err)
{
    uint64_t n = 1, total;
    char text[256];
    bool known = info->rank >= 0;
    for (int i = 0; i < info->rank && known; i++)
        known = info->dims[i] >= 0 && vkb_mul_u64(n, (uint64_t)info->dims[i], &n);
    if (!known || !vkb_mul_u64(n, vki_dtype_size(info->dtype), &total) || total > SIZE_MAX / 2)
        return vkb_fail(err, VKI_E_SHAPE, "the size of '%s' %s is not known", info->name,
                        tensor_text(info, text, sizeof text));
    *elements = (size_t)n;
    *bytes = (size_t)total;
    return VKI_OK;
}

const char *tensor_text(const vki_tensor_info *info, char *buffer, size_t size)
{
    size_t at = (size_t)snprintf(buffer, size, "%s[", vki_dtype_name(info->dtype));
    for (int i = 0; i < info->rank && at < size; i++) {
        int n;
        if (info->dims[i] >= 0)
            n = snprintf(buffer + at, size - at, "%s%lld", i ? "," : "", (long long)info->dims[i]);
        else
            n = snprintf(buffer + at, size - at, "%s%s", i ? "," : "",
                         info->symbol[i] ? info->symbol[i] : "?");
        at += (size_t)n;
    }
    if (at < size) snprintf(buffer + at, size - at, "%s]", info->rank < 0 ? "..." : "");
    return buffer;
}

double tensor_value(const void *data, vki_dtype dtype, size_t i)
{
    switch (dtype) {
    case VKI_F32:
        return (double)((const float *)data)[i];
    case VKI_F64:
        return ((const double *)data)[i];
    case VKI_F16:
        return (double)vkb_f16_to_f32(((const uint16_t *)data)[i]);
    case VKI_BF16:
        return (double)vkb_bf16_to_f32(((const uint16_t *)data)[i]);
    case VKI_U8:
    case VKI_BOOL:
        return ((const uint8_t *)data)[i];
    case VKI_I8:
        return ((const int8_t *)data)[i];
    case VKI_U16:
        return ((const uint16_t *)data)[i];
    case VKI_I16:
        return ((const int16_t *)data)[i];
    case VKI_U32:
        return ((const uint32_t *)data)[i];
    case VKI_I32:
        return ((const int32_t *)data)[i];
    case VKI_U64:
        return (double)((const uint64_t *)data)[i];
    case VKI_I64:
        return (double)((const int64_t *)data)[i];
    case VKI_DT_NONE:
        break;
    }
    return 0;
}

bool tensor_is_float(vki_dtype dtype)
{
    return dtype == VKI_F32 || dtype == VKI_F64 || dtype == VKI_F16 || dtype == VKI_BF16;
}

static double rounded(double v, double low, double high)
{
    return v >= low ? (v <= high ? nearbyint(v) : high) : low; /* NaN becomes low */
}

static void put(void *data, vki_dtype dtype, size_t i, double v)
{
    switch (dtype) {
    case VKI_F32:
        ((float *)data)[i] = (float)v;
        break;
    case VKI_F64:
        ((double *)data)[i] = v;
        break;
    case VKI_F16:
        ((uint16_t *)data)[i] = vkb_f32_to_f16((float)v);
        break;
    case VKI_BF16:
        ((uint16_t *)data)[i] = vkb_f32_to_bf16((float)v);
        break;
    case VKI_U8:
        ((uint8_t *)data)[i] = (uint8_t)rounded(v, 0, UINT8_MAX);
        break;
    case VKI_BOOL:
        ((uint8_t *)data)[i] = v != 0;
        break;
    case VKI_I8:
        ((int8_t *)data)[i] = (int8_t)rounded(v, INT8_MIN, INT8_MAX);
        break;
    case VKI_U16:
        ((uint16_t *)data)[i] = (uint16_t)rounded(v, 0, UINT16_MAX);
        break;
    case VKI_I16:
        ((int16_t *)data)[i] = (int16_t)rounded(v, INT16_MIN, INT16_MAX);
        break;
    case VKI_U32:
        ((uint32_t *)data)[i] = (uint32_t)rounded(v, 0, UINT32_MAX);
        break;
    case VKI_I32:
        ((int32_t *)data)[i] = (int32_t)rounded(v, INT32_MIN, INT32_MAX);
        break;
    case VKI_U64:
        ((uint64_t *)data)[i] = (uint64_t)rounded(v, 0, 18446744073709549568.0);
        break;    /* the last double */
    case VKI_I64: /* doubles that int64_t holds */
        ((int64_t *)data)[i] = (int64_t)rounded(v, -9223372036854775808.0, 9223372036854774784.0);
        break;
    case VKI_DT_NONE:
        break;
    }
}

void tensor_convert(void *dst, vki_dtype to, const void *src, vki_dtype from, size_t n)
{
    if (to == from)
        memcpy(dst, src, n * vki_dtype_size(to));
    else
        for (size_t i = 0; i < n; i++) put(dst, to, i, tensor_value(src, from, i));
}

void tensor_file_name(const char *tensor, char *out, size_t size)
{
    size_t n = 0;
    for (; tensor[n] && n + 1 < size; n++) {
        char c = tensor[n];
        bool fit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                   c == '-' || (c == '.' && n > 0);
        out[n] = fit ? c : '_';
    }
    if (n == 0 && size > 1) out[n++] = '_';
    out[n] = 0;
}

vki_status tensor_need_plan(const vki_model *model, const vki_session *session, vki_error *err)
{
    vki_tensor_info info;
    if (vki_session_input(session, 0, &info) != VKI_E_STATE) return VKI_OK;
    char list[512] = "";
    size_t at = 0;
    for (int i = 0; i < vki_model_input_count(model); i++) {
        VKB_TRY(vki_model_input(model, i, &info));
        bool dynamic = info.rank < 0;
        for (int k = 0; k < info.rank; k++) dynamic = dynamic || info.dims[k] < 0;
        char text[256];
        if (dynamic && at < sizeof list)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s'%s' %s", at ? ", " : "", info.name,
                                   tensor_text(&info, text, sizeof text));
    }
    return vkb_fail(err, VKI_E_ARG,
                    "the model takes inputs of different sizes: %s. Choose with --shape NAME=1x3x...", list);
}
