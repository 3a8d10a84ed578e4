/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of few input channels, as a network's first, or of few output channels, as an image network's
 * last. Making im2col panels would cost more than it gains there; so the input is copied once with its
 * padding, split by the stride (bands.h), and the GEMM reads each tap's elements where they lie. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum { FEW_IN = 8, FEW_OUT = 16 }; /* channels of a group */

/* A line of outputs is cut into panels of 16 and a rest of 8 or 16: is little enough lost? */
static bool lines_fill_panels(const op_window *w)
{
    return w->out_w > 8 && w->out_w * 4 >= (int64_t)vkb_round_up((uint64_t)w->out_w, 8) * 3;
}

/* Offsets into the padded channels of a group are 32 bits wide. */
static bool offsets_fit(const op_window *w)
{
    const int64_t rows = w->out_h * w->stride_h + w->kernel_h * w->dilation_h;
    const int64_t row = (w->out_w + 8) * w->stride_w + w->kernel_w * w->dilation_w;
    return w->in_c / w->group < (INT64_C(1) << 30) / row / rows;
}

bool cpu_padded_fits(const op_window *w)
{
    return cpu_bands_fit(w) && lines_fill_panels(w) && offsets_fit(w);
}

bool cpu_conv2d_padded_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, &w)) return false;
    const bool few = w.in_c / w.group <= FEW_IN || w.out_c / w.group <= FEW_OUT;
    const bool reads_all = w.stride_w <= w.kernel_w && w.stride_h <= w.kernel_h;
    return few && reads_all && w.kernel_h * w.kernel_w > 1 && cpu_padded_fits(&w);
}

vki_status cpu_padded_plan(cpu_padded *s, const op_window *w, int threads, vkb_arena *arena, vki_error *err)
{
    VKB_TRY(cpu_bands_plan(&s->bands, w, 0, arena, err));
    cpu_bands_whole(&s->bands);
    const int64_t channels = w->in_c / w->group, k = channels * w->kernel_h * w->kernel_w;
    const int64_t plane = (int64_t)cpu_bands_floats(&s->bands);
    s->offset = vkb_arena_alloc(arena, (size_t)k * sizeof *s->offset);
    if (!s->offset) return vkb_nomem(err, (uint64_t)k * sizeof *s->offset);
    for (int64_t i = 0; i < k; i++)
        s->offset[i] = s->bands.offset[i / channels] + (int32_t)(i % channels * plane);
    cpu_gemm_plan_padded(&s->gemm, w->out_c / w->group, w->out_w, w->out_h, k, w->batch * w->group, threads,
                         w->stride_h * s->bands.row, s->offset);
    s->input_floats = (uint64_t)(w->batch * w->in_c * plane);
    return VKI_OK;
}

typedef struct padded_run {
    const cpu_padded *s;
    const cpu_conv_args *a;
    float *input; /* padded */
} padded_run;

static void pad_planes(void *arg, int64_t begin, int64_t end, int thread)
{
    const padded_run *r = arg;
    const cpu_bands *b = &r->s->bands;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        float *padded = r->input + (uint64_t)i * cpu_bands_floats(b);
        cpu_bands_begin(b, padded);
        cpu_bands_load(b, padded, r->a->x + i * b->w.in_h * b->w.in_w, 0);
    }
}

static void padded_job(const void *user, int64_t index, cpu_gemm_job *job)
{
    const padded_run *r = user;
    const cpu_gemm *gemm = &r->s->gemm;
    const op_window *w = &r->s->bands.w;
    const int64_t group = index % w->group, m = gemm->m, size = m * gemm->n;
    const int64_t plane = (int64_t)cpu_bands_floats(&r->s->bands);
    job->a = r->a->weights + group * m * gemm->k;
    job->b_padded = r->input + index * (w->in_c / w->group) * plane;
    if (!gemm->c_floats) job->c = r->a->y + index * size;
    if (r->a->bias) job->bias_row = r->a->bias + group * m;
    if (r->a->residual) job->residual = r->a->residual + index * size;
}

static void run(padded_run *r, const cpu_gemm_source *source, vkb_pool *pool)
{
    const op_window *w = &r->s->bands.w;
    vkb_parallel_for(pool, w->batch * w->in_c, vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->in_h * w->in_w),
                     pad_planes, r);
    cpu_gemm_run(&r->s->gemm, source, r->input + r->s->input_floats, pool);
}

void cpu_padded_run(const cpu_padded *s, const cpu_conv_args *a, float *scratch, vkb_pool *pool)
{
    padded_run r = {s, a, scratch};
    const cpu_gemm_source source = {.user = &r, .epilogue = a->epilogue, .job = padded_job};
    run(&r, &source, pool);
}

/* ---- the kernel of Conv ---- */

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    cpu_conv_pack(dst, g->tensors[n->in[1]].data, &((const cpu_padded *)state)->bands.w);
}

vki_status cpu_conv2d_padded_prepare(cpu_prep *p, vki_error *err)
{
    cpu_padded *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_2d_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    VKB_TRY(cpu_padded_plan(s, &w, p->threads, p->arena, err));
    p->state = s;
    p->scratch_bytes = s->input_floats * sizeof(float);
    p->weight_bytes = cpu_conv_weight_floats(&w) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("conv2d", (int64_t[]){w.out_c, w.in_c, w.group, op_window_taps(&w)}, 4);
    return VKI_OK;
}

static cpu_conv_args args_of(const cpu_call *c)
{
    return (cpu_conv_args){.x = c->in[0],
                           .weights = c->weights,
                           .bias = cpu_own_input(c, 2),
                           .residual = cpu_residual(c),
                           .y = c->out[0],
                           .epilogue = &c->n->epilogue};
}

void cpu_conv2d_padded_run(const cpu_call *c)
{
    const cpu_conv_args args = args_of(c);
    cpu_padded_run(c->state, &args, c->scratch, c->pool);
}

/* ---- channels that are handed on ---- */

vki_status cpu_conv2d_padded_prepare_channels(cpu_prep *p, vki_error *err)
{
    VKB_TRY(cpu_conv2d_padded_prepare(p, err));
    cpu_gemm *gemm = &((cpu_padded *)(uintptr_t)p->state)->gemm;
    /* the channels that a thread works on fill more than half of the second-level cache */
    cpu_gemm_hand_on(gemm, cpu_caches_get()->second * 5 / 8 / (int64_t)sizeof(float), p->threads);
    p->scratch_bytes += cpu_gemm_scratch(gemm, p->threads);
    return VKI_OK;
}

typedef struct channels {
    padded_run run; /* first: what padded_job gets */
    cpu_channels_fn fn;
    const void *user;
} channels;

static void take_channels(const void *user, int64_t index, float *c, int64_t row, int64_t rows, int thread)
{
    const channels *t = user;
    t->fn(t->user, c, index * t->run.s->gemm.m + row, rows, thread);
}

void cpu_conv2d_padded_run_channels(const cpu_call *c, cpu_channels_fn fn, const void *user)
{
    const cpu_conv_args args = args_of(c);
    channels t = {{c->state, &args, c->scratch}, fn, user};
    const cpu_gemm_source source = {
        .user = &t, .epilogue = &c->n->epilogue, .job = padded_job, .take_rows = take_channels};
    run(&t.run, &source, c->pool);
}
