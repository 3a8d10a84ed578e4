/* SPDX-License-Identifier: Apache-2.0
 * Window operators (convolutions and pools) of any spatial rank, with all defaults and auto_pad resolved. */
#ifndef GRAPH_OPS_WINDOW_H
#define GRAPH_OPS_WINDOW_H

#include "graph/ops/schema.h"

enum { OP_SPATIAL_MAX = GR_MAX_RANK - 2 };

/* Of a transposed convolution `in` and `out` are the real input and output, pads are what is cut from the
 * full output. Of a pool with ceil_mode the last window may reach beyond in + pad_begin + pad_end. */
typedef struct op_window_nd {
    int rank; /* spatial dimensions: 1 to 3, or any for the global pools */
    int64_t batch, in_c, out_c, group;
    int64_t in[OP_SPATIAL_MAX], out[OP_SPATIAL_MAX], kernel[OP_SPATIAL_MAX], stride[OP_SPATIAL_MAX],
        dilation[OP_SPATIAL_MAX], pad_begin[OP_SPATIAL_MAX], pad_end[OP_SPATIAL_MAX];
} op_window_nd;

/* The attributes of a convolution over op_conv_attrs. */
#define OP_CONV_ROWS 6
extern const op_attr op_conv_rows[OP_CONV_ROWS];
void op_conv_cost(const gr_graph *g, const gr_node *n, op_cost *cost);

/* For every operator of the families conv2d, qconv, deconv2d and pool, once the inputs are concrete.
 * VKI_E_SHAPE. */
vki_status op_window_resolve(const gr_graph *g, const gr_node *n, op_window_nd *w, vki_error *err);

/* Of a ConvPool: its two windows. */
vki_status op_conv_pool_resolve(const gr_graph *g, const gr_node *n, op_window_nd *conv, op_window_nd *pool,
                                vki_error *err);

/* Puts dimensions of size 1 before the others, up to `rank`: the same operator in more dimensions. */
void op_window_extend(op_window_nd *w, int rank);

/* Sets output i to [batch, out_c, out...]. */
vki_status op_window_out(op_infer *c, int i, vki_dtype dtype, const op_window_nd *w);

#endif
