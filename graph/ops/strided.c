/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/strided.h"

static void row_strides(const gr_tensor *t, int64_t stride[GR_MAX_RANK])
{
    int64_t s = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        stride[d] = s;
        s *= t->dims[d];
    }
}

/* Drops dimensions of 1 and joins neighbours whose outer stride is the inner's extent on both sides. */
static void normalize(op_strided *s)
{
    int rank = 0;
    s->elements = 1;
    for (int d = 0; d < s->rank; d++) {
        s->elements *= s->dims[d];
        if (s->dims[d] == 1) continue;
        int64_t dim = s->dims[d], src = s->src[d], dst = s->dst[d];
        bool join = rank > 0 && s->src[rank - 1] == src * dim && s->dst[rank - 1] == dst * dim;
        if (join) dim *= s->dims[--rank];
        s->dims[rank] = dim;
        s->src[rank] = src;
        s->dst[rank] = dst;
        rank++;
    }
    if (rank == 0) {
        s->dims[0] = s->src[0] = s->dst[0] = 1;
        rank = 1;
    }
    s->rank = rank;
}

/* The place of copy i along the axis that Concat or Split divides. */
static int64_t part_offset(const gr_graph *g, const gr_id *parts, int i, int axis)
{
    int64_t offset = 0;
    for (int k = 0; k < i; k++) offset += g->tensors[parts[k]].dims[axis];
    return offset;
}

static int part_axis(const gr_node *n, int rank)
{
    int64_t axis = ((const op_axis_attrs *)n->attrs)->axis;
    return (int)(axis < 0 ? axis + rank : axis);
}

int op_strided_count(const gr_node *n)
{
    switch (n->op) {
    case OP_Transpose:
    case OP_Expand:
    case OP_Slice:
        return 1;
    case OP_Concat:
        return n->n_in;
    case OP_Split:
        return n->n_out;
    default:
        return 0;
    }
}

bool op_strided_of(const gr_graph *g, const gr_node *n, int i, op_strided *s)
{
    bool concat = n->op == OP_Concat, split = n->op == OP_Split;
    const gr_tensor *x = &g->tensors[n->in[concat ? i : 0]], *y = &g->tensors[n->out[split ? i : 0]];
    const gr_tensor *walked = concat ? x : y;
    int64_t xs[GR_MAX_RANK], ys[GR_MAX_RANK], start[GR_MAX_RANK], step[GR_MAX_RANK];
    int axis = concat || split ? part_axis(n, x->rank) : 0;
    row_strides(x, xs);
    row_strides(y, ys);
    *s = (op_strided){.rank = walked->rank};
    if (n->op == OP_Slice && !op_slice_of(g, n, start, step)) return false;
    for (int d = 0; d < walked->rank; d++) {
        s->dims[d] = walked->dims[d];
        s->dst[d] = ys[d];
        if (n->op == OP_Transpose) {
            s->src[d] = xs[((const op_transpose_attrs *)n->attrs)->perm.v[d]];
        } else if (n->op == OP_Expand) {
            int from = d - (y->rank - x->rank);
            s->src[d] = from < 0 || x->dims[from] == 1 ? 0 : xs[from];
        } else if (n->op == OP_Slice) {
            s->src[d] = xs[d] * step[d];
            s->src_offset += xs[d] * start[d];
        } else {
            s->src[d] = xs[d];
        }
    }
    if (concat) s->dst_offset = part_offset(g, n->in, i, axis) * ys[axis];
    if (split) s->src_offset = part_offset(g, n->out, i, axis) * xs[axis];
    normalize(s);
    return true;
}
