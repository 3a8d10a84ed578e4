/* SPDX-License-Identifier: Apache-2.0
 * Pools over all positions of a channel: what the global pools and reductions of whole channels have in
 * common. */
#ifndef GPU_POOL_H
#define GPU_POOL_H

#include "gpu/gpu.h"

enum gpu_pool_kind { GPU_POOL_MAX = 0, GPU_POOL_MEAN_INSIDE, GPU_POOL_MEAN_PADDED, GPU_POOL_POWERS };

/* Input 0 in slices to output 0 in slices, with the node's epilogue. exponent: of GPU_POOL_POWERS. */
void gpu_emit_pool_global(gpu_builder *b, const gr_node *n, enum gpu_pool_kind kind, int64_t exponent);

#endif
