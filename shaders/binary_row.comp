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

layout(constant_id = 6) const int RANK = 6; /* dimensions in use, 1 to 6 */

BUFFER_IN(0, a);
BUFFER_IN(1, b);
BUFFER_IN(2, residual);
BUFFER_OUT(3, y);

layout(push_constant) uniform Push
{
    int count;
    int d0, d1, d2, d3, d4, d5; /* sizes, innermost first */
    int a0, a1, a2, a3, a4, a5; /* strides, 0 where the operand repeats */
    int b0, b1, b2, b3, b4, b5;
    float alpha, beta;
};

#define STEP(k)                                     \
    if (RANK > k) {                                 \
        at += ivec2(a##k, b##k) * (rest % d##k);    \
        rest /= d##k;                               \
    }

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int rest = int(i);
    ivec2 at = ivec2(0);
    STEP(0)
    STEP(1)
    STEP(2)
    STEP(3)
    STEP(4)
    STEP(5)
    float v = binary_apply(LD(a, at.x), LD(b, at.y));
    ST(y, i, epilogue(v, residual, i, alpha, beta));
}
