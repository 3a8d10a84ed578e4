//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Where: three operands broadcast in any way, row-major, one output element an invocation.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define ROWS_SPEC 3
#include "lib/rows.glsl"

BUFFER_IN_I32(0, condition);
BUFFER_IN(1, a);
BUFFER_IN(2, b);
BUFFER_OUT(3, y);

layout(push_constant) uniform Push
{
    int count;
    ROWS_SIZES;
    ROWS_STRIDES(c);
    ROWS_STRIDES(a);
    ROWS_STRIDES(b);
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int rest = int(i);
    ivec3 at = ivec3(0);
    ROWS_STEP_3(0, c, a, b)
    ROWS_STEP_3(1, c, a, b)
    ROWS_STEP_3(2, c, a, b)
    ROWS_STEP_3(3, c, a, b)
    ROWS_STEP_3(4, c, a, b)
    ROWS_STEP_3(5, c, a, b)
    if (condition[at.x] != 0)
        y[i] = a[at.y];
    else
        y[i] = b[at.z];
}
