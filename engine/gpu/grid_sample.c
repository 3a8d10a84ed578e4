/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

enum { CHANNELS = 4 }; /* that an invocation takes, as in the shader */

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b;
    (void)n;
    *why = NULL;
    return true;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *y = &b->g->tensors[n->out[0]];
    const op_grid_attrs *a = n->attrs;
    int64_t points = 1, chunks = vkb_ceil_div(x->dims[1], CHANNELS);
    for (int d = 2; d < y->rank; d++) points *= y->dims[d];
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, grid_sample));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, x->dims[0] * chunks * points);
    gpu_spec(d, (uint32_t)(x->rank - 2));
    gpu_spec(d, (uint32_t)a->mode);
    gpu_spec(d, (uint32_t)a->padding_mode);
    gpu_spec(d, (uint32_t)a->align_corners);
    gpu_push(d, x->dims[0] * chunks * points);
    gpu_push(d, points);
    gpu_push(d, x->dims[1]);
    for (int i = 3; i > 0; i--) gpu_push(d, x->rank - 2 >= i ? x->dims[x->rank - i] : 1);
}

static const gpu_kernel kernels[] = {{"grid_sample", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_grid_sample = {kernels};
