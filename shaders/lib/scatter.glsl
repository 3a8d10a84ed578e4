/* SPDX-License-Identifier: Apache-2.0
 * What ScatterElements and ScatterND do with an element and the updates that mean it, one after the other. The shader
 * includes lib/types.glsl and defines SCATTER_SPEC, the id of the first of two specialization constants. Variants of
 * integers are built with WORDS=1. */
#ifndef SCATTER_GLSL
#define SCATTER_GLSL

layout(constant_id = SCATTER_SPEC) const int REDUCTION = 0; /* op_scatter_reduction */
const int ADD = 1, MUL = 2, MAX = 3, MIN = 4;
layout(constant_id = SCATTER_SPEC + 1) const int FLIP = 0; /* integers: 1 << 31 if they have no sign */

#ifdef WORDS
#define VALUE int
#define SCATTER_LOAD(name, i) int(name[i])
#define SCATTER_STORE(name, i, v) name[i] = uint(v)
#else
#define VALUE float
#define SCATTER_LOAD(name, i) LD(name, i)
#define SCATTER_STORE(name, i, v) ST(name, i, v)
#endif

bool scatter_less(VALUE a, VALUE b)
{
#ifdef WORDS
    return (a ^ FLIP) < (b ^ FLIP);
#else
    return a < b;
#endif
}

VALUE scatter_step(VALUE old, VALUE new)
{
    switch (REDUCTION) {
    case ADD: return old + new;
    case MUL: return old * new;
    case MAX: return scatter_less(new, old) ? old : new;
    case MIN: return scatter_less(old, new) ? old : new;
    }
    return new;
}

#endif
