/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/binary.h"
#include "gpu/cast.h"
#include "gpu/texels.h"
#include "gpu/words.h"

#include <float.h>

/* The order is that of the cases in shaders/unary_map.comp. */
static const op_kind functions[] = {
    OP_Relu,     OP_LeakyRelu, OP_Clip,     OP_Sigmoid, OP_Tanh,         OP_HardSigmoid, OP_HardSwish,
    OP_Silu,     OP_Elu,       OP_Softplus, OP_Exp,     OP_Log,          OP_Sqrt,        OP_Reciprocal,
    OP_Abs,      OP_Neg,       OP_Floor,    OP_Ceil,    OP_Round,        OP_Erf,         OP_Sin,
    OP_Cos,      OP_Tan,       OP_Asin,     OP_Acos,    OP_Atan,         OP_Sinh,        OP_Cosh,
    OP_Asinh,    OP_Acosh,     OP_Atanh,    OP_Gelu,    OP_Selu,         OP_Celu,        OP_ThresholdedRelu,
    OP_Softsign, OP_Mish,      OP_Shrink,   OP_Sign,    OP_FakeQuantize,
};

static int function_of(op_kind op)
{
    for (int i = 0; i < (int)VKB_COUNT(functions); i++)
        if (functions[i] == op) return i;
    return -1;
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    float low, high;
    *why = "the limits are not constant";
    if (n->op == OP_Clip && !op_clip_range(b->g, n, &low, &high)) return false;
    *why = "no such function on the GPU";
    return function_of(n->op) >= 0;
}

static void push_params(gpu_builder *b, gpu_dispatch *d, const gr_node *n)
{
    float alpha = 0, beta = 0;
    if (n->op == OP_Clip && op_clip_range(b->g, n, &alpha, &beta)) {
        alpha = alpha < -FLT_MAX ? -FLT_MAX : alpha; /* infinities are not to be relied on in shaders */
        beta = beta > FLT_MAX ? FLT_MAX : beta;
    } else if (n->op == OP_Gelu) {
        alpha = (float)((const op_unary_attrs *)n->attrs)->approximate;
    } else if (n->attrs) {
        alpha = ((const op_unary_attrs *)n->attrs)->alpha;
        beta = ((const op_unary_attrs *)n->attrs)->beta;
    }
    if (n->op == OP_FakeQuantize)
        beta = op_levels(((const op_unary_attrs *)n->attrs)->low, ((const op_unary_attrs *)n->attrs)->high);
    gpu_push_f32(d, alpha);
    gpu_push_f32(d, beta);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    gpu_layout layout = gpu_has_layout(b, n->in[0], GPU_C4) ? GPU_C4 : GPU_ROW;
    uint8_t access = gpu_read_access(b, n, layout, NULL);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, unary_map));
    int64_t batch = 1, channels = 0, slices = 1, spatial = 1, count = vkb_ceil_div(gr_elements(x), 4);
    if (layout == GPU_C4) {
        gpu_c4_dims(x, &batch, &channels, &slices, &spatial);
        count = batch * slices * spatial;
        if (channels % 4 == 0) channels = 0;
    }
    gpu_grid_flat(b, d, count);
    gpu_spec(d, (uint32_t)function_of(n->op));
    gpu_bind_add(d, gpu_in(b, n, 0, layout), access | GPU_SAME);
    gpu_bind_add(d, gpu_out(b, n, 0, layout), GPU_WRITE);
    gpu_push(d, count);
    gpu_push(d, channels);
    gpu_push(d, slices);
    gpu_push(d, spatial);
    push_params(b, d, n);
}

/* Clip to limits that are computed at run time: Max, then Min, so that the upper one wins as ONNX wants it.
 */
static bool fits_limits(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b;
    *why = "no such function on the GPU";
    return n->op == OP_Clip && (op_has_in(n, 1) || op_has_in(n, 2));
}

static void emit_limits(gpu_builder *b, const gr_node *n)
{
    static const op_kind steps[] = {OP_Max, OP_Min};
    gpu_layout layout = gpu_has_layout(b, n->in[0], GPU_C4) ? GPU_C4 : GPU_ROW;
    gpu_bind x = gpu_in(b, n, 0, layout);
    for (int i = 1; i <= 2; i++) {
        if (!op_has_in(n, i)) continue;
        gpu_emit_with_scalar(b, n, steps[i - 1], x, i, layout);
        x = gpu_out(b, n, 0, layout);
    }
}

static const gpu_kernel kernels[] = {
    {"unary_map", fits, emit, GPU_FLOATS},
    {"unary_limits", fits_limits, emit_limits, GPU_FLOATS},
    {"unary_words", gpu_words_fit, gpu_words_emit, GPU_INTEGERS},
    {"unary_test", gpu_tests_fit, gpu_tests_emit, GPU_FLOATS | OP_BIT(VKI_BOOL)},
    {0},
};
const gpu_op gpu_op_unary = {kernels};
