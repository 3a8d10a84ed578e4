//! variant f32
/* SPDX-License-Identifier: Apache-2.0
 * MaxUnpool: which value each output element gets, the last one that means it, or -1. First all become -1, one invocation
 * an output element; then the values compete, one invocation each: the largest index wins in whatever order they come.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/flat.glsl"

layout(constant_id = 3) const int CLEAR = 0;

layout(set = 0, binding = 0, std430) readonly buffer Positions { int positions[]; };
layout(set = 0, binding = 1, std430) buffer Owner { int owner[]; };

layout(push_constant) uniform Push
{
    int count;               /* of invocations */
    int planes;              /* batches x channels */
    int from_d, from_h, from_w; /* the shape that positions count in */
    int to_d, to_h, to_w;    /* the output's */
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    if (CLEAR != 0) {
        owner[i] = -1;
        return;
    }
    int at = positions[i];
    int line = at / from_w, x = at - line * from_w, plane_z = line / from_h, y = line - plane_z * from_h;
    int plane = plane_z / from_d, z = plane_z - plane * from_d;
    if (at < 0 || plane >= planes || z >= to_d || y >= to_h || x >= to_w) return;
    atomicMax(owner[((plane * to_d + z) * to_h + y) * to_w + x], int(i));
}
