/* SPDX-License-Identifier: Apache-2.0
 * What ScatterElements and ScatterND do with an element and the updates that mean it, one after the other. The shader
 * includes lib/types.glsl and defines WORDS_SPEC, the id of the first of three specialization constants: those of
 * lib/words.glsl, which matter to integers, and REDUCTION. Variants of integers are built with WORDS=1. */
#ifndef SCATTER_GLSL
#define SCATTER_GLSL

#include "lib/words.glsl"

layout(constant_id = WORDS_SPEC + 2) const int REDUCTION = 0; /* op_scatter_reduction */
const int ADD = 1, MUL = 2, MAX = 3, MIN = 4;

#ifdef WORDS
#define VALUE int
#define SCATTER_LOAD(name, i) int(name[i])
#define SCATTER_STORE(name, i, v) name[i] = uint(v)
#define SCATTER_WRAP(v) word_wrap(v)
#else
#define VALUE float
#define SCATTER_LOAD(name, i) LD(name, i)
#define SCATTER_STORE(name, i, v) ST(name, i, v)
#define SCATTER_WRAP(v) v
#endif

bool scatter_less(VALUE a, VALUE b)
{
#ifdef WORDS
    if (KIND == UNSIGNED) return uint(a) < uint(b);
    return a < b;
#else
    return a < b;
#endif
}

VALUE scatter_step(VALUE old, VALUE new)
{
    switch (REDUCTION) {
    case ADD: return SCATTER_WRAP(old + new);
    case MUL: return SCATTER_WRAP(old * new);
    case MAX: return scatter_less(new, old) ? old : new;
    case MIN: return scatter_less(old, new) ? old : new;
    }
    return new;
}

#endif
