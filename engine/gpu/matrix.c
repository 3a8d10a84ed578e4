/* SPDX-License-Identifier: Apache-2.0
 * Trilu. EyeLike reads only a shape, so that it is a constant before the first run. */
#include "gpu/gpu.h"

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "a matrix that follows from a shape is made by the CPU before the first run";
    return n->op == OP_Trilu && gpu_const_fits(b, n, 0, why);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const int64_t far = INT64_C(1) << 30; /* beyond all corners: a tensor has fewer elements than 2^29 */
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    bool computed = op_has_in(n, 1) && !gr_is_const(b->g, n->in[1]);
    int64_t k = op_has_in(n, 1) && !computed ? *(const int64_t *)b->g->tensors[n->in[1]].data : 0;
    gpu_bind in = gpu_in(b, n, 0, GPU_ROW);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_OF(b, x->dtype, matrix_trilu));
    gpu_bind_add(d, in, GPU_READ);
    gpu_bind_add(d, computed ? gpu_in(b, n, 1, GPU_ROW) : in, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, gr_elements(x));
    gpu_spec(d, ((const op_trilu_attrs *)n->attrs)->upper != 0);
    gpu_spec(d, computed);
    gpu_push(d, gr_elements(x));
    gpu_push(d, x->dims[x->rank - 2]);
    gpu_push(d, x->dims[x->rank - 1]);
    gpu_push(d, vkb_min(vkb_max(k, -far), far));
}

static const gpu_kernel kernels[] = {{"matrix_trilu", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_matrix = {kernels};
