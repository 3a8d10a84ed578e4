/* SPDX-License-Identifier: Apache-2.0
 * Builds graphs of one node with random tensors, and checks the node's fast kernels against its reference. */
#ifndef TESTS_COMMON_NODE_CHECK_H
#define TESTS_COMMON_NODE_CHECK_H

#include "cpu/cpu.h"

enum { NODE_INPUTS = 6 };

typedef struct node_check {
    gr_graph g;
    gr_id in[NODE_INPUTS];
    int n_in;
    float *data[NODE_INPUTS];
    uint64_t random;
    const char *best; /* what node_check_run found: the first kernel that fits; NULL: none does */
} node_check;

void node_check_begin(node_check *c, uint64_t seed);
int64_t node_check_random(node_check *c, int64_t low, int64_t high); /* both included */
/* Adds an input of random values in [low, high]; constant ones are packed by the kernels. */
void node_check_input(node_check *c, int rank, const int64_t *dims, bool constant, float low, float high);
void node_check_absent(node_check *c);
gr_node *node_check_node(node_check *c,
                         op_kind op); /* the node on all inputs, output shape not inferred yet */
/* Infers, gives it a random epilogue if `epilogue`, and runs the reference and each kernel of the operator
 * that fits with 1, 2 and 5 threads: within `tolerance` of the largest value, bit-identical for every number
 * of threads, nothing written beyond the output. Asserts; returns the number of kernels that fit. Frees c. */
int node_check_run(node_check *c, bool epilogue, double tolerance);
extern int node_check_leans; /* kernels so far that were checked a second time, packing less */

#endif
