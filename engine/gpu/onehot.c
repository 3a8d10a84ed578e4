/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "indices without a sign, whose large ones would look negative";
    if (b->g->tensors[n->in[0]].dtype == VKI_U32) return false;
    return gpu_const_fits(b, n, 0, why) && gpu_const_fits(b, n, 2, why);
}

static enum gpu_shader shader_of(const gpu_builder *b, vki_dtype index, vki_dtype value)
{
    if (!gpu_is_float(index)) return GPU_SHADER_OF(b, value, onehot_fill);
    if (!b->half) return SH_onehot_fill_float_f32;
    return gpu_is_float(value) ? SH_onehot_fill_float_f16 : SH_onehot_fill_float_words_f16;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *y = &b->g->tensors[n->out[0]];
    int64_t axis = ((const op_axis_attrs *)n->attrs)->axis, inner = 1;
    if (axis < 0) axis += y->rank;
    for (int64_t d = axis + 1; d < y->rank; d++) inner *= y->dims[d];
    gpu_dispatch *d = gpu_dispatch_begin(b, shader_of(b, x->dtype, y->dtype));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 2, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, gr_elements(y));
    gpu_push(d, gr_elements(y));
    gpu_push(d, inner);
    gpu_push(d, y->dims[axis]);
}

static const gpu_kernel kernels[] = {{"onehot_fill", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_onehot = {kernels};
