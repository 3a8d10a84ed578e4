/* SPDX-License-Identifier: Apache-2.0
 * Zero points, scales and rounding of the quantized products. What is rounded is computed in fp32 in one
 * order everywhere, so that all kernels store the same integers. */
#ifndef CPU_QUANTIZED_H
#define CPU_QUANTIZED_H

#include "cpu/micro.h"
#include "cpu/ref.h"
#include "graph/ops/quantized.h"

/* Element k of input i; if there is none, 0, or of a scale 1. */
static inline int cpu_zero_at(const cpu_call *c, int i, int64_t k)
{
    return i >= 0 && op_has_own(c->n, i) ? (int)cpu_load_i64(c->in[i], cpu_in(c, i)->dtype, k) : 0;
}
static inline float cpu_scale_at(const cpu_call *c, int i, int64_t k)
{
    return i >= 0 && op_has_own(c->n, i) ? (float)cpu_load(c->in[i], cpu_in(c, i)->dtype, k) : 1;
}

/* What the int32 sums are multiplied by. */
static inline float cpu_multiplier(float a_scale, float b_scale, float y_scale)
{
    return a_scale * b_scale / y_scale;
}

/* The integers of an 8- or 16-bit type. */
static inline void cpu_integer_range(vki_dtype dtype, int *low, int *high)
{
    const bool is_signed = dtype == VKI_I8 || dtype == VKI_I16;
    const int span = vki_dtype_size(dtype) == 1 ? 256 : 65536;
    *low = is_signed ? -span / 2 : 0;
    *high = *low + span - 1;
}

/* v rounded, halves to the even, plus the zero point, within the range. NaN gives the lowest. */
static inline int cpu_saturate(float v, int zero, int low, int high)
{
    const float least = (float)(low - zero), most = (float)(high - zero);
    v = v > least ? v : least; /* the bounds are integers: clamping before rounding is the same */
    v = v < most ? v : most;
    return (int)nearbyintf(v) + zero;
}

/* ---- for the fast kernels ---- */

/* Whether b and its zero points are constants, so that they can be packed. */
static inline bool cpu_weights_constant(const gr_graph *g, const gr_node *n, const op_quantized *q)
{
    return gr_is_const(g, n->in[q->b]) && (!op_has_own(n, q->b_zero) || gr_is_const(g, n->in[q->b_zero]));
}
/* Weight i of output channel `channel`, less its zero point, when packing. */
static inline int cpu_weight_at(const gr_graph *g, const gr_node *n, const op_quantized *q, int64_t channel,
                                int64_t i)
{
    const gr_tensor *weights = &g->tensors[n->in[q->b]];
    int zero = 0;
    if (op_has_own(n, q->b_zero)) {
        const gr_tensor *t = &g->tensors[n->in[q->b_zero]];
        zero = (int)cpu_load_i64(t->data, t->dtype, gr_elements(t) == 1 ? 0 : channel);
    }
    return (int)cpu_load_i64(weights->data, weights->dtype, i) - zero;
}
/* Whether constant weights less their zero points are bytes whatever they are: zero points are in the middle.
 */
static inline bool cpu_weights_centered(const gr_graph *g, const gr_node *n, const op_quantized *q)
{
    const vki_dtype type = g->tensors[n->in[q->b]].dtype;
    const int middle = type == VKI_U8 ? 128 : 0;
    if (!op_has_own(n, q->b_zero)) return middle == 0;
    const gr_tensor *t = &g->tensors[n->in[q->b_zero]];
    for (int64_t i = 0; i < gr_elements(t); i++)
        if (cpu_load_i64(t->data, t->dtype, i) != middle) return false;
    return true;
}
/* What the sums of a convolution's output channel are multiplied by. */
static inline float cpu_channel_multiplier(const cpu_call *c, const op_quantized *q, int64_t channel)
{
    const int64_t at = gr_elements(cpu_in(c, q->b_scale)) == 1 ? 0 : channel;
    return cpu_multiplier(cpu_scale_at(c, q->a_scale, 0), cpu_scale_at(c, q->b_scale, at),
                          cpu_scale_at(c, q->y_scale, 0));
}

static inline cpu_bytes cpu_bytes_of(vki_dtype dtype, int zero)
{
    return dtype == VKI_I8 ? (cpu_bytes){0x80, zero + 128} : (cpu_bytes){0, zero};
}
static inline int cpu_byte(uint8_t q, cpu_bytes b)
{
    return (q ^ b.flip) - b.zero;
}
/* Two int16 that follow each other along the sum of cpu_micro.gemm_i16. */
static inline int32_t cpu_pair(int first, int second)
{
    return (int32_t)(((uint32_t)first & 0xffffu) | (uint32_t)second << 16);
}

/* Four bytes that follow each other along the sum of cpu_micro.gemm_i8. */
static inline int32_t cpu_quad(const int byte[4])
{
    uint32_t quad = 0;
    for (int i = 0; i < 4; i++) quad |= ((uint32_t)byte[i] & 0xffu) << 8 * i;
    return (int32_t)quad;
}
/* How gemm_i8 reads activations, as unsigned bytes less this: what its sums then lack is that much less the
 * zero point, times the sum of the weights. */
static inline int cpu_dot_shift(const cpu_micro *m)
{
    return m->dot == CPU_DOT_SIGNED ? 128 : 0;
}

#endif
