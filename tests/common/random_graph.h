/* SPDX-License-Identifier: Apache-2.0
 * Small graphs drawn at random, with what the reference makes of them and how far a kernel may be off.
 *
 * A node is drawn, inferred and computed by the reference at once, so that the next ones know values and
 * shapes; one whose output is empty, huge or too inexact is taken back. An output may be off by what its
 * operator may add (tolerance.h), plus what the operator makes of the errors of its inputs: that is measured,
 * by computing it again on inputs moved up and down at random by their errors. Operators that jump (Floor,
 * comparisons, ArgMax, ...) are drawn on exact inputs only. */
#ifndef TESTS_COMMON_RANDOM_GRAPH_H
#define TESTS_COMMON_RANDOM_GRAPH_H

#include "graph/ops/attrs.h"

enum { RG_TENSORS = 1024, RG_ELEMENTS = 4096, RG_LARGEST = 100 };

typedef struct random_graph {
    gr_graph g;
    uint64_t seed, random;
    void *data[RG_TENSORS];   /* what the reference says; in the graph's arena */
    double error[RG_TENSORS]; /* the most by which an element may be off; 0: exact */
    bool usable[RG_TENSORS];  /* may be read by further nodes */
    int nodes;                /* kept */
    gr_id focus;              /* what the next node reads if it can; GR_NONE: anything */
} random_graph;

/* A graph of `nodes` nodes, compacted; the same seed gives the same graph. data[] and error[] follow the
 * graph's ids. Failures (a node that inference or the reference refuses) end the test with the seed. */
void random_graph_make(random_graph *r, uint64_t seed, int nodes);
void random_graph_free(random_graph *r);
void random_graph_print(const random_graph *r); /* one line a node */

/* ---- for the generators ---- */
int64_t rg_pick(random_graph *r, int64_t low, int64_t high); /* both included */
bool rg_chance(random_graph *r, int percent);
/* A tensor there is: of a type of the set (bits by vki_dtype) and a rank in the range; GR_NONE. */
gr_id rg_any(random_graph *r, unsigned types, int low_rank, int high_rank);
gr_id rg_exact(random_graph *r, unsigned types, int low_rank, int high_rank); /* the same without error */
const gr_tensor *rg_tensor(const random_graph *r, gr_id t);
gr_id rg_const(random_graph *r, vki_dtype type, int rank, const int64_t *dims, double low, double high);
gr_id rg_input(random_graph *r, vki_dtype type, int rank, const int64_t *dims, double low, double high);
/* A constant, or (less often) another input of the graph. */
gr_id rg_operand(random_graph *r, vki_dtype type, int rank, const int64_t *dims, double low, double high);
gr_id rg_ints(random_graph *r, int count, const int64_t *values); /* a constant int64 vector */
gr_id rg_scalar(random_graph *r, vki_dtype type, double value);
/* A node with new output tensors; its attributes are the defaults. */
gr_node *rg_node(random_graph *r, op_kind op, int n_in, const gr_id *in, int n_out);

gr_node *rg_unary(random_graph *r);
gr_node *rg_binary(random_graph *r);

/* Adds a node and what it needs. NULL: there is nothing that it could work on. */
typedef gr_node *(*rg_generator)(random_graph *r);
extern const rg_generator rg_math[], rg_layers[], rg_moves[]; /* ended by NULL */
extern const rg_generator rg_followers[]; /* what networks put behind a layer: fusions live there */

#endif
