//! variant f32
/* SPDX-License-Identifier: Apache-2.0
 * The scale and the zero point of DynamicQuantizeLinear, by one workgroup: they make 0 and all elements fit into a byte.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/quantize.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 64; /* a power of two */

BUFFER_IN(0, x);
BUFFER_OUT(1, scale);
BUFFER_OUT_I32(2, zero);

layout(push_constant) uniform Push
{
    int count;
};

shared vec2 part[LANES];

void main()
{
    int lane = int(gl_LocalInvocationID.x);
    vec2 ends = vec2(0.0);
    for (int i = lane; i < count; i += LANES) {
        float v = LD(x, i);
        ends = vec2(v < ends.x ? v : ends.x, v > ends.y ? v : ends.y);
    }
    part[lane] = ends;
    for (int width = LANES / 2; width > 0; width /= 2) {
        barrier();
        if (lane < width) {
            vec2 other = part[lane + width];
            part[lane] = vec2(min(part[lane].x, other.x), max(part[lane].y, other.y));
        }
    }
    if (lane == 0) {
        precise float s = part[0].y > part[0].x ? (part[0].y - part[0].x) / 255.0 : 1.0;
        precise float z = -part[0].x / s;
        ST(scale, 0, s);
        zero[0] = quantize_saturate(z, 0, 0, 255);
    }
}
