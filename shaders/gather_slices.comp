//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
//! variant x4_f32 WORDS=1 GROUPS=1
//! variant x4_f16 GROUPS=1 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Gather: y[outer][k][inner] = x[outer][index k][inner]; one invocation an element, in x4 a group
 * of four. Negative indices count from the end; what lies outside is held within the range.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

#if GROUPS
BUFFER_IN4(0, x);
#else
BUFFER_IN(0, x);
#endif
BUFFER_IN_I32(1, indices);
#if GROUPS
BUFFER_OUT4(2, y);
#else
BUFFER_OUT(2, y);
#endif

layout(push_constant) uniform Push { int units, inner, picks, dim; };

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    uint row = i / uint(inner), outer = row / uint(picks);
    int at = int(i - row * uint(inner)), pick = int(row - outer * uint(picks));
    int index = indices[pick];
    index = clamp(index < 0 ? index + dim : index, 0, dim - 1);
    y[i] = x[(int(outer) * dim + index) * inner + at];
}
