/* SPDX-License-Identifier: Apache-2.0
 * Softmax and LogSoftmax. Along the last axis a row at a time; along another, many neighbouring columns at
 * once, so that vectors run over the columns. */
#include "cpu/fast.h"
#include "cpu/gemm.h"

#include <math.h>

enum { COLUMNS = 512 }; /* at once: 2 KiB of maxima and as much of sums */

typedef struct softmax_state {
    const cpu_micro *micro;
    int64_t outer, size, inner;
    bool log;
} softmax_state;

bool cpu_softmax_rows_fits(const gr_graph *g, const gr_node *n)
{
    return cpu_all_f32(g, n) && !cpu_has_epilogue(n) && g->tensors[n->in[0]].rank > 0;
}

vki_status cpu_softmax_rows_prepare(cpu_prep *p, vki_error *err)
{
    softmax_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    const gr_tensor *x = &p->g->tensors[p->n->in[0]];
    const op_axis_attrs *a = p->n->attrs;
    if (!s) return vkb_nomem(err, sizeof *s);
    int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis;
    *s = (softmax_state){.micro = cpu_micro_get(), .outer = 1, .inner = 1, .log = p->n->op == OP_LogSoftmax};
    s->size = x->dims[axis];
    for (int d = 0; d < x->rank; d++)
        if (d != axis) *(d < axis ? &s->outer : &s->inner) *= x->dims[d];
    p->state = s;
    return VKI_OK;
}

static void softmax_row(const softmax_state *s, float *y, const float *x)
{
    const float max = s->micro->max(x, s->size), sum = s->micro->exp_sum(y, x, s->size, max);
    s->micro->scale_shift(y, y, s->size, 1 / sum, 0);
}

/* In two steps: max + log(sum) would round away what is left of x. */
static void log_softmax_row(const softmax_state *s, float *y, const float *x)
{
    const float max = s->micro->max(x, s->size);
    float e[COLUMNS], sum = 0;
    s->micro->scale_shift(y, x, s->size, 1, -max);
    for (int64_t i = 0; i < s->size; i += COLUMNS)
        sum += s->micro->exp_sum(e, y + i, vkb_min(COLUMNS, s->size - i), 0);
    s->micro->scale_shift(y, y, s->size, 1, -logf(sum));
}

/* `n` neighbouring columns of one outer index. */
static void softmax_columns(const softmax_state *s, float *y, const float *x, int64_t n)
{
    const cpu_micro *m = s->micro;
    float max[COLUMNS], sum[COLUMNS], e[COLUMNS];
    for (int64_t j = 0; j < n; j++) {
        max[j] = x[j];
        sum[j] = 0;
    }
    for (int64_t k = 1; k < s->size; k++) m->binary(max, x + k * s->inner, 1, max, 1, n, CPU_MAX);
    for (int64_t k = 0; k < s->size; k++) {
        float *row = y + k * s->inner;
        m->binary(row, x + k * s->inner, 1, max, 1, n, CPU_SUB);
        m->unary(s->log ? e : row, row, n, CPU_EXP, 0);
        m->binary(sum, sum, 1, s->log ? e : row, 1, n, CPU_ADD);
    }
    if (s->log)
        for (int64_t j = 0; j < n; j++) sum[j] = logf(sum[j]);
    for (int64_t k = 0; k < s->size; k++) {
        float *row = y + k * s->inner;
        m->binary(row, row, 1, sum, 1, n, s->log ? CPU_SUB : CPU_DIV);
    }
}

static void on_rows(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const softmax_state *s = c->state;
    const float *x = c->in[0];
    float *y = c->out[0];
    (void)thread;
    const int64_t chunks = vkb_ceil_div(s->inner, COLUMNS);
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i % chunks * COLUMNS, at = i / chunks * s->size * s->inner + first;
        if (s->inner == 1)
            (s->log ? log_softmax_row : softmax_row)(s, y + at, x + at);
        else
            softmax_columns(s, y + at, x + at, vkb_min(COLUMNS, s->inner - first));
    }
}

void cpu_softmax_rows_run(const cpu_call *c)
{
    enum { EXP_COST = 4 }; /* of a copy */
    const softmax_state *s = c->state;
    cpu_call call = *c;
    int64_t work = s->size * vkb_min(COLUMNS, s->inner) * EXP_COST;
    vkb_parallel_for(c->pool, s->outer * vkb_ceil_div(s->inner, COLUMNS),
                     vkb_ceil_div(CPU_GRAIN_ELEMENTS, work), on_rows, &call);
}
