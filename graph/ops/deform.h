/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_OPS_DEFORM_H
#define GRAPH_OPS_DEFORM_H

#include "graph/ops/attrs.h"

typedef struct op_deform { /* DeformConv over two dimensions */
    int64_t batch, in_c, in_h, in_w, out_c, out_h, out_w, kernel_h, kernel_w;
    int64_t stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, group, offset_group;
} op_deform;

/* false, with *why (a static text), if shapes do not fit. */
bool op_deform_of(const gr_graph *g, const gr_node *n, op_deform *d, const char **why);

#endif
