//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Slices of four channels [n][slices][spatial][4] to row-major [n][c][spatial] where spatial is a multiple of four: four
 * positions an invocation, in whole vectors. Strides over what the grid leaves out.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
BUFFER_IN4(0, src4);
BUFFER_OUT4(1, dst4);
layout(push_constant) uniform Push { int n, c, slices, fours; /* spatial / 4 */ };

void main()
{
    ivec3 stride = ivec3(gl_NumWorkGroups * gl_WorkGroupSize);
    ivec3 first = ivec3(gl_GlobalInvocationID);
    for (int b = first.z; b < n; b += stride.z) {
        for (int s = first.y; s < slices; s += stride.y) {
            int left = c - 4 * s, row = (b * c + 4 * s) * fours, from = (b * slices + s) * fours * 4;
            for (int i = first.x; i < fours; i += stride.x) {
                mat4 v = transpose(mat4(LD4(src4, from + 4 * i), LD4(src4, from + 4 * i + 1),
                                        LD4(src4, from + 4 * i + 2), LD4(src4, from + 4 * i + 3)));
                ST4(dst4, row + i, v[0]);
                if (left > 1) ST4(dst4, row + fours + i, v[1]);
                if (left > 2) ST4(dst4, row + 2 * fours + i, v[2]);
                if (left > 3) ST4(dst4, row + 3 * fours + i, v[3]);
            }
        }
    }
}
