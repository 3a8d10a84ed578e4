/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolutions of images of one pixel, as a generator's first: the outputs are one row of channels
 * by the matrix of the filters, [in][out x taps], and nothing is summed beyond it. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

typedef struct pixel_state {
    int64_t batch, k, n, taps; /* k: channels of the input; n: elements of the output */
} pixel_state;

bool cpu_deconv2d_pixel_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, &w) || !cpu_conv_fits(&w))
        return false;
    return w.group == 1 && w.in_h * w.in_w == 1 && !w.pad_top && !w.pad_left && w.out_h == w.kernel_h &&
           w.out_w == w.kernel_w && w.dilation_h == 1 && w.dilation_w == 1;
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const pixel_state *s = state;
    cpu_pack_b(dst, g->tensors[n->in[1]].data, s->n, 1, s->k, s->n, 1);
}

vki_status cpu_deconv2d_pixel_prepare(cpu_prep *p, vki_error *err)
{
    pixel_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_2d_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const int64_t taps = op_window_taps(&w);
    *s = (pixel_state){w.batch, w.in_c, w.out_c * taps, taps};
    p->state = s;
    p->weight_bytes = cpu_packed_b_floats(s->n, s->k) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("pixel", (int64_t[]){s->k, s->n}, 2);
    return VKI_OK;
}

static void on_panels(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const pixel_state *s = c->state;
    const cpu_micro *micro = cpu_micro_get();
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t col = i * CPU_NR, cols = vkb_min(CPU_NR, s->n - col);
        for (int64_t b = 0; b < s->batch; b++) {
            const int64_t at = b * s->n + col;
            float sums[CPU_NR] = {0};
            for (int64_t j = 0; bias && j < cols; j++) sums[j] = bias[(col + j) / s->taps];
            micro->row_panel(sums, (const float *)c->in[0] + b * s->k, (const float *)c->weights + col * s->k,
                             s->k, (int)cols);
            micro->epilogue((float *)c->out[0] + at, sums, residual ? residual + at : NULL, cols,
                            &c->n->epilogue);
        }
    }
}

void cpu_deconv2d_pixel_run(const cpu_call *c)
{
    const pixel_state *s = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, vkb_ceil_div(s->n, CPU_NR),
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->batch * s->k * CPU_NR), on_panels, &call);
}
