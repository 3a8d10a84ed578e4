/* SPDX-License-Identifier: Apache-2.0
 * Gemm and MatMul of few rows by a constant matrix that is kept as fp16 or int8: fully connected layers, as
 * fast as memory gives the weights. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/matmul_fast.h"
#include "cpu/narrow.h"

typedef struct narrow_state {
    op_matmul_dims d;
    cpu_matmul_bias bias;
    vki_weights storage;
    float alpha;
} narrow_state;

const char *cpu_matmul_narrow_refusal(const gr_graph *g, const gr_node *n)
{
    op_matmul_dims d;
    const char *refusal = cpu_matmul_refusal(g, n, &d);
    if (refusal) return refusal;
    if (d.m > CPU_NARROW_ROWS) return "more than 4 rows: arithmetic is the bound, not memory";
    if (d.a_col != 1) return "the rows of the other operand do not lie dense";
    return NULL;
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    return !cpu_matmul_narrow_refusal(g, n);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const narrow_state *s = state;
    const op_matmul_dims *d = &s->d;
    cpu_narrow_pack(dst, s->storage, g->tensors[n->in[1]].data, d->b_row, d->b_col, d->k, d->n, s->alpha);
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    narrow_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!cpu_matmul_of(p->g, p->n, &s->d, &s->bias))
        return vkb_fail(err, VKI_E_INTERNAL, "a matrix product lost its shape");
    const op_matmul_dims *d = &s->d;
    s->alpha = cpu_matmul_alpha(p->n);
    s->storage = p->storage;
    p->state = s;
    p->weight_bytes = cpu_narrow_bytes(s->storage, d->n, d->k);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_matmul_key("matmul narrow", d, s->alpha, s->storage);
    p->stored = s->storage == VKI_WEIGHTS_FP16 ? "fp16" : "int8";
    return VKI_OK;
}

static void on_panels(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const narrow_state *s = c->state;
    const op_matmul_dims *d = &s->d;
    const cpu_micro *m = cpu_micro_get();
    const float *residual = cpu_residual(c), *bias = cpu_own_input(c, 2);
    (void)thread;
    for (int64_t p = begin; p < end; p++)
        for (int64_t row = 0; row < d->m; row++) {
            const int64_t col = p * CPU_NR, at = row * d->n + col;
            const int cols = (int)vkb_min(CPU_NR, d->n - col);
            float sums[CPU_NR] = {0};
            for (int j = 0; j < cols && s->bias != CPU_BIAS_NONE; j++)
                sums[j] = bias[s->bias == CPU_BIAS_ROW ? row : col + j];
            cpu_narrow_row(m, s->storage, sums, (const float *)c->in[0] + row * d->a_row, c->weights, d->n,
                           d->k, p);
            m->epilogue((float *)c->out[0] + at, sums, residual ? residual + at : NULL, cols,
                        &c->n->epilogue);
        }
}

static void run(const cpu_call *c)
{
    const narrow_state *s = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, vkb_ceil_div(s->d.n, CPU_NR), vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->d.k * CPU_NR),
                     on_panels, &call);
}

const cpu_kernel cpu_matmul_narrow = {.name = "matmul_narrow", .fits = fits, .prepare = prepare, .run = run};
