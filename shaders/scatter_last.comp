//! variant f32
/* SPDX-License-Identifier: Apache-2.0
 * Scatter without reduction, with indices computed at run time: which update each slice or element of x gets, the last
 * one that means it, or -1. First all become -1, one invocation each; then the updates compete, one invocation each: the largest
 * wins in whatever order they come.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/flat.glsl"

layout(constant_id = 3) const int CLEAR = 0;

layout(set = 0, binding = 0, std430) readonly buffer Indices { int indices[]; };
layout(set = 0, binding = 1, std430) buffer Last { int last[]; };

#define PICKS_SPEC 4
#define PICKS_MORE int units;
#include "lib/picks.glsl"

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    if (CLEAR != 0)
        last[i] = -1;
    else
        atomicMax(last[TUPLES != 0 ? picked_slice(int(i)) : picked_element(int(i))], int(i));
}
