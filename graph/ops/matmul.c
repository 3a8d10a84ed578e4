/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

#include <string.h>

static const op_attr gemm_attrs[] = {
    OP_ROW_FLOAT(op_gemm_attrs, alpha, 1, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_FLOAT(op_gemm_attrs, beta, 1, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_INT(op_gemm_attrs, transA, 0, 0, 1),
    OP_ROW_INT(op_gemm_attrs, transB, 0, 0, 1),
};

static bool gemm_of(const gr_tensor *a, const gr_tensor *b, const op_gemm_attrs *attrs, op_matmul_dims *d)
{
    if (a->rank != 2 || b->rank != 2) return false;
    d->batch = 1;
    d->m = a->dims[attrs->transA ? 1 : 0];
    d->k = a->dims[attrs->transA ? 0 : 1];
    d->n = b->dims[attrs->transB ? 0 : 1];
    d->a_row = attrs->transA ? 1 : a->dims[1];
    d->a_col = attrs->transA ? a->dims[1] : 1;
    d->b_row = attrs->transB ? 1 : b->dims[1];
    d->b_col = attrs->transB ? b->dims[1] : 1;
    return b->dims[attrs->transB ? 1 : 0] == d->k;
}

/* Strides of the dimensions before the matrix, right-aligned to `rank` batch dimensions. */
static bool batch_strides(const gr_tensor *t, op_matmul_dims *d, int64_t *strides)
{
    int64_t stride = t->rank > 1 ? t->dims[t->rank - 1] * t->dims[t->rank - 2] : 0;
    for (int i = (int)d->batch_rank - 1, j = t->rank - 3; i >= 0; i--, j--) {
        int64_t size = j >= 0 ? t->dims[j] : 1;
        strides[i] = size == 1 ? 0 : stride;
        if (size != 1) {
            if (d->batch_dims[i] != 1 && d->batch_dims[i] != size) return false;
            d->batch_dims[i] = size;
        }
        stride *= size;
    }
    return true;
}

/* numpy's matmul: a vector on the left is a row, on the right a column. */
static bool matmul_of(const gr_tensor *a, const gr_tensor *b, op_matmul_dims *d)
{
    if (a->rank < 1 || b->rank < 1) return false;
    d->m = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    d->k = a->dims[a->rank - 1];
    d->n = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    d->a_row = d->k;
    d->a_col = 1;
    d->b_row = d->n;
    d->b_col = 1;
    if (d->k != b->dims[b->rank > 1 ? b->rank - 2 : 0]) return false;
    d->batch_rank = vkb_max(vkb_max(a->rank, b->rank) - 2, 0);
    for (int i = 0; i < d->batch_rank; i++) d->batch_dims[i] = 1;
    if (!batch_strides(a, d, d->a_batch) || !batch_strides(b, d, d->b_batch)) return false;
    uint64_t batch = 1;
    for (int i = 0; i < d->batch_rank; i++)
        if (!vkb_mul_u64(batch, (uint64_t)d->batch_dims[i], &batch) || batch > INT64_MAX) return false;
    d->batch = (int64_t)batch;
    return true;
}

static const gr_tensor *left(const gr_graph *g, const gr_node *n)
{
    return &g->tensors[n->in[0]];
}

static const gr_tensor *right(const gr_graph *g, const gr_node *n)
{
    return &g->tensors[n->in[n->op == OP_QLinearMatMul ? 3 : 1]];
}

bool op_matmul_of(const gr_graph *g, const gr_node *n, op_matmul_dims *d)
{
    const gr_tensor *a = left(g, n), *b = right(g, n);
    memset(d, 0, sizeof *d);
    if (gr_elements(a) < 0 || gr_elements(b) < 0) return false;
    return n->op == OP_Gemm ? gemm_of(a, b, n->attrs, d) : matmul_of(a, b, d);
}

static vki_status infer_types(op_infer *c)
{
    VKB_TRY(op_want_type(c, 0,
                         OP_FLOATS | OP_BIT(VKI_I32) | OP_BIT(VKI_I64) | OP_BIT(VKI_U32) | OP_BIT(VKI_U64)));
    VKB_TRY(op_want_same_type(c, 1));
    return op_want_same_type(c, 2);
}

static vki_status fail_shapes(op_infer *c)
{
    char a[96], b[96];
    return op_fail(c, VKI_E_SHAPE, "%s and %s cannot be multiplied",
                   gr_shape_text(c->g, left(c->g, c->n), a, sizeof a),
                   gr_shape_text(c->g, right(c->g, c->n), b, sizeof b));
}

static vki_status infer_gemm(op_infer *c)
{
    op_matmul_dims d;
    VKB_TRY(infer_types(c));
    if (!op_matmul_of(c->g, c->n, &d)) return fail_shapes(c);
    if (op_has_own(c->n, 2)) {
        const gr_tensor *bias = op_in(c, 2);
        int64_t rows = bias->rank > 1 ? bias->dims[bias->rank - 2] : 1;
        int64_t cols = bias->rank > 0 ? bias->dims[bias->rank - 1] : 1;
        if (bias->rank > 2 || (rows != 1 && rows != d.m) || (cols != 1 && cols != d.n))
            return op_fail(c, VKI_E_SHAPE, "input C of %lld x %lld cannot be broadcast to %lld x %lld",
                           (long long)rows, (long long)cols, (long long)d.m, (long long)d.n);
    }
    return op_out(c, 0, op_in(c, 0)->dtype, 2, (int64_t[]){d.m, d.n});
}

vki_status op_matmul_out(op_infer *c, vki_dtype dtype)
{
    op_matmul_dims d;
    if (!op_matmul_of(c->g, c->n, &d)) return fail_shapes(c);
    int64_t dims[GR_MAX_RANK];
    int rank = (int)d.batch_rank;
    memcpy(dims, d.batch_dims, (size_t)rank * sizeof *dims);
    if (left(c->g, c->n)->rank > 1) dims[rank++] = d.m;
    if (right(c->g, c->n)->rank > 1) dims[rank++] = d.n;
    return op_out(c, 0, dtype, rank, dims);
}

static vki_status infer_matmul(op_infer *c)
{
    VKB_TRY(infer_types(c));
    if (op_has_own(c->n, 2)) { /* the graph's own addition to ONNX: a bias of the columns */
        const gr_tensor *b = op_in(c, 1), *bias = op_in(c, 2);
        if (b->rank < 2 || bias->rank != 1 || bias->dims[0] != b->dims[b->rank - 1])
            return op_fail(c, VKI_E_SHAPE,
                           "input 2, a bias, must have one element for each column of input 1");
    }
    return op_matmul_out(c, op_in(c, 0)->dtype);
}

void op_matmul_cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    op_matmul_dims d;
    if (op_matmul_of(g, n, &d))
        cost->macs += (uint64_t)d.batch * (uint64_t)d.m * (uint64_t)d.n * (uint64_t)d.k;
}

const op_info op_info_Gemm = {
    .name = "Gemm",
    .doc = "alpha A B + beta C, with A and B optionally transposed",
    OP_ATTR_TABLE(gemm_attrs),
    .attrs_size = sizeof(op_gemm_attrs),
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT | OP_CAN_RESIDUAL,
    .infer = infer_gemm,
    .cost = op_matmul_cost,
};

const op_info op_info_MatMul = {
    .name = "MatMul",
    .doc = "Matrix product with broadcast batch dimensions, as numpy.matmul; with a bias of the columns",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT | OP_CAN_RESIDUAL,
    .infer = infer_matmul,
    .cost = op_matmul_cost,
};
