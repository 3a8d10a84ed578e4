/* SPDX-License-Identifier: Apache-2.0
 * Resize as arithmetic: along each axis an output element is a weighted sum of a few neighbouring input
 * elements. The reference and the GPU's tables both take positions and weights from here. */
#ifndef GRAPH_OPS_RESIZE_H
#define GRAPH_OPS_RESIZE_H

#include "graph/ops/attrs.h"

typedef struct op_resize_axis {
    int64_t in, out;
    /* Input elements per output element as a fraction: in / out if sizes are given, 1 / scale if scales are.
     * Kept apart so that positions which are whole numbers come out exactly. */
    double step_num, step_den;
    double roi_start, roi_end; /* tf_crop_and_resize: 0..1 over the input */
    bool same;                 /* output element i is input element i */
} op_resize_axis;

/* All axes of a Resize with concrete input. NULL, or a static text that says why not. */
const char *op_resize_axes_of(const gr_graph *g, const gr_node *n, op_resize_axis axes[GR_MAX_RANK]);

typedef struct op_resize_place { /* of one output element */
    const op_resize_attrs *attrs;
    int64_t in, first; /* elements of the input; the first that counts, maybe outside of it */
    int count;         /* of those that count, op_resize_count */
    double position;   /* in elements of the input */
    double stretch;    /* of distances, 0..1: below 1 the filter is wider (antialias) */
    double divisor;    /* of all weights; 0: they are all alike */
} op_resize_place;

/* How many input elements make an output element; the same for all along the axis. */
int op_resize_count(const op_resize_attrs *attrs, const op_resize_axis *axis);
/* Where output element x comes from; false where it is the extrapolation value. */
bool op_resize_at(const op_resize_attrs *attrs, const op_resize_axis *axis, int64_t x,
                  op_resize_place *place);
/* Weight and position (within the input) of element `tap` of those that count. */
double op_resize_tap(const op_resize_place *place, int tap, int64_t *index);

#endif
