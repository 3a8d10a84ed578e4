/* SPDX-License-Identifier: Apache-2.0
 * What the reference of Unique and its fast kernel share: slices, their order, and writing one. */
#ifndef CPU_UNIQUE_H
#define CPU_UNIQUE_H

#include "cpu/ref.h"

typedef struct cpu_unique { /* x[outer][slices][inner] */
    const cpu_call *c;
    vki_dtype dtype;
    int64_t outer, slices, inner;
    bool sorted;
    int axis; /* of the output */
} cpu_unique;

cpu_unique cpu_unique_of(const cpu_call *c);
/* Slices i and j element by element: -1, 0, 1. NaN comes last and equals NaN. */
int cpu_unique_order(const cpu_unique *u, int64_t i, int64_t j);
/* How many different slices there are: the dimensions of all outputs that depend on it. */
void cpu_unique_count(const cpu_unique *u, int64_t count);
/* Slice i of the input becomes slice k of `count` in the output. */
void cpu_unique_put(const cpu_unique *u, int64_t i, int64_t k, int64_t count);
static inline int64_t *cpu_unique_out(const cpu_unique *u, int i) /* NULL if absent */
{
    return cpu_out(u->c, i) ? u->c->out[i] : NULL;
}

#endif
