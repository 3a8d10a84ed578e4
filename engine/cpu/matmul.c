/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/kernels.h"
#include "cpu/matmul_index.h"
#include "cpu/ref.h"
#include "graph/ops/schema.h"

/* beta C at element i of the output */
static double bias_at(const cpu_call *c, int64_t i)
{
    if (!op_has_own(c->n, 2)) return 0;
    const gr_tensor *bias = cpu_in(c, 2);
    const double beta = c->n->op == OP_Gemm ? (double)((const op_gemm_attrs *)c->n->attrs)->beta : 1;
    return beta * cpu_load(c->in[2], bias->dtype, cpu_broadcast(cpu_out(c, 0), bias, i));
}

static inline void product(const cpu_call *c, const op_matmul_dims *d, vki_dtype type)
{
    bool gemm = c->n->op == OP_Gemm;
    double alpha = gemm ? (double)((const op_gemm_attrs *)c->n->attrs)->alpha : 1;
    cpu_sink sink = cpu_sink_of(c);
    int64_t i = 0;
    for (int64_t batch = 0; batch < d->batch; batch++) {
        int64_t a = cpu_matrix_at(d, d->a_batch, batch), b = cpu_matrix_at(d, d->b_batch, batch);
        for (int64_t m = 0; m < d->m; m++)
            for (int64_t n = 0; n < d->n; n++, i++) {
                double sum = 0;
                for (int64_t k = 0; k < d->k; k++)
                    sum += cpu_load(c->in[0], type, a + m * d->a_row + k * d->a_col) *
                           cpu_load(c->in[1], type, b + k * d->b_row + n * d->b_col);
                cpu_put(&sink, i, alpha * sum + bias_at(c, i));
            }
    }
}

static void integer_product(const cpu_call *c, const op_matmul_dims *d)
{
    vki_dtype type = cpu_in(c, 0)->dtype;
    int64_t i = 0;
    for (int64_t batch = 0; batch < d->batch; batch++) {
        int64_t a = cpu_matrix_at(d, d->a_batch, batch), b = cpu_matrix_at(d, d->b_batch, batch);
        for (int64_t m = 0; m < d->m; m++)
            for (int64_t n = 0; n < d->n; n++, i++) {
                uint64_t sum = 0; /* wraps around */
                for (int64_t k = 0; k < d->k; k++)
                    sum += (uint64_t)cpu_load_i64(c->in[0], type, a + m * d->a_row + k * d->a_col) *
                           (uint64_t)cpu_load_i64(c->in[1], type, b + k * d->b_row + n * d->b_col);
                cpu_store_i64(c->out[0], type, i, (int64_t)sum);
            }
    }
}

static bool supports(const gr_graph *g, const gr_node *n, const char **why)
{
    if (cpu_is_float(g->tensors[n->in[0]].dtype)) return true;
    *why = "of integer matrices only the plain product is supported";
    return n->op == OP_MatMul && !op_has_own(n, 2) && n->epilogue.act == GR_ACT_NONE &&
           n->epilogue.residual == GR_RESIDUAL_NONE;
}

static void reference(const cpu_call *c)
{
    op_matmul_dims d;
    if (!op_matmul_of(c->g, c->n, &d)) return; /* inference has accepted the node */
    if (cpu_is_float(cpu_in(c, 0)->dtype))
        CPU_EACH_FLOAT(cpu_in(c, 0)->dtype, product, c, &d);
    else
        integer_product(c, &d);
}

const cpu_op cpu_op_matmul = {.supports = supports, .reference = reference, .kernels = cpu_matmul_kernels};
