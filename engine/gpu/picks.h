/* SPDX-License-Identifier: Apache-2.0
 * Where the indices of GatherElements, GatherND, ScatterElements and ScatterND point to. */
#ifndef GPU_PICKS_H
#define GPU_PICKS_H

#include "gpu/gpu.h"

typedef struct gpu_picks { /* push constants of shaders/lib/picks.glsl */
    bool tuples;           /* GatherND, ScatterND */
    int rank;              /* of x and indices, dimensions joined; or indices of a tuple */
    int64_t picks, axis, size, run, per_batch;
    int64_t dims[GR_MAX_RANK], strides[GR_MAX_RANK];
    int64_t tuple_count; /* not pushed */
} gpu_picks;

/* For gathering from input 0 by input 1, and for tuples of indices to scatter by. */
gpu_picks gpu_picks_of(const gpu_builder *b, const gr_node *n);
/* The two specialization constants and the push constants; the shader's own follow. */
void gpu_picks_add(gpu_dispatch *d, const gpu_picks *p);

#endif
