/* SPDX-License-Identifier: Apache-2.0
 * DFT and STFT as what they are, a product with a matrix of turns; the matrix has `length` different
 * elements, which are a table among the weights. */
#include "graph/ops/dft.h"

#include <math.h>

#include "gpu/gpu.h"

/* lavapipe ends loops after 65535 rounds; far before that a fast transform on the CPU wins. */
enum { LONGEST = 16384 };

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_dft d;
    if (!op_dft_of(b->g, n, &d, why)) return false;
    *why = "a transform of more than 16384 samples";
    return d.length <= LONGEST;
}

static void pack_turns(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    (void)source;
    float *out = dst;
    for (int32_t i = 0; i < arg->v[0]; i++) {
        double angle = 2 * 3.14159265358979323846 * (double)i / (double)arg->v[0];
        *out++ = (float)cos(angle);
        *out++ = (float)(arg->v[1] ? sin(angle) : -sin(angle));
    }
}

static void push_side(gpu_dispatch *d, const op_dft_side *s)
{
    gpu_push(d, s->outer);
    gpu_push(d, s->inner);
    gpu_push(d, s->stride);
    gpu_push(d, s->count);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    op_dft t;
    const char *why;
    if (!op_dft_of(b->g, n, &t, &why)) return;
    gpu_pack_arg arg = {.v = {(int32_t)t.length, t.inverse}};
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, dft_direct));
    gpu_bind x = gpu_in(b, n, 0, GPU_ROW);
    gpu_bind_add(d, x, GPU_READ);
    gpu_bind_add(d, gpu_pack(b, GR_NONE, pack_turns, arg, (uint64_t)t.length * 2 * sizeof(float)), GPU_READ);
    gpu_bind_add(d, t.window ? gpu_in(b, n, 2, GPU_ROW) : x, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, t.lines * t.y.count);
    gpu_spec(d, (uint32_t)t.x.parts);
    gpu_spec(d, (uint32_t)t.y.parts);
    gpu_spec(d, t.window);
    gpu_spec(d, t.symmetric);
    gpu_push(d, t.lines * t.y.count);
    gpu_push(d, t.per);
    gpu_push(d, t.length);
    gpu_push_f32(d, t.inverse ? 1 / (float)t.length : 1);
    push_side(d, &t.x);
    push_side(d, &t.y);
}

static const gpu_kernel kernels[] = {{"dft_direct", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_dft = {kernels};
