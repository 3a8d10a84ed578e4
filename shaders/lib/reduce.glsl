/* SPDX-License-Identifier: Apache-2.0
 * The operators of the family reduce: start, step, merging of two parts, end. REDUCE_SPEC is the id of the operator's
 * specialization constant, to be followed by KEPT and REDUCED: how many dimensions are kept and reduced (0 to 4 each; at
 * most eight alternate once neighbours are one). */
#ifndef REDUCE_GLSL
#define REDUCE_GLSL

layout(constant_id = REDUCE_SPEC) const int FUNCTION = 0; /* index in `functions` of engine/gpu/reduce.c */
layout(constant_id = REDUCE_SPEC + 1) const int KEPT = 4;
layout(constant_id = REDUCE_SPEC + 2) const int REDUCED = 4;

#ifdef INTEGERS
layout(constant_id = REDUCE_SPEC + 3) const int KIND = 0; /* gpu_kind */
const int UNSIGNED = 1;
#define VALUE           int
#define BUFFER_X        BUFFER_IN_I32(0, x)
#define BUFFER_Y        BUFFER_OUT_I32(1, y)
#define LOAD(i)         x[i]
#define STORE(i, v)     y[i] = v
#define LARGER(a, b)    (KIND == UNSIGNED ? int(max(uint(a), uint(b))) : max(a, b))
#define SMALLER(a, b)   (KIND == UNSIGNED ? int(min(uint(a), uint(b))) : min(a, b))
#define MAGNITUDE(v)    (KIND == UNSIGNED ? v : abs(v))
#define END(acc)        (FUNCTION == MEAN ? acc / size : acc)
#else
#define VALUE           float
#define BUFFER_X        BUFFER_IN(0, x)
#define BUFFER_Y        BUFFER_OUT(1, y)
#define LOAD(i)         LD(x, i)
#define STORE(i, v)     ST(y, i, v)
#define LARGER(a, b)    max(a, b)
#define SMALLER(a, b)   min(a, b)
#define MAGNITUDE(v)    abs(v)
#define END(acc)        (FUNCTION == LOG_SUM ? log(acc) : FUNCTION == MEAN ? acc / float(size) : FUNCTION == L2 ? sqrt(acc) : acc)
#endif

const int SUM = 0, MEAN = 1, MAX = 2, MIN = 3, PROD = 4, L1 = 5, L2 = 6, SUM_SQUARE = 7, LOG_SUM = 8;

layout(push_constant) uniform Push
{
    int outputs, size;              /* elements of the output; elements that make one */
    int k0, k1, k2, k3;             /* kept dimensions, innermost first */
    int k0_step, k1_step, k2_step, k3_step; /* their strides in the input */
    int r0, r1, r2, r3;             /* reduced dimensions */
    int r0_step, r1_step, r2_step, r3_step;
};

#define REDUCE_STEP(count, n, d)               \
    if (count > n) {                           \
        at += rest % d * d##_step;             \
        rest /= d;                             \
    }

int first_of(int rest) /* where output `rest` begins in the input */
{
    int at = 0;
    REDUCE_STEP(KEPT, 0, k0)
    REDUCE_STEP(KEPT, 1, k1)
    REDUCE_STEP(KEPT, 2, k2)
    REDUCE_STEP(KEPT, 3, k3)
    return at;
}

int step_to(int rest) /* from there to its element `rest` */
{
    int at = 0;
    REDUCE_STEP(REDUCED, 0, r0)
    REDUCE_STEP(REDUCED, 1, r1)
    REDUCE_STEP(REDUCED, 2, r2)
    REDUCE_STEP(REDUCED, 3, r3)
    return at;
}

/* From an element that counts, so that the extremes need no infinity. */
VALUE reduce_start(VALUE first)
{
    return FUNCTION == MAX || FUNCTION == MIN ? first : VALUE(FUNCTION == PROD ? 1 : 0);
}

VALUE reduce_merge(VALUE a, VALUE b)
{
    switch (FUNCTION) {
    case MAX: return LARGER(a, b);
    case MIN: return SMALLER(a, b);
    case PROD: return a * b;
    }
    return a + b;
}

VALUE reduce_add(VALUE acc, VALUE v)
{
    return reduce_merge(acc, FUNCTION == L1 ? MAGNITUDE(v) : FUNCTION == L2 || FUNCTION == SUM_SQUARE ? v * v : v);
}

VALUE reduce_end(VALUE acc)
{
    return END(acc);
}

#endif
