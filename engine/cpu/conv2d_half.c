/* SPDX-License-Identifier: Apache-2.0
 * Convolution in fp16 or bf16 as the fp32 convolution's GEMM, fed with pairs: the input is narrowed once,
 * a pixel of two channels to two numbers in the place of one float (as qconv_gemm.c does with integers). */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/half.h"

enum {
    LEAST_CHANNELS = 8
}; /* of a group, on either side: else im2col and its half empty tiles are the bound */

typedef struct half_state {
    cpu_conv conv; /* of pairs: half as many input channels, rounded up in each group */
    const cpu_half_math *math;
    int64_t channels;  /* of the input in a group, as they are */
    uint64_t pairs_at; /* the input in scratch, in bytes */
} half_state;

static bool window_of(const gr_graph *g, const gr_node *n, op_window *w, int64_t *channels)
{
    if (!op_window_of(g, n, w) || !cpu_conv_fits(w)) return false;
    *channels = w->in_c / w->group;
    w->in_c = w->group * vkb_ceil_div(*channels, 2);
    return true;
}

const char *cpu_conv2d_half_refusal(const gr_graph *g, const gr_node *n)
{
    op_window w;
    int64_t channels;
    if (!gr_is_const(g, n->in[1])) return "the weights are computed";
    if (!cpu_all_f32(g, n) || !window_of(g, n, &w, &channels))
        return "not of the form that fast kernels take";
    if (channels < LEAST_CHANNELS || w.out_c / w.group < LEAST_CHANNELS) return "few channels in a group";
    if (cpu_conv2d_winograd_fits(g, n)) return "Winograd's transforms save more multiplications";
    return NULL;
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    return !cpu_conv2d_half_refusal(g, n);
}

/* W[out][in][taps] to panels of A, as cpu_conv_pack. */
static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const half_state *s = state;
    const op_window *w = &s->conv.w;
    const int64_t m = w->out_c / w->group, pairs = w->in_c / w->group, taps = op_window_taps(w);
    const int mr = s->conv.gemm.micro->mr;
    const float *src = g->tensors[n->in[1]].data;
    float *out = dst;
    for (int64_t group = 0; group < w->group; group++)
        for (int64_t p = 0; p < cpu_panels(m, mr); p++) {
            const int64_t row = cpu_panel_row(m, mr, p), rows = cpu_panel_row(m, mr, p + 1) - row;
            for (int64_t tap = 0; tap < taps; tap++, out += pairs * rows)
                for (int64_t r = 0; r < rows; r++)
                    cpu_pack_halves(out + r, rows, src + (group * m + row + r) * s->channels * taps + tap,
                                    taps, s->channels, pairs, 1, s->math);
        }
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    half_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (half_state){.channels = 0};
    if (!window_of(p->g, p->n, &w, &s->channels))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    cpu_conv_plan(&s->conv, &w, p->threads);
    const cpu_half half = cpu_half_wanted(p);
    s->math = &s->conv.gemm.micro->half[half];
    s->conv.gemm.tile = s->math->gemm;
    s->pairs_at = vkb_round_up(cpu_gemm_scratch(&s->conv.gemm, p->threads), 64);
    p->state = s;
    p->scratch_bytes =
        s->pairs_at + (uint64_t)(w.batch * w.in_c) * (uint64_t)(w.in_d * w.in_h * w.in_w) * sizeof(float);
    p->weight_bytes = cpu_conv_weight_floats(&w) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key =
        cpu_pack_key("conv2d half", (int64_t[]){w.out_c, s->channels, w.group, op_window_taps(&w), half}, 5);
    p->stored = cpu_half_name(half);
    return VKI_OK;
}

/* Planes of pairs begin..end of the input. */
static void narrow(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const half_state *s = c->state;
    const op_window *w = &s->conv.w;
    const int64_t plane = w->in_d * w->in_h * w->in_w, pairs = w->in_c / w->group;
    int32_t *out = (int32_t *)(void *)((char *)c->scratch + s->pairs_at);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t channel = i % pairs * 2;
        const float *x = (const float *)c->in[0] + (i / pairs * s->channels + channel) * plane;
        s->math->pair(out + i * plane, x, channel + 1 < s->channels ? x + plane : NULL, plane);
    }
}

static void run(const cpu_call *c)
{
    const half_state *s = c->state;
    const op_window *w = &s->conv.w;
    const cpu_conv_args args = {.conv = &s->conv,
                                .x = (const float *)(const void *)((char *)c->scratch + s->pairs_at),
                                .weights = c->weights,
                                .bias = cpu_own_input(c, 2),
                                .residual = cpu_residual(c),
                                .y = c->out[0],
                                .epilogue = &c->n->epilogue};
    cpu_call call = *c;
    vkb_parallel_for(c->pool, w->batch * w->in_c,
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->in_d * w->in_h * w->in_w), narrow, &call);
    cpu_conv_run(&args, c->scratch, c->pool);
}

const cpu_kernel cpu_conv2d_half = {.name = "conv2d_half", .fits = fits, .prepare = prepare, .run = run};
