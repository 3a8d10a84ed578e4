/* SPDX-License-Identifier: Apache-2.0
 * A tensor as lines along one axis: softmax, sums, searches. */
#ifndef GPU_LINES_H
#define GPU_LINES_H

#include "gpu/gpu.h"

typedef struct gpu_lines {
    int64_t count, size, inner; /* elements of a line are `inner` apart */
} gpu_lines;

static inline gpu_lines gpu_lines_of(const gr_tensor *x, int64_t axis)
{
    gpu_lines l = {.size = 1, .inner = 1};
    if (axis < 0) axis += x->rank;
    if (x->rank > 0) l.size = x->dims[axis];
    for (int64_t d = axis + 1; d < x->rank; d++) l.inner *= x->dims[d];
    l.count = gr_elements(x) / l.size;
    return l;
}

/* Rounds that one invocation takes at most. lavapipe (Mesa 22.3, 2026) ends loops after 65535 in all. */
enum { GPU_LINE_ROUNDS = 32768 };

/* A workgroup of 64 invocations: as many of them for each line as have something to do. */
static inline uint32_t gpu_line_lanes(const gpu_lines *l)
{
    return l->size >= 512 ? 64 : l->size >= 64 ? 8 : 1;
}

/* FLIP of shaders/lib/keys.glsl */
static inline uint32_t gpu_key_flip(vki_dtype dtype, bool smallest)
{
    return (dtype == VKI_U32 ? UINT32_C(1) << 31 : 0) ^ (smallest ? UINT32_MAX : 0);
}

#endif
