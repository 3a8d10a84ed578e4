/* SPDX-License-Identifier: Apache-2.0
 * What the reference of GridSample and its fast kernel share: where a place of the grid lies along an axis.
 */
#ifndef CPU_GRID_SAMPLE_H
#define CPU_GRID_SAMPLE_H

#include "cpu/ref.h"

typedef struct cpu_grid_axis {
    int64_t size;
    int count;        /* elements that have a weight: 1, 2 or 4 */
    int64_t index[4]; /* -1: outside, a zero */
    double weight[4];
} cpu_grid_axis;

/* Element `at` of the grid, from its -1 ... 1 to elements; NaN lies far outside. */
float cpu_grid_place(const void *grid, vki_dtype dtype, int64_t at, int64_t size, bool align);
/* Fills all but the size. */
void cpu_grid_axis_at(const op_grid_attrs *a, float place, cpu_grid_axis *axis);

#endif
