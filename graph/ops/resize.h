/* SPDX-License-Identifier: Apache-2.0
 * Resize as arithmetic: along each axis an output element is a weighted sum of at most four input elements.
 * The reference and the GPU's tables both take positions and weights from here. */
#ifndef GRAPH_OPS_RESIZE_H
#define GRAPH_OPS_RESIZE_H

#include "graph/ops/attrs.h"

#define OP_RESIZE_TAPS 4

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

/* Positions (each within the input) and weights that make output element x; returns their count, which
 * depends on `attrs` and `axis` but not on x: 1, 2 or 4; or 0 where the output is the extrapolation value. */
int op_resize_taps(const op_resize_attrs *attrs, const op_resize_axis *axis, int64_t x,
                   int64_t index[OP_RESIZE_TAPS], double weight[OP_RESIZE_TAPS]);

#endif
