/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/col2im.h"

#include "gpu/gpu.h"

enum { SPATIAL = 3, ROUNDS = 60000 }; /* of the shader; of a loop: software drivers end it at 65535 */

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_col2im c;
    if (!op_col2im_of(b->g, n, &c, why)) return false;
    *why = "more than three spatial dimensions";
    if (c.rank > SPATIAL) return false;
    *why = "strides, dilations or paddings beyond 30 bits";
    for (int d = 0; d < c.rank; d++) {
        const op_col2im_axis *a = &c.axis[d];
        if (a->image + a->pad > 1 << 30 || a->dilation * (a->block - 1) > 1 << 30) return false;
    }
    *why = "a block of more elements than a loop has rounds";
    return c.block <= ROUNDS;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    op_col2im c;
    const char *why;
    if (!op_col2im_of(b->g, n, &c, &why)) return;
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, col2im_gather));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    int64_t units = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_grid_flat(b, d, units);
    gpu_push(d, units);
    gpu_push(d, c.places);
    for (int i = 0; i < SPATIAL; i++) { /* innermost first */
        op_col2im_axis a = i < c.rank ? c.axis[c.rank - 1 - i] : (op_col2im_axis){1, 1, 1, 0, 1, 1};
        gpu_push(d, a.image);
        gpu_push(d, a.block);
        gpu_push(d, a.dilation);
        gpu_push(d, a.pad);
        gpu_push(d, a.stride);
        gpu_push(d, a.places);
    }
}

static const gpu_kernel kernels[] = {{"col2im_gather", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_col2im = {kernels};
