/* SPDX-License-Identifier: Apache-2.0
 * GatherElements and GatherND. */
#include "gpu/picks.h"

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    return gpu_const_fits(b, n, 0, why) && gpu_const_fits(b, n, 1, why);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    gpu_picks p = gpu_picks_of(b, n);
    vki_dtype dtype = b->g->tensors[n->in[0]].dtype;
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_OF(b, dtype, gather_picks));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, p.picks);
    gpu_picks_add(d, &p);
}

static const gpu_kernel kernels[] = {{"gather_picks", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_gather_nd = {kernels};
