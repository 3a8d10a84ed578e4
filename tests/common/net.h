/* SPDX-License-Identifier: Apache-2.0
 * Graphs built in a few lines and run node by node on the CPU reference. Every failure ends the test. */
#ifndef TESTS_COMMON_NET_H
#define TESTS_COMMON_NET_H

#include "graph/passes/pass.h"

#define DIMS(...) (int)VKB_COUNT(((const int64_t[]){__VA_ARGS__})), ((const int64_t[]){__VA_ARGS__})
#define IN(...)   (int)VKB_COUNT(((const gr_id[]){__VA_ARGS__})), ((const gr_id[]){__VA_ARGS__})

void net_init(gr_graph *g);
gr_id net_input(gr_graph *g, const char *name, int rank, const int64_t *dims); /* float32 */
gr_id net_random(gr_graph *g, int rank, const int64_t *dims);                  /* constant in [-1, 1) */
gr_id net_positive(gr_graph *g, int rank, const int64_t *dims);                /* constant in [0.5, 1.5) */
gr_id net_scalar(gr_graph *g, float value);                                    /* rank 0 */
gr_id net_ints(gr_graph *g, int count, const int64_t *values);                 /* int64, rank 1 */
gr_id net_node(gr_graph *g, op_kind op, int n_in, const gr_id *in);            /* its only output */
gr_id net_unary(gr_graph *g, op_kind op, gr_id x);
gr_id net_binary(gr_graph *g, op_kind op, gr_id a, gr_id b);
gr_id net_conv(gr_graph *g, gr_id x); /* 3x3 with bias, padded by 1, from 4 to 6 channels */
gr_node *net_last(gr_graph *g);       /* the node added last */
void net_output(gr_graph *g, gr_id t);
void net_set_ints(op_ints *list, int count, const int64_t *values);

/* The evaluator of the tests: the CPU reference. */
extern const gr_evaluator net_evaluator;
/* Runs one pass alone, or all if NULL; then checks the graph. The graph is inferred before. */
void net_optimize(gr_graph *g, const char *only);
/* The same for a pass under test: keeps a copy of the graph, which net_pass_end compares with what the pass
 * made of it, freeing both. */
void net_pass(gr_graph *g, const char *only);
void net_pass_end(gr_graph *g, double tolerance);
int net_count(const gr_graph *g, op_kind op);           /* live nodes of a kind; OP_NONE: of all */
const gr_node *net_find(const gr_graph *g, op_kind op); /* the first; NULL */

/* Fails unless both give the same outputs (by name) on the same random input: relative to the largest output.
 * Inputs are given by name, so the graphs may differ otherwise. */
void net_same_results(const gr_graph *before, const gr_graph *after, double tolerance);

#endif
