/* SPDX-License-Identifier: Apache-2.0
 * MaxUnpool by looking up, for each output element, the value that means it: nothing is written twice, so
 * that positions that come more than once make no race. */
#include "gpu/gpu.h"

typedef struct shape3 {
    int64_t v[3]; /* depth, height, width */
} shape3;

static shape3 shape_of(const int64_t *spatial, int count)
{
    shape3 s = {{1, 1, 1}};
    for (int d = 0; d < count; d++) s.v[3 - count + d] = spatial[d];
    return s;
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    int64_t from[GR_MAX_RANK - 2], size = 1;
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    *why = "more than three spatial dimensions";
    if (x->rank > 5 || !op_unpool_shape(b->g, n, from)) return false;
    *why = "positions beyond 32 bits";
    for (int d = 0; d < x->rank - 2; d++) {
        if (from[d] > INT32_MAX / size) return false;
        size *= from[d];
    }
    return gpu_const_fits(b, n, 0, why) && gpu_const_fits(b, n, 1, why);
}

static gpu_bind find_owners(gpu_builder *b, const gr_node *n, int64_t inputs, int64_t outputs)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *y = &b->g->tensors[n->out[0]];
    int64_t spatial[GR_MAX_RANK - 2];
    gpu_bind owner = gpu_scratch(b, (uint64_t)outputs * 4), positions = gpu_in(b, n, 1, GPU_ROW);
    if (!op_unpool_shape(b->g, n, spatial)) return owner; /* inference has accepted the node */
    const shape3 from = shape_of(spatial, x->rank - 2), to = shape_of(y->dims + 2, x->rank - 2);
    for (int clear = 1; clear >= 0; clear--) {
        gpu_dispatch *d = gpu_dispatch_begin(b, SH_unpool_owner_f32);
        gpu_bind_add(d, positions, GPU_READ);
        gpu_bind_add(d, owner, GPU_WRITE);
        gpu_grid_flat(b, d, clear ? outputs : inputs);
        gpu_spec(d, (uint32_t)clear);
        gpu_push(d, clear ? outputs : inputs);
        gpu_push(d, x->dims[0] * x->dims[1]);
        for (int i = 0; i < 3; i++) gpu_push(d, from.v[i]);
        for (int i = 0; i < 3; i++) gpu_push(d, to.v[i]);
    }
    return owner;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const int64_t inputs = gr_elements(&b->g->tensors[n->in[0]]);
    const int64_t outputs = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_bind owner = find_owners(b, n, inputs, outputs), x = gpu_in(b, n, 0, GPU_ROW);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, unpool_take));
    gpu_bind_add(d, x, GPU_READ);
    gpu_bind_add(d, owner, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, outputs);
    gpu_push(d, outputs);
}

static const gpu_kernel kernels[] = {{"unpool_owner", fits, emit, GPU_FLOATS | OP_BIT(VKI_I64)}, {0}};
const gpu_op gpu_op_unpool = {kernels};
