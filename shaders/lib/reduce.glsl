/* SPDX-License-Identifier: Apache-2.0
 * The operators of the family reduce: start, step, merging of two parts, end. REDUCE_SPEC is the id of the operator's
 * specialization constant, to be followed by KEPT and REDUCED: how many dimensions are kept and reduced (0 to 4 each; at
 * most eight alternate once neighbours are one). */
#ifndef REDUCE_GLSL
#define REDUCE_GLSL

layout(constant_id = REDUCE_SPEC) const int FUNCTION = 0; /* index in `functions` of engine/gpu/reduce.c */
layout(constant_id = REDUCE_SPEC + 1) const int KEPT = 4;
layout(constant_id = REDUCE_SPEC + 2) const int REDUCED = 4;
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
float reduce_start(float first)
{
    return FUNCTION == MAX || FUNCTION == MIN ? first : FUNCTION == PROD ? 1.0 : 0.0;
}

float reduce_merge(float a, float b)
{
    switch (FUNCTION) {
    case MAX: return max(a, b);
    case MIN: return min(a, b);
    case PROD: return a * b;
    }
    return a + b;
}

float reduce_add(float acc, float v)
{
    return reduce_merge(acc, FUNCTION == L1 ? abs(v) : FUNCTION == L2 || FUNCTION == SUM_SQUARE ? v * v : v);
}

float reduce_end(float acc)
{
    if (FUNCTION == LOG_SUM) return log(acc);
    return FUNCTION == MEAN ? acc / float(size) : FUNCTION == L2 ? sqrt(acc) : acc;
}

#endif
