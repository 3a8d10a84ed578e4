/* SPDX-License-Identifier: Apache-2.0
 * What an operator does when the dimensions of its tensors come in another order. */
#ifndef GRAPH_PASSES_TRANSPOSES_H
#define GRAPH_PASSES_TRANSPOSES_H

#include "graph/passes/rewrite.h"

/* A tensor t of `rank` dimensions is the transposition by perm of one that takes its place: dimension i of t
 * is dimension perm[i] of that. */
typedef struct tp_order {
    int rank;
    int64_t perm[GR_MAX_RANK];
} tp_order;

/* Whether the node does the same on tensors in the other order: its data inputs and outputs have the rank,
 * are concrete, and what tells of dimensions is constant. */
bool tp_passes(const gr_graph *g, const gr_node *n, const tp_order *order);
/* Whether input i of such a node is data, to be brought into the other order; what is not says which
 * dimensions, or is one number. */
bool tp_is_data(const gr_graph *g, const gr_node *n, int i, const tp_order *order);
/* Renames the dimensions in the node's attributes and constants. VKI_E_NOMEM. */
vki_status tp_rename(gr_graph *g, gr_node *n, const tp_order *order, vki_error *err);

#endif
