/* SPDX-License-Identifier: Apache-2.0
 * MaxPool with the positions of the largest values. */
#include <math.h>

#include "cpu/fast.h"
#include "cpu/gemm.h"

bool cpu_pool_positions_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (n->op != OP_MaxPool || n->n_out != 2 || n->out[0] == GR_NONE || n->out[1] == GR_NONE) return false;
    const gr_tensor *x = &g->tensors[n->in[0]];
    return x->dtype == VKI_F32 && gr_elements(x) > 0 && n->epilogue.residual == GR_RESIDUAL_NONE &&
           op_window_of(g, n, &w);
}

vki_status cpu_pool_positions_prepare(cpu_prep *p, vki_error *err)
{
    op_window *w = vkb_arena_alloc(p->arena, sizeof *w);
    if (!w) return vkb_nomem(err, sizeof *w);
    if (!op_window_of(p->g, p->n, w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    p->state = w;
    return VKI_OK;
}

typedef struct taps { /* of one window along one dimension: positions first, first + step, ... before end */
    int64_t first, end;
} taps;

static taps inside(int64_t o, int64_t stride, int64_t pad, int64_t kernel, int64_t dilation, int64_t in)
{
    taps t = {o * stride - pad, o * stride - pad + (kernel - 1) * dilation + 1};
    if (t.first < 0) t.first += vkb_ceil_div(-t.first, dilation) * dilation;
    t.end = vkb_min(t.end, in);
    return t;
}

/* The first largest element of a window of the channel at x, as its place in the channel. */
static int64_t largest(const op_window *w, const float *x, taps z, taps y, taps k, int64_t *column_major)
{
    int64_t best = -1;
    *column_major = 0;
    for (int64_t iz = z.first; iz < z.end; iz += w->dilation_d)
        for (int64_t iy = y.first; iy < y.end; iy += w->dilation_h)
            for (int64_t ix = k.first; ix < k.end; ix += w->dilation_w) {
                const int64_t at = (iz * w->in_h + iy) * w->in_w + ix;
                if (best >= 0 && !(x[at] > x[best])) continue;
                best = at;
                *column_major = (ix * w->in_h + iy) * w->in_d + iz;
            }
    return best;
}

static void on_planes(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const op_window *w = c->state;
    const bool column_major = ((const op_pool_attrs *)c->n->attrs)->storage_order != 0;
    const int64_t size = w->in_d * w->in_h * w->in_w, outputs = w->out_d * w->out_h * w->out_w;
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++) {
        const float *x = (const float *)c->in[0] + plane * size;
        float *y = (float *)c->out[0] + plane * outputs;
        int64_t *positions = (int64_t *)c->out[1] + plane * outputs;
        for (int64_t i = 0; i < outputs; i++) {
            const int64_t line = i / w->out_w;
            const taps tz =
                inside(line / w->out_h, w->stride_d, w->pad_front, w->kernel_d, w->dilation_d, w->in_d);
            const taps ty =
                inside(line % w->out_h, w->stride_h, w->pad_top, w->kernel_h, w->dilation_h, w->in_h);
            const taps tx =
                inside(i % w->out_w, w->stride_w, w->pad_left, w->kernel_w, w->dilation_w, w->in_w);
            int64_t other;
            const int64_t at = largest(w, x, tz, ty, tx, &other);
            y[i] = at < 0 ? -INFINITY : x[at];
            positions[i] = plane * size + (column_major ? other : at < 0 ? 0 : at);
        }
        if (cpu_has_epilogue(c->n)) cpu_micro_get()->epilogue(y, y, NULL, outputs, &c->n->epilogue);
    }
}

void cpu_pool_positions_run(const cpu_call *c)
{
    const op_window *w = c->state;
    cpu_call call = *c;
    const int64_t work = w->out_d * w->out_h * w->out_w * op_window_taps(w);
    vkb_parallel_for(c->pool, w->batch * w->in_c, vkb_ceil_div(CPU_GRAIN_ELEMENTS, work), on_planes, &call);
}
