/* SPDX-License-Identifier: Apache-2.0
 * MatMul of integers: rare, and small where it occurs, so that one plain shader does. */
#include "gpu/matmul_words.h"

#include "gpu/broadcast.h"
#include "graph/ops/schema.h"

enum { MOST_TERMS = 32768 }; /* lavapipe ends loops after 65535 rounds (Mesa 22.3, 2026) */

/* Columns, rows, then batches, innermost first. */
static bool rows_of(const gpu_builder *b, const gr_node *n, op_matmul_dims *d, gpu_rows *r)
{
    if (!op_matmul_of(b->g, n, d) || d->batch_rank + 2 > GPU_ROW_DIMS) return false;
    *r = (gpu_rows){
        .rank = 2 + (int)d->batch_rank, .dims = {d->n, d->m}, .strides = {{0, d->a_row}, {d->b_col, 0}}};
    for (int k = 0; k < d->batch_rank; k++) {
        int from = (int)d->batch_rank - 1 - k;
        r->dims[2 + k] = d->batch_dims[from];
        r->strides[0][2 + k] = d->a_batch[from];
        r->strides[1][2 + k] = d->b_batch[from];
    }
    return true;
}

bool gpu_matmul_words_fit(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_matmul_dims d;
    gpu_rows r;
    *why = "of integer matrices only the plain product is supported";
    if (n->op != OP_MatMul || op_has_own(n, 2) || n->epilogue.act != GR_ACT_NONE ||
        n->epilogue.residual != GR_RESIDUAL_NONE)
        return false;
    *why = "more than four batch dimensions";
    if (!rows_of(b, n, &d, &r)) return false;
    *why = "none, or too many elements to add up";
    return d.k >= 1 && d.k <= MOST_TERMS && gpu_const_fits(b, n, 0, why) && gpu_const_fits(b, n, 1, why);
}

void gpu_matmul_words_emit(gpu_builder *b, const gr_node *n)
{
    op_matmul_dims d;
    gpu_rows r;
    if (!rows_of(b, n, &d, &r)) return;
    int64_t count = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_dispatch *p = gpu_dispatch_begin(b, SH_matmul_words_i32);
    gpu_grid_flat(b, p, count);
    gpu_spec(p, (uint32_t)r.rank);
    gpu_bind_add(p, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(p, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    gpu_bind_add(p, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_push(p, count);
    gpu_push_rows(p, &r, 2);
    gpu_push(p, d.k);
    gpu_push(p, d.a_col);
    gpu_push(p, d.b_row);
}
