//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0 */
// Row-major [n][c][spatial] to slices of four channels [n][slices][spatial][4]; unused lanes become zero.
// One invocation a vector, striding over the grid so that any size fits the limits on groups.
#version 450
#ifdef STORE_F16
#extension GL_EXT_shader_16bit_storage : require
#define ELEM float16_t
#define ELEM4 f16vec4
#else
#define ELEM float
#define ELEM4 vec4
#endif

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(set = 0, binding = 0) readonly buffer Src { ELEM src[]; };
layout(set = 0, binding = 1) writeonly buffer Dst { ELEM4 dst[]; };
layout(push_constant) uniform Push { int n, c, slices, spatial; };

void main()
{
    ivec3 stride = ivec3(gl_NumWorkGroups * gl_WorkGroupSize);
    ivec3 first = ivec3(gl_GlobalInvocationID);
    for (int b = first.z; b < n; b += stride.z) {
        for (int s = first.y; s < slices; s += stride.y) {
            for (int i = first.x; i < spatial; i += stride.x) {
                int channel = s * 4, at = (b * c + channel) * spatial + i;
                vec4 v = vec4(float(src[at]), 0.0, 0.0, 0.0);
                if (channel + 1 < c) v.y = float(src[at + spatial]);
                if (channel + 2 < c) v.z = float(src[at + 2 * spatial]);
                if (channel + 3 < c) v.w = float(src[at + 3 * spatial]);
                dst[(b * slices + s) * spatial + i] = ELEM4(v);
            }
        }
    }
}
