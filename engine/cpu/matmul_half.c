/* SPDX-License-Identifier: Apache-2.0
 * Gemm and MatMul by a constant matrix in fp16 or bf16 arithmetic. Products of few rows are bound by reading
 * the matrix: matmul_narrow.c has those. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/half.h"
#include "cpu/matmul_fast.h"
#include "cpu/narrow.h"

#include <string.h>

typedef struct half_state {
    op_matmul_dims d;
    cpu_matmul_bias bias;
    cpu_gemm gemm; /* of pairs along k */
    const cpu_half_math *math;
    float alpha;
} half_state;

const char *cpu_matmul_half_refusal(const gr_graph *g, const gr_node *n)
{
    op_matmul_dims d;
    const char *refusal = cpu_matmul_refusal(g, n, &d);
    if (refusal) return refusal;
    if (d.m <= CPU_NARROW_ROWS) return "few rows: memory is the bound, not arithmetic";
    return NULL;
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    return !cpu_matmul_half_refusal(g, n);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const half_state *s = state;
    const op_matmul_dims *d = &s->d;
    const float *src = g->tensors[n->in[1]].data;
    float *out = dst;
    for (int64_t col = 0; col < d->n; col += CPU_NR) {
        const int64_t cols = vkb_min(CPU_NR, d->n - col);
        const int width = cpu_panel_width(cols);
        memset(out, 0, (size_t)(s->gemm.k * width) * sizeof *out);
        for (int64_t j = 0; j < cols; j++)
            cpu_pack_halves(out + j, width, src + (col + j) * d->b_col, d->b_row, d->k, s->gemm.k, s->alpha,
                            s->math);
        out += s->gemm.k * width;
    }
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    half_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!cpu_matmul_of(p->g, p->n, &s->d, &s->bias))
        return vkb_fail(err, VKI_E_INTERNAL, "a matrix product lost its shape");
    const op_matmul_dims *d = &s->d;
    s->alpha = cpu_matmul_alpha(p->n);
    cpu_gemm_plan(&s->gemm, d->m, d->n, vkb_ceil_div(d->k, 2), 1, p->threads, true, false);
    const cpu_half half = cpu_half_wanted(p);
    s->math = &s->gemm.micro->half[half];
    s->gemm.tile = s->math->gemm;
    p->state = s;
    p->scratch_bytes = cpu_gemm_scratch(&s->gemm, p->threads);
    if (!vkb_mul_u64(cpu_packed_b_floats(d->n, s->gemm.k), sizeof(float), &p->weight_bytes))
        return vkb_nomem(err, UINT64_MAX);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_matmul_key("matmul half", d, s->alpha, half);
    p->stored = cpu_half_name(half);
    return VKI_OK;
}

static void job_of(const void *user, int64_t index, cpu_gemm_job *job)
{
    const cpu_call *c = user;
    const half_state *s = c->state;
    const float *bias = cpu_own_input(c, 2);
    (void)index;
    job->b = c->weights;
    job->c = c->out[0];
    job->residual = cpu_residual(c);
    if (s->bias == CPU_BIAS_ROW) job->bias_row = bias;
    if (s->bias == CPU_BIAS_COL) job->bias_col = bias;
}

static void pack_a(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t row, int rows)
{
    const cpu_call *c = user;
    const op_matmul_dims *d = &((const half_state *)c->state)->d;
    const float *a = (const float *)c->in[0] + 2 * k0 * d->a_col;
    (void)job;
    for (int r = 0; r < rows; r++)
        cpu_pack_halves(dst + r, rows, a + (row + r) * d->a_row, d->a_col, d->k - 2 * k0, kc, 1,
                        ((const half_state *)c->state)->math);
}

static void run(const cpu_call *c)
{
    const half_state *s = c->state;
    cpu_call call = *c;
    const cpu_gemm_source source = {
        .user = &call, .epilogue = &c->n->epilogue, .job = job_of, .pack_a = pack_a};
    cpu_gemm_run(&s->gemm, &source, c->scratch, c->pool);
}

const cpu_kernel cpu_matmul_half = {.name = "matmul_half", .fits = fits, .prepare = prepare, .run = run};
