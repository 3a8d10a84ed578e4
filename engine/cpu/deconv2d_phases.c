/* SPDX-License-Identifier: Apache-2.0
 * A transposed convolution of stride s is s ordinary convolutions of stride 1 along each dimension, one for
 * each residue of the output position: those outputs see only the taps of that residue, in reverse order.
 * Each phase is computed into scratch, then the phases are interleaved. No two threads write to one element,
 * nothing is summed twice.
 *
 * Along one dimension, with dilation d, g = gcd(s, d) and o + pad = s q + r: the taps k with k d = r (mod s)
 * are every (s / g)th from the first on, and from one to the next the input goes back by d / g. */
#include "cpu/bands.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

typedef struct axis_phase {  /* along one dimension */
    int64_t first, count;    /* outputs first, first + s, ... */
    int64_t taps, tap, step; /* taps tap, tap + step, ... */
    int64_t back;            /* dilation of the phase's convolution, whose taps are reversed */
    int64_t pad;             /* its padding; may be negative */
} axis_phase;

typedef struct phase {
    axis_phase z, y, x;
    cpu_conv conv;
    cpu_padded padded; /* instead of conv, if few filters would repay no panels */
    bool is_padded;
    cpu_bands bands;  /* instead of both, if it is one filter a channel */
    uint64_t weights; /* first float among the packed weights */
    uint64_t out;     /* first float in scratch */
} phase;

typedef struct deconv_state {
    op_window w;
    phase *phases; /* stride_d x stride_h x stride_w */
    int count;
    bool depthwise;
    uint64_t packed_bytes; /* first in scratch: weights that are no constant; else 0 */
    uint64_t out_floats;   /* then: of all phases of all batches */
    const cpu_micro *micro;
} deconv_state;

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static axis_phase axis_of(int64_t r, int64_t stride, int64_t dilation, int64_t kernel, int64_t pad,
                          int64_t out)
{
    const int64_t common = gcd(stride, dilation);
    axis_phase a = {.step = stride / common, .back = dilation / common};
    while (a.tap < kernel && a.tap * dilation % stride != r) a.tap++;
    a.taps = vkb_ceil_div(kernel - a.tap, a.step);
    a.first = ((r - pad) % stride + stride) % stride;
    a.count = out > a.first ? vkb_ceil_div(out - a.first, stride) : 0;
    a.pad = (a.taps - 1) * a.back - (a.first + pad - a.tap * dilation) / stride;
    return a;
}

enum { MOST_PHASES = 1024 };

static bool phase_window(const op_window *w, const phase *p, op_window *out)
{
    if (!p->z.count || !p->y.count || !p->x.count || !p->z.taps || !p->y.taps || !p->x.taps) return false;
    *out = (op_window){.batch = w->batch,
                       .in_c = w->in_c,
                       .out_c = w->out_c,
                       .group = w->group,
                       .in_d = w->in_d,
                       .in_h = w->in_h,
                       .in_w = w->in_w,
                       .out_d = p->z.count,
                       .out_h = p->y.count,
                       .out_w = p->x.count,
                       .kernel_d = p->z.taps,
                       .kernel_h = p->y.taps,
                       .kernel_w = p->x.taps,
                       .stride_d = 1,
                       .stride_h = 1,
                       .stride_w = 1,
                       .dilation_d = p->z.back,
                       .dilation_h = p->y.back,
                       .dilation_w = p->x.back,
                       .pad_front = p->z.pad,
                       .pad_top = p->y.pad,
                       .pad_left = p->x.pad};
    return true;
}

/* One filter a channel: a GEMM of one row would only pack. */
static bool is_depthwise(const op_window *w)
{
    return w->group == w->in_c && w->out_c == w->in_c && w->group > 1 && op_window_is_flat(w) &&
           cpu_bands_fit(w);
}

bool cpu_deconv2d_phases_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_all_f32(g, n) && op_window_of(g, n, &w) && cpu_conv_fits(&w) && w.pad_front >= 0 &&
           w.pad_top >= 0 && w.pad_left >= 0 && w.stride_h <= MOST_PHASES / w.stride_w &&
           w.stride_d <= MOST_PHASES / (w.stride_h * w.stride_w);
}

/* W[in][out of a group][taps] to the phases' panels of A. */
static void pack_phase(float *out, const phase *p, const op_window *w, const float *src)
{
    const int64_t m = w->out_c / w->group, channels = w->in_c / w->group, plane = p->y.taps * p->x.taps;
    const int mr = cpu_micro_get()->mr;
    for (int64_t group = 0; group < w->group; group++)
        for (int64_t i = 0; i < cpu_panels(m, mr); i++) {
            const int64_t row = cpu_panel_row(m, mr, i), end = cpu_panel_row(m, mr, i + 1);
            for (int64_t tap = 0; tap < p->z.taps * plane; tap++) {
                const int64_t z = p->z.tap + (p->z.taps - 1 - tap / plane) * p->z.step;
                const int64_t y = p->y.tap + (p->y.taps - 1 - tap % plane / p->x.taps) * p->y.step;
                const int64_t x = p->x.tap + (p->x.taps - 1 - tap % p->x.taps) * p->x.step;
                const int64_t at = (z * w->kernel_h + y) * w->kernel_w + x;
                for (int64_t c = group * channels; c < (group + 1) * channels; c++)
                    for (int64_t r = row; r < end; r++) *out++ = src[(c * m + r) * op_window_taps(w) + at];
            }
        }
}

static void pack_all(float *dst, const deconv_state *s, const float *src)
{
    op_window unused;
    for (int i = 0; i < s->count; i++)
        if (phase_window(&s->w, &s->phases[i], &unused))
            pack_phase(dst + s->phases[i].weights, &s->phases[i], &s->w, src);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    pack_all(dst, state, g->tensors[n->in[1]].data);
}

/* Panels of so few filters take longer to make than they save. */
static bool reads_in_place(const op_window *w)
{
    enum { FEW = 32 };
    return op_window_is_flat(w) && op_window_taps(w) > 1 && w->out_c / w->group <= FEW && cpu_padded_fits(w);
}

/* Geometry of phase i; then how it is computed, and the scratch bytes that takes. */
static vki_status plan_phase(cpu_prep *p, const deconv_state *s, int i, uint64_t *weights, uint64_t *bytes,
                             vki_error *err)
{
    const op_window *w = &s->w;
    phase *f = &s->phases[i];
    op_window window;
    *bytes = 0;
    f->z = axis_of(i / (w->stride_h * w->stride_w), w->stride_d, w->dilation_d, w->kernel_d, w->pad_front,
                   w->out_d);
    f->y =
        axis_of(i / w->stride_w % w->stride_h, w->stride_h, w->dilation_h, w->kernel_h, w->pad_top, w->out_h);
    f->x = axis_of(i % w->stride_w, w->stride_w, w->dilation_w, w->kernel_w, w->pad_left, w->out_w);
    f->weights = *weights;
    if (!phase_window(w, f, &window)) return VKI_OK;
    *weights += cpu_conv_weight_floats(&window);
    if (s->depthwise) {
        VKB_TRY(cpu_bands_plan(&f->bands, &window, 0, p->arena, err));
        *bytes = cpu_bands_floats(&f->bands) * sizeof(float) * (uint64_t)p->threads;
        return VKI_OK;
    }
    f->is_padded = reads_in_place(&window);
    if (f->is_padded) {
        VKB_TRY(cpu_padded_plan(&f->padded, &window, p->threads, p->arena, err));
        *bytes = f->padded.floats * sizeof(float);
        return VKI_OK;
    }
    cpu_conv_plan(&f->conv, &window, p->threads);
    *bytes = cpu_gemm_scratch(&f->conv.gemm, p->threads);
    return VKI_OK;
}

vki_status cpu_deconv2d_phases_prepare(cpu_prep *p, vki_error *err)
{
    deconv_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->micro = cpu_micro_get();
    s->depthwise = is_depthwise(w);
    s->count = (int)(w->stride_d * w->stride_h * w->stride_w);
    s->phases = vkb_arena_alloc(p->arena, (size_t)s->count * sizeof *s->phases);
    if (!s->phases) return vkb_nomem(err, (uint64_t)s->count * sizeof *s->phases);
    uint64_t weights = 0, most_bytes = 0;
    for (int i = 0; i < s->count; i++) {
        phase *f = &s->phases[i];
        uint64_t bytes;
        VKB_TRY(plan_phase(p, s, i, &weights, &bytes, err));
        f->out = s->out_floats;
        s->out_floats += (uint64_t)(w->batch * w->out_c * f->z.count * f->y.count * f->x.count);
        if (bytes > most_bytes) most_bytes = bytes;
    }
    s->out_floats = vkb_round_up(s->out_floats, 16);
    p->state = s;
    const uint64_t key = cpu_pack_key("deconv2d",
                                      (int64_t[]){w->in_c, w->out_c, w->group, w->kernel_d, w->kernel_h,
                                                  w->kernel_w, w->stride_d, w->stride_h, w->stride_w,
                                                  w->dilation_d, w->dilation_h, w->dilation_w},
                                      12);
    s->packed_bytes = cpu_prepare_weights(p, weights * sizeof(float), pack, key);
    p->scratch_bytes = s->packed_bytes + s->out_floats * sizeof(float) + most_bytes;
    return VKI_OK;
}

static void join_one(float *y, int64_t step, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i * step] = x[i];
}

/* What a phase computed for row (oz, oy) of a channel; NULL if no tap reaches its outputs. */
static const float *phase_row(const deconv_state *s, const float *scratch, const phase *p, int64_t channel,
                              int64_t oz, int64_t oy)
{
    if (!p->z.taps || !p->y.taps || !p->x.taps) return NULL;
    const int64_t z = (oz - p->z.first) / s->w.stride_d, y = (oy - p->y.first) / s->w.stride_h;
    return scratch + p->out + ((channel * p->z.count + z) * p->y.count + y) * p->x.count;
}

/* Row oy of an output plane (a channel's depth oz) from its phases; the bias where no tap reaches. */
static void join_row(const deconv_state *s, const float *scratch, float *y, int64_t plane, int64_t oy,
                     float bias)
{
    const op_window *w = &s->w;
    const int64_t channel = plane / w->out_d, oz = plane % w->out_d;
    const int64_t line = (oz + w->pad_front) % w->stride_d * w->stride_h + (oy + w->pad_top) % w->stride_h;
    const phase *row = s->phases + line * w->stride_w;
    if (w->stride_w == 2) {
        const int64_t even = w->pad_left % 2;
        const float *a = phase_row(s, scratch, row + even, channel, oz, oy);
        const float *b = phase_row(s, scratch, row + 1 - even, channel, oz, oy);
        if (a && b) {
            s->micro->join_pairs(y, a, b, w->out_w / 2);
            if (w->out_w % 2) y[w->out_w - 1] = a[w->out_w / 2];
            return;
        }
    }
    for (int64_t i = 0; i < w->stride_w; i++) {
        const axis_phase *x = &row[i].x;
        const float *from = phase_row(s, scratch, row + i, channel, oz, oy);
        if (from)
            join_one(y + x->first, w->stride_w, from, x->count);
        else
            for (int64_t j = 0; j < x->count; j++) y[x->first + j * w->stride_w] = bias;
    }
}

static void on_rows(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const deconv_state *s = c->state;
    const op_window *w = &s->w;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t plane = i / w->out_h, first = i * w->out_w;
        float *y = (float *)c->out[0] + first;
        join_row(s, c->scratch, y, plane, i % w->out_h, bias ? bias[plane / w->out_d % w->out_c] : 0);
        if (cpu_has_epilogue(c->n))
            s->micro->epilogue(y, y, residual ? residual + first : NULL, w->out_w, &c->n->epilogue);
    }
}

typedef struct filter_args { /* one depthwise phase */
    const cpu_call *call;
    const phase *p;
    float *scratch; /* of the threads */
} filter_args;

static void on_bands(void *arg, int64_t begin, int64_t end, int thread)
{
    const filter_args *a = arg;
    const cpu_call *c = a->call;
    const cpu_bands *b = &a->p->bands;
    const op_window *w = &b->w;
    const float *bias = cpu_own_input(c, 2);
    float *scratch = a->scratch + (uint64_t)thread * cpu_bands_floats(b);
    cpu_bands_begin(b, scratch);
    for (int64_t i = begin; i < end; i++) {
        const int64_t plane = i / b->count, band = i % b->count, channel = plane % w->in_c;
        cpu_taps t = cpu_bands_load(b, scratch, (const float *)c->in[0] + plane * w->in_h * w->in_w, band);
        t.y = (float *)c->scratch + a->p->out + (plane * w->out_h + band * b->rows) * w->out_w;
        t.weight = (const float *)c->weights + a->p->weights + channel * t.count;
        t.bias = bias ? bias[channel] : 0;
        b->micro->taps_sum(&t);
    }
}

static void run_phase(const cpu_call *c, const deconv_state *s, const phase *p)
{
    float *rest = (float *)c->scratch + s->out_floats;
    if (s->depthwise) {
        filter_args args = {c, p, rest};
        vkb_parallel_for(c->pool, s->w.batch * s->w.in_c * p->bands.count, cpu_bands_grain(&p->bands),
                         on_bands, &args);
        return;
    }
    const cpu_conv_args args = {.conv = &p->conv,
                                .x = c->in[0],
                                .weights = (const float *)c->weights + p->weights,
                                .bias = cpu_own_input(c, 2),
                                .y = (float *)c->scratch + p->out};
    if (p->is_padded)
        cpu_padded_run(&p->padded, &args, rest, c->pool);
    else
        cpu_conv_run(&args, rest, c->pool);
}

void cpu_deconv2d_phases_run(const cpu_call *c)
{
    const deconv_state *s = c->state;
    const op_window *w = &s->w;
    cpu_call call = *c;
    op_window unused;
    if (s->packed_bytes) {
        pack_all(c->scratch, s, c->in[1]);
        call.weights = c->scratch;
        call.scratch = (char *)c->scratch + s->packed_bytes;
    }
    for (int i = 0; i < s->count; i++)
        if (phase_window(w, &s->phases[i], &unused)) run_phase(&call, s, &s->phases[i]);
    vkb_parallel_for(c->pool, w->batch * w->out_c * w->out_d * w->out_h,
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->out_w), on_rows, &call);
}
