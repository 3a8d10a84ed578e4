/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolutions by strips, for conv2d_strips.c and conv2d_expansion.c. */
#ifndef CPU_CONV2D_STRIPS_H
#define CPU_CONV2D_STRIPS_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

/* Means of whole planes while what they are of lies in a cache: sums of stretches of rows, which follow from
 * the shape alone, and of these in the end, so that neither threads nor caches decide the order. */
typedef struct cpu_means {
    int64_t rows, stretches; /* of a stretch; of a plane */
} cpu_means;

cpu_means cpu_means_of(const op_window *w);
uint64_t cpu_means_bytes(const op_window *w); /* of sums, a multiple of 64 */
void cpu_means_finish(const cpu_call *c, const op_window *w, const float *sums);

typedef struct cpu_strips { /* output rows of some planes */
    const cpu_micro *micro;
    const op_window *w;
    const float *x;                 /* row `top` of the first plane's input */
    int64_t x_plane;                /* from one input plane to the next; 0: all read the same */
    int64_t top;                    /* no input row before it is read */
    int64_t batch, channel, planes; /* of the output */
    int64_t row, rows;              /* with `sums` whole stretches, or to the end of the plane */
    float *sums;                    /* [batch][channel][stretch]; NULL: not wanted */
} cpu_strips;

/* Computes them for the node of `c`, with its epilogue; weights and bias are used where they lie. */
void cpu_strips_run(const cpu_call *c, const cpu_strips *s);

#endif
