/* SPDX-License-Identifier: Apache-2.0
 * Sums over a workgroup of LANES x 1 x 1 invocations (specialization constant 3, a power of two), in a fixed order. All
 * invocations call it and all get the result. */
#ifndef GROUP_SUM_GLSL
#define GROUP_SUM_GLSL

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 64;

shared vec4 group_part[LANES];

vec4 group_sum(vec4 v)
{
    int lane = int(gl_LocalInvocationID.x);
    barrier(); /* the last call's result has been read */
    group_part[lane] = v;
    for (int width = LANES / 2; width > 0; width /= 2) {
        barrier();
        if (lane < width) group_part[lane] += group_part[lane + width];
    }
    barrier();
    return group_part[0];
}

float group_sum(float v)
{
    return group_sum(vec4(v, 0.0, 0.0, 0.0)).x;
}

float group_max(float v)
{
    int lane = int(gl_LocalInvocationID.x);
    barrier();
    group_part[lane].x = v;
    for (int width = LANES / 2; width > 0; width /= 2) {
        barrier();
        if (lane < width) group_part[lane].x = max(group_part[lane].x, group_part[lane + width].x);
    }
    barrier();
    return group_part[0].x;
}

#endif
