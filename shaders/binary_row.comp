//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Two operands broadcast in any way, row-major, one output element an invocation.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"
#define BINARY_SPEC 5
#include "lib/binary.glsl"

#define ROWS_SPEC 6
#include "lib/rows.glsl"

BUFFER_IN(0, a);
BUFFER_IN(1, b);
BUFFER_IN(2, residual);
BUFFER_OUT(3, y);

layout(push_constant) uniform Push
{
    int count;
    ROWS_SIZES;
    ROWS_STRIDES(a);
    ROWS_STRIDES(b);
    float alpha, beta;
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int rest = int(i);
    ivec2 at = ivec2(0);
    ROWS_STEP_2(0, a, b)
    ROWS_STEP_2(1, a, b)
    ROWS_STEP_2(2, a, b)
    ROWS_STEP_2(3, a, b)
    ROWS_STEP_2(4, a, b)
    ROWS_STEP_2(5, a, b)
    float v = binary_apply(LD(a, at.x), LD(b, at.y));
    ST(y, i, epilogue(v, residual, i, alpha, beta));
}
