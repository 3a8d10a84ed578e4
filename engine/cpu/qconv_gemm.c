/* SPDX-License-Identifier: Apache-2.0
 * QLinearConv and ConvInteger as the fp32 convolution's GEMM, fed with other elements of four bytes. Zero
 * points are taken off as the input is widened to pairs of channels, so that a pixel of a pair of channels
 * takes the place of a float, padding is zero, and no correction terms are left. Where the CPU has dot
 * products of bytes and the weights are bytes, four channels are interleaved instead, XOR the zero point, so
 * that padding is zero here too; what the zero point adds to the sums of a channel goes into its bias. Sums
 * go straight to the output, or through scratch to requantization. */
#include <math.h>

#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/quantized.h"

typedef struct qconv_state {
    cpu_conv conv;     /* of pairs: half as many channels, rounded up in each group; or of fours */
    int64_t channels;  /* of a group, as they are */
    int in_element;    /* of those in an element: 2 or 4 */
    uint64_t pairs_at; /* elements of the input in scratch, in bytes */
    uint64_t sums_at, bias_at;
    uint64_t
        weight_sums; /* fours: the sum of each output channel's weights, behind the packed ones, in bytes */
    op_quantized q;
} qconv_state;

static bool window_of(const gr_graph *g, const gr_node *n, op_window *w, int in_element)
{
    if (!op_window_of(g, n, w) || !cpu_conv_fits(w)) return false;
    w->in_c = w->group * vkb_ceil_div(w->in_c / w->group, in_element);
    return true;
}

bool cpu_qconv_gemm_fits(const gr_graph *g, const gr_node *n)
{
    const op_quantized q = op_quantized_of(n->op);
    op_window w;
    return cpu_weights_constant(g, n, &q) && window_of(g, n, &w, 2);
}

/* Element `c` of a tap of output channel `row`. */
static int32_t weights_of(const gr_graph *g, const gr_node *n, const qconv_state *s, int64_t row, int64_t c,
                          int64_t tap)
{
    const int64_t taps = op_window_taps(&s->conv.w);
    int w[4] = {0};
    for (int i = 0; i < s->in_element && c * s->in_element + i < s->channels; i++)
        w[i] = cpu_weight_at(g, n, &s->q, row, (row * s->channels + c * s->in_element + i) * taps + tap);
    return s->in_element == 4 ? cpu_quad(w) : cpu_pair(w[0], w[1]);
}

/* W[out][in][taps] to panels of A, as cpu_conv_pack. */
static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const qconv_state *s = state;
    const op_window *w = &s->conv.w;
    const int64_t m = w->out_c / w->group, elements = w->in_c / w->group, taps = op_window_taps(w);
    const int mr = s->conv.gemm.micro->mr;
    int32_t *out = dst;
    for (int64_t panel = 0; panel < w->group * cpu_panels(m, mr); panel++) {
        const int64_t first = panel / cpu_panels(m, mr) * m, p = panel % cpu_panels(m, mr);
        for (int64_t k = 0; k < taps * elements; k++)
            for (int64_t r = first + cpu_panel_row(m, mr, p); r < first + cpu_panel_row(m, mr, p + 1); r++)
                *out++ = weights_of(g, n, s, r, k % elements, k / elements);
    }
    if (s->in_element == 2) return;
    out = (int32_t *)(void *)((char *)dst + s->weight_sums);
    for (int64_t r = 0; r < w->out_c; r++) {
        uint32_t sum = 0; /* wraps around, as all sums do */
        for (int64_t i = 0; i < s->channels * taps; i++)
            sum += (uint32_t)cpu_weight_at(g, n, &s->q, r, r * s->channels * taps + i);
        out[r] = (int32_t)sum;
    }
}

vki_status cpu_qconv_gemm_prepare(cpu_prep *p, vki_error *err)
{
    qconv_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (qconv_state){.q = op_quantized_of(p->n->op), .in_element = 2};
    if (cpu_micro_get()->dot != CPU_DOT_NONE && cpu_weights_centered(p->g, p->n, &s->q)) s->in_element = 4;
    if (!window_of(p->g, p->n, &w, s->in_element))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    s->channels = p->g->tensors[p->n->in[s->q.b]].dims[1];
    cpu_conv_plan(&s->conv, &w, p->threads);
    s->conv.gemm.tile = s->in_element == 4 ? s->conv.gemm.micro->gemm_i8 : s->conv.gemm.micro->gemm_i16;
    p->state = s;
    s->pairs_at = vkb_round_up(cpu_gemm_scratch(&s->conv.gemm, p->threads), 64);
    const uint64_t pairs = (uint64_t)(w.batch * w.in_c) * (uint64_t)(w.in_d * w.in_h * w.in_w);
    s->sums_at = s->pairs_at + vkb_round_up(pairs * sizeof(int32_t), 64);
    s->bias_at = s->sums_at;
    if (op_requantizes(p->n->op)) {
        const uint64_t sums = (uint64_t)(w.batch * w.out_c) * (uint64_t)(w.out_d * w.out_h * w.out_w);
        s->bias_at += vkb_round_up(sums * sizeof(int32_t), 64);
    }
    p->scratch_bytes = s->bias_at;
    p->weight_bytes = s->weight_sums = cpu_conv_weight_floats(&w) * sizeof(int32_t);
    if (s->in_element == 4) {
        p->scratch_bytes += (uint64_t)w.out_c * sizeof(int32_t);
        p->weight_bytes += (uint64_t)w.out_c * sizeof(int32_t);
    }
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[s->q.b]];
    p->pack_key = cpu_pack_key("qconv",
                               (int64_t[]){w.out_c, s->channels, w.group, op_window_taps(&w),
                                           p->g->tensors[p->n->in[s->q.b]].dtype, s->in_element},
                               6);
    return VKI_OK;
}

/* Planes of elements begin..end of the input. */
static void widen(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const qconv_state *s = c->state;
    const op_window *w = &s->conv.w;
    const int64_t plane = w->in_d * w->in_h * w->in_w, elements = w->in_c / w->group;
    const cpu_bytes b = cpu_bytes_of(cpu_in(c, s->q.a)->dtype, cpu_zero_at(c, s->q.a_zero, 0));
    int32_t *out = (int32_t *)(void *)((char *)c->scratch + s->pairs_at);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t channel = i % elements * s->in_element;
        const uint8_t *x = (const uint8_t *)c->in[s->q.a] + (i / elements * s->channels + channel) * plane;
        const uint8_t *planes[4] = {x};
        for (int j = 1; j < s->in_element && channel + j < s->channels; j++) planes[j] = x + j * plane;
        if (s->in_element == 4)
            s->conv.gemm.micro->quad_bytes(out + i * plane, planes, plane, (uint8_t)(b.flip ^ b.zero));
        else
            s->conv.gemm.micro->pair_bytes(out + i * plane, x, planes[1], plane, b);
    }
}

/* The biases with what fours of bytes lack; the bias as it is for pairs. */
static const void *biases(const cpu_call *c, cpu_dot_form *form)
{
    const qconv_state *s = c->state;
    const int32_t *bias = s->q.bias >= 0 ? cpu_own_input(c, s->q.bias) : NULL;
    if (s->in_element == 2) return bias;
    const int shift = cpu_dot_shift(s->conv.gemm.micro);
    const int zero = cpu_bytes_of(cpu_in(c, s->q.a)->dtype, cpu_zero_at(c, s->q.a_zero, 0)).zero;
    *form =
        (cpu_dot_form){.b_unsigned = shift == 0, .b_flip = (int32_t)((uint32_t)(zero ^ shift) * 0x01010101u)};
    const int32_t *sums = (const int32_t *)(const void *)((const char *)c->weights + s->weight_sums);
    int32_t *out = (int32_t *)(void *)((char *)c->scratch + s->bias_at);
    for (int64_t i = 0; i < s->conv.w.out_c; i++)
        out[i] = (int32_t)((uint32_t)sums[i] * (uint32_t)(shift - zero) + (bias ? (uint32_t)bias[i] : 0));
    return out;
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
    cpu_dot_form form = {0};
    const float *bias = biases(c, &form);
    const cpu_conv_args args = {.conv = &s->conv,
                                .x = (const float *)(const void *)(scratch + s->pairs_at),
                                .weights = c->weights,
                                .bias = bias,
                                .y = sums,
                                .form = form};
    cpu_call call = *c;
    vkb_parallel_for(c->pool, w->batch * w->in_c,
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->in_d * w->in_h * w->in_w), widen, &call);
    cpu_conv_run(&args, scratch, c->pool);
    if (requantizes)
        vkb_parallel_for(c->pool, w->batch * w->out_c,
                         vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->out_d * w->out_h * w->out_w), narrow, &call);
}
