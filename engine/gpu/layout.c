/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

#include <string.h>

bool gpu_is_float(vki_dtype dtype)
{
    return dtype == VKI_F32 || dtype == VKI_F16 || dtype == VKI_F64;
}

bool gpu_is_integer(vki_dtype dtype)
{
    return op_dtype_in(dtype, GPU_INTEGERS);
}

uint64_t gpu_element_bytes(vki_dtype dtype, bool half)
{
    return half && gpu_is_float(dtype) ? 2 : 4;
}

void gpu_c4_dims(const gr_tensor *t, int64_t *n, int64_t *c, int64_t *slices, int64_t *spatial)
{
    *n = t->dims[0];
    *c = t->dims[1];
    *slices = vkb_ceil_div(*c, 4);
    *spatial = 1;
    for (int i = 2; i < t->rank; i++) *spatial *= t->dims[i];
}

uint64_t gpu_layout_bytes(const gr_tensor *t, gpu_layout layout, bool half)
{
    uint64_t elements = (uint64_t)gr_elements(t);
    if (layout == GPU_C4) {
        int64_t n, c, slices, spatial;
        gpu_c4_dims(t, &n, &c, &slices, &spatial);
        elements = (uint64_t)n * (uint64_t)slices * (uint64_t)spatial * 4;
    }
    return elements * gpu_element_bytes(t->dtype, half);
}

bool gpu_layouts_agree(const gr_tensor *t)
{
    if (t->rank < 2 || !gpu_is_float(t->dtype)) return false;
    int64_t n, c, slices, spatial;
    gpu_c4_dims(t, &n, &c, &slices, &spatial);
    return spatial == 1 && c % 4 == 0;
}

float gpu_const_f32(const gr_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case VKI_F32:
        return ((const float *)t->data)[i];
    case VKI_F64:
        return (float)((const double *)t->data)[i];
    case VKI_F16:
        return vkb_f16_to_f32(((const uint16_t *)t->data)[i]);
    default:
        return 0.0f; /* refused before anything is packed */
    }
}

int64_t gpu_const_i64(const gr_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case VKI_BOOL:
        return ((const uint8_t *)t->data)[i] != 0;
    case VKI_U8:
        return ((const uint8_t *)t->data)[i];
    case VKI_I8:
        return ((const int8_t *)t->data)[i];
    case VKI_U16:
        return ((const uint16_t *)t->data)[i];
    case VKI_I16:
        return ((const int16_t *)t->data)[i];
    case VKI_I32:
        return ((const int32_t *)t->data)[i];
    case VKI_U32:
        return ((const uint32_t *)t->data)[i];
    case VKI_I64:
    case VKI_U64:
        return ((const int64_t *)t->data)[i];
    default:
        return 0; /* refused before anything is packed */
    }
}

static void store(void *dst, int64_t at, float value, bool half)
{
    if (half)
        ((uint16_t *)dst)[at] = vkb_f32_to_f16(value);
    else
        ((float *)dst)[at] = value;
}

void gpu_pack_row(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t count = gr_elements(source);
    uint64_t bytes = gpu_layout_bytes(source, GPU_ROW, arg->half);
    bool words = gpu_is_integer(source->dtype);
    for (int64_t i = 0; i < count && words; i++) ((uint32_t *)dst)[i] = (uint32_t)gpu_const_i64(source, i);
    for (int64_t i = 0; i < count && !words; i++) store(dst, i, gpu_const_f32(source, i), arg->half);
    memset((char *)dst + bytes, 0, (size_t)(vkb_round_up(bytes, 16) - bytes));
}

void gpu_pack_c4(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t n, c, slices, spatial;
    gpu_c4_dims(source, &n, &c, &slices, &spatial);
    memset(dst, 0, (size_t)vkb_round_up(gpu_layout_bytes(source, GPU_C4, arg->half), 16));
    for (int64_t b = 0; b < n; b++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t i = 0; i < spatial; i++)
                store(dst, ((b * slices + k / 4) * spatial + i) * 4 + k % 4,
                      gpu_const_f32(source, (b * c + k) * spatial + i), arg->half);
}
