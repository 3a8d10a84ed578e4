/* SPDX-License-Identifier: Apache-2.0
 * Integers of any type in 32-bit words (engine/gpu/words.h). WORDS_SPEC is the id of KIND, how a word is read; BITS, the
 * width of the integer type, follows. */
#ifndef WORDS_GLSL
#define WORDS_GLSL

layout(constant_id = WORDS_SPEC) const int KIND = 0;
layout(constant_id = WORDS_SPEC + 1) const int BITS = 32;
const int SIGNED = 0, UNSIGNED = 1, FLOAT = 2;

/* What narrow types keep of a result. */
int word_wrap(int v)
{
    if (BITS >= 32) return v;
    int up = v << (32 - BITS);
    return KIND == UNSIGNED ? int(uint(up) >> uint(32 - BITS)) : up >> (32 - BITS);
}

#endif
