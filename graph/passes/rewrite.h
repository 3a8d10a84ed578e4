/* SPDX-License-Identifier: Apache-2.0
 * What the passes are written with: a graph with its uses, kept true enough while nodes are changed. A count
 * of uses may be too high after a change (which only delays a rewrite to the next round), never too low. */
#ifndef GRAPH_PASSES_REWRITE_H
#define GRAPH_PASSES_REWRITE_H

#include "graph/passes/pass.h"

typedef struct rewrite {
    gr_graph *g;
    gr_uses uses;
    int n_known; /* tensors that uses tells of; newer ones have no maker and no single reader */
    bool *changed;
} rewrite;

extern const gr_pass pass_fold_constants, pass_inline_bodies, pass_identities, pass_common_subexpressions,
    pass_dead_code, pass_qdq, pass_transposes, pass_pixel_shuffle, pass_matmul_bias, pass_softmax,
    pass_attention, pass_composites, pass_layer_normalization, pass_fold_batchnorm, pass_fold_pad,
    pass_trim_taps, pass_fuse_activation, pass_fuse_residual, pass_fuse_pool, pass_fold_scale,
    pass_group_normalization, pass_recurrent_cells, pass_fake_quantize;

vki_status rw_begin(rewrite *rw, gr_graph *g, bool *changed, vki_error *err);
void rw_end(rewrite *rw);
/* Begins, calls visit for each node that is alive when its turn comes, and ends. The first failure stops it.
 */
vki_status rw_each_node(gr_graph *g, vki_status (*visit)(rewrite *rw, gr_node *n, vki_error *err),
                        bool *changed, vki_error *err);

/* ---- matching ---- */
/* The node that makes tensor t as its first output, if it is of the kind and has no epilogue; else NULL.
 * OP_NONE: any kind, with any epilogue. */
gr_node *rw_maker(const rewrite *rw, gr_id t, op_kind op);
/* One node reads t, once, and it is no graph output. */
bool rw_single(const rewrite *rw, gr_id t);
bool rw_plain(const gr_node *n); /* no epilogue */
/* Rank of t as far as it is certain although shapes are not known yet; 0 if nothing is. */
int rw_min_rank(const rewrite *rw, gr_id t);
/* A binary node with one operand a constant of one element that does not widen the other's shape: true with
 * the other operand and the value. Sub, Div and Pow need the constant on the right. */
bool rw_scalar(const rewrite *rw, const gr_node *n, gr_id *x, float *value);
bool rw_is_float(const gr_graph *g, gr_id t); /* known, and float32 or float16 */
bool rw_near(float a, double b);              /* equal but for rounding */

/* ---- changing ---- */
/* A new float32 constant of rank 1: n elements of `from`, or n times the value if that is NULL. GR_NONE: no
 * memory. */
gr_id rw_vector(gr_graph *g, int64_t n, const float *from, float value);
/* Lets the readers of n's output 0 read `with` instead and drops n; false (nothing done) if the name of a
 * graph output would be lost. */
bool rw_bypass(rewrite *rw, gr_node *n, gr_id with);
/* `into`, whose output 0 only n reads, makes n's output 0 instead; n is dropped and noted. */
vki_status rw_absorb(rewrite *rw, gr_node *into, gr_node *n, vki_error *err);
/* Makes n another operator with default attributes and these inputs; n keeps its outputs and name. */
vki_status rw_become(rewrite *rw, gr_node *n, op_kind op, int n_in, const gr_id *in, vki_error *err);
/* Drops an inner node of a pattern and notes it in `into`. */
vki_status rw_drop(rewrite *rw, gr_node *into, gr_node *inner, vki_error *err);

#endif
