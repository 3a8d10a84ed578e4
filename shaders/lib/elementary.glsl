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

/* Below 1 an odd polynomial (error 1.2e-9), from there 1 - exp(log(erfc)) with a polynomial for the logarithm (error
 * 1.1e-9 in erf); beyond 4 it is 1. */
float accurate_erf(float x)
{
    float a = min(abs(x), 4.0), z = a * a;
    float p = 7.8891228e-5;
    p = p * z - 8.0208423e-4;
    p = p * z + 5.1895354e-3;
    p = p * z - 2.6854445e-2;
    p = p * z + 0.11283600;
    p = p * z - 0.37612627;
    p = p * z + 1.1283791659;
    float q = 1.8797170e-4;
    q = q * a - 2.9640062e-3;
    q = q * a + 2.1906477e-2;
    q = q * a - 0.10325620;
    q = q * a - 0.63796500;
    q = q * a - 1.1272022789;
    q = q * a - 3.1246927e-4;
    float r = a < 1.0 ? a * p : 1.0 - exp(q);
    return x < 0.0 ? -r : r;
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

#endif
