//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * DequantizeLinear, one element an invocation: (x - zero point) scale.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define QUANTIZE_SPEC 3
#include "lib/quantize.glsl"

BUFFER_IN_I32(0, x);
BUFFER_IN_I32(1, scale);
BUFFER_IN_I32(2, zero);
BUFFER_OUT(3, y);

layout(push_constant) uniform Push
{
    int count;
    QUANTIZE_DIMS;
    int zero_step;
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int k = QUANTIZE_AT(int(i));
    ST(y, i, float(x[i] - zero[k * zero_step]) * intBitsToFloat(scale[k]));
}
