/* SPDX-License-Identifier: Apache-2.0
 * Functions that GLSL lacks, or gives too coarsely: Vulkan allows sin and cos an absolute error of 2^-11, and says nothing
 * about pow of a negative number. Polynomials: own minimax fits (weighted least squares, Lawson's iteration); the errors
 * stated are theirs, to which rounding adds a few 1e-8. */
#ifndef ELEMENTARY_GLSL
#define ELEMENTARY_GLSL

#include "lib/math.glsl"

/* Cody-Waite reduction to [-pi/4, pi/4]: pi/2 in three parts, of which the first two have few enough bits for exact
 * products up to |x| of some 1e4. */
float reduce_angle(float x, out int quadrant)
{
    float n = roundEven(x * 0.636619772);
    precise float r = x - n * 1.5703125;
    r = r - n * 4.83751297e-4;
    r = r - n * 7.54978995e-8;
    quadrant = int(n) & 3;
    return r;
}

float sin_quadrant(float r, int quadrant) /* sin(r + quadrant pi/2); errors 4e-9 */
{
    float z = r * r;
    float s = r + r * z * ((-1.951087e-4 * z + 8.3321317e-3) * z - 0.16666654);
    float c = 1.0 - 0.5 * z + z * z * ((2.4431241e-5 * z - 1.3887306e-3) * z + 4.16666457e-2);
    float v = (quadrant & 1) != 0 ? c : s;
    return (quadrant & 2) != 0 ? -v : v;
}

float accurate_sin(float x)
{
    int quadrant;
    float r = reduce_angle(x, quadrant);
    return sin_quadrant(r, quadrant);
}

float accurate_cos(float x)
{
    int quadrant;
    float r = reduce_angle(x, quadrant);
    return sin_quadrant(r, quadrant + 1);
}

/* exp(x) - 1; near 0 by Taylor's series (error 5e-8 of the result), where the difference would cancel. */
float accurate_expm1(float x)
{
    float series = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (4.1666667e-2 + x * (8.3333333e-3 + x * 1.3888889e-3)))));
    return abs(x) < 0.25 ? series : exp(x) - 1.0;
}

/* log(1 + exp(x)) without overflow, and without losing what is small beside 1. */
float softplus(float x)
{
    float t = exp(-abs(x));
    float l = t < 0.01 ? t * (1.0 - t * (0.5 - t * 0.33333333)) : log(1.0 + t);
    return max(x, 0.0) + l;
}

/* atan(y / x) of numbers from 0 on that are not both 0: the quotient of the smaller by the larger, brought to
 * tan(pi/8) and below, and an odd polynomial (relative error 2e-8). */
float atan_quadrant(float y, float x)
{
    float q = min(x, y) / max(x, y);
    bool upper = q > 0.41421356;
    float t = upper ? (q - 1.0) / (q + 1.0) : q, z = t * t;
    float p = 8.053642662e-2;
    p = p * z - 0.1387765580;
    p = p * z + 0.1997770808;
    p = p * z - 0.3333294909;
    float a = t + t * z * p + (upper ? 0.785398163 : 0.0);
    return y > x ? 1.57079633 - a : a;
}

float accurate_atan(float x)
{
    float a = atan_quadrant(abs(x), 1.0);
    return x < 0.0 ? -a : a;
}

float accurate_asin(float x)
{
    float a = atan_quadrant(abs(x), sqrt((1.0 - x) * (1.0 + x)));
    return x < 0.0 ? -a : a;
}

float accurate_acos(float x)
{
    return 2.0 * atan_quadrant(sqrt(1.0 - x), sqrt(1.0 + x));
}

float accurate_sinh(float x)
{
    float e = accurate_expm1(abs(x));
    float s = 0.5 * (e + e / (e + 1.0));
    return x < 0.0 ? -s : s;
}

/* Near 0 by Taylor's series (error 3e-10 of the result at 0.2). */
float accurate_atanh(float x)
{
    float z = x * x;
    float series = x * (1.0 + z * (0.33333333 + z * (0.2 + z * (0.14285714 + z * (0.11111111 + z * 9.0909091e-2)))));
    return abs(x) < 0.2 ? series : 0.5 * log((1.0 + x) / (1.0 - x));
}

float accurate_log1p(float u)
{
    return u < 0.48 ? 2.0 * accurate_atanh(u / (2.0 + u)) : log(1.0 + u);
}

float accurate_asinh(float x)
{
    float a = abs(x);
    float v = a > 1e4 ? log(a) + 0.693147181 : accurate_log1p(a + a * a / (1.0 + sqrt(a * a + 1.0)));
    return x < 0.0 ? -v : v;
}

float accurate_acosh(float x)
{
    float t = x - 1.0;
    return x > 1e4 ? log(x) + 0.693147181 : accurate_log1p(t + sqrt(t * (t + 2.0)));
}

/* As C's pow for finite arguments: a negative base has a power for whole exponents only. Small whole exponents and the
 * square root, the usual ones, are exact to rounding. */
float accurate_pow(float x, float y)
{
    if (y == 2.0) return x * x;
    if (y == 3.0) return x * x * x;
    if (y == 1.0) return x;
    if (y == 0.5) return sqrt(x);
    if (y == -1.0) return 1.0 / x;
    if (y == 0.0) return 1.0;
    float zero = 0.0;
    float p = x == 0.0 ? (y > 0.0 ? 0.0 : 1.0 / zero) : exp2(y * log2(abs(x)));
    if (x >= 0.0) return p;
    if (fract(y) != 0.0) return zero / zero;
    return fract(0.5 * y) != 0.0 ? -p : p;
}

/* The remainder of a / b with the sign of a, exact for all finite numbers, as C's fmod: long division of the mantissas. */
float exact_fmod(float a, float b)
{
    uint ua = floatBitsToUint(a) & 0x7fffffffu, ub = floatBitsToUint(b) & 0x7fffffffu;
    uint sign = floatBitsToUint(a) & 0x80000000u;
    if (ub == 0u || ua >= 0x7f800000u || ub > 0x7f800000u) return uintBitsToFloat(0x7fc00000u);
    if (ua < ub) return a;
    int ea = max(int(ua >> 23), 1), eb = max(int(ub >> 23), 1); /* denormals have the exponent of the smallest normal */
    uint ma = ua >> 23 == 0u ? ua : (ua & 0x7fffffu) | 0x800000u, mb = ub >> 23 == 0u ? ub : (ub & 0x7fffffu) | 0x800000u;
    ma %= mb;
    for (int e = ea; e > eb; e--) {
        ma <<= 1;
        if (ma >= mb) ma -= mb;
    }
    if (ma == 0u) return uintBitsToFloat(sign);
    int up = 23 - findMSB(ma), exponent = eb - up;
    uint bits = exponent > 0 ? ((ma << up) & 0x7fffffu) | uint(exponent) << 23 : ma << (eb - 1);
    return uintBitsToFloat(sign | bits);
}

#endif
