/* SPDX-License-Identifier: Apache-2.0
 * The operators that only move elements, as strided copies: Transpose, Expand, Slice, Tile, DepthToSpace,
 * SpaceToDepth (one copy each), Split
 * (one an output) and Concat (one an input). Every back end runs them from this one form. */
#ifndef GRAPH_OPS_STRIDED_H
#define GRAPH_OPS_STRIDED_H

#include "graph/ops/attrs.h"

/* dst[dst_offset + sum i_d dst[d]] = src[src_offset + sum i_d src[d]] for all i below dims. Offsets and
 * strides in elements; source strides may be 0 (repeat) or negative. Normal form: neighbours that can be one
 * dimension are, dimensions of 1 are dropped, rank is at least 1. */
typedef struct op_strided {
    int rank;
    int64_t dims[GR_MAX_RANK], src[GR_MAX_RANK], dst[GR_MAX_RANK];
    int64_t src_offset, dst_offset;
    int64_t elements; /* product of dims; 0: nothing to do */
} op_strided;

/* How many copies the node is: 0 if it is none of these operators. */
int op_strided_count(const gr_node *n);
/* Copy i of the node: from input i to output 0 for Concat, from input 0 to output i for the others. Shapes
 * are concrete. `channels` 1: plain row-major tensors. Above 1: tensors of rank >= 2 stored as slices of so
 * many channels (dimension 1, the last slice may be partly unused), and offsets and strides count slices of
 * one position. false if a parameter is not constant or the operator tears slices apart. */
bool op_strided_of(const gr_graph *g, const gr_node *n, int i, int channels, op_strided *s);
/* The copy that broadcasts row-major `from` to the shape of `to`, which it fits. */
op_strided op_strided_expand(const gr_tensor *from, const gr_tensor *to);

/* Whether copy i, of plain row-major tensors, moves one stretch onto one stretch: where in bytes (sizes of
 * the graph's own types). */
bool op_strided_stretch(const gr_graph *g, const gr_node *n, int i, uint64_t *from, uint64_t *to);

#endif
