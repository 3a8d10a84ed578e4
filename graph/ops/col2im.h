/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_OPS_COL2IM_H
#define GRAPH_OPS_COL2IM_H

#include "graph/ops/attrs.h"

typedef struct op_col2im_axis {
    int64_t image, block, dilation, pad, stride;
    int64_t places; /* of the block along the axis */
} op_col2im_axis;

typedef struct op_col2im { /* X is [batch][channels][block][places] */
    int rank;              /* spatial dimensions */
    int64_t batch, channels, block, places;
    op_col2im_axis axis[GR_MAX_RANK];
} op_col2im;

/* false, with *why (a static text), if shapes do not fit. The parameters must be constant. */
bool op_col2im_of(const gr_graph *g, const gr_node *n, op_col2im *c, const char **why);

/* Where an image element comes from for element `k` of the block: the place along the axis, or -1. */
static inline int64_t op_col2im_place(const op_col2im_axis *a, int64_t at, int64_t k)
{
    int64_t shifted = at + a->pad - k * a->dilation;
    if (shifted < 0 || shifted % a->stride != 0 || shifted / a->stride >= a->places) return -1;
    return shifted / a->stride;
}

#endif
