/* SPDX-License-Identifier: Apache-2.0
 * Softmax in other words: Exp(x [- ReduceMax(x)]) / ReduceSum(of that) along one axis; and along the last
 * axis between two views that undo each other, which is how its old form, of a flattened tensor, comes. */
#include "graph/passes/rewrite.h"

static bool is_view(op_kind op)
{
    return op == OP_Reshape || op == OP_Flatten || op == OP_Squeeze || op == OP_Unsqueeze;
}

static vki_status match_between_views(rewrite *rw, gr_node *n, vki_error *err)
{
    const gr_graph *g = rw->g;
    if (!is_view(n->op) || !rw_single(rw, n->in[0])) return VKI_OK;
    gr_node *soft = rw_maker(rw, n->in[0], OP_NONE);
    if (!soft || (soft->op != OP_Softmax && soft->op != OP_LogSoftmax) || !rw_single(rw, soft->in[0]))
        return VKI_OK;
    gr_node *first = rw_maker(rw, soft->in[0], OP_NONE);
    if (!first || !is_view(first->op)) return VKI_OK;
    const gr_id x = first->in[0];
    const gr_tensor *inner = &g->tensors[soft->in[0]], *outer = &g->tensors[x], *y = &g->tensors[n->out[0]];
    if (!gr_is_concrete(inner) || !gr_is_concrete(outer) || !gr_is_concrete(y) || !gr_same_shape(outer, y))
        return VKI_OK;
    const int64_t axis = ((const op_axis_attrs *)soft->attrs)->axis;
    if (outer->rank < 1 || inner->rank < 1 || (axis != -1 && axis != inner->rank - 1) ||
        inner->dims[inner->rank - 1] != outer->dims[outer->rank - 1])
        return VKI_OK;
    VKB_TRY(rw_become(rw, n, soft->op, 1, &x, err));
    ((op_axis_attrs *)n->attrs)->axis = -1;
    VKB_TRY(rw_drop(rw, n, soft, err));
    return rw_drop(rw, n, first, err);
}

/* The one axis of x that the node reduces, which stays as a dimension of 1; -1. */
static int one_axis(const gr_graph *g, const gr_node *reduce)
{
    bool mask[GR_MAX_RANK];
    const gr_tensor *x = &g->tensors[reduce->in[0]];
    int axis = -1, count = 0;
    if (!((const op_reduce_attrs *)reduce->attrs)->keepdims || !gr_is_concrete(x) ||
        !op_reduce_mask(g, reduce, mask))
        return -1;
    for (int d = 0; d < x->rank; d++) {
        if (!mask[d]) continue;
        axis = d;
        count++;
    }
    return count == 1 ? axis : -1;
}

static bool read_by(const rewrite *rw, gr_id t, int count)
{
    return rw->uses.count[t] == count && !(rw->g->tensors[t].flags & GR_OUTPUT);
}

static vki_status match_spelled_out(rewrite *rw, gr_node *n, vki_error *err)
{
    const gr_graph *g = rw->g;
    if (n->op != OP_Div || !rw_plain(n) || !rw_is_float(g, n->out[0]) || !rw_single(rw, n->in[1]))
        return VKI_OK;
    gr_node *exp = rw_maker(rw, n->in[0], OP_Exp), *sum = rw_maker(rw, n->in[1], OP_ReduceSum);
    if (!exp || !sum || sum->in[0] != n->in[0] || !read_by(rw, n->in[0], 2)) return VKI_OK;
    const int axis = one_axis(g, sum);
    if (axis < 0) return VKI_OK;
    gr_id x = exp->in[0];
    gr_node *sub = rw_single(rw, x) ? rw_maker(rw, x, OP_Sub) : NULL;
    gr_node *max = sub && rw_single(rw, sub->in[1]) ? rw_maker(rw, sub->in[1], OP_ReduceMax) : NULL;
    if (max && (max->in[0] != sub->in[0] || one_axis(g, max) != axis)) max = NULL;
    if (max) x = sub->in[0];
    VKB_TRY(rw_become(rw, n, OP_Softmax, 1, &x, err));
    ((op_axis_attrs *)n->attrs)->axis = axis;
    VKB_TRY(rw_drop(rw, n, sum, err));
    VKB_TRY(rw_drop(rw, n, exp, err));
    if (!max) return VKI_OK;
    VKB_TRY(rw_drop(rw, n, sub, err));
    return rw_drop(rw, n, max, err);
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    VKB_TRY(match_between_views(rw, n, err));
    return match_spelled_out(rw, n, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_softmax = {
    "softmax", "softmax spelled out in primitives or of a flattened tensor becomes one node", run, true};
