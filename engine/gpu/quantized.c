/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/quantized.h"

#include <string.h>

static void pack_scales(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    float a, y, *out = dst;
    memcpy(&a, &arg->v[0], sizeof a);
    memcpy(&y, &arg->v[1], sizeof y);
    for (int64_t i = 0; i < gr_elements(source); i++) out[i] = a * gpu_const_f32(source, i) / y;
}

static void pack_nothing(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    (void)source;
    (void)arg;
    memset(dst, 0, 16);
}

static gpu_bind no_values(gpu_builder *b, int64_t *step)
{
    *step = 0;
    return gpu_pack(b, GR_NONE, pack_nothing, (gpu_pack_arg){0}, 16);
}

/* The constant as fp32, times a / y in the order of the specification. */
static gpu_bind scales_times(gpu_builder *b, gr_id tensor, float a, float y)
{
    gpu_pack_arg arg = {0};
    memcpy(&arg.v[0], &a, sizeof a);
    memcpy(&arg.v[1], &y, sizeof y);
    const uint64_t bytes = (uint64_t)gr_elements(&b->g->tensors[tensor]) * sizeof(float);
    return gpu_pack(b, tensor, pack_scales, arg, vkb_round_up(bytes, 16));
}

bool gpu_scale_fits(const gpu_builder *b, const gr_node *n, int i)
{
    return gr_is_const(b->g, n->in[i]) || (!b->half && gpu_is_float(b->g->tensors[n->in[i]].dtype));
}

gpu_bind gpu_scale_in(gpu_builder *b, const gr_node *n, int i)
{
    return gr_is_const(b->g, n->in[i]) ? scales_times(b, n->in[i], 1, 1) : gpu_in(b, n, i, GPU_ROW);
}

gpu_bind gpu_zero_in(gpu_builder *b, const gr_node *n, int i, int64_t *step)
{
    if (i < 0 || !op_has_own(n, i)) return no_values(b, step);
    *step = gr_elements(&b->g->tensors[n->in[i]]) > 1;
    return gpu_in(b, n, i, GPU_ROW);
}

void gpu_byte_range(vki_dtype dtype, int *low, int *high)
{
    const int span = vki_dtype_size(dtype) == 1 ? 256 : 65536;
    *low = dtype == VKI_I8 || dtype == VKI_I16 ? -span / 2 : 0;
    *high = *low + span - 1;
}

bool gpu_requantize_fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    const op_quantized q = op_quantized_of(n->op);
    if (!op_requantizes(n->op)) return true;
    *why = "its scales or the output's zero point are computed at run time";
    if (!gr_is_const(b->g, n->in[q.a_scale]) || !gr_is_const(b->g, n->in[q.b_scale]) ||
        !gr_is_const(b->g, n->in[q.y_scale]) || !gr_is_const(b->g, n->in[q.y_zero]))
        return false;
    *why = "a scale for each row of the left matrix";
    return gr_elements(&b->g->tensors[n->in[q.a_scale]]) == 1;
}

gpu_bind gpu_multipliers(gpu_builder *b, const gr_node *n, int64_t *step)
{
    const op_quantized q = op_quantized_of(n->op);
    if (!op_requantizes(n->op)) return no_values(b, step);
    const gr_tensor *t = b->g->tensors;
    *step = gr_elements(&t[n->in[q.b_scale]]) > 1;
    return scales_times(b, n->in[q.b_scale], gpu_const_f32(&t[n->in[q.a_scale]], 0),
                        gpu_const_f32(&t[n->in[q.y_scale]], 0));
}

void gpu_push_output(gpu_builder *b, gpu_dispatch *d, const gr_node *n)
{
    const op_quantized q = op_quantized_of(n->op);
    int low = 0, high = 0;
    int64_t zero = 0;
    if (op_requantizes(n->op)) {
        zero = gpu_const_i64(&b->g->tensors[n->in[q.y_zero]], 0);
        gpu_byte_range(b->g->tensors[n->out[0]].dtype, &low, &high);
    }
    gpu_push(d, zero);
    gpu_push(d, low);
    gpu_push(d, high);
}
