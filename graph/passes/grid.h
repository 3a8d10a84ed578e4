/* SPDX-License-Identifier: Apache-2.0
 * The integers of a QuantizeLinear or DequantizeLinear with one constant scale, for the passes on networks in
 * the QDQ form. */
#ifndef GRAPH_PASSES_GRID_H
#define GRAPH_PASSES_GRID_H

#include "graph/passes/rewrite.h"

typedef struct grid {
    gr_id scale, zero; /* tensors; zero: GR_NONE: 0 */
    double step;
    int64_t offset;  /* the zero point */
    vki_dtype dtype; /* of the integers: of one byte */
} grid;

bool grid_of(const gr_graph *g, const gr_node *n, grid *q); /* qdq.c */

static inline int64_t grid_least(const grid *q)
{
    return q->dtype == VKI_I8 ? -128 : 0;
}

/* Whether the elements that come out are some of those that go in, in any order. */
static inline bool grid_moves(op_kind op)
{
    switch (op) {
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_Transpose:
    case OP_Slice:
    case OP_Split:
    case OP_Expand:
    case OP_DepthToSpace:
    case OP_SpaceToDepth:
    case OP_MaxPool: /* without indices: the order of the integers is that of the floats */
        return true;
    default:
        return false;
    }
}

#endif
