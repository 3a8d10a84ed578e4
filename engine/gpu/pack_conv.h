/* SPDX-License-Identifier: Apache-2.0
 * Weights of the convolutions, packed for the C4 kernels: constants on the host, the others by a dispatch
 * before the open one. */
#ifndef GPU_PACK_CONV_H
#define GPU_PACK_CONV_H

#include "gpu/gpu.h"

/* The output slices are worked on in tiles of `tile_slices`. A tile reads `depth` input slices: all of them
 * without groups, else those that the groups of its output channels cover. */
typedef struct gpu_conv_shape {
    int32_t out_c, in_c;         /* of the whole convolution */
    int32_t group_out, group_in; /* channels of one group */
    int32_t taps;                /* kernel positions */
    int32_t tile_slices, depth;
    int32_t first_tile, tiles; /* the part that is packed */
    int32_t transposed;        /* source is [in_c][group_out][taps], else [out_c][group_in][taps] */
} gpu_conv_shape;

/* What every convolution kernel needs of a node; else *why says what is amiss. */
bool gpu_conv_window(const gpu_builder *b, const gr_node *n, op_window *w, const char **why);
/* Fills depth, first_tile = 0 and tiles = all. False if a figure exceeds 32 bits. */
bool gpu_conv_shape_of(const op_window *w, int32_t tile_slices, bool transposed, gpu_conv_shape *s);
/* First input slice that a tile reads; the shaders compute it in the same way. */
int32_t gpu_conv_slice0(const gpu_conv_shape *s, int32_t tile);
/* How many tiles' weights fit one binding (at most s->tiles). Fails if not even one does. */
int32_t gpu_conv_tiles_in_range(gpu_builder *b, const gpu_conv_shape *s);

/* [tile][tap][depth][tile_slices][4 input lanes][4 output lanes]; zeros in unused lanes and where a block
 * mixes groups. */
gpu_bind gpu_pack_conv(gpu_builder *b, gr_id weights, const gpu_conv_shape *s);
/* [slice][tap][4]: one kernel a channel. */
gpu_bind gpu_pack_depthwise(gpu_builder *b, gr_id weights, int32_t channels, int32_t taps);
/* Input 2 or zeros, padded to whole slices (`slices` of them). */
gpu_bind gpu_pack_bias(gpu_builder *b, const gr_node *n, int64_t slices);

#endif
