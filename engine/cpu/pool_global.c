/* SPDX-License-Identifier: Apache-2.0
 * Pools over whole channels. */
#include <math.h>

#include "cpu/fast.h"
#include "cpu/gemm.h"

bool cpu_pool_global_fits(const gr_graph *g, const gr_node *n)
{
    if (n->op == OP_GlobalLpPool && ((const op_pool_attrs *)n->attrs)->p > 2) return false;
    return op_pool_is_global(n->op) && n->epilogue.residual == GR_RESIDUAL_NONE && cpu_all_f32(g, n);
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

static float pool(const cpu_micro *m, const gr_node *n, const float *x, int64_t size)
{
    if (n->op == OP_GlobalMaxPool) return m->max(x, size);
    if (n->op == OP_GlobalAveragePool) return (float)(cpu_row_sum(m, x, size) / (double)size);
    if (((const op_pool_attrs *)n->attrs)->p == 2) return (float)sqrt(cpu_row_sum_sq(m, x, size, 0));
    double sum = 0;
    for (int64_t i = 0; i < size; i++) sum += fabs((double)x[i]);
    return (float)sum;
}

static void on_planes(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const cpu_micro *micro = c->state;
    const int64_t size = plane_size(c);
    float *y = c->out[0];
    (void)thread;
    for (int64_t i = begin; i < end; i++) y[i] = pool(micro, c->n, (const float *)c->in[0] + i * size, size);
    if (cpu_has_epilogue(c->n)) micro->epilogue(y + begin, y + begin, NULL, end - begin, &c->n->epilogue);
}

void cpu_pool_global_run(const cpu_call *c)
{
    cpu_call call = *c;
    vkb_parallel_for(c->pool, gr_elements(&c->g->tensors[c->n->out[0]]),
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, plane_size(c)), on_planes, &call);
}
