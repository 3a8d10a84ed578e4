/* SPDX-License-Identifier: Apache-2.0
 * A transposed convolution of stride s is s x s ordinary convolutions of stride 1, one for each residue of
 * the output position: those outputs see only the taps of that residue, in reverse order. Each phase is
 * computed into scratch, then the phases are interleaved. No two threads write to one element, nothing is
 * summed twice.
 *
 * Along one dimension, with o + pad = s q + r: taps k = r + s j, inputs i = q - j. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

typedef struct axis_phase { /* along one dimension */
    int64_t first, count;   /* outputs first, first + s, ... */
    int64_t taps, residue;
    int64_t pad; /* of the phase's convolution, whose taps are reversed; may be negative */
} axis_phase;

typedef struct phase {
    axis_phase y, x;
    cpu_conv conv;
    uint64_t weights; /* first float among the packed weights */
    uint64_t out;     /* first float in scratch */
} phase;

typedef struct deconv_state {
    op_window w;
    phase *phases; /* stride_h x stride_w */
    int count;
    uint64_t out_floats; /* of all phases of all batches */
    const cpu_micro *micro;
} deconv_state;

static axis_phase axis_of(int64_t r, int64_t stride, int64_t kernel, int64_t pad, int64_t out)
{
    axis_phase a = {.residue = r, .taps = kernel > r ? vkb_ceil_div(kernel - r, stride) : 0};
    a.first = ((r - pad) % stride + stride) % stride;
    a.count = out > a.first ? vkb_ceil_div(out - a.first, stride) : 0;
    a.pad = a.taps - 1 - (a.first + pad - r) / stride;
    return a;
}

enum { MOST_PHASES = 1024 };

static bool phase_window(const op_window *w, const phase *p, op_window *out)
{
    if (!p->y.count || !p->x.count || !p->y.taps || !p->x.taps) return false;
    *out = (op_window){.batch = w->batch,
                       .in_c = w->in_c,
                       .out_c = w->out_c,
                       .group = w->group,
                       .in_h = w->in_h,
                       .in_w = w->in_w,
                       .out_h = p->y.count,
                       .out_w = p->x.count,
                       .kernel_h = p->y.taps,
                       .kernel_w = p->x.taps,
                       .stride_h = 1,
                       .stride_w = 1,
                       .dilation_h = 1,
                       .dilation_w = 1,
                       .pad_top = p->y.pad,
                       .pad_left = p->x.pad};
    return true;
}

bool cpu_deconv2d_phases_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_all_f32(g, n) && gr_is_const(g, n->in[1]) && op_window_of(g, n, &w) && cpu_conv_fits(&w) &&
           w.dilation_h == 1 && w.dilation_w == 1 && w.pad_top >= 0 && w.pad_left >= 0 &&
           w.stride_h <= MOST_PHASES / w.stride_w;
}

/* W[in][out of a group][taps] to the phases' panels of A. */
static void pack_phase(float *out, const phase *p, const op_window *w, const float *src)
{
    const int64_t m = w->out_c / w->group, channels = w->in_c / w->group;
    for (int64_t group = 0; group < w->group; group++)
        for (int64_t i = 0; i < cpu_panels(m); i++) {
            const int64_t row = cpu_panel_row(m, i), end = cpu_panel_row(m, i + 1);
            for (int64_t tap = 0; tap < p->y.taps * p->x.taps; tap++) {
                const int64_t y = p->y.residue + (p->y.taps - 1 - tap / p->x.taps) * w->stride_h;
                const int64_t x = p->x.residue + (p->x.taps - 1 - tap % p->x.taps) * w->stride_w;
                for (int64_t c = group * channels; c < (group + 1) * channels; c++)
                    for (int64_t r = row; r < end; r++)
                        *out++ = src[((c * m + r) * w->kernel_h + y) * w->kernel_w + x];
            }
        }
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const deconv_state *s = state;
    op_window unused;
    for (int i = 0; i < s->count; i++)
        if (phase_window(&s->w, &s->phases[i], &unused))
            pack_phase((float *)dst + s->phases[i].weights, &s->phases[i], &s->w, g->tensors[n->in[1]].data);
}

vki_status cpu_deconv2d_phases_prepare(cpu_prep *p, vki_error *err)
{
    deconv_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->micro = cpu_micro_get();
    s->count = (int)(w->stride_h * w->stride_w);
    s->phases = vkb_arena_alloc(p->arena, (size_t)s->count * sizeof *s->phases);
    if (!s->phases) return vkb_nomem(err, (uint64_t)s->count * sizeof *s->phases);
    uint64_t weights = 0, gemm_bytes = 0;
    for (int i = 0; i < s->count; i++) {
        phase *f = &s->phases[i];
        op_window window;
        f->y = axis_of(i / w->stride_w, w->stride_h, w->kernel_h, w->pad_top, w->out_h);
        f->x = axis_of(i % w->stride_w, w->stride_w, w->kernel_w, w->pad_left, w->out_w);
        f->weights = weights;
        f->out = s->out_floats;
        s->out_floats += (uint64_t)(w->batch * w->out_c * f->y.count * f->x.count);
        if (!phase_window(w, f, &window)) continue;
        cpu_conv_plan(&f->conv, &window, p->threads);
        weights += cpu_conv_weight_floats(&window);
        uint64_t bytes = cpu_gemm_scratch(&f->conv.gemm, p->threads);
        if (bytes > gemm_bytes) gemm_bytes = bytes;
    }
    s->out_floats = vkb_round_up(s->out_floats, 16);
    p->state = s;
    p->scratch_bytes = s->out_floats * sizeof(float) + gemm_bytes;
    p->weight_bytes = weights * sizeof(float);
    p->pack = pack;
    p->pack_key = cpu_pack_key(
        "deconv2d",
        (int64_t[]){w->in_c, w->out_c, w->group, w->kernel_h, w->kernel_w, w->stride_h, w->stride_w}, 7);
    return VKI_OK;
}

static void join_one(float *y, int64_t step, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i * step] = x[i];
}

static void join_two(float *restrict y, const float *even, const float *odd, int64_t width)
{
    for (int64_t i = 0; i < width / 2; i++) {
        y[2 * i] = even[i];
        y[2 * i + 1] = odd[i];
    }
    if (width % 2) y[width - 1] = even[width / 2];
}

/* What a phase computed for row oy of a plane; NULL if no tap reaches its outputs. */
static const float *phase_row(const deconv_state *s, const float *scratch, const phase *p, int64_t plane,
                              int64_t oy)
{
    if (!p->y.taps || !p->x.taps) return NULL;
    return scratch + p->out + (plane * p->y.count + (oy - p->y.first) / s->w.stride_h) * p->x.count;
}

/* One row of one output plane from its phases; the bias where no tap reaches. */
static void join_row(const deconv_state *s, const float *scratch, float *y, int64_t plane, int64_t oy,
                     float bias)
{
    const op_window *w = &s->w;
    const phase *row = s->phases + (oy + w->pad_top) % w->stride_h * w->stride_w;
    if (w->stride_w == 2) {
        const int64_t even = w->pad_left % 2;
        const float *a = phase_row(s, scratch, row + even, plane, oy);
        const float *b = phase_row(s, scratch, row + 1 - even, plane, oy);
        if (a && b) {
            join_two(y, a, b, w->out_w);
            return;
        }
    }
    for (int64_t i = 0; i < w->stride_w; i++) {
        const axis_phase *x = &row[i].x;
        const float *from = phase_row(s, scratch, row + i, plane, oy);
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
        join_row(s, c->scratch, y, plane, i % w->out_h, bias ? bias[plane % w->out_c] : 0);
        if (cpu_has_epilogue(c->n))
            s->micro->epilogue(y, y, residual ? residual + first : NULL, w->out_w, &c->n->epilogue);
    }
}

void cpu_deconv2d_phases_run(const cpu_call *c)
{
    const deconv_state *s = c->state;
    const op_window *w = &s->w;
    cpu_call call = *c;
    op_window unused;
    for (int i = 0; i < s->count; i++) {
        const phase *p = &s->phases[i];
        if (!phase_window(w, p, &unused)) continue;
        const cpu_conv_args args = {.conv = &p->conv,
                                    .x = c->in[0],
                                    .weights = (const float *)c->weights + p->weights,
                                    .bias = cpu_own_input(c, 2),
                                    .y = (float *)c->scratch + p->out};
        cpu_conv_run(&args, (float *)c->scratch + s->out_floats, c->pool);
    }
    vkb_parallel_for(c->pool, w->batch * w->out_c * w->out_h, vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->out_w),
                     on_rows, &call);
}
