//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * QuantizeLinear, one element an invocation: x / scale, rounded, plus the zero point.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define QUANTIZE_SPEC 3
#include "lib/quantize.glsl"

BUFFER_IN(0, x);
BUFFER_IN_I32(1, scale);
BUFFER_IN_I32(2, zero);
BUFFER_OUT_I32(3, y);

layout(push_constant) uniform Push
{
    int count;
    QUANTIZE_DIMS;
    int zero_step; /* 0: there is one for all, or none */
    int low, high;
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int k = QUANTIZE_AT(int(i));
    precise float v = LD(x, i) / intBitsToFloat(scale[k]);
    y[i] = quantize_saturate(v, zero[k * zero_step], low, high);
}
