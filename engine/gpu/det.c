/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

enum {
    LANES = 64,
    MOST_ROWS = 60
}; /* the matrix lies in shared memory: 60 x 60 below the 16 KiB of all devices */

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *y = &b->g->tensors[n->out[0]];
    *why = "matrices too large for shared memory, or too many";
    return x->dims[x->rank - 1] <= MOST_ROWS && gr_elements(y) <= b->limits->max_groups[0];
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *y = &b->g->tensors[n->out[0]];
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, det_group));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid(b, d, gr_elements(y) * LANES, 1, 1, LANES, 1, 1);
    gpu_spec(d, LANES);
    gpu_push(d, x->dims[x->rank - 1]);
}

static const gpu_kernel kernels[] = {{"det_group", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_det = {kernels};
