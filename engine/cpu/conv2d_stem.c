/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of few input channels, as a network's first. With so few channels a tap, finding where the
 * lanes of a panel read costs more than copying them; so the input is first copied with its padding, split by
 * the stride (bands.h), and a panel's rows are contiguous there. */
#include "cpu/bands.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum { MOST_CHANNELS = 8 };

typedef struct stem_state {
    cpu_bands bands; /* one a plane */
    cpu_gemm gemm;
    uint64_t padded; /* floats of the padded input */
} stem_state;

bool cpu_conv2d_stem_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_all_f32(g, n) && gr_is_const(g, n->in[1]) && op_window_of(g, n, &w) && cpu_bands_fit(&w) &&
           w.group == 1 && w.in_c <= MOST_CHANNELS && w.kernel_h * w.kernel_w > 1 &&
           w.stride_w <= w.kernel_w && w.stride_h <= w.kernel_h; /* else it would copy what nobody reads */
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    cpu_conv_pack(dst, g->tensors[n->in[1]].data, &((const stem_state *)state)->bands.w);
}

vki_status cpu_conv2d_stem_prepare(cpu_prep *p, vki_error *err)
{
    stem_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    VKB_TRY(cpu_bands_plan(&s->bands, &w, 0, p->arena, err));
    cpu_bands_whole(&s->bands);
    cpu_gemm_plan(&s->gemm, w.out_c, w.out_h * w.out_w, w.in_c * w.kernel_h * w.kernel_w, w.batch, p->threads,
                  false, true);
    s->padded = (uint64_t)(w.batch * w.in_c) * cpu_bands_floats(&s->bands);
    p->state = s;
    p->scratch_bytes = s->padded * sizeof(float) + cpu_gemm_scratch(&s->gemm, p->threads);
    p->weight_bytes = cpu_conv_weight_floats(&w) * sizeof(float);
    p->pack = pack;
    p->pack_key = cpu_pack_key("conv2d", (int64_t[]){w.out_c, w.in_c, 1, w.kernel_h, w.kernel_w}, 5);
    return VKI_OK;
}

static void pad_planes(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const cpu_bands *b = &((const stem_state *)c->state)->bands;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        float *padded = (float *)c->scratch + (uint64_t)i * cpu_bands_floats(b);
        cpu_bands_begin(b, padded);
        cpu_bands_load(b, padded, (const float *)c->in[0] + i * b->w.in_h * b->w.in_w, 0);
    }
}

static void stem_job(const void *user, int64_t index, cpu_gemm_job *job)
{
    const cpu_call *c = user;
    const stem_state *s = c->state;
    const float *residual = cpu_residual(c);
    const int64_t size = s->gemm.m * s->gemm.n;
    job->a = c->weights;
    job->c = (float *)c->out[0] + index * size;
    job->bias_row = cpu_own_input(c, 2);
    if (residual) job->residual = residual + index * size;
}

static void pack_padded(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t col,
                        int cols, int width)
{
    const cpu_call *c = user;
    const stem_state *s = c->state;
    const cpu_bands *b = &s->bands;
    const op_window *w = &b->w;
    const int64_t plane = (int64_t)cpu_bands_floats(b);
    const float *x = (const float *)c->scratch + job * w->in_c * plane;
    for (int64_t first = 0; first < cols;) { /* what of an output row lies in the panel */
        const int64_t oy = (col + first) / w->out_w, ox = (col + first) % w->out_w;
        const int64_t n = vkb_min(cols - first, w->out_w - ox);
        const float *at = x + oy * w->stride_h * b->row + ox;
        for (int64_t k = 0; k < kc;) {
            const int64_t tap = (k0 + k) / w->in_c, channel = (k0 + k) % w->in_c;
            const int64_t count = vkb_min(w->in_c - channel, kc - k);
            b->micro->copy_rows(dst + k * width + first, width, at + channel * plane + b->offset[tap], plane,
                                count, n);
            k += count;
        }
        first += n;
    }
}

void cpu_conv2d_stem_run(const cpu_call *c)
{
    const stem_state *s = c->state;
    const op_window *w = &s->bands.w;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, w->batch * w->in_c, vkb_ceil_div(CPU_GRAIN_ELEMENTS, w->in_h * w->in_w),
                     pad_planes, &call);
    const cpu_gemm_source source = {
        .user = &call, .epilogue = &c->n->epilogue, .job = stem_job, .pack_b = pack_padded};
    cpu_gemm_run(&s->gemm, &source, (float *)c->scratch + s->padded, c->pool);
}
