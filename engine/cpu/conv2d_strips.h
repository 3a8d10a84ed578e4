/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolutions by strips, for conv2d_strips.c and conv2d_expansion.c. */
#ifndef CPU_CONV2D_STRIPS_H
#define CPU_CONV2D_STRIPS_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

typedef struct cpu_strips { /* output rows of some planes */
    const cpu_micro *micro;
    const op_window *w;
    const float *x;                 /* row `top` of the first plane's input */
    int64_t x_plane;                /* from one input plane to the next; 0: all read the same */
    int64_t top;                    /* no input row before it is read */
    int64_t batch, channel, planes; /* of the output */
    int64_t row, rows;
} cpu_strips;

/* Computes them for the node of `c`, with its epilogue; weights and bias are used where they lie. */
void cpu_strips_run(const cpu_call *c, const cpu_strips *s);

#endif
