/* SPDX-License-Identifier: Apache-2.0
 * One filter a channel (or several: a channel multiplier). Weights are used where they lie. */
#include "cpu/bands.h"
#include "cpu/fast.h"

bool cpu_conv2d_depthwise_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_all_f32(g, n) && op_window_of(g, n, &w) && w.group == w.in_c && w.group > 1 &&
           cpu_bands_fit(&w);
}

/* Scratch: a band, and where windows have a depth, what one plane of a window adds to it. */
static uint64_t thread_floats(const cpu_bands *b)
{
    const bool flat = op_window_is_flat(&b->w);
    return cpu_bands_floats(b) + (flat ? 0 : vkb_round_up((uint64_t)(b->rows * b->w.out_w), 16));
}

vki_status cpu_conv2d_depthwise_prepare(cpu_prep *p, vki_error *err)
{
    cpu_bands *b = vkb_arena_alloc(p->arena, sizeof *b);
    op_window w;
    if (!b) return vkb_nomem(err, sizeof *b);
    if (!op_window_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    VKB_TRY(cpu_bands_plan(b, &w, 0, p->arena, err));
    p->state = b;
    p->scratch_bytes = thread_floats(b) * sizeof(float) * (uint64_t)p->threads;
    return VKI_OK;
}

/* One filter over a loaded band. */
static void filter_band(const cpu_call *c, const cpu_bands *b, cpu_taps t, int64_t batch, int64_t channel,
                        int64_t band)
{
    const op_window *w = &b->w;
    const gr_epilogue *e = &c->n->epilogue;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    const int64_t first = ((batch * w->out_c + channel) * w->out_h + band * b->rows) * w->out_w;
    const bool rest = cpu_clamp_of(e, &t.low, &t.high);
    t.y = (float *)c->out[0] + first;
    t.weight = (const float *)c->in[1] + channel * t.count;
    t.bias = bias ? bias[channel] : 0;
    b->micro->taps_sum(&t);
    if (rest) b->micro->epilogue(t.y, t.y, residual ? residual + first : NULL, t.rows * t.cols, e);
}

/* The same with windows of three dimensions, plane by plane. */
static void filter_volume(const cpu_call *c, const cpu_bands *b, float *scratch, int64_t batch,
                          int64_t channel, int64_t oz, int64_t band)
{
    const op_window *w = &b->w;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    const int64_t rows = vkb_min(b->rows, w->out_h - band * b->rows), n = rows * w->out_w;
    const int64_t first =
        (((batch * w->out_c + channel) * w->out_d + oz) * w->out_h + band * b->rows) * w->out_w;
    const int64_t plane = w->in_h * w->in_w, source = batch * w->in_c + channel / (w->out_c / w->in_c);
    float *y = (float *)c->out[0] + first, *more = scratch + cpu_bands_floats(b);
    for (int64_t i = 0; i < n; i++) y[i] = bias ? bias[channel] : 0;
    for (int64_t k = 0; k < w->kernel_d; k++) {
        const int64_t z = oz * w->stride_d - w->pad_front + k * w->dilation_d;
        if (z < 0 || z >= w->in_d) continue;
        cpu_taps t =
            cpu_bands_load(b, scratch, (const float *)c->in[0] + (source * w->in_d + z) * plane, band);
        t.y = more;
        t.weight = (const float *)c->in[1] + (channel * w->kernel_d + k) * t.count;
        b->micro->taps_sum(&t);
        b->micro->binary(y, y, 1, more, 1, n, CPU_ADD);
    }
    if (cpu_has_epilogue(c->n))
        b->micro->epilogue(y, y, residual ? residual + first : NULL, n, &c->n->epilogue);
}

static void on_bands(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const cpu_bands *b = c->state;
    const op_window *w = &b->w;
    const int64_t filters = w->out_c / w->in_c;
    float *scratch = (float *)c->scratch + (uint64_t)thread * thread_floats(b);
    cpu_bands_begin(b, scratch);
    for (int64_t i = begin; i < end; i++) {
        const int64_t band = i % b->count, oz = i / b->count % w->out_d, plane = i / b->count / w->out_d;
        const int64_t batch = plane / w->in_c, channel = plane % w->in_c * filters;
        if (!op_window_is_flat(w)) {
            for (int64_t f = 0; f < filters; f++) filter_volume(c, b, scratch, batch, channel + f, oz, band);
            continue;
        }
        cpu_taps t = cpu_bands_load(b, scratch, (const float *)c->in[0] + plane * w->in_h * w->in_w, band);
        for (int64_t f = 0; f < filters; f++) filter_band(c, b, t, batch, channel + f, band);
    }
}

void cpu_conv2d_depthwise_run(const cpu_call *c)
{
    const cpu_bands *b = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, b->w.batch * b->w.in_c * b->w.out_d * b->count, cpu_bands_grain(b), on_bands,
                     &call);
}
