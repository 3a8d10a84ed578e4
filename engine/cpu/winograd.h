/* SPDX-License-Identifier: Apache-2.0
 * Winograd's F(m x m, r x r): which form a convolution takes, its filters, and what a form costs in accuracy.
 * The transforms are micro-kernels (winograd_tmpl.h), the convolution is conv2d_winograd.c. */
#ifndef CPU_WINOGRAD_H
#define CPU_WINOGRAD_H

#include "cpu/gemm.h"

typedef struct cpu_winograd_form {
    cpu_winograd_kind kind;
    bool fresh;    /* filters take no more bytes than they had, and are transformed at each run */
    int64_t strip; /* rows of tiles that are worked on at once */
    /* Tiles across and down before the first short one. Where tiles would reach beyond the outputs, the last
     * ones, as many as there are outputs too many, overlap the next one by an output: they have no use for
     * their last output, nor for the last product, which has a part in no other. */
    int64_t full_x, full_y;
    double cost; /* of an image, in multiply-accumulates at the speed of a large product */
} cpu_winograd_form;

/* The cheapest form that is accurate enough for the node's weights. lean: with fresh filters; else false if
 * none is cheaper than im2col. The node is a convolution of this window. */
bool cpu_winograd_choose(const gr_graph *g, const gr_node *n, const op_window *w, bool lean,
                         cpu_winograd_form *out);

/* ---- filters: those of `rows` outputs of k channels each, in a panel of A ---- */
/* As they are, of some channels, in the order that cpu_winograd.filters takes them; the first is `first`. */
void cpu_winograd_gather(const cpu_winograd *t, float *to, int64_t first, const float *weights, int64_t k,
                         int64_t channels, int64_t rows);
/* Transformed, all channels: a panel for every product, to_step apart. */
void cpu_winograd_pack(const cpu_winograd *t, float *to, int64_t to_step, const float *weights, int64_t k,
                       int64_t rows);

/* Whether the form computes these filters (channels x r x r each) about as well as plain sums do: a constant
 * tensor, of which a few are tried on a random tile. Verdicts are remembered by its content. */
bool cpu_winograd_accurate(cpu_winograd_kind kind, const gr_tensor *weights, int64_t filters,
                           int64_t channels);

#endif
