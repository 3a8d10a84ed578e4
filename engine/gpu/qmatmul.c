/* SPDX-License-Identifier: Apache-2.0
 * Products of one right matrix: the rows of all left ones follow each other. */
#include "gpu/quantized.h"

static bool product_of(const gpu_builder *b, const gr_node *n, op_matmul_dims *d)
{
    if (!op_matmul_of(b->g, n, d)) return false;
    int64_t matrices = 1;
    for (int i = 0; i < d->batch_rank; i++) {
        if (d->batch_dims[i] > 1 && (d->b_batch[i] || !d->a_batch[i])) return false;
        matrices *= d->batch_dims[i];
    }
    d->batch = matrices;
    return true;
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    const op_quantized q = op_quantized_of(n->op);
    op_matmul_dims d;
    *why = "more than one right matrix";
    if (!product_of(b, n, &d)) return false;
    *why = "sums of too many products";
    if (d.k > GPU_MOST_ROUNDS) return false;
    *why = "zero points that differ from matrix to matrix";
    const int a_line = b->g->tensors[n->in[q.a]].rank - 2, b_rank = b->g->tensors[n->in[q.b]].rank;
    if (op_spread_of(b->g, n, q.a_zero, q.a, a_line) == OP_SPREAD_BATCH_LINE && d.batch > 1) return false;
    if (b_rank > 2 && op_spread_of(b->g, n, q.b_zero, q.b, b_rank - 1) == OP_SPREAD_BATCH_LINE) return false;
    return gpu_requantize_fits(b, n, why);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const op_quantized q = op_quantized_of(n->op);
    op_matmul_dims m;
    int64_t a_step, b_step, scale_step;
    if (!product_of(b, n, &m)) return;
    const gpu_bind binds[] = {gpu_in(b, n, q.a, GPU_ROW), gpu_in(b, n, q.b, GPU_ROW),
                              gpu_zero_in(b, n, q.a_zero, &a_step), gpu_zero_in(b, n, q.b_zero, &b_step),
                              gpu_multipliers(b, n, &scale_step)};
    const int64_t count = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_dispatch *d = gpu_dispatch_begin(b, SH_qmatmul_words_i32);
    gpu_grid_flat(b, d, count);
    gpu_spec(d, op_requantizes(n->op));
    for (size_t i = 0; i < VKB_COUNT(binds); i++) gpu_bind_add(d, binds[i], GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    const int64_t words[] = {count, m.n, m.k, m.m, a_step, b_step, scale_step};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_push_output(b, d, n);
}

static const gpu_kernel kernels[] = {{"qmatmul_words", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_qmatmul = {kernels};
