/* SPDX-License-Identifier: Apache-2.0
 * Start values of the convolutions' register tile and workgroup. */
#ifndef GPU_CONV_TILE_H
#define GPU_CONV_TILE_H

#include "gpu/gpu.h"

typedef struct gpu_conv_tile {
    uint8_t pixels, slices; /* of one invocation: PX, SL in shaders/lib/conv_tile.glsl */
    uint8_t lx, ly;         /* workgroup: along pixels, along tiles of slices */
} gpu_conv_tile;

/* For `count` positions (over all batches) of `out_slices` slices. Few different tiles: each one is a
 * pipeline of its own. */
gpu_conv_tile gpu_conv_tile_of(const gpu_limits *limits, int64_t positions, int64_t batch,
                               int64_t out_slices);

/* The tile of a depthwise convolution `d` that is computed within the 1x1 convolution after it, once a tile
 * of slices; false where that does not pay. */
bool gpu_separable_tile_of(const gpu_limits *limits, int64_t out_w, int64_t out_slices, const op_window *d,
                           gpu_conv_tile *tile);

#endif
