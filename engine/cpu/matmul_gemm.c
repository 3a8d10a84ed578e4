/* SPDX-License-Identifier: Apache-2.0
 * Gemm and MatMul through the GEMM. A constant right matrix is packed once; a shared one takes all batches
 * as rows of one product; a single row by a constant matrix goes panel by panel, at the speed of memory. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/matmul_fast.h"
#include "cpu/matmul_index.h"
#include "graph/ops/schema.h"

#include <string.h>

typedef struct matmul_state {
    op_matmul_dims d;
    cpu_gemm gemm;
    float alpha;
    cpu_matmul_bias bias;
    bool packed; /* B is constant */
    bool one_row;
} matmul_state;

static bool find_bias(const gr_graph *g, const gr_node *n, const op_matmul_dims *d, cpu_matmul_bias *kind)
{
    *kind = CPU_BIAS_NONE;
    if (!op_has_own(n, 2)) return true;
    const gr_tensor *t = &g->tensors[n->in[2]];
    if (n->op == OP_Gemm && ((const op_gemm_attrs *)n->attrs)->beta != 1) return false;
    if (t->rank >= 1 && t->dims[t->rank - 1] == d->n && gr_elements(t) == d->n)
        *kind = CPU_BIAS_COL;
    else if (t->rank == 2 && t->dims[0] == d->m && t->dims[1] == 1)
        *kind = CPU_BIAS_ROW;
    return *kind != CPU_BIAS_NONE;
}

/* A right matrix that all batches share makes one product of batch x m rows, if A's rows lie evenly. */
static void merge_batches(op_matmul_dims *d)
{
    int64_t expected = d->m * d->a_row;
    for (int i = (int)d->batch_rank - 1; i >= 0; i--) {
        if (d->batch_dims[i] == 1) continue;
        if (d->b_batch[i] || d->a_batch[i] != expected) return;
        expected *= d->batch_dims[i];
    }
    d->m *= d->batch;
    d->batch = 1;
    d->batch_rank = 0;
}

bool cpu_matmul_of(const gr_graph *g, const gr_node *n, op_matmul_dims *d, cpu_matmul_bias *bias)
{
    const int64_t most = INT64_C(1) << 31;
    if (!op_matmul_of(g, n, d)) return false;
    merge_batches(d);
    return d->m < most && d->n < most && d->k < most && find_bias(g, n, d, bias);
}

const char *cpu_matmul_refusal(const gr_graph *g, const gr_node *n, op_matmul_dims *d)
{
    cpu_matmul_bias bias;
    if (!gr_is_const(g, n->in[1])) return "the matrix is computed";
    if (!cpu_all_f32(g, n) || !cpu_matmul_of(g, n, d, &bias)) return "not of the form that fast kernels take";
    return d->batch != 1 ? "a matrix for each product of a batch" : NULL;
}

float cpu_matmul_alpha(const gr_node *n)
{
    return n->op == OP_Gemm ? ((const op_gemm_attrs *)n->attrs)->alpha : 1;
}

uint64_t cpu_matmul_key(const char *form, const op_matmul_dims *d, float alpha, int64_t storage)
{
    int32_t bits;
    memcpy(&bits, &alpha, sizeof bits);
    return cpu_pack_key(form, (int64_t[]){d->n, d->k, d->b_row, d->b_col, bits, storage}, 6);
}

bool cpu_matmul_gemm_fits(const gr_graph *g, const gr_node *n)
{
    op_matmul_dims d;
    cpu_matmul_bias bias;
    return cpu_all_f32(g, n) && cpu_matmul_of(g, n, &d, &bias);
}

static int64_t matrices(const gr_graph *g, const gr_node *n, const op_matmul_dims *d)
{
    return gr_elements(&g->tensors[n->in[1]]) / (d->k * d->n);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const matmul_state *s = state;
    const op_matmul_dims *d = &s->d;
    const uint64_t floats = cpu_packed_b_floats(d->n, d->k);
    const float *src = g->tensors[n->in[1]].data;
    for (int64_t i = 0; i < matrices(g, n, d); i++)
        cpu_pack_b((float *)dst + (uint64_t)i * floats, src + i * d->k * d->n, d->b_row, d->b_col, d->k, d->n,
                   s->alpha);
}

vki_status cpu_matmul_gemm_prepare(cpu_prep *p, vki_error *err)
{
    matmul_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!cpu_matmul_of(p->g, p->n, &s->d, &s->bias))
        return vkb_fail(err, VKI_E_INTERNAL, "a matrix product lost its shape");
    const op_matmul_dims *d = &s->d;
    s->alpha = cpu_matmul_alpha(p->n);
    s->packed = gr_is_const(p->g, p->n->in[1]);
    s->one_row = s->packed && d->m == 1 && d->batch == 1;
    cpu_gemm_plan(&s->gemm, d->m, d->n, d->k, d->batch, p->threads, true, !s->packed);
    p->state = s;
    if (!s->one_row) p->scratch_bytes = cpu_gemm_scratch(&s->gemm, p->threads);
    if (!s->packed) return VKI_OK;
    uint64_t bytes;
    if (!vkb_mul_u64(cpu_packed_b_floats(d->n, d->k), (uint64_t)matrices(p->g, p->n, d) * sizeof(float),
                     &bytes))
        return vkb_nomem(err, UINT64_MAX);
    p->weight_bytes = bytes;
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_matmul_key("matmul", d, s->alpha, 0);
    return VKI_OK;
}

static void matmul_job(const void *user, int64_t index, cpu_gemm_job *job)
{
    const cpu_call *c = user;
    const matmul_state *s = c->state;
    const op_matmul_dims *d = &s->d;
    const float *residual = cpu_residual(c), *bias = cpu_own_input(c, 2);
    const int64_t size = d->m * d->n;
    if (s->packed)
        job->b = (const float *)c->weights + (uint64_t)(cpu_matrix_at(d, d->b_batch, index) / (d->k * d->n)) *
                                                 cpu_packed_b_floats(d->n, d->k);
    job->c = (float *)c->out[0] + index * size;
    if (residual) job->residual = residual + index * size;
    if (s->bias == CPU_BIAS_ROW) job->bias_row = bias;
    if (s->bias == CPU_BIAS_COL) job->bias_col = bias;
}

static void pack_a(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t row, int rows)
{
    const cpu_call *c = user;
    const op_matmul_dims *d = &((const matmul_state *)c->state)->d;
    const float *a = (const float *)c->in[0] + cpu_matrix_at(d, d->a_batch, job);
    cpu_pack_a_panel(dst, a + row * d->a_row + k0 * d->a_col, d->a_row, d->a_col, kc, rows);
}

static void pack_b(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t col, int cols,
                   int width)
{
    const cpu_call *c = user;
    const matmul_state *s = c->state;
    const op_matmul_dims *d = &s->d;
    const float *b = (const float *)c->in[1] + cpu_matrix_at(d, d->b_batch, job);
    cpu_pack_b_panel(dst, b + k0 * d->b_row + col * d->b_col, d->b_row, d->b_col, kc, cols, width, s->alpha);
}

/* Panels begin..end of y = x B. */
static void on_panels(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const matmul_state *s = c->state;
    const op_matmul_dims *d = &s->d;
    const float *residual = cpu_residual(c), *bias = cpu_own_input(c, 2);
    (void)thread;
    for (int64_t p = begin; p < end; p++) {
        const int64_t col = p * CPU_NR;
        const int cols = (int)vkb_min(CPU_NR, d->n - col);
        float sums[CPU_NR] = {0};
        for (int j = 0; j < cols && s->bias != CPU_BIAS_NONE; j++)
            sums[j] = bias[s->bias == CPU_BIAS_ROW ? 0 : col + j];
        s->gemm.micro->row_panel(sums, c->in[0], (const float *)c->weights + col * d->k, d->k, cols);
        s->gemm.micro->epilogue((float *)c->out[0] + col, sums, residual ? residual + col : NULL, cols,
                                &c->n->epilogue);
    }
}

void cpu_matmul_gemm_run(const cpu_call *c)
{
    const matmul_state *s = c->state;
    cpu_call call = *c;
    if (s->one_row) {
        vkb_parallel_for(c->pool, vkb_ceil_div(s->d.n, CPU_NR),
                         vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->d.k * CPU_NR), on_panels, &call);
        return;
    }
    const cpu_gemm_source source = {
        .user = &call, .epilogue = &c->n->epilogue, .job = matmul_job, .pack_a = pack_a, .pack_b = pack_b};
    cpu_gemm_run(&s->gemm, &source, c->scratch, c->pool);
}
