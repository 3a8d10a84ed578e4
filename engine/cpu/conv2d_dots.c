/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of a single pixel, as in squeeze and excitation: each output is a dot product with a filter
 * that is read where it lies. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "cpu/matmul_fast.h"
#include "graph/ops/schema.h"

static bool window_of(const gr_graph *g, const gr_node *n, op_window *w)
{
    return op_window_of(g, n, w) && cpu_conv_fits(w) && cpu_conv_direct(w) &&
           w->out_d * w->out_h * w->out_w == 1 && w->group == 1;
}

bool cpu_conv2d_dots_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_all_f32(g, n) && window_of(g, n, &w);
}

vki_status cpu_conv2d_dots_prepare(cpu_prep *p, vki_error *err)
{
    op_window *w = vkb_arena_alloc(p->arena, sizeof *w);
    if (!w) return vkb_nomem(err, sizeof *w);
    if (!window_of(p->g, p->n, w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    p->state = w;
    return VKI_OK;
}

void cpu_conv2d_dots_run(const cpu_call *c)
{
    const op_window *w = c->state;
    const float *residual = cpu_residual(c);
    for (int64_t i = 0; i < w->batch; i++) {
        cpu_rows rows = {.x = (const float *)c->in[0] + i * w->in_c,
                         .rows = c->in[1],
                         .step = w->in_c,
                         .k = w->in_c,
                         .n = w->out_c,
                         .alpha = 1,
                         .bias = cpu_own_input(c, 2),
                         .bias_step = 1,
                         .residual = residual ? residual + i * w->out_c : NULL,
                         .y = (float *)c->out[0] + i * w->out_c,
                         .epilogue = &c->n->epilogue};
        cpu_rows_run(&rows, c->pool);
    }
}
