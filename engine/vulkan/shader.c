/* SPDX-License-Identifier: Apache-2.0 */
#include "vulkan/internal.h"
#include "vulkan/shader_code.h"

#include <string.h>

static size_t size_of(const vkr_shader_code *code, int variant)
{
    const uint8_t *at = code->data + 4 * variant;
    return at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

uint64_t vkr_shaders_hash(void)
{
    uint64_t hash = 0;
    for (int i = 0; i < SH_COUNT; i++) {
        const vkr_shader_code *code = &vkr_shader_codes[i];
        if (code->index == 0) hash = vkb_hash(code->data, code->bytes, hash); /* all variants share it */
    }
    return hash;
}

VkResult vkr_shader_unpack(int shader, const vki_allocator *a, uint32_t **words, size_t *bytes)
{
    const vkr_shader_code *code = &vkr_shader_codes[shader];
    const size_t head = 4 * (size_t)code->count;
    size_t before = 0, all = 0;
    for (int i = 0; i < code->count; i++) {
        before += i < code->index ? size_of(code, i) : 0;
        all += size_of(code, i);
    }
    *bytes = size_of(code, code->index);
    *words = vkb_alloc(a, all);
    if (!*words) return VK_ERROR_OUT_OF_HOST_MEMORY;
    if (vkb_inflate(*words, all, code->data + head, code->bytes - head)) {
        memmove(*words, (const char *)*words + before, *bytes);
        return VK_SUCCESS;
    }
    vkb_free(a, *words);
    *words = NULL;
    return VK_ERROR_INVALID_SHADER_NV;
}
