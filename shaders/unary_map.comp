//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * One function of each element, four an invocation; the order of elements does not matter, so it serves both layouts.
 * In slices of channels the lanes beyond the last channel become zero (exp of something finite need not be finite).
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#include "lib/c4.glsl"
#include "lib/elementary.glsl"

layout(constant_id = 3) const int FUNCTION = 0; /* index in `functions` of engine/gpu/unary.c */

BUFFER_IN4(0, x4);
BUFFER_OUT4(1, y4);

layout(push_constant) uniform Push
{
    int count; /* groups of four */
    int channels, slices, spatial; /* channels 0: rows, nothing to mask */
    float alpha, beta;
};

float apply(float x)
{
    switch (FUNCTION) {
    case 0: return x < 0.0 ? 0.0 : x;
    case 1: return x < 0.0 ? alpha * x : x;
    case 2: return min(max(x, alpha), beta);
    case 3: return math_sigmoid(x);
    case 4: return math_tanh(x);
    case 5: return clamp(alpha * x + beta, 0.0, 1.0);
    case 6: return x * clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0);
    case 7: return x * math_sigmoid(x);
    case 8: return x < 0.0 ? alpha * accurate_expm1(x) : x;
    case 9: return softplus(x);
    case 10: return exp(x);
    case 11: return log(x);
    case 12: return sqrt(x);
    case 13: return 1.0 / x;
    case 14: return abs(x);
    case 15: return -x;
    case 16: return floor(x);
    case 17: return ceil(x);
    case 18: return roundEven(x);
    case 19: return accurate_erf(x);
    case 20: return accurate_sin(x);
    case 21: return accurate_cos(x);
    case 22: return accurate_sin(x) / accurate_cos(x);
    case 23: return accurate_asin(x);
    case 24: return accurate_acos(x);
    case 25: return accurate_atan(x);
    case 26: return accurate_sinh(x);
    case 27: return 0.5 * exp(abs(x)) + 0.5 * exp(-abs(x));
    case 28: return accurate_asinh(x);
    case 29: return accurate_acosh(x);
    case 30: return accurate_atanh(x);
    case 31: return 0.5 * x * (1.0 + (alpha == 0.0 ? accurate_erf(0.707106781 * x)
                                                   : math_tanh(0.797884561 * (x + 0.044715 * x * x * x))));
    case 32: return beta * (x < 0.0 ? alpha * accurate_expm1(x) : x);
    case 33: return max(x, 0.0) + min(0.0, alpha * accurate_expm1(x / alpha));
    case 34: return x > alpha ? x : 0.0;
    case 35: return x / (1.0 + abs(x));
    case 36: return mish(x);
    case 37: return x < -alpha ? x + beta : x > alpha ? x - beta : 0.0;
    case 38: return sign(x);
    case 39: return math_fake_quantize(vec4(x), alpha, beta).x;
    }
    return x;
}

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    vec4 x = LD4(x4, i);
    vec4 y;
    for (int k = 0; k < 4; k++) y[k] = apply(x[k]); /* written out: four copies of it all, and three times the module */
    if (channels > 0) y = c4_mask(y, int(i) / spatial % slices, channels);
    ST4(y4, i, y);
}
