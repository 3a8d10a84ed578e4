/* SPDX-License-Identifier: Apache-2.0
 * One row by a matrix whose columns lie dense, as Gemm with transB stores fully connected layers: each output
 * is a dot product, and the matrix is read where it lies. It is not packed, so a large layer costs its
 * weights once, and nothing before the first run. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/matmul_fast.h"

enum { ROWS = 8 }; /* outputs a call; the first one's number is always a multiple of it */

typedef struct rows_state {
    op_matmul_dims d;
    cpu_matmul_bias bias;
    float alpha;
} rows_state;

bool cpu_matmul_rows_fits(const gr_graph *g, const gr_node *n)
{
    op_matmul_dims d;
    cpu_matmul_bias bias;
    return cpu_all_f32(g, n) && cpu_matmul_of(g, n, &d, &bias) && d.m == 1 && d.batch == 1 && d.a_col == 1 &&
           d.b_row == 1 && d.b_col >= d.k && d.k > 1;
}

vki_status cpu_matmul_rows_prepare(cpu_prep *p, vki_error *err)
{
    rows_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!cpu_matmul_of(p->g, p->n, &s->d, &s->bias))
        return vkb_fail(err, VKI_E_INTERNAL, "a matrix product lost its shape");
    s->alpha = cpu_matmul_alpha(p->n);
    p->state = s;
    return VKI_OK;
}

static void on_rows(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_rows *s = arg;
    const cpu_micro *micro = cpu_micro_get();
    (void)thread;
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * ROWS;
        const int count = (int)vkb_min(ROWS, s->n - first);
        float sums[ROWS];
        micro->dots(sums, s->x, s->rows + first * s->step, s->step, s->k, count);
        for (int i = 0; i < count; i++) {
            sums[i] *= s->alpha;
            if (s->bias) sums[i] += s->bias[(first + i) * s->bias_step];
        }
        micro->epilogue(s->y + first, sums, s->residual ? s->residual + first : NULL, count, s->epilogue);
    }
}

void cpu_rows_run(cpu_rows *s, vkb_pool *pool)
{
    vkb_parallel_for(pool, vkb_ceil_div(s->n, ROWS), vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->k * ROWS), on_rows,
                     s);
}

void cpu_matmul_rows_run(const cpu_call *c)
{
    const rows_state *s = c->state;
    cpu_rows rows = {.x = c->in[0],
                     .rows = c->in[1],
                     .step = s->d.b_col,
                     .k = s->d.k,
                     .n = s->d.n,
                     .alpha = s->alpha,
                     .residual = cpu_residual(c),
                     .y = c->out[0],
                     .epilogue = &c->n->epilogue};
    if (s->bias != CPU_BIAS_NONE) rows.bias = cpu_own_input(c, 2);
    rows.bias_step = s->bias == CPU_BIAS_COL;
    cpu_rows_run(&rows, c->pool);
}
