/* SPDX-License-Identifier: Apache-2.0
 * Attention: the scores of every query with every key, softmax, and the sum of the values they weigh. */
#include "graph/ops/schema.h"

#include <math.h>

static const op_attr attention_attrs[] = {
    OP_ROW_INT(op_attention_attrs, is_causal, 0, 0, 1),
    OP_ROW_INT(op_attention_attrs, q_num_heads, 0, 0, OP_INT_MAX),
    OP_ROW_INT(op_attention_attrs, kv_num_heads, 0, 0, OP_INT_MAX),
    OP_ROW_INT(op_attention_attrs, softmax_precision, 0, 0, OP_INT_MAX),
    OP_ROW_INT(op_attention_attrs, qk_matmul_output_mode, 0, 0, 3),
    OP_ROW_FLOAT(op_attention_attrs, scale, 0, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_FLOAT(op_attention_attrs, softcap, 0, 0, OP_FLT_MAX),
};

typedef struct heads { /* of one tensor, [batch, heads, rows, size] or [batch, rows, heads size] */
    int64_t batch, heads, rows, size, by_batch, by_head, by_row;
} heads;

static bool heads_of(const gr_tensor *t, int64_t count, heads *h)
{
    if (gr_elements(t) < 0) return false;
    if (t->rank == 4) {
        *h = (heads){t->dims[0], t->dims[1], t->dims[2], t->dims[3], 0, 0, t->dims[3]};
        h->by_head = h->rows * h->size;
        h->by_batch = h->heads * h->by_head;
        return count == 0 || count == h->heads;
    }
    if (t->rank != 3 || count < 1 || t->dims[2] % count) return false;
    *h = (heads){t->dims[0], count, t->dims[1], t->dims[2] / count, 0, t->dims[2] / count, t->dims[2]};
    h->by_batch = h->rows * h->by_row;
    return true;
}

/* The mask's strides: it is broadcast to [batch, heads, queries, keys]. */
static bool mask_of(const gr_tensor *t, op_attention *a)
{
    const int64_t dims[4] = {a->batch, a->heads, a->queries, a->keys};
    int64_t *const strides[4] = {&a->mask_batch, &a->mask_head, &a->mask_row, &a->mask_col}, stride = 1;
    if (gr_elements(t) < 0 || t->rank > 4) return false;
    for (int d = 1; d <= t->rank; d++) {
        int64_t size = t->dims[t->rank - d];
        if (size != 1 && size != dims[4 - d]) return false;
        *strides[4 - d] = size == 1 ? 0 : stride;
        stride *= size;
    }
    a->masked = true;
    return true;
}

bool op_attention_of(const gr_graph *g, const gr_node *n, op_attention *a)
{
    const op_attention_attrs *attrs = n->attrs;
    heads q, k, v;
    if (!heads_of(&g->tensors[n->in[0]], attrs->q_num_heads, &q) ||
        !heads_of(&g->tensors[n->in[1]], attrs->kv_num_heads, &k) ||
        !heads_of(&g->tensors[n->in[2]], attrs->kv_num_heads, &v))
        return false;
    const gr_tensor *x = &g->tensors[n->in[0]];
    if (g->tensors[n->in[1]].rank != x->rank || g->tensors[n->in[2]].rank != x->rank) return false;
    if (k.batch != q.batch || v.batch != q.batch || v.heads != k.heads || v.rows != k.rows ||
        k.size != q.size)
        return false;
    if (k.heads < 1 || q.heads % k.heads) return false;
    *a = (op_attention){.batch = q.batch,
                        .heads = q.heads,
                        .kv_heads = k.heads,
                        .queries = q.rows,
                        .keys = k.rows,
                        .size = q.size,
                        .value_size = v.size,
                        .q_batch = q.by_batch,
                        .q_head = q.by_head,
                        .q_row = q.by_row,
                        .k_batch = k.by_batch,
                        .k_head = k.by_head,
                        .k_row = k.by_row,
                        .v_batch = v.by_batch,
                        .v_head = v.by_head,
                        .v_row = v.by_row,
                        .causal = attrs->is_causal,
                        .softcap = attrs->softcap};
    a->scale = attrs->scale != 0 ? attrs->scale : a->size > 0 ? (float)(1 / sqrt((double)a->size)) : 1;
    a->y_head = x->rank == 4 ? a->queries * a->value_size : a->value_size;
    a->y_row = x->rank == 4 ? a->value_size : a->heads * a->value_size;
    a->y_batch = a->heads * a->queries * a->value_size;
    return !op_has_in(n, 3) || mask_of(&g->tensors[n->in[3]], a);
}

static vki_status infer_attention(op_infer *c)
{
    op_attention a;
    for (int i = 0; i < 3; i++) VKB_TRY(op_want_type(c, i, OP_FLOATS));
    VKB_TRY(op_want_same_type(c, 1));
    VKB_TRY(op_want_same_type(c, 2));
    const gr_tensor *x = op_in(c, 0), *mask = op_in(c, 3);
    if (mask && mask->dtype != VKI_BOOL) VKB_TRY(op_want_same_type(c, 3));
    if (!op_attention_of(c->g, c->n, &a))
        return op_fail(
            c, VKI_E_SHAPE,
            "Q, K, V and mask do not fit: [batch, heads, rows, size] each, or [batch, rows, heads size] with "
            "q_num_heads and kv_num_heads; the mask is broadcast to [batch, heads, queries, keys]");
    uint64_t elements;
    if (!vkb_mul_u64((uint64_t)a.heads, (uint64_t)a.value_size, &elements) || elements > INT64_MAX)
        return op_fail(c, VKI_E_SHAPE, "the values are too large");
    if (x->rank == 4)
        return op_out(c, 0, x->dtype, 4, (int64_t[]){a.batch, a.heads, a.queries, a.value_size});
    return op_out(c, 0, x->dtype, 3, (int64_t[]){a.batch, a.queries, a.heads * a.value_size});
}

static void cost_attention(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    op_attention a;
    if (op_attention_of(g, n, &a))
        cost->macs += (uint64_t)a.batch * (uint64_t)a.heads * (uint64_t)a.queries * (uint64_t)a.keys *
                      (uint64_t)(a.size + a.value_size);
}

const op_info op_info_Attention = {
    .name = "Attention",
    .doc = "softmax(scale Q K' + mask) V by heads, without past keys; a row that sees no key gives zeros",
    OP_ATTR_TABLE(attention_attrs),
    .attrs_size = sizeof(op_attention_attrs),
    .min_in = 3,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_attention,
    .cost = cost_attention,
};
