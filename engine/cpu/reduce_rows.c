/* SPDX-License-Identifier: Apache-2.0
 * Sums, means and norms over dimensions that follow one another: x[outer][count][inner] -> y[outer][inner].
 */
#include <math.h>

#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "graph/ops/schema.h"

enum { MOST_LINES = 4096 }; /* that are added up in fp32 */

typedef struct reduce_state {
    const cpu_micro *micro;
    op_kind op;
    int64_t outer, count, inner;
} reduce_state;

static bool find_sizes(reduce_state *s, const gr_graph *g, const gr_node *n)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    bool mask[GR_MAX_RANK];
    if (!op_reduce_mask(g, n, mask)) return false;
    *s = (reduce_state){.micro = cpu_micro_get(), .op = n->op, .outer = 1, .count = 1, .inner = 1};
    for (int d = 0; d < x->rank; d++) {
        if (x->dims[d] == 1) continue;
        if (!mask[d])
            *(s->count > 1 ? &s->inner : &s->outer) *= x->dims[d];
        else if (s->inner > 1)
            return false; /* dimensions that stay lie between those that go */
        else
            s->count *= x->dims[d];
    }
    return true;
}

bool cpu_reduce_rows_fits(const gr_graph *g, const gr_node *n)
{
    reduce_state s;
    if (!n->n_in || n->in[0] == GR_NONE || g->tensors[n->in[0]].dtype != VKI_F32 ||
        !gr_elements(&g->tensors[n->in[0]]))
        return false;
    const bool sums = n->op == OP_ReduceSum || n->op == OP_ReduceMean;
    if (!sums && n->op != OP_ReduceSumSquare && n->op != OP_ReduceL2) return false;
    return !cpu_has_epilogue(n) && find_sizes(&s, g, n) && (s.inner == 1 || (sums && s.count <= MOST_LINES));
}

vki_status cpu_reduce_rows_prepare(cpu_prep *p, vki_error *err)
{
    reduce_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!find_sizes(s, p->g, p->n)) return vkb_fail(err, VKI_E_INTERNAL, "a reduction lost its shape");
    p->state = s;
    return VKI_OK;
}

static float on_row(const reduce_state *s, const float *x)
{
    if (s->op == OP_ReduceSum) return (float)cpu_row_sum(s->micro, x, s->count);
    if (s->op == OP_ReduceMean) return (float)(cpu_row_sum(s->micro, x, s->count) / (double)s->count);
    const double squares = cpu_row_sum_sq(s->micro, x, s->count, 0);
    return (float)(s->op == OP_ReduceL2 ? sqrt(squares) : squares);
}

static void add_lines(const reduce_state *s, float *y, const float *x)
{
    s->micro->scale_shift(y, x, s->inner, 1, 0);
    for (int64_t i = 1; i < s->count; i++) s->micro->binary(y, y, 1, x + i * s->inner, 1, s->inner, CPU_ADD);
    if (s->op == OP_ReduceMean) s->micro->scale_shift(y, y, s->inner, 1 / (float)s->count, 0);
}

static void on_outer(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const reduce_state *s = c->state;
    const float *x = (const float *)c->in[0] + begin * s->count * s->inner;
    float *y = (float *)c->out[0] + begin * s->inner;
    (void)thread;
    for (int64_t i = begin; i < end; i++, x += s->count * s->inner, y += s->inner) {
        if (s->inner == 1)
            *y = on_row(s, x);
        else
            add_lines(s, y, x);
    }
}

void cpu_reduce_rows_run(const cpu_call *c)
{
    const reduce_state *s = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, s->outer, vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->count * s->inner), on_outer,
                     &call);
}
