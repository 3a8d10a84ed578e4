/* SPDX-License-Identifier: Apache-2.0
 * Whether a dispatch reads its inputs as texels: shaders with a texel_ variant work either way. */
#ifndef GPU_TEXELS_H
#define GPU_TEXELS_H

#include "gpu/gpu.h"

/* Access of a binding of `bytes` that a shader reads in fours: GPU_READ, with GPU_TEXELS_* where this device
 * prefers texels and they are not too many. */
uint8_t gpu_read_access_of(const gpu_builder *b, uint64_t bytes);
/* The same for a node's kernel: of all its inputs and its packed weights (NULL: none). */
uint8_t gpu_read_access(const gpu_builder *b, const gr_node *n, gpu_layout layout, const gpu_bind *weights);
#define GPU_SHADER_FOR(b, access, name)                                                                      \
    ((access) == GPU_READ ? GPU_SHADER(b, name) : GPU_SHADER(b, name##_texel))

/* gpu_epilogue for shaders that read the residual in fours. */
void gpu_epilogue_as(gpu_builder *b, gpu_dispatch *d, const gr_node *n, gpu_layout layout, gpu_bind dummy,
                     uint8_t access);

#endif
