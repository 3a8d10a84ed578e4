/* SPDX-License-Identifier: Apache-2.0
 * The operators of the family binary. */
#ifndef BINARY_GLSL
#define BINARY_GLSL

#include "lib/elementary.glsl"

layout(constant_id = BINARY_SPEC) const int FUNCTION = 0; /* index in `functions` of engine/gpu/binary.c */

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

float binary_apply(float a, float b)
{
    switch (FUNCTION) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / b;
    case 4: return accurate_pow(a, b);
    case 5: return max(a, b);
    case 6: return min(a, b);
    case 7: return a < 0.0 ? a * b : a; /* PRelu */
    case 8: return exact_fmod(a, b); /* Mod */
    }
    return a;
}

#endif
