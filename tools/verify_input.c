/* SPDX-License-Identifier: Apache-2.0 */
#include "verify.h"

#include <string.h>

static uint32_t next_random(uint64_t *state) /* a 64-bit congruential generator, its high bits */
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

void verify_random(void *data, vki_dtype dtype, uint64_t count, uint64_t seed)
{
    uint64_t state = seed;
    size_t size = vki_dtype_size(dtype);
    memset(data, 0, (size_t)count * size);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bits = next_random(&state);
        float value = (float)bits / 1073741824.0f - 1; /* 31 bits */
        if (dtype == VKI_F32)
            ((float *)data)[i] = value;
        else if (dtype == VKI_F64)
            ((double *)data)[i] = (double)value;
        else if (dtype == VKI_F16)
            ((uint16_t *)data)[i] = vkb_f32_to_f16(value);
        else if (dtype == VKI_BF16)
            ((uint16_t *)data)[i] = vkb_f32_to_bf16(value);
        else
            ((uint8_t *)data)[i * size] = bits >> 30 & 1; /* the low byte */
    }
}

uint64_t verify_elements(const vki_tensor_info *info)
{
    uint64_t n = 1;
    for (int i = 0; i < info->rank; i++) n *= (uint64_t)info->dims[i];
    return n;
}

vki_status verify_write_random(vki_session *session, int inputs, vki_error *err)
{
    for (int i = 0; i < inputs; i++) {
        vki_tensor_info info;
        vki_status status = vki_session_input(session, i, &info);
        if (status != VKI_OK) return vkb_fail(err, status, "input %d cannot be described", i);
        uint64_t count = verify_elements(&info);
        size_t bytes = (size_t)count * vki_dtype_size(info.dtype);
        void *data = vkb_alloc(&vkb_libc_allocator, bytes);
        if (!data) return vkb_nomem(err, bytes);
        verify_random(data, info.dtype, count, (uint64_t)i + 1);
        status = vki_session_write(session, i, data, bytes, err);
        vkb_free(&vkb_libc_allocator, data);
        VKB_TRY(status);
    }
    return VKI_OK;
}
