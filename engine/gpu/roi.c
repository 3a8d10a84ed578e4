/* SPDX-License-Identifier: Apache-2.0
 * RoiAlign and MaxRoiPool, one invocation an output element. */
#include "gpu/gpu.h"

enum { ROUNDS = 60000 }; /* of a loop: software drivers end it at 65535 */

/* Regions come from the network, so that a bin may cover the image: half an element between samples. */
static bool fits_align(const gpu_builder *b, const gr_node *n, const char **why)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    int64_t ratio = ((const op_roi_attrs *)n->attrs)->sampling_ratio;
    int64_t rows = ratio ? ratio : 2 * x->dims[2] + 8, columns = ratio ? ratio : 2 * x->dims[3] + 8;
    if (!gpu_const_fits(b, n, 2, why)) return false;
    *why = "a bin may have more samples than a loop has rounds";
    return rows * (columns / 4 + 2) <= ROUNDS;
}

static bool fits_pool(const gpu_builder *b, const gr_node *n, const char **why)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    *why = "a bin may have more elements than a loop has rounds";
    return (x->dims[2] + 1) * (x->dims[3] + 1) <= ROUNDS;
}

static void emit(gpu_builder *b, const gr_node *n, bool align)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *y = &b->g->tensors[n->out[0]];
    const op_roi_attrs *a = n->attrs;
    gpu_dispatch *d = gpu_dispatch_begin(b, align ? GPU_SHADER(b, roi_align) : GPU_SHADER(b, roi_pool));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    if (align) gpu_bind_add(d, gpu_in(b, n, 2, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, gr_elements(y));
    if (align) {
        gpu_spec(d, (uint32_t)a->mode);
        gpu_spec(d, a->coordinate_transformation_mode == 0);
    }
    gpu_push(d, gr_elements(y));
    for (int i = 0; i < 4; i++) gpu_push(d, x->dims[i]);
    for (int i = 2; i < 4; i++) gpu_push(d, y->dims[i]);
    gpu_push_f32(d, a->spatial_scale);
    if (align) gpu_push(d, a->sampling_ratio);
}

static void emit_align(gpu_builder *b, const gr_node *n)
{
    emit(b, n, true);
}

static void emit_pool(gpu_builder *b, const gr_node *n)
{
    emit(b, n, false);
}

static bool is_align(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "";
    return n->op == OP_RoiAlign && fits_align(b, n, why);
}

static bool is_pool(const gpu_builder *b, const gr_node *n, const char **why)
{
    return n->op == OP_MaxRoiPool && fits_pool(b, n, why);
}

static const gpu_kernel kernels[] = {
    {"roi_align", is_align, emit_align, GPU_ANY},
    {"roi_pool", is_pool, emit_pool, GPU_FLOATS},
    {0},
};
const gpu_op gpu_op_roi = {kernels};
