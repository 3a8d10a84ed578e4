/* SPDX-License-Identifier: Apache-2.0
 * Drops nodes that hand their input on unchanged, and merges chains of views and transpositions. */
#include <string.h>

#include "graph/passes/rewrite.h"

static bool is_view(op_kind op)
{
    return op == OP_Reshape || op == OP_Flatten || op == OP_Squeeze || op == OP_Unsqueeze;
}

static bool same_known_shape(const gr_graph *g, gr_id a, gr_id b)
{
    const gr_tensor *ta = &g->tensors[a], *tb = &g->tensors[b];
    return gr_is_concrete(ta) && gr_is_concrete(tb) && gr_same_shape(ta, tb);
}

static bool identity_perm(const gr_node *n)
{
    const op_ints *perm = &((const op_transpose_attrs *)n->attrs)->perm;
    for (int i = 0; i < perm->count; i++)
        if (perm->v[i] != i) return false;
    return perm->count > 0;
}

/* The shape alone does not tell: a step of -1 reverses, but then it starts at the end. */
static bool slices_everything(const gr_graph *g, const gr_node *n)
{
    int64_t start[GR_MAX_RANK], step[GR_MAX_RANK];
    if (!same_known_shape(g, n->in[0], n->out[0]) || !op_slice_of(g, n, start, step)) return false;
    for (int d = 0; d < g->tensors[n->in[0]].rank; d++)
        if (start[d] != 0) return false;
    return true;
}

static bool pads_nothing(const gr_graph *g, const gr_node *n)
{
    int64_t begin[GR_MAX_RANK], end[GR_MAX_RANK];
    if (!same_known_shape(g, n->in[0], n->out[0]) || !op_pad_amounts(g, n, begin, end, NULL)) return false;
    for (int d = 0; d < g->tensors[n->in[0]].rank; d++)
        if (begin[d] != 0 || end[d] != 0) return false;
    return true;
}

/* As a pool to the size that its input has comes. (A maximum would leave NaNs out.) */
static bool averages_nothing(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return same_known_shape(g, n->in[0], n->out[0]) && op_window_of(g, n, &w) &&
           w.kernel_d * w.kernel_h * w.kernel_w == 1 && w.stride_d * w.stride_h * w.stride_w == 1 &&
           !(w.pad_front | w.pad_top | w.pad_left | w.pad_back | w.pad_bottom | w.pad_right);
}

/* x + 0, x - 0, x * 1, x / 1, x ^ 1. */
static bool neutral_scalar(const rewrite *rw, const gr_node *n, gr_id *x)
{
    float value;
    bool unit = n->op == OP_Mul || n->op == OP_Div || n->op == OP_Pow;
    return rw_plain(n) && rw_scalar(rw, n, x, &value) && value == (unit ? 1.0f : 0.0f);
}

/* True with the tensor that equals output 0. */
static bool is_identity(const rewrite *rw, const gr_node *n, gr_id *same)
{
    const gr_graph *g = rw->g;
    if (n->n_in < 1 || n->in[0] == GR_NONE) return false;
    *same = n->in[0];
    switch (n->op) {
    case OP_Identity:
        return true;
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_Expand:
        return same_known_shape(g, n->in[0], n->out[0]);
    case OP_Transpose:
        return identity_perm(n);
    case OP_Cast: {
        const op_cast_attrs *a = n->attrs;
        return a->to && g->tensors[n->in[0]].dtype == (vki_dtype)a->to;
    }
    case OP_Concat:
        return n->n_in == 1;
    case OP_Split:
        return n->n_out == 1;
    case OP_Slice:
        return slices_everything(g, n);
    case OP_Pad:
        return pads_nothing(g, n);
    case OP_AveragePool:
        return averages_nothing(g, n);
    case OP_Add:
    case OP_Sub:
    case OP_Mul:
    case OP_Div:
    case OP_Pow:
        return neutral_scalar(rw, n, same);
    default:
        return false;
    }
}

/* Makes n a Reshape of x to the shape that n's output has. */
static vki_status become_reshape(rewrite *rw, gr_node *n, gr_id x, vki_error *err)
{
    gr_graph *g = rw->g;
    const gr_tensor *y = &g->tensors[n->out[0]];
    int64_t dims[GR_MAX_RANK], rank = y->rank;
    bool has_zero = false;
    for (int d = 0; d < rank; d++) {
        dims[d] = y->dims[d];
        has_zero = has_zero || dims[d] == 0;
    }
    gr_id shape = gr_add_const(g, NULL, VKI_I64, 1, &rank, dims, true);
    if (shape == GR_NONE) return vkb_nomem(err, sizeof dims);
    const gr_id in[2] = {x, shape};
    VKB_TRY(rw_become(rw, n, OP_Reshape, 2, in, err));
    ((op_view_attrs *)n->attrs)->allowzero = has_zero;
    return VKI_OK;
}

/* A view of a view is a view of the first one's input. */
static vki_status merge_views(rewrite *rw, gr_node *n, vki_error *err)
{
    const gr_node *first = rw_maker(rw, n->in[0], OP_NONE);
    if (!first || !is_view(first->op)) return VKI_OK;
    gr_id x = first->in[0];
    if (!gr_is_concrete(&rw->g->tensors[n->out[0]])) return VKI_OK;
    VKB_TRY(become_reshape(rw, n, x, err));
    rw->uses.count[x]++;
    rw->uses.reader[x] = GR_NONE;
    return VKI_OK;
}

/* A transposition of a transposition is one; one that only moves dimensions of 1 is a Reshape. */
static vki_status simplify_transpose(rewrite *rw, gr_node *n, vki_error *err)
{
    op_ints *perm = &((op_transpose_attrs *)n->attrs)->perm;
    const gr_tensor *x = &rw->g->tensors[n->in[0]];
    const gr_node *first = rw_maker(rw, n->in[0], OP_Transpose);
    const op_ints *inner = first ? &((const op_transpose_attrs *)first->attrs)->perm : NULL;
    if (inner && inner->count > 0 && inner->count == perm->count) {
        for (int i = 0; i < perm->count; i++) perm->v[i] = inner->v[perm->v[i]];
        n->in[0] = first->in[0];
        rw->uses.count[n->in[0]]++;
        rw->uses.reader[n->in[0]] = GR_NONE;
        *rw->changed = true;
        return VKI_OK;
    }
    if (!gr_is_concrete(x) || !gr_is_concrete(&rw->g->tensors[n->out[0]]) || perm->count != x->rank)
        return VKI_OK;
    int64_t before = -1;
    for (int i = 0; i < perm->count; i++) {
        if (x->dims[perm->v[i]] == 1) continue;
        if (perm->v[i] < before) return VKI_OK;
        before = perm->v[i];
    }
    return become_reshape(rw, n, n->in[0], err);
}

static vki_status visit(rewrite *rw, gr_id i, vki_error *err)
{
    gr_node *n = &rw->g->nodes[i];
    gr_id same;
    if (n->dead || !rw_plain(n)) return VKI_OK;
    if (is_identity(rw, n, &same) && rw_bypass(rw, n, same)) return VKI_OK;
    if (is_view(n->op)) return merge_views(rw, n, err);
    if (n->op == OP_Transpose) return simplify_transpose(rw, n, err);
    return VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    rewrite rw;
    VKB_TRY(rw_begin(&rw, g, changed, err));
    vki_status status = VKI_OK;
    for (int i = 0; i < g->n_nodes && status == VKI_OK; i++) status = visit(&rw, i, err);
    rw_end(&rw);
    return status;
}

const gr_pass pass_identities = {
    "identities", "nodes that change nothing are dropped, views and transpositions merged", run, false};
