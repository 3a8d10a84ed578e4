/* SPDX-License-Identifier: Apache-2.0
 * Where the indices of GatherElements, GatherND, ScatterElements and ScatterND point to, one pick an element of what is
 * gathered or of the updates. Indices may come from anywhere: negative ones count from the end, what lies outside is held
 * within the range. The shader declares `indices` and defines PICKS_SPEC, the id of the first of two specialization
 * constants, and PICKS_MORE, push constants of its own that follow those of engine/gpu/picks.c. */
#ifndef PICKS_GLSL
#define PICKS_GLSL

layout(constant_id = PICKS_SPEC) const int TUPLES = 0; /* 1: GatherND, ScatterND */
layout(constant_id = PICKS_SPEC + 1) const int RANK = 1; /* of x; or (TUPLES) indices of a tuple */

layout(push_constant) uniform Push
{
    int picks;      /* elements */
    int axis, size; /* elements: x's size along dimension `axis` */
    int run, per_batch; /* tuples: elements of a slice, tuples for each of the common dimensions in front */
    int dims[8];    /* of the indices, innermost first; tuples: of x, outermost first */
    int strides[8]; /* elements: of x, innermost first */
    PICKS_MORE
};

int held_index(int at, int dim)
{
    return clamp(at < 0 ? at + dim : at, 0, dim - 1);
}

/* The slice of x that tuple t means. */
int picked_slice(int t)
{
    int at = t / per_batch;
    for (int k = 0; k < RANK; k++) at = at * dims[k] + held_index(indices[t * RANK + k], dims[k]);
    return at;
}

/* The element of x that pick i means. */
int picked_element(int i)
{
    if (TUPLES != 0) {
        int t = i / run;
        return picked_slice(t) * run + (i - t * run);
    }
    int rest = i, at = 0;
    for (int d = 0; d < RANK; d++) {
        int outer = d < RANK - 1 ? rest / dims[d] : 0, k = rest - outer * dims[d];
        if (d == axis) k = held_index(indices[i], size);
        at += k * strides[d];
        rest = outer;
    }
    return at;
}

#endif
