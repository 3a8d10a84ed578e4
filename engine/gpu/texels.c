/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/texels.h"

enum { MESA = 0x10005 };

/* Vendors whose texel fetches are faster than loads from storage buffers. lavapipe 22.3 on AVX2 (2026-11):
 * 1x1 convolution 6.3 to 10 GFLOP/s a core against 0.5 to 1.3, since it loads from storage buffers lane by
 * lane. */
static const uint32_t prefer[] = {MESA};

uint8_t gpu_read_access_of(const gpu_builder *b, uint64_t bytes)
{
    bool wanted = false;
    for (size_t i = 0; i < VKB_COUNT(prefer); i++) wanted = wanted || prefer[i] == b->limits->vendor;
    if (!wanted || bytes / (b->half ? 8 : 16) >= b->limits->max_texels) return GPU_READ;
    return GPU_READ | (b->half ? GPU_TEXELS_F16 : GPU_TEXELS_F32);
}

uint8_t gpu_read_access(const gpu_builder *b, const gr_node *n, gpu_layout layout, const gpu_bind *weights)
{
    if (b->failed) return GPU_READ;
    uint64_t largest = 0;
    if (weights && weights->space == GPU_SPACE_WEIGHTS) largest = b->program->weights[weights->index].bytes;
    if (weights && weights->space == GPU_SPACE_ARENA) largest = b->program->bufs[weights->index].bytes;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == GR_NONE || gr_is_const(b->g, n->in[i])) continue;
        const gr_tensor *t = &b->g->tensors[n->in[i]];
        uint64_t bytes = gpu_layout_bytes(t, t->rank < 2 ? GPU_ROW : layout, b->half);
        largest = bytes > largest ? bytes : largest;
    }
    return gpu_read_access_of(b, largest);
}

void gpu_epilogue_as(gpu_builder *b, gpu_dispatch *d, const gr_node *n, gpu_layout layout, gpu_bind dummy,
                     uint8_t access)
{
    gpu_epilogue(b, d, n, layout, dummy);
    if (d->n_bind <= GPU_MAX_BINDINGS) d->bind[d->n_bind - 1].access = access | GPU_SAME; /* the residual's */
}
