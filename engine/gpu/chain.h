/* SPDX-License-Identifier: Apache-2.0
 * Element-wise nodes, one alone or several in one dispatch: a program of few steps over a handful of
 * registers, which shaders/chain_map.comp carries out for each output element. */
#ifndef GPU_CHAIN_H
#define GPU_CHAIN_H

#include "gpu/gpu.h"

enum {
    CHAIN_NODES = 24,
    CHAIN_STEPS = 12, /* as many specialization constants */
    CHAIN_REGISTERS = 4,
    CHAIN_INPUTS = 6,
    CHAIN_PARAMS = 8,
    CHAIN_DIMS = 4 /* of rows, where neighbours that all inputs walk as one are one */
};

typedef struct chain_input { /* what the nodes read of others */
    gr_id tensor;
    int64_t stride[GR_MAX_RANK]; /* in its elements, by dimension of the result; 0 where it repeats */
} chain_input;

typedef struct chain_step {
    uint8_t op;      /* index in `ops` of chain_program.c */
    uint8_t from[3]; /* CHAIN_* below */
    uint8_t to;      /* register */
    uint8_t param;   /* of alpha; beta is the next */
} chain_step;
enum { CHAIN_FROM_INPUT = CHAIN_REGISTERS, CHAIN_FROM_PARAM = 16 }; /* registers come first */

typedef struct chain {
    const gr_graph *g;
    gr_id nodes[CHAIN_NODES]; /* in order; the last makes the result */
    chain_step steps[CHAIN_STEPS];
    chain_input inputs[CHAIN_INPUTS];
    float params[CHAIN_PARAMS];
    int n_nodes, n_steps, n_inputs, n_params;
} chain;

/* Whether the node can be part of a chain, as far as it alone tells; types and epilogue included. */
bool chain_takes(const gr_graph *g, const gr_node *n);
/* The node only names its input otherwise: a view, a Cast between floats. */
bool chain_is_name(const gr_graph *g, const gr_node *n);
/* An operator of a few instructions: computing it again for each element of a larger result is cheap. */
bool chain_is_cheap(const gr_node *n);
/* Fills in all but the nodes from the nodes. false: too long, or too many inputs or values at once. */
bool chain_compile(chain *c);

/* ---- chain.c: the kernel of a node alone, and of those that are merged into it ---- */
bool gpu_chain_fits(const gpu_builder *b, const gr_node *n, const char **why);
void gpu_chain_emit(gpu_builder *b, const gr_node *n);

#endif
