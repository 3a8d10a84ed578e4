/* SPDX-License-Identifier: Apache-2.0
 * The operators that chains are made of, four elements at once; polynomials as in lib/elementary.glsl. CHAIN_SPEC is the id
 * of the first of two specialization constants. */
#ifndef CHAIN_GLSL
#define CHAIN_GLSL

#include "lib/elementary.glsl"

vec4 chain_clip(vec4 x, float low, float high)
{
    vec4 y = mix(x, vec4(low), lessThan(x, vec4(low)));
    return mix(y, vec4(high), greaterThan(y, vec4(high)));
}

vec4 chain_expm1(vec4 x)
{
    vec4 series = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (4.1666667e-2 + x * (8.3333333e-3 + x * 1.3888889e-3)))));
    return mix(exp(x) - 1.0, series, lessThan(abs(x), vec4(0.25)));
}

vec4 chain_softplus(vec4 x)
{
    vec4 t = exp(-abs(x));
    return max(x, 0.0) + mix(log(1.0 + t), t * (1.0 - t * (0.5 - t * 0.33333333)), lessThan(t, vec4(0.01)));
}

/* x tanh(log(1 + exp(x))) = x n / (n + 2) with n = e^x (e^x + 2); from 20 on the fraction is 1. */
vec4 chain_mish(vec4 x)
{
    vec4 e = exp(min(x, 20.0)), n = e * (e + 2.0);
    return x * (n / (n + 2.0));
}

/* Below 1 an odd polynomial (error 1.2e-9), from there 1 - exp(log(erfc)) with a polynomial for the logarithm (error
 * 1.1e-9 in erf); beyond 4 it is 1. */
vec4 chain_erf(vec4 x)
{
    vec4 a = min(abs(x), 4.0), z = a * a;
    vec4 p = vec4(7.8891228e-5);
    p = p * z - 8.0208423e-4;
    p = p * z + 5.1895354e-3;
    p = p * z - 2.6854445e-2;
    p = p * z + 0.11283600;
    p = p * z - 0.37612627;
    p = p * z + 1.1283791659;
    vec4 q = vec4(1.8797170e-4);
    q = q * a - 2.9640062e-3;
    q = q * a + 2.1906477e-2;
    q = q * a - 0.10325620;
    q = q * a - 0.63796500;
    q = q * a - 1.1272022789;
    q = q * a - 3.1246927e-4;
    vec4 r = mix(1.0 - exp(q), a * p, lessThan(a, vec4(1.0)));
    return mix(r, -r, lessThan(x, vec4(0.0)));
}

/* sin(x + quadrants pi/2) */
vec4 chain_sin(vec4 x, int quadrants)
{
    vec4 n = roundEven(x * 0.636619772);
    precise vec4 r = x - n * 1.5703125;
    r = r - n * 4.83751297e-4;
    r = r - n * 7.54978995e-8;
    ivec4 quadrant = ivec4(n) + quadrants;
    vec4 z = r * r;
    vec4 s = r + r * z * ((-1.951087e-4 * z + 8.3321317e-3) * z - 0.16666654);
    vec4 c = 1.0 - 0.5 * z + z * z * ((2.4431241e-5 * z - 1.3887306e-3) * z + 4.16666457e-2);
    vec4 v = mix(s, c, notEqual(quadrant & 1, ivec4(0)));
    return mix(v, -v, notEqual(quadrant & 2, ivec4(0)));
}

vec4 chain_pow(vec4 x, vec4 y)
{
    vec4 zero = vec4(0.0);
    vec4 p = mix(exp2(y * log2(abs(x))), mix(1.0 / zero, zero, greaterThan(y, zero)), equal(x, zero));
    vec4 negative = mix(p, -p, notEqual(fract(0.5 * y), zero));
    negative = mix(negative, zero / zero, notEqual(fract(y), zero));
    p = mix(negative, p, greaterThanEqual(x, zero));
    p = mix(p, x * x, equal(y, vec4(2.0)));
    p = mix(p, x * x * x, equal(y, vec4(3.0)));
    p = mix(p, x, equal(y, vec4(1.0)));
    p = mix(p, sqrt(x), equal(y, vec4(0.5)));
    p = mix(p, 1.0 / x, equal(y, vec4(-1.0)));
    return mix(p, vec4(1.0), equal(y, zero));
}

/* The operators that the program has, a bit each: drivers drop the others before they unroll the program's loop. */
layout(constant_id = CHAIN_SPEC) const uint OPS_0 = 0xffffffffu;
layout(constant_id = CHAIN_SPEC + 1) const uint OPS_1 = 0xffffffffu;
#define CHAIN_HAS(k) (((k < 32 ? OPS_0 : OPS_1) >> (k & 31) & 1u) != 0u)
#define CHAIN_OP(k, value) v = mix(v, value, bvec4(CHAIN_HAS(k) && op == k));

const bool CHAIN_RARE = OPS_1 >> 14 != 0u; /* 46 and beyond */

/* What networks seldom ask for, an element at a time. */
float chain_rare(int op, float a, float b)
{
    switch (op) {
    case 46: return accurate_sin(a) / accurate_cos(a);
    case 47: return accurate_asin(a);
    case 48: return accurate_acos(a);
    case 49: return accurate_atan(a);
    case 50: return accurate_sinh(a);
    case 51: return 0.5 * exp(abs(a)) + 0.5 * exp(-abs(a));
    case 52: return accurate_asinh(a);
    case 53: return accurate_acosh(a);
    case 54: return accurate_atanh(a);
    }
    return exact_fmod(a, b); /* Mod */
}

/* `op` is the index in `ops` of engine/gpu/chain_program.c. Comparisons are written so that NaN passes. What is long stands
 * here once for all operators that need it. */
vec4 chain_apply(int op, vec4 a, vec4 b, vec4 c, float alpha, float beta)
{
    vec4 zero = vec4(0.0), v = a;
    bvec4 negative = lessThan(a, zero);
    CHAIN_OP(0, mix(a, zero, negative)) /* Relu */
    CHAIN_OP(1, mix(a, alpha * a, negative))
    CHAIN_OP(2, chain_clip(a, alpha, beta))
    vec4 sigmoid_a = math_sigmoid(a);
    CHAIN_OP(3, sigmoid_a)
    CHAIN_OP(7, a * sigmoid_a)
    vec4 tanh_a = math_tanh(op == 4 ? a : 0.797884561 * (a + 0.044715 * a * a * a));
    CHAIN_OP(4, tanh_a)
    CHAIN_OP(23, 0.5 * a * (1.0 + tanh_a)) /* Gelu */
    CHAIN_OP(5, clamp(alpha * a + beta, 0.0, 1.0))
    CHAIN_OP(6, a * clamp(a * (1.0 / 6.0) + 0.5, 0.0, 1.0))
    vec4 expm1_a = alpha * chain_expm1(op == 25 ? a / alpha : a);
    CHAIN_OP(8, mix(a, expm1_a, negative))
    CHAIN_OP(24, beta * mix(a, expm1_a, negative))
    CHAIN_OP(25, max(a, 0.0) + min(zero, expm1_a))
    CHAIN_OP(9, chain_softplus(a))
    CHAIN_OP(10, exp(a))
    CHAIN_OP(11, log(a))
    CHAIN_OP(12, sqrt(a))
    CHAIN_OP(13, 1.0 / a)
    CHAIN_OP(14, abs(a))
    CHAIN_OP(15, -a)
    CHAIN_OP(16, floor(a))
    CHAIN_OP(17, ceil(a))
    CHAIN_OP(18, roundEven(a))
    vec4 erf_a = chain_erf(op == 19 ? a : 0.707106781 * a);
    CHAIN_OP(19, erf_a)
    CHAIN_OP(22, 0.5 * a * (1.0 + erf_a)) /* Gelu */
    vec4 sin_a = chain_sin(a, op - 20);
    CHAIN_OP(20, sin_a)
    CHAIN_OP(21, sin_a)
    CHAIN_OP(26, mix(zero, a, greaterThan(a, vec4(alpha))))
    CHAIN_OP(27, a / (1.0 + abs(a)))
    CHAIN_OP(28, chain_mish(a))
    CHAIN_OP(29, mix(mix(zero, a - beta, greaterThan(a, vec4(alpha))), a + beta, lessThan(a, vec4(-alpha)))) /* Shrink */
    CHAIN_OP(30, sign(a))
    CHAIN_OP(31, a + b)
    CHAIN_OP(32, a - b)
    CHAIN_OP(33, a * b)
    CHAIN_OP(34, a / b)
    CHAIN_OP(35, chain_pow(a, b))
    CHAIN_OP(36, max(a, b))
    CHAIN_OP(37, min(a, b))
    CHAIN_OP(38, mix(a, a * b, negative)) /* PRelu */
    CHAIN_OP(39, vec4(equal(a, b)))
    CHAIN_OP(40, vec4(greaterThan(a, b)))
    CHAIN_OP(41, vec4(greaterThanEqual(a, b)))
    CHAIN_OP(42, vec4(lessThan(a, b)))
    CHAIN_OP(43, vec4(lessThanEqual(a, b)))
    CHAIN_OP(44, mix(c, b, notEqual(a, zero))) /* Where */
    CHAIN_OP(45, math_fake_quantize(a, alpha, beta))
    if (CHAIN_RARE && op > 45)
        for (int k = 0; k < 4; k++) v[k] = chain_rare(op, a[k], b[k]);
    return v;
}

#endif
