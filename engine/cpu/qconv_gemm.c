/* SPDX-License-Identifier: Apache-2.0
 * QLinearConv and ConvInteger as the fp32 convolution's GEMM, fed with other elements: zero points are taken
 * off as the input is widened to pairs of channels, four bytes each, so that a pixel of a pair of channels
 * takes the place of a float, padding is zero, and no correction terms are left. Sums go straight to the
 * output, or through scratch to requantization. */
#include <math.h>

#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/quantized.h"

typedef struct qconv_state {
    cpu_conv conv;     /* of pairs: half as many channels, rounded up in each group */
    int64_t channels;  /* of a group, as they are */
    uint64_t pairs_at; /* in scratch, in bytes */
    uint64_t sums_at;
    op_quantized q;
} qconv_state;

static bool window_of_pairs(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!op_window_of(g, n, w) || !cpu_conv_fits(w)) return false;
    w->in_c = w->group * vkb_ceil_div(w->in_c / w->group, 2);
    return true;
}

bool cpu_qconv_gemm_fits(const gr_graph *g, const gr_node *n)
{
    const op_quantized q = op_quantized_of(n->op);
    op_window w;
    return cpu_weights_constant(g, n, &q) && window_of_pairs(g, n, &w);
}

/* W[out][in][taps] to panels of A, as cpu_conv_pack. */
static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const qconv_state *s = state;
    const op_window *w = &s->conv.w;
    const int64_t m = w->out_c / w->group, pairs = w->in_c / w->group, taps = op_window_taps(w);
    const int mr = s->conv.gemm.micro->mr;
    int32_t *out = dst;
    for (int64_t panel = 0; panel < w->group * cpu_panels(m, mr); panel++) {
        const int64_t first = panel / cpu_panels(m, mr) * m, p = panel % cpu_panels(m, mr);
        for (int64_t k = 0; k < taps * pairs; k++) {
            const int64_t tap = k / pairs, c = k % pairs * 2;
            for (int64_t r = first + cpu_panel_row(m, mr, p); r < first + cpu_panel_row(m, mr, p + 1); r++) {
                const int64_t at = (r * s->channels + c) * taps + tap;
                const int second = c + 1 < s->channels ? cpu_weight_at(g, n, &s->q, r, at + taps) : 0;
                *out++ = cpu_pair(cpu_weight_at(g, n, &s->q, r, at), second);
            }
        }
    }
}

vki_status cpu_qconv_gemm_prepare(cpu_prep *p, vki_error *err)
{
    qconv_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!window_of_pairs(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    *s = (qconv_state){.q = op_quantized_of(p->n->op)};
    s->channels = p->g->tensors[p->n->in[s->q.b]].dims[1];
    cpu_conv_plan(&s->conv, &w, p->threads);
    s->conv.gemm.tile = s->conv.gemm.micro->gemm_i16;
    p->state = s;
    s->pairs_at = vkb_round_up(cpu_gemm_scratch(&s->conv.gemm, p->threads), 64);
    const uint64_t pairs = (uint64_t)(w.batch * w.in_c) * (uint64_t)(w.in_d * w.in_h * w.in_w);
    s->sums_at = s->pairs_at + vkb_round_up(pairs * sizeof(int32_t), 64);
    p->scratch_bytes = s->sums_at;
    if (op_requantizes(p->n->op))
        p->scratch_bytes += (uint64_t)(w.batch * w.out_c * w.out_d * w.out_h * w.out_w) * sizeof(int32_t);
    p->weight_bytes = cpu_conv_weight_floats(&w) * sizeof(int32_t);
    p->pack = pack;
    p->pack_key = cpu_pack_key(
        "qconv",
        (int64_t[]){w.out_c, s->channels, w.group, op_window_taps(&w), p->g->tensors[p->n->in[s->q.b]].dtype},
        5);
    return VKI_OK;
}

/* Planes of pairs begin..end of the input. */
static void widen(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const qconv_state *s = c->state;
    const op_window *w = &s->conv.w;
    const int64_t plane = w->in_d * w->in_h * w->in_w, pairs = w->in_c / w->group;
    const cpu_bytes b = cpu_bytes_of(cpu_in(c, s->q.a)->dtype, cpu_zero_at(c, s->q.a_zero, 0));
    int32_t *out = (int32_t *)(void *)((char *)c->scratch + s->pairs_at);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t channel = i % pairs * 2;
        const uint8_t *x = (const uint8_t *)c->in[s->q.a] + (i / pairs * s->channels + channel) * plane;
        s->conv.gemm.micro->pair_bytes(out + i * plane, x, channel + 1 < s->channels ? x + plane : NULL,
                                       plane, b);
    }
}

/* Planes begin..end of the output. */
static void narrow(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const qconv_state *s = c->state;
    const op_window *w = &s->conv.w;
    const int64_t plane = w->out_d * w->out_h * w->out_w;
    const cpu_bytes b = cpu_bytes_of(cpu_out(c, 0)->dtype, cpu_zero_at(c, s->q.y_zero, 0));
    const int32_t *sums = (const int32_t *)(const void *)((const char *)c->scratch + s->sums_at);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const float scale = cpu_channel_multiplier(c, &s->q, i % w->out_c);
        s->conv.gemm.micro->requantize((uint8_t *)c->out[0] + i * plane, sums + i * plane, plane, &scale, 0,
                                       b);
    }
}

void cpu_qconv_gemm_run(const cpu_call *c)
{
    const qconv_state *s = c->state;
    const op_window *w = &s->conv.w;
    const bool requantizes = op_requantizes(c->n->op);
    char *scratch = c->scratch;
    void *sums = requantizes ? scratch + s->sums_at : c->out[0];
    const cpu_conv_args args = {.conv = &s->conv,
                                .x = (const float *)(const void *)(scratch + s->pairs_at),
                                .weights = c->weights,
                                .bias = s->q.bias >= 0 ? cpu_own_input(c, s->q.bias) : NULL,
                                .y = sums};
    cpu_call call = *c;
    vkb_parallel_for(c->pool, w->batch * w->in_c,
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->in_d * w->in_h * w->in_w), widen, &call);
    cpu_conv_run(&args, scratch, c->pool);
    if (requantizes)
        vkb_parallel_for(c->pool, w->batch * w->out_c,
                         vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->out_d * w->out_h * w->out_w), narrow, &call);
}
