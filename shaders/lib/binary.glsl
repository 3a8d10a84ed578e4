/* SPDX-License-Identifier: Apache-2.0
 * The operators of the family binary. */
#ifndef BINARY_GLSL
#define BINARY_GLSL

#include "lib/elementary.glsl"

layout(constant_id = BINARY_SPEC) const int FUNCTION = 0; /* index in `functions` of engine/gpu/binary.c */

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
