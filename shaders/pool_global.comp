//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Largest value, mean or root of the powers of all positions of a channel: one workgroup a slice, partial results added in a fixed order.
 * C4 in, one position of C4 out. Grid: x one workgroup, y slices, z batch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
#define POOL_SPEC 5
#include "lib/pool.glsl"
layout(constant_id = 6) const int LANES = 64; /* the workgroup's width, a power of two */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, residual4);
BUFFER_OUT4(2, y4);

layout(push_constant) uniform Push
{
    int spatial, slices, exponent;
    float alpha, beta;
};

shared vec4 part[LANES];

void main()
{
    int lane = int(gl_LocalInvocationID.x);
    int o = int(gl_WorkGroupID.z) * slices + int(gl_WorkGroupID.y);
    int base = o * spatial;
    vec4 acc = pool_start();
    for (int p = lane; p < spatial; p += LANES) acc = pool_add(acc, LD4(x4, base + p), exponent);
    part[lane] = acc;
    for (int width = LANES / 2; width > 0; width /= 2) {
        barrier();
        if (lane < width) part[lane] = pool_merge(part[lane], part[lane + width]);
    }
    if (lane == 0) {
        vec4 v = pool_end(part[0], spatial, exponent);
        ST4(y4, o, epilogue4(v, residual4, o, alpha, beta));
    }
}
