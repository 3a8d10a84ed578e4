/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    return gpu_const_fits(b, n, 0, why) && gpu_const_fits(b, n, 1, why);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    const op_reverse_attrs *a = n->attrs;
    int64_t units = gr_elements(x), runs = x->dims[0] * x->dims[1];
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_OF(b, x->dtype, reverse_sequences));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, units);
    const int64_t words[] = {units,
                             units / runs,
                             x->dims[a->time_axis],
                             x->dims[a->batch_axis],
                             a->time_axis == 0 ? x->dims[1] : 1,
                             a->time_axis == 0 ? 1 : x->dims[1]};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static const gpu_kernel kernels[] = {{"reverse_sequences", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_reverse = {kernels};
