/* SPDX-License-Identifier: Apache-2.0
 * What depthwise convolutions and pools have in common: a plane is worked on in bands of output rows. The
 * input rows of a band are copied to scratch with their padding, split by the horizontal stride: phase p of a
 * row holds its elements p, p + stride, ... So each tap of each kernel, whatever its stride and dilation,
 * reads contiguous elements, and no loop knows about borders. */
#ifndef CPU_BANDS_H
#define CPU_BANDS_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

typedef struct cpu_bands {
    op_window w;
    const cpu_micro *micro;
    float fill;          /* value of the padding */
    int64_t rows, count; /* output rows of a band; bands of a plane */
    int64_t phase, row;  /* floats of one phase of an input row; of all */
    int64_t in_rows;     /* input rows of a band */
    int32_t *offset;     /* of each tap from the first */
    cpu_lanes lanes;     /* every stride-th element */
} cpu_bands;

bool cpu_bands_fit(const op_window *w);
vki_status cpu_bands_plan(cpu_bands *b, const op_window *w, float fill, vkb_arena *arena, vki_error *err);
void cpu_bands_rows(cpu_bands *b, int64_t rows); /* makes bands of at most so many output rows */
void cpu_bands_hold(cpu_bands *b, int64_t rows); /* makes bands of so many */
uint64_t cpu_bands_floats(const cpu_bands *b);   /* scratch of a thread */
/* Fills scratch with padding. Once before any number of loads: these write between the padding only. */
void cpu_bands_begin(const cpu_bands *b, float *scratch);
/* Copies a band's input rows to scratch and describes its taps, all but y, weight and bias. */
cpu_taps cpu_bands_load(const cpu_bands *b, float *scratch, const float *plane, int64_t band);
/* The same of any output rows, at most as many as a band has. */
cpu_taps cpu_bands_load_rows(const cpu_bands *b, float *scratch, const float *plane, int64_t row,
                             int64_t rows);
/* Planes that make a loop range worth a thread. */
int64_t cpu_bands_grain(const cpu_bands *b);

#endif
