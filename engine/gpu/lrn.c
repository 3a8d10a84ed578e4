/* SPDX-License-Identifier: Apache-2.0
 * Local response normalization, in slices of four channels. */
#include "gpu/texels.h"

enum { MOST_CHANNELS = 32768 /* a loop over slices, four squares each; see docs/design.md */ };

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b;
    *why = "more channels around than a shader's loop may have rounds";
    return ((const op_lrn_attrs *)n->attrs)->size <= MOST_CHANNELS;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const op_lrn_attrs *a = n->attrs;
    int64_t batch, channels, slices, spatial;
    gpu_c4_dims(&b->g->tensors[n->in[0]], &batch, &channels, &slices, &spatial);
    gpu_bind in = gpu_in(b, n, 0, GPU_C4);
    uint8_t access = gpu_read_access(b, n, GPU_C4, NULL);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, lrn_channels));
    gpu_grid_flat(b, d, batch * slices * spatial);
    gpu_bind_add(d, in, access);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
    gpu_push(d, batch * slices * spatial);
    gpu_push(d, channels);
    gpu_push(d, slices);
    gpu_push(d, spatial);
    gpu_push(d, (a->size - 1) / 2);
    gpu_push(d, a->size / 2);
    gpu_push_f32(d, a->alpha / (float)a->size);
    gpu_push_f32(d, a->beta);
    gpu_push_f32(d, a->bias);
}

static const gpu_kernel kernels[] = {{"lrn_channels", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_lrn = {kernels};
