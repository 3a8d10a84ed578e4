/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/fast.h"

#include <math.h>

#include "cpu/gemm.h"
#include "graph/ops/schema.h"

#include <string.h>

static bool usable(const gr_graph *g, gr_id t)
{
    return t == GR_NONE || (g->tensors[t].dtype == VKI_F32 && gr_elements(&g->tensors[t]) > 0);
}

bool cpu_all_f32(const gr_graph *g, const gr_node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (!usable(g, n->in[i])) return false;
    for (int i = 0; i < n->n_out; i++)
        if (!usable(g, n->out[i])) return false;
    return true;
}

uint64_t cpu_pack_key(const char *form, const int64_t *sizes, int count)
{
    return vkb_hash(sizes, (size_t)count * sizeof *sizes, vkb_hash(form, strlen(form), 0));
}

const void *cpu_own_input(const cpu_call *c, int i)
{
    return op_has_own(c->n, i) ? c->in[i] : NULL;
}

const float *cpu_residual(const cpu_call *c)
{
    return c->n->epilogue.residual == GR_RESIDUAL_NONE ? NULL : c->in[c->n->n_in - 1];
}

bool cpu_has_epilogue(const gr_node *n)
{
    return n->epilogue.act != GR_ACT_NONE || n->epilogue.residual != GR_RESIDUAL_NONE;
}

bool cpu_clamp_of(const gr_epilogue *e, float *low, float *high)
{
    const bool clamps = e->residual == GR_RESIDUAL_NONE && (e->act == GR_ACT_RELU || e->act == GR_ACT_CLIP);
    *low = !clamps ? -INFINITY : e->act == GR_ACT_RELU ? 0 : e->alpha;
    *high = clamps && e->act == GR_ACT_CLIP ? e->beta : INFINITY;
    return !clamps && (e->act != GR_ACT_NONE || e->residual != GR_RESIDUAL_NONE);
}

bool cpu_is_hardswish(const gr_epilogue *e)
{
    return e->residual == GR_RESIDUAL_NONE && e->act == GR_ACT_HARDSWISH;
}

typedef struct elements {
    const cpu_call *call;
    int64_t count;
    cpu_range_fn fn;
} elements;

enum { LINE = 16 }; /* floats a cache line */

static void on_lines(void *arg, int64_t begin, int64_t end, int thread)
{
    const elements *e = arg;
    (void)thread;
    e->fn(e->call, begin * LINE, vkb_min(end * LINE, e->count));
}

void cpu_parallel_elements(const cpu_call *c, int64_t count, cpu_range_fn fn)
{
    elements e = {c, count, fn};
    vkb_parallel_for(c->pool, vkb_ceil_div(count, LINE), CPU_GRAIN_ELEMENTS / LINE, on_lines, &e);
}

enum { SUM_BLOCK = 2048 };

double cpu_row_sum(const cpu_micro *m, const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += SUM_BLOCK) sum += (double)m->sum(x + i, vkb_min(SUM_BLOCK, n - i));
    return sum;
}

double cpu_row_sum_sq(const cpu_micro *m, const float *x, int64_t n, float mean)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += SUM_BLOCK)
        sum += (double)m->sum_sq(x + i, vkb_min(SUM_BLOCK, n - i), mean);
    return sum;
}
