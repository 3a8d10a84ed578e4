/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b;
    (void)n;
    *why = NULL;
    return true;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *y = &b->g->tensors[n->out[0]];
    int spatial = y->rank - 2;
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, affine_grid));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, gr_elements(y));
    gpu_spec(d, (uint32_t)spatial);
    gpu_spec(d, (uint32_t)((const op_grid_attrs *)n->attrs)->align_corners);
    gpu_push(d, gr_elements(y));
    for (int i = 0; i < 3; i++) gpu_push(d, i < spatial ? y->dims[spatial - i] : 1);
}

static const gpu_kernel kernels[] = {{"affine_grid", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_affine_grid = {kernels};
