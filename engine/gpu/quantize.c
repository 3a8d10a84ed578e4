/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/quantized.h"

enum { LANES = 64 }; /* of the workgroup that looks for the range */

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_quantize_dims d;
    *why = "not a quantization by given scales";
    if (n->op == OP_DynamicQuantizeLinear || !op_quantize_of(b->g, n, &d)) return false;
    *why = "an integer input";
    if (n->op == OP_QuantizeLinear && !gpu_is_float(b->g->tensors[n->in[0]].dtype)) return false;
    *why = "a scale computed at run time, which fp16 would store too coarsely";
    return gpu_scale_fits(b, n, 1);
}

/* Scale and zero point of each element: what both directions share. */
static void finish(gpu_builder *b, gpu_dispatch *d, const gr_node *n, gpu_bind scale, gpu_bind zero,
                   int64_t zero_step, const op_quantize_dims *dims)
{
    const int64_t count = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_grid_flat(b, d, count);
    gpu_spec(d, dims->blocked ? 2 : dims->scales > 1);
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, scale, GPU_READ);
    gpu_bind_add(d, zero, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    const int64_t words[] = {count, dims->inner, dims->dim, dims->block, dims->scales, zero_step};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static void push_range(gpu_dispatch *d, vki_dtype dtype)
{
    int low, high;
    gpu_byte_range(dtype, &low, &high);
    gpu_push(d, low);
    gpu_push(d, high);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    op_quantize_dims dims;
    int64_t zero_step;
    const bool quantizes = n->op == OP_QuantizeLinear;
    if (!op_quantize_of(b->g, n, &dims)) return;
    const gpu_bind scale = gpu_scale_in(b, n, 1), zero = gpu_zero_in(b, n, 2, &zero_step);
    gpu_dispatch *d =
        gpu_dispatch_begin(b, quantizes ? GPU_SHADER(b, quantize_linear) : GPU_SHADER(b, quantize_back));
    finish(b, d, n, scale, zero, zero_step, &dims);
    if (quantizes) push_range(d, b->g->tensors[n->out[0]].dtype);
}

static bool fits_dynamic(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "the scales are given";
    if (n->op != OP_DynamicQuantizeLinear) return false;
    *why = "fp16 would store its scale too coarsely";
    if (b->half) return false;
    *why = "too many elements for one workgroup";
    return gr_elements(&b->g->tensors[n->in[0]]) <= (int64_t)LANES * GPU_MOST_ROUNDS;
}

static void emit_dynamic(gpu_builder *b, const gr_node *n)
{
    const gpu_bind x = gpu_in(b, n, 0, GPU_ROW), scale = gpu_out(b, n, 1, GPU_ROW),
                   zero = gpu_out(b, n, 2, GPU_ROW);
    gpu_dispatch *d = gpu_dispatch_begin(b, SH_quantize_range_f32);
    gpu_grid(b, d, LANES, 1, 1, LANES, 1, 1);
    gpu_spec(d, LANES);
    gpu_bind_add(d, x, GPU_READ);
    gpu_bind_add(d, scale, GPU_WRITE);
    gpu_bind_add(d, zero, GPU_WRITE);
    gpu_push(d, gr_elements(&b->g->tensors[n->in[0]]));
    const op_quantize_dims one = {.dim = 1, .inner = 1, .scales = 1, .block = 1};
    d = gpu_dispatch_begin(b, SH_quantize_linear_f32);
    finish(b, d, n, scale, zero, 0, &one);
    push_range(d, VKI_U8);
}

static const gpu_kernel kernels[] = {
    {"quantize_linear", fits, emit, GPU_ANY},
    {"quantize_dynamic", fits_dynamic, emit_dynamic, GPU_ANY},
    {0},
};
const gpu_op gpu_op_quantize = {kernels};
