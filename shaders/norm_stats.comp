//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Instance normalization, first step: mean and sum of squared deviations of a chunk of positions of one slice of four
 * channels, in fp32. Two passes over the chunk, so that nothing cancels. Grid: x chunks, y slices, z batch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/group_sum.glsl"

BUFFER_IN4(0, x4);
layout(set = 0, binding = 1, std430) writeonly buffer Stats { vec4 stats[]; }; /* by slice, chunk: mean, then sum */

layout(push_constant) uniform Push
{
    int spatial, slices, chunk, chunks;
};

void main()
{
    int lane = int(gl_LocalInvocationID.x), part = int(gl_WorkGroupID.x);
    int slice = int(gl_WorkGroupID.z) * slices + int(gl_WorkGroupID.y);
    int first = part * chunk, end = min(first + chunk, spatial), base = slice * spatial;
    vec4 sum = vec4(0.0);
    for (int p = first + lane; p < end; p += LANES) sum += LD4(x4, base + p);
    vec4 mean = group_sum(sum) / float(end - first);
    sum = vec4(0.0);
    for (int p = first + lane; p < end; p += LANES) {
        vec4 d = LD4(x4, base + p) - mean;
        sum += d * d;
    }
    sum = group_sum(sum);
    if (lane == 0) {
        stats[(slice * chunks + part) * 2] = mean;
        stats[(slice * chunks + part) * 2 + 1] = sum;
    }
}
