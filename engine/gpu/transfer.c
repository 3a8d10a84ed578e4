/* SPDX-License-Identifier: Apache-2.0
 * Host tensors have their own element types; the device has fp32 or fp16 for floats and words for integers
 * (gpu.h). */
#include "gpu/gpu.h"

#include <string.h>

static void floats_to_device(void *device, const void *host, vki_dtype dtype, size_t n, bool half)
{
    if (half == (dtype == VKI_F16)) {
        memcpy(device, host, n * (half ? 2 : 4));
    } else if (half) {
        vkb_f32_to_f16_n(device, host, n);
    } else {
        vkb_f16_to_f32_n(device, host, n);
    }
}

static void floats_from_device(void *host, const void *device, vki_dtype dtype, size_t n, bool half)
{
    if (half == (dtype == VKI_F16)) {
        memcpy(host, device, n * (half ? 2 : 4));
    } else if (half) {
        vkb_f16_to_f32_n(host, device, n);
    } else {
        vkb_f32_to_f16_n(host, device, n);
    }
}

#define FOR_ALL(action)                                                                                      \
    do {                                                                                                     \
        for (int64_t i = 0; i < n; i++) action;                                                              \
    } while (0)
#define WIDEN(type)  FOR_ALL(to[i] = ((const type *)host)[i])
#define NARROW(type) FOR_ALL(((type *)host)[i] = (type)from[i])

/* The index of the first that int32 (of uint64: its part from 0 on) does not hold, or -1. */
static int64_t wide_to_device(int32_t *to, const int64_t *from, int64_t n, bool is_unsigned)
{
    const int64_t low = is_unsigned ? 0 : -INT32_MAX;
    for (int64_t i = 0; i < n; i++) {
        if (from[i] < low || from[i] > INT32_MAX) return i;
        to[i] = (int32_t)from[i];
    }
    return -1;
}

int64_t gpu_to_device(void *device, const void *host, const gr_tensor *t, bool half)
{
    int32_t *to = device;
    const int64_t n = gr_elements(t);
    switch (t->dtype) {
    case VKI_BOOL:
        FOR_ALL(to[i] = ((const uint8_t *)host)[i] != 0);
        break;
    case VKI_U8:
        WIDEN(uint8_t);
        break;
    case VKI_I8:
        WIDEN(int8_t);
        break;
    case VKI_U16:
        WIDEN(uint16_t);
        break;
    case VKI_I16:
        WIDEN(int16_t);
        break;
    case VKI_I32:
    case VKI_U32:
        memcpy(device, host, (size_t)n * 4);
        break;
    case VKI_I64:
    case VKI_U64:
        return wide_to_device(to, host, n, t->dtype == VKI_U64);
    default:
        floats_to_device(device, host, t->dtype, (size_t)n, half);
    }
    return -1;
}

/* One plane into a lane of its slice. */
static void put_lane(void *to, const void *from, int lane, int64_t spatial, bool from_half, bool half)
{
    const uint16_t *small = from;
    const float *wide = from;
    if (half && from_half)
        for (int64_t i = 0; i < spatial; i++) ((uint16_t *)to)[i * 4 + lane] = small[i];
    else if (half)
        for (int64_t i = 0; i < spatial; i++) ((uint16_t *)to)[i * 4 + lane] = vkb_f32_to_f16(wide[i]);
    else if (from_half)
        for (int64_t i = 0; i < spatial; i++) ((float *)to)[i * 4 + lane] = vkb_f16_to_f32(small[i]);
    else
        for (int64_t i = 0; i < spatial; i++) ((float *)to)[i * 4 + lane] = wide[i];
}

void gpu_to_slices(void *device, const void *host, const gr_tensor *t, bool half)
{
    int64_t n, c, slices, spatial;
    gpu_c4_dims(t, &n, &c, &slices, &spatial);
    const size_t from = t->dtype == VKI_F16 ? 2 : 4, to = half ? 2 : 4;
    if (c % 4) memset(device, 0, (size_t)gpu_layout_bytes(t, GPU_C4, half)); /* lanes without a channel */
    for (int64_t plane = 0; plane < n * c; plane++) {
        int64_t slice = plane / c * slices + plane % c / 4;
        put_lane((char *)device + (size_t)(slice * spatial * 4) * to,
                 (const char *)host + (size_t)(plane * spatial) * from, (int)(plane % c % 4), spatial,
                 t->dtype == VKI_F16, half);
    }
}

/* A slice to the planes of its first `lanes` lanes, which follow each other. */
#define GET_LANES(type_to, type_from, convert)                                                               \
    for (int lane = 0; lane < lanes; lane++)                                                                 \
        for (int64_t i = 0; i < spatial; i++)                                                                \
    ((type_to *)to)[lane * spatial + i] = convert(((const type_from *)from)[i * 4 + lane])

static void get_lanes(void *to, const void *from, int lanes, int64_t spatial, bool to_half, bool half)
{
    if (half && to_half)
        GET_LANES(uint16_t, uint16_t, (uint16_t));
    else if (half)
        GET_LANES(float, uint16_t, vkb_f16_to_f32);
    else if (to_half)
        GET_LANES(uint16_t, float, vkb_f32_to_f16);
    else
        GET_LANES(float, float, (float));
}

void gpu_from_slices(void *host, const void *device, const gr_tensor *t, bool half)
{
    int64_t n, c, slices, spatial;
    gpu_c4_dims(t, &n, &c, &slices, &spatial);
    const size_t to = t->dtype == VKI_F16 ? 2 : 4, from = half ? 2 : 4;
    for (int64_t i = 0; i < n * slices; i++) {
        int64_t first = i % slices * 4, plane = i / slices * c + first;
        get_lanes((char *)host + (size_t)(plane * spatial) * to,
                  (const char *)device + (size_t)(i * spatial * 4) * from, (int)vkb_min(4, c - first),
                  spatial, t->dtype == VKI_F16, half);
    }
}

void gpu_from_device(void *host, const void *device, const gr_tensor *t, bool half)
{
    const int32_t *from = device;
    const int64_t n = gr_elements(t);
    switch (t->dtype) {
    case VKI_BOOL:
    case VKI_U8:
    case VKI_I8:
        NARROW(uint8_t);
        break;
    case VKI_U16:
    case VKI_I16:
        NARROW(uint16_t);
        break;
    case VKI_I32:
    case VKI_U32:
        memcpy(host, device, (size_t)n * 4);
        break;
    case VKI_I64:
    case VKI_U64:
        NARROW(int64_t);
        break;
    default:
        floats_from_device(host, device, t->dtype, (size_t)n, half);
    }
}
