/* SPDX-License-Identifier: Apache-2.0
 * The SPIR-V modules that the build embeds (generated shader_code.c), by enum gpu_shader. */
#ifndef VULKAN_SHADER_CODE_H
#define VULKAN_SHADER_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "shader_ids.h"

typedef struct vkr_shader_code {
    const char *name; /* "conv2d_1x1_f16" */
    uint16_t pack, index;
} vkr_shader_code;

/* Shaders whose names begin with the same word have much in common and are packed together. */
typedef struct vkr_shader_pack {
    const uint8_t
        *data; /* the size of each module in bytes, four little-endian bytes; then LZMA2 of them all */
    size_t bytes;
    int count; /* of modules */
} vkr_shader_pack;
extern const vkr_shader_code vkr_shader_codes[SH_COUNT + 1]; /* the last is empty: SH_COUNT may be 0 */
extern const vkr_shader_pack vkr_shader_packs[SH_PACKS + 1];

#endif
