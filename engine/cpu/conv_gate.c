/* SPDX-License-Identifier: Apache-2.0
 * Squeeze and excitation (Hu et al., 2018) scales the channels of an activation by a gate, and a pointwise
 * convolution reads the product. Where the convolution has fewer weights than its input has elements, it
 * scales these instead, once a run, and the product is never made. */
#include "cpu/conv_gate.h"

#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "graph/ops/schema.h"

/* One factor a channel. */
static bool is_gate(const gr_tensor *t, const gr_tensor *x)
{
    bool fits = t->rank == x->rank && x->rank > 2 && x->dims[0] == 1 && t->dims[1] == x->dims[1];
    for (int d = 0; fits && d < t->rank; d++) fits = d == 1 || t->dims[d] == 1;
    return fits;
}

int cpu_gate_of(const gr_graph *g, const gr_node *first, const gr_node *second)
{
    op_window w;
    if (first->op != OP_Mul || second->op != OP_Conv || first->n_in != 2 || cpu_has_epilogue(first) ||
        !cpu_all_f32(g, first) || !cpu_all_f32(g, second) || !op_window_of(g, second, &w) || w.group != 1)
        return -1;
    const gr_tensor *y = &g->tensors[first->out[0]];
    if (gr_elements(y) < 2 * w.out_c * w.in_c) return -1;
    for (const cpu_kernel *k = cpu_conv2d_kernels; k->name; k++) {
        if (!k->fits(g, second)) continue;
        for (int i = 0; i < 2 && cpu_is_pointwise(k); i++)
            if (is_gate(&g->tensors[first->in[i]], y) && gr_same_shape(&g->tensors[first->in[1 - i]], y))
                return i;
        return -1;
    }
    return -1;
}

typedef struct job {
    const cpu_gated *gated;
    const cpu_call *call;
    float *to;
} job;

static void on_panels(void *arg, int64_t begin, int64_t end, int thread)
{
    const job *j = arg;
    const cpu_gated *a = j->gated;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = a->first(a->user, i), at = first * a->k;
        a->micro->scale_rows(j->to + at, (const float *)j->call->weights + at, j->call->gate, a->k,
                             a->first(a->user, i + 1) - first);
    }
}

cpu_call cpu_gate_weights(const cpu_call *c, const cpu_gated *a)
{
    cpu_call call = *c;
    const job j = {a, c, c->scratch};
    const int64_t floats = a->first(a->user, a->panels) * a->k;
    if (!c->gate) return call;
    vkb_parallel_for(c->pool, a->panels, vkb_ceil_div(CPU_GRAIN_ELEMENTS * a->panels, floats), on_panels,
                     (void *)&j);
    call.weights = c->scratch;
    call.scratch = (char *)c->scratch + cpu_gated_bytes(floats);
    return call;
}
