/* SPDX-License-Identifier: Apache-2.0
 * What the reference of RoiAlign and its fast kernel share: where samples of a region lie along an axis. */
#ifndef CPU_ROI_H
#define CPU_ROI_H

#include "cpu/ref.h"

typedef struct cpu_roi_axis { /* of one region */
    int64_t size;             /* of the image */
    double start, bin;        /* in elements of the image */
    int64_t samples;          /* of a bin */
} cpu_roi_axis;

typedef struct cpu_roi_tap {
    int64_t low, high;
    double weight; /* of high */
} cpu_roi_tap;

cpu_roi_axis cpu_roi_axis_of(const cpu_call *c, int64_t roi, int column, int64_t size, int64_t bins);
/* The samples of a bin that may lie within -1 ... size. */
void cpu_roi_visible(const cpu_roi_axis *a, int64_t bin, int64_t *first, int64_t *end);
double cpu_roi_place(const cpu_roi_axis *a, int64_t bin, int64_t i);
bool cpu_roi_tap_at(const cpu_roi_axis *a, double place, cpu_roi_tap *t); /* false: outside, a zero */

#endif
