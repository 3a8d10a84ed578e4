/* SPDX-License-Identifier: Apache-2.0 */
#include "vulkan/internal.h"
#include "vulkan/shader_code.h"

static size_t size_of(const vkr_shader_pack *pack, int module)
{
    const uint8_t *at = pack->data + 4 * module;
    return at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

static size_t size_before(const vkr_shader_pack *pack, int module)
{
    size_t bytes = 0;
    for (int i = 0; i < module; i++) bytes += size_of(pack, i);
    return bytes;
}

uint64_t vkr_shaders_hash(void)
{
    uint64_t hash = 0;
    for (int i = 0; i < SH_PACKS; i++)
        hash = vkb_hash(vkr_shader_packs[i].data, vkr_shader_packs[i].bytes, hash);
    return hash;
}

VkResult vkr_pack_expand(int number, const vki_allocator *a, uint32_t **words)
{
    const vkr_shader_pack *pack = &vkr_shader_packs[number];
    const size_t head = 4 * (size_t)pack->count, bytes = size_before(pack, pack->count);
    *words = vkb_alloc(a, bytes);
    if (!*words) return VK_ERROR_OUT_OF_HOST_MEMORY;
    if (vkb_expand_lzma2(*words, bytes, pack->data + head, pack->bytes - head)) return VK_SUCCESS;
    vkb_free(a, *words);
    *words = NULL;
    return VK_ERROR_INVALID_SHADER_NV;
}

const uint32_t *vkr_pack_module(const uint32_t *words, int shader, size_t *bytes)
{
    const vkr_shader_code *code = &vkr_shader_codes[shader];
    const vkr_shader_pack *pack = &vkr_shader_packs[code->pack];
    *bytes = size_of(pack, code->index);
    return words + size_before(pack, code->index) / 4;
}
