/* SPDX-License-Identifier: Apache-2.0
 * The SPIR-V modules that the build embeds (generated shader_code.c), by enum gpu_shader. */
#ifndef VULKAN_SHADER_CODE_H
#define VULKAN_SHADER_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "shader_ids.h"

typedef struct vkr_shader_code {
    const char *name;    /* "conv2d_1x1_f16" */
    const uint8_t *data; /* of all variants of the shader: the size of each in bytes, four little-endian
                            bytes, then one deflate stream of them all */
    size_t bytes;
    int index, count; /* which of how many variants */
} vkr_shader_code;
extern const vkr_shader_code vkr_shader_codes[SH_COUNT + 1]; /* the last is empty: SH_COUNT may be 0 */

#endif
