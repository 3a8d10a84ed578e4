/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"

#include <math.h>
#include <string.h>

bool compare_is_float(vki_dtype dtype)
{
    return dtype == VKI_F32 || dtype == VKI_F16 || dtype == VKI_F64 || dtype == VKI_BF16;
}

double compare_element(const void *data, vki_dtype dtype, uint64_t i)
{
    switch (dtype) {
    case VKI_F32:
        return ((const float *)data)[i];
    case VKI_F64:
        return ((const double *)data)[i];
    case VKI_F16:
        return vkb_f16_to_f32(((const uint16_t *)data)[i]);
    case VKI_BF16:
        return vkb_bf16_to_f32(((const uint16_t *)data)[i]);
    case VKI_I8:
        return ((const int8_t *)data)[i];
    case VKI_I16:
        return ((const int16_t *)data)[i];
    case VKI_U16:
        return ((const uint16_t *)data)[i];
    case VKI_I32:
        return ((const int32_t *)data)[i];
    case VKI_U32:
        return ((const uint32_t *)data)[i];
    case VKI_I64:
        return (double)((const int64_t *)data)[i];
    case VKI_U64:
        return (double)((const uint64_t *)data)[i];
    default: /* VKI_U8, VKI_BOOL */
        return ((const uint8_t *)data)[i];
    }
}

static double difference(double got, double want)
{
    if (got == want || (isnan(got) && isnan(want))) return 0; /* infinities too */
    double d = fabs(got - want);
    return isnan(d) ? INFINITY : d;
}

compare_result compare_tensors(const void *got, vki_dtype got_dtype, const void *want, vki_dtype want_dtype,
                               uint64_t count)
{
    compare_result r = {.exact = !compare_is_float(want_dtype)};
    bool same_integers = got_dtype == want_dtype && r.exact;
    size_t size = vki_dtype_size(want_dtype);
    for (uint64_t i = 0; i < count; i++) {
        double g = compare_element(got, got_dtype, i), w = compare_element(want, want_dtype, i);
        double d = difference(g, w);
        if (same_integers && d == 0 &&
            memcmp((const char *)got + i * size, (const char *)want + i * size, size))
            d = 1; /* 64-bit values that a double cannot tell apart */
        if (isfinite(w) && fabs(w) > r.scale) r.scale = fabs(w);
        r.unequal += d != 0;
        if (d > r.max_abs) {
            r.max_abs = d;
            r.worst = i;
        }
    }
    if (r.scale == 0) r.scale = 1;
    r.rel = r.max_abs / r.scale;
    return r;
}

bool compare_passes(const compare_result *r, double rtol)
{
    return r->exact ? r->unequal == 0 : r->rel <= rtol;
}

bool compare_convert(void *dst, vki_dtype dst_dtype, const void *src, vki_dtype src_dtype, uint64_t count)
{
    if (dst_dtype == src_dtype) {
        if (count) memcpy(dst, src, (size_t)count * vki_dtype_size(dst_dtype));
        return true;
    }
    if (!compare_is_float(dst_dtype) || !compare_is_float(src_dtype)) return false;
    for (uint64_t i = 0; i < count; i++) {
        double v = compare_element(src, src_dtype, i);
        if (dst_dtype == VKI_F64)
            ((double *)dst)[i] = v;
        else if (dst_dtype == VKI_F32)
            ((float *)dst)[i] = (float)v;
        else if (dst_dtype == VKI_BF16)
            ((uint16_t *)dst)[i] = vkb_f32_to_bf16((float)v);
        else
            ((uint16_t *)dst)[i] = vkb_f32_to_f16((float)v);
    }
    return true;
}
