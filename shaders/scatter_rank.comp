//! variant f32
/* SPDX-License-Identifier: Apache-2.0
 * Updates that are to be reduced, first step: those of each line along the axis (ScatterND's tuples are one line) in the
 * order of the elements or slices that they mean, and among equals in their own. One invocation an update, which counts
 * those that go before it. A dispatch takes updates [first, first + count) of each line.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/flat.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Indices { int indices[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Order { int order[]; }; /* updates, from `first` on */
layout(set = 0, binding = 2, std430) writeonly buffer Keys { int keys[]; };   /* what they mean */

#define PICKS_SPEC 3
#define PICKS_MORE int units, first, count, step, line_size; /* a line's indices are `step` apart */
#include "lib/picks.glsl"

int meant(int line, int t)
{
    if (TUPLES != 0) return picked_slice(first + t);
    return held_index(indices[(line / step * line_size + first + t) * step + line % step], size);
}

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    int line = int(i) / count, t = int(i) - line * count, own = meant(line, t), rank = 0;
    for (int j = 0; j < count; j++) {
        int other = meant(line, j);
        if (other < own || (other == own && j < t)) rank++;
    }
    order[line * count + rank] = t;
    keys[line * count + rank] = own;
}
