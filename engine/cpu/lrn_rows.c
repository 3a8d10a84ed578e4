/* SPDX-License-Identifier: Apache-2.0
 * Local response normalization of runs of positions that all channels share. */
#include <math.h>

#include "cpu/fast.h"
#include "cpu/gemm.h"

enum { RUN = 256 /* positions: what is in work stays in the first-level cache */ };

typedef struct lrn_state {
    const cpu_micro *micro;
    int64_t channels, plane, runs; /* positions of a plane; runs of them */
} lrn_state;

bool cpu_lrn_rows_fits(const gr_graph *g, const gr_node *n)
{
    return cpu_all_f32(g, n);
}

vki_status cpu_lrn_rows_prepare(cpu_prep *p, vki_error *err)
{
    lrn_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    const gr_tensor *x = &p->g->tensors[p->n->in[0]];
    if (!s) return vkb_nomem(err, sizeof *s);
    s->micro = cpu_micro_get();
    s->channels = x->dims[1];
    s->plane = gr_elements(x) / (x->dims[0] * x->dims[1]);
    s->runs = vkb_ceil_div(s->plane, RUN);
    p->state = s;
    return VKI_OK;
}

/* y = x / base^beta; base is overwritten. */
static void divide(const cpu_micro *m, float *y, const float *x, float *base, int64_t n, float beta)
{
    float root[RUN];
    if (beta == 0.75f) { /* as nearly all networks have it */
        m->unary(base, base, n, CPU_SQRT, 0);
        m->unary(root, base, n, CPU_SQRT, 0);
        m->binary(base, base, 1, root, 1, n, CPU_MUL);
    } else if (beta == 0.5f) {
        m->unary(base, base, n, CPU_SQRT, 0);
    } else if (beta != 1) {
        for (int64_t i = 0; i < n; i++) base[i] = powf(base[i], beta);
    }
    m->binary(y, x, 1, base, 1, n, CPU_DIV);
}

static void on_runs(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const lrn_state *s = c->state;
    const op_lrn_attrs *a = c->n->attrs;
    const int64_t before = (a->size - 1) / 2, after = a->size / 2;
    const float scale = a->alpha / (float)a->size;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t at = i % s->runs * RUN, n = vkb_min(RUN, s->plane - at);
        const int64_t first = i / s->runs * s->channels * s->plane + at;
        const float *x = (const float *)c->in[0] + first;
        for (int64_t k = 0; k < s->channels; k++) {
            float base[RUN];
            for (int64_t j = 0; j < n; j++) base[j] = 0;
            const int64_t last = vkb_min(k + after, s->channels - 1);
            for (int64_t near = vkb_max(k - before, 0); near <= last; near++)
                for (int64_t j = 0; j < n; j++) base[j] += x[near * s->plane + j] * x[near * s->plane + j];
            for (int64_t j = 0; j < n; j++) base[j] = a->bias + scale * base[j];
            divide(s->micro, (float *)c->out[0] + first + k * s->plane, x + k * s->plane, base, n, a->beta);
        }
    }
}

void cpu_lrn_rows_run(const cpu_call *c)
{
    const lrn_state *s = c->state;
    cpu_call call = *c;
    const int64_t batch = gr_elements(&c->g->tensors[c->n->in[0]]) / (s->channels * s->plane);
    vkb_parallel_for(c->pool, batch * s->runs, vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->channels * RUN), on_runs,
                     &call);
}
