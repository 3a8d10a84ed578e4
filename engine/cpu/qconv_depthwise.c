/* SPDX-License-Identifier: Apache-2.0
 * Depthwise QLinearConv and ConvInteger with the bands of the fp32 kernel: a plane is widened to floats less
 * its zero point. Sums of at most MOST_TAPS products of two bytes are integers below 2^24, which floats hold
 * exactly, so the result is that of integer arithmetic. */
#include <math.h>

#include "cpu/bands.h"
#include "cpu/fast.h"
#include "cpu/quantized.h"

enum { MOST_TAPS = (1 << 24) / (255 * 255) };

typedef struct depthwise_state {
    cpu_bands bands;
    op_quantized q;
    uint64_t plane, band, sums; /* a thread's scratch: floats of a plane, a padded band, int32 of a band */
} depthwise_state;

static bool window_of(const gr_graph *g, const gr_node *n, op_window *w)
{
    return op_window_2d_of(g, n, w) && w->group == w->in_c && cpu_bands_fit(w) &&
           op_window_taps(w) <= MOST_TAPS;
}

bool cpu_qconv_depthwise_fits(const gr_graph *g, const gr_node *n)
{
    const op_quantized q = op_quantized_of(n->op);
    op_window w;
    return cpu_weights_constant(g, n, &q) && window_of(g, n, &w);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const depthwise_state *s = state;
    const int64_t taps = op_window_taps(&s->bands.w);
    float *out = dst;
    for (int64_t i = 0; i < s->bands.w.out_c * taps; i++)
        out[i] = (float)cpu_weight_at(g, n, &s->q, i / taps, i);
}

static uint64_t floats_of(const depthwise_state *s) /* a thread's scratch */
{
    return s->plane + s->band + 2 * s->sums;
}

vki_status cpu_qconv_depthwise_prepare(cpu_prep *p, vki_error *err)
{
    depthwise_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!window_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    s->q = op_quantized_of(p->n->op);
    VKB_TRY(cpu_bands_plan(&s->bands, &w, 0, p->arena, err));
    s->plane = vkb_round_up((uint64_t)(w.in_h * w.in_w), 16);
    s->band = cpu_bands_floats(&s->bands);
    s->sums = vkb_round_up((uint64_t)(s->bands.rows * w.out_w), 16);
    p->state = s;
    p->scratch_bytes = floats_of(s) * sizeof(float) * (uint64_t)p->threads;
    p->weight_bytes = (uint64_t)(w.out_c * op_window_taps(&w)) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[s->q.b]];
    p->pack_key = cpu_pack_key("qconv depthwise", (int64_t[]){p->g->tensors[p->n->in[s->q.b]].dtype}, 1);
    return VKI_OK;
}

/* One filter over a loaded band: sums in floats, then in int32, then in bytes. */
static void filter_band(const cpu_call *c, cpu_taps t, float *sums, int64_t batch, int64_t channel,
                        int64_t band)
{
    const depthwise_state *s = c->state;
    const op_window *w = &s->bands.w;
    const int64_t at = ((batch * w->out_c + channel) * w->out_h + band * s->bands.rows) * w->out_w;
    const int64_t n = t.rows * t.cols;
    const int32_t *bias = s->q.bias >= 0 ? cpu_own_input(c, s->q.bias) : NULL;
    const uint32_t add = bias ? (uint32_t)bias[channel] : 0;
    const bool requantizes = op_requantizes(c->n->op);
    int32_t *whole = requantizes ? (int32_t *)(void *)(sums + s->sums) : (int32_t *)c->out[0] + at;
    t.y = sums;
    t.weight = (const float *)c->weights + channel * t.count;
    s->bands.micro->taps_sum(&t);
    for (int64_t i = 0; i < n; i++) whole[i] = (int32_t)((uint32_t)(int32_t)sums[i] + add);
    if (!requantizes) return;
    const cpu_bytes b = cpu_bytes_of(cpu_out(c, 0)->dtype, cpu_zero_at(c, s->q.y_zero, 0));
    const float scale = cpu_channel_multiplier(c, &s->q, channel);
    s->bands.micro->requantize((uint8_t *)c->out[0] + at, whole, n, &scale, 0, b);
}

/* Planes begin..end of the input. */
static void on_planes(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const depthwise_state *s = c->state;
    const op_window *w = &s->bands.w;
    const int64_t size = w->in_h * w->in_w, filters = w->out_c / w->in_c;
    const cpu_bytes b = cpu_bytes_of(cpu_in(c, s->q.a)->dtype, cpu_zero_at(c, s->q.a_zero, 0));
    float *plane = (float *)c->scratch + (uint64_t)thread * floats_of(s);
    float *padded = plane + s->plane, *sums = padded + s->band;
    cpu_bands_begin(&s->bands, padded);
    for (int64_t i = begin; i < end; i++) {
        s->bands.micro->dequantize(plane, (const uint8_t *)c->in[s->q.a] + i * size, size, 1, b);
        for (int64_t band = 0; band < s->bands.count; band++) {
            const cpu_taps t = cpu_bands_load(&s->bands, padded, plane, band);
            for (int64_t f = 0; f < filters; f++)
                filter_band(c, t, sums, i / w->in_c, i % w->in_c * filters + f, band);
        }
    }
}

void cpu_qconv_depthwise_run(const cpu_call *c)
{
    const depthwise_state *s = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, s->bands.w.batch * s->bands.w.in_c,
                     vkb_ceil_div(cpu_bands_grain(&s->bands), s->bands.count), on_planes, &call);
}
