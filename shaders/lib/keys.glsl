/* SPDX-License-Identifier: Apache-2.0
 * Elements of x as integers in their order, so that floats and integers are compared alike, NaN has a place and +0 equals
 * -0. The shader includes lib/types.glsl, declares BUFFER_IN(..., x), and defines KEYS_SPEC, the id of the specialization
 * constant. Variants of integers are built with WORDS=1. */
#ifndef KEYS_GLSL
#define KEYS_GLSL

layout(constant_id = KEYS_SPEC) const int FLIP = 0; /* -1: smallest first; 1 << 31: uint32; their exclusive or: both */

int key_of(int i)
{
#ifdef WORDS
    int bits = int(x[i]);
#else
    int bits = floatBitsToInt(LD(x, i));
    bits = bits == (1 << 31) ? 0 : bits ^ (bits >> 31 & 0x7fffffff);
#endif
    return bits ^ FLIP;
}

#endif
