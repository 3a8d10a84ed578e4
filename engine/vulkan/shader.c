/* SPDX-License-Identifier: Apache-2.0 */
#include "vulkan/internal.h"
#include "vulkan/shader_code.h"

VkResult vkr_shader_unpack(int shader, const vki_allocator *a, uint32_t **words, size_t *bytes)
{
    const vkr_shader_code *code = &vkr_shader_codes[shader];
    *bytes = code->data[0] | (size_t)code->data[1] << 8 | (size_t)code->data[2] << 16;
    *words = vkb_alloc(a, *bytes);
    if (!*words) return VK_ERROR_OUT_OF_HOST_MEMORY;
    if (vkb_inflate(*words, *bytes, code->data + 4, code->bytes - 4)) return VK_SUCCESS;
    vkb_free(a, *words);
    *words = NULL;
    return VK_ERROR_INVALID_SHADER_NV;
}
