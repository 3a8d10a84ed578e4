/* SPDX-License-Identifier: Apache-2.0
 * Functions whose built-in form is too coarse or overflows on some drivers. Relative errors are a few 1e-7 where the
 * driver's exp is good; Vulkan allows exp (3 + 2|x|) ulp. */
#ifndef MATH_GLSL
#define MATH_GLSL

/* exp may give +Inf here: 1 / Inf is the right 0. */
float math_sigmoid(float x)
{
    return 1.0 / (1.0 + exp(-x));
}

vec4 math_sigmoid(vec4 x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* Small arguments by a minimax polynomial (z = x^2 up to 0.55^2, error 1e-9), where 1 - 2 / (e^2x + 1) would cancel;
 * elsewhere that form, in which Inf is harmless. */
float math_tanh(float x)
{
    float a = abs(x), z = x * x;
    float p = -6.2824669e-3;
    p = p * z + 2.1077754e-2;
    p = p * z - 5.3853858e-2;
    p = p * z + 1.3332602e-1;
    p = p * z - 3.3333319e-1;
    float t = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    return a < 0.55 ? x + x * z * p : x < 0.0 ? -t : t;
}

vec4 math_tanh(vec4 x)
{
    vec4 a = abs(x), z = x * x;
    vec4 p = vec4(-6.2824669e-3);
    p = p * z + 2.1077754e-2;
    p = p * z - 5.3853858e-2;
    p = p * z + 1.3332602e-1;
    p = p * z - 3.3333319e-1;
    vec4 t = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    return mix(mix(t, -t, lessThan(x, vec4(0.0))), x + x * z * p, lessThan(a, vec4(0.55)));
}

/* x / scale, rounded to an integer within `levels` (op_levels of graph/ops/attrs.h), times scale: bit by bit what
 * QuantizeLinear and DequantizeLinear do one after the other. NaN becomes the lowest level. */
vec4 math_fake_quantize(vec4 x, float scale, float levels)
{
    float low = floor(levels / 256.0), high = levels - 255.0 * low;
    precise vec4 q = x / scale;
    q = mix(vec4(low), q, greaterThan(q, vec4(low)));
    precise vec4 y = (roundEven(min(q, vec4(high))) + 0.0) * scale; /* no negative zero: integers have none */
    return y;
}

#endif
