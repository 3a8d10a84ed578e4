/* SPDX-License-Identifier: Apache-2.0
 * Pools over whole channels. */
#include "cpu/fast.h"
#include "cpu/gemm.h"

bool cpu_pool_global_fits(const gr_graph *g, const gr_node *n)
{
    bool global = n->op == OP_GlobalMaxPool || n->op == OP_GlobalAveragePool;
    return global && n->epilogue.residual == GR_RESIDUAL_NONE && cpu_all_f32(g, n);
}

vki_status cpu_pool_global_prepare(cpu_prep *p, vki_error *err)
{
    (void)err;
    p->state = cpu_micro_get();
    return VKI_OK;
}

static int64_t plane_size(const cpu_call *c)
{
    return gr_elements(&c->g->tensors[c->n->in[0]]) / gr_elements(&c->g->tensors[c->n->out[0]]);
}

static void on_planes(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const cpu_micro *micro = c->state;
    const int64_t size = plane_size(c);
    float *y = c->out[0];
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const float *x = (const float *)c->in[0] + i * size;
        y[i] = c->n->op == OP_GlobalMaxPool ? micro->max(x, size)
                                            : (float)(cpu_row_sum(micro, x, size) / (double)size);
    }
    if (cpu_has_epilogue(c->n)) micro->epilogue(y + begin, y + begin, NULL, end - begin, &c->n->epilogue);
}

void cpu_pool_global_run(const cpu_call *c)
{
    cpu_call call = *c;
    vkb_parallel_for(c->pool, gr_elements(&c->g->tensors[c->n->out[0]]),
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, plane_size(c)), on_planes, &call);
}
