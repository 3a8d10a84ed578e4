//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Largest value or mean of all positions of a channel: one workgroup a slice, partial results added in a fixed order.
 * C4 in, one position of C4 out. Grid: x one workgroup, y slices, z batch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 5) const int AVERAGE = 0;
layout(constant_id = 6) const int LANES = 64; /* the workgroup's width, a power of two */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, residual4);
BUFFER_OUT4(2, y4);

layout(push_constant) uniform Push
{
    int spatial, slices;
    float alpha, beta;
};

shared vec4 part[LANES];

vec4 merge(vec4 a, vec4 b)
{
    return AVERAGE == 0 ? max(a, b) : a + b;
}

void main()
{
    int lane = int(gl_LocalInvocationID.x);
    int o = int(gl_WorkGroupID.z) * slices + int(gl_WorkGroupID.y);
    int base = o * spatial;
    vec4 acc = AVERAGE == 0 ? LD4(x4, base) : vec4(0.0);
    for (int p = lane; p < spatial; p += LANES) acc = merge(acc, LD4(x4, base + p));
    part[lane] = acc;
    for (int width = LANES / 2; width > 0; width /= 2) {
        barrier();
        if (lane < width) part[lane] = merge(part[lane], part[lane + width]);
    }
    if (lane == 0) {
        vec4 v = part[0];
        if (AVERAGE != 0) v /= float(spatial);
        ST4(y4, o, epilogue4(v, residual4, o, alpha, beta));
    }
}
