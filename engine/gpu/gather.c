/* SPDX-License-Identifier: Apache-2.0
 * Gather: whole slices along one axis. */
#include "gpu/strided.h"

typedef struct gather_dims {
    int64_t outer, dim, inner, picks;
} gather_dims;

/* y[outer][picks][inner] = x[outer][dim][inner]; in slices of four channels `inner` counts slices' positions.
 */
static gather_dims dims_of(const gr_graph *g, const gr_node *n, bool c4)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    int64_t axis = ((const op_axis_attrs *)n->attrs)->axis;
    if (axis < 0) axis += x->rank;
    gather_dims s = {1, x->dims[axis], 1, gr_elements(&g->tensors[n->in[1]])};
    for (int d = 0; d < axis; d++) s.outer *= c4 && d == 1 ? vkb_ceil_div(x->dims[d], 4) : x->dims[d];
    for (int d = (int)axis + 1; d < x->rank; d++) s.inner *= x->dims[d];
    return s;
}

static bool fits_row(const gpu_builder *b, const gr_node *n, const char **why)
{
    return gpu_const_fits(b, n, 0, why);
}

static bool fits_c4(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "only positions, not batches or channels, are picked in channel slices";
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    int64_t axis = ((const op_axis_attrs *)n->attrs)->axis;
    return (axis < 0 ? axis + x->rank : axis) >= 2 && gpu_prefers_c4(b, n);
}

static void emit(gpu_builder *b, const gr_node *n, bool c4)
{
    gather_dims s = dims_of(b->g, n, c4);
    bool groups = c4 || s.inner % 4 == 0;
    if (groups && !c4) s.inner /= 4;
    gpu_layout layout = c4 ? GPU_C4 : GPU_ROW;
    vki_dtype dtype = b->g->tensors[n->in[0]].dtype;
    gpu_dispatch *d = gpu_dispatch_begin(b, groups ? GPU_SHADER_OF(b, dtype, gather_slices_x4)
                                                   : GPU_SHADER_OF(b, dtype, gather_slices));
    int64_t units = s.outer * s.picks * s.inner;
    gpu_bind_add(d, gpu_in(b, n, 0, layout), GPU_READ);
    gpu_touches(d, units * (groups ? 4 : 1) * (int64_t)gpu_element_bytes(dtype, b->half));
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, layout), GPU_WRITE);
    gpu_grid_flat(b, d, units);
    gpu_push(d, units);
    gpu_push(d, s.inner);
    gpu_push(d, s.picks);
    gpu_push(d, s.dim);
}

static void emit_c4(gpu_builder *b, const gr_node *n)
{
    emit(b, n, true);
}

static void emit_row(gpu_builder *b, const gr_node *n)
{
    emit(b, n, false);
}

static const gpu_kernel kernels[] = {
    {"gather_c4", fits_c4, emit_c4, GPU_ANY},
    {"gather_row", fits_row, emit_row, GPU_ANY},
    {0},
};
const gpu_op gpu_op_gather = {kernels};
