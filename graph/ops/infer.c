/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "graph/ops/schema.h"

/* ---- helpers for infer() ---- */

bool op_has_in(const gr_node *n, int i)
{
    return i < n->n_in && n->in[i] != GR_NONE;
}

const gr_tensor *op_in(const op_infer *c, int i)
{
    return op_has_in(c->n, i) ? &c->g->tensors[c->n->in[i]] : NULL;
}

vki_status op_later(op_infer *c, int i)
{
    c->wants |= UINT64_C(1) << i;
    return OP_LATER;
}

vki_status op_fail(op_infer *c, vki_status code, const char *format, ...)
{
    char text[sizeof c->err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return vkb_fail_node(c->err, code, c->n->name, op_name(c->n->op), "%s", text);
}

vki_status op_out(op_infer *c, int i, vki_dtype dtype, int rank, const int64_t *dims)
{
    if (i >= c->n->n_out || c->n->out[i] == GR_NONE) return VKI_OK;
    if (rank < 0 || rank > GR_MAX_RANK)
        return op_fail(c, VKI_E_SHAPE, "output %d would have %d dimensions; at most %d are possible", i, rank,
                       GR_MAX_RANK);
    gr_tensor made = {.dtype = dtype, .rank = rank};
    for (int d = 0; d < rank; d++) {
        made.dims[d] = dims[d];
        if (dims[d] < 0)
            return op_fail(c, VKI_E_SHAPE, "dimension %d of output %d would be %lld", d, i,
                           (long long)dims[d]);
    }
    int64_t n = gr_elements(&made);
    if (n < 0 || n > INT64_MAX / 16)
        return op_fail(c, VKI_E_SHAPE, "output %d would be too large to address", i);
    gr_tensor *t = &c->g->tensors[c->n->out[i]];
    t->dtype = dtype;
    t->rank = rank;
    memcpy(t->dims, made.dims, sizeof t->dims);
    return VKI_OK;
}

vki_status op_out_like(op_infer *c, int i, const gr_tensor *like)
{
    gr_tensor copy = *like;
    return op_out(c, i, copy.dtype, copy.rank, copy.dims);
}

vki_status op_const_ints(op_infer *c, int i, int64_t *out, int capacity, int *count)
{
    *count = 0;
    const gr_tensor *t = op_in(c, i);
    if (!t) return VKI_OK;
    if (!t->data) return op_later(c, i);
    if (gr_elements(t) > capacity)
        return op_fail(c, VKI_E_SHAPE, "input %d (%s) has %lld elements; at most %d are possible here", i,
                       t->name, (long long)gr_elements(t), capacity);
    if (!gr_const_i64(c->g, c->n->in[i], out, capacity, count))
        return op_fail(c, VKI_E_SHAPE, "input %d (%s) must hold integers, not %s", i, t->name,
                       vki_dtype_name(t->dtype));
    return VKI_OK;
}

vki_status op_check_indices(op_infer *c, int i, int count, const int64_t *dims)
{
    const gr_tensor *t = op_in(c, i);
    for (int64_t k = 0; k < gr_elements(t); k++) {
        int64_t dim = dims[k % count], v = 0;
        if (t->data && t->dtype == VKI_I64) v = ((const int64_t *)t->data)[k];
        if (t->data && t->dtype == VKI_I32) v = ((const int32_t *)t->data)[k];
        if (v < -dim || v >= dim)
            return op_fail(c, VKI_E_SHAPE, "index %lld is outside of the %lld slices that there are",
                           (long long)v, (long long)dim);
        if (!t->data && k + 1 == count) break;
    }
    return VKI_OK;
}

vki_status op_axis(op_infer *c, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return op_fail(c, VKI_E_SHAPE, "axis %lld is out of range for %d dimensions", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return VKI_OK;
}

vki_status op_broadcast(op_infer *c, const gr_tensor *a, const gr_tensor *b, int *rank, int64_t *dims)
{
    int r = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < r; i++) {
        int ia = i - (r - a->rank), ib = i - (r - b->rank);
        int64_t da = ia < 0 ? 1 : a->dims[ia], db = ib < 0 ? 1 : b->dims[ib];
        if (da != db && da != 1 && db != 1) {
            char ta[128], tb[128];
            return op_fail(c, VKI_E_SHAPE, "%s %s and %s %s cannot be broadcast to one shape", a->name,
                           gr_shape_text(c->g, a, ta, sizeof ta), b->name,
                           gr_shape_text(c->g, b, tb, sizeof tb));
        }
        dims[i] = da == 1 ? db : da;
    }
    *rank = r;
    return VKI_OK;
}

/* ---- one node ---- */

static vki_status check_arity(const gr_node *n, const op_info *info, vki_error *err)
{
    int n_in = n->n_in - (n->epilogue.residual != GR_RESIDUAL_NONE);
    if (n_in < info->min_in || n_in > info->max_in)
        return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op), "%d inputs given; %d to %d are allowed",
                             n_in, info->min_in, info->max_in);
    if (n->n_out < info->min_out || n->n_out > info->max_out)
        return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op),
                             "%d outputs given; %d to %d are allowed", n->n_out, info->min_out,
                             info->max_out);
    for (int i = 0; i < info->min_in; i++)
        if (n->in[i] == GR_NONE)
            return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op), "input %d is missing", i);
    return VKI_OK;
}

vki_status op_check_node(const gr_node *n, vki_error *err)
{
    const op_info *info = op_get(n->op);
    if (!info)
        return vkb_fail_node(err, VKI_E_UNSUPPORTED, n->name, op_name(n->op),
                             "this build does not have the operator");
    VKB_TRY(check_arity(n, info, err));
    return op_check_attrs(n, err);
}

static vki_status check_outputs(gr_graph *g, const gr_node *n, vki_error *err)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && !gr_is_concrete(&g->tensors[n->out[i]]))
            return vkb_fail_node(err, VKI_E_INTERNAL, n->name, op_name(n->op),
                                 "shape inference left output %d open", i);
    if (n->epilogue.residual == GR_RESIDUAL_NONE) return VKI_OK;
    const gr_tensor *y = &g->tensors[n->out[0]], *r = &g->tensors[n->in[n->n_in - 1]];
    if (r->dtype == y->dtype && gr_same_shape(y, r)) return VKI_OK;
    char ty[128], tr[128];
    return vkb_fail_node(err, VKI_E_SHAPE, n->name, op_name(n->op),
                         "the residual %s is %s, but the output is %s", r->name,
                         gr_shape_text(g, r, tr, sizeof tr), gr_shape_text(g, y, ty, sizeof ty));
}

/* A shape that does not follow from the inputs is only somebody's claim (a file's): nothing may be sized by
 * it. Sizes are forgotten, type and rank stay as a hint. */
static void distrust_outputs(gr_graph *g, const gr_node *n)
{
    for (int i = 0; i < n->n_out; i++) {
        gr_tensor *t = n->out[i] == GR_NONE ? NULL : &g->tensors[n->out[i]];
        if (!t || !gr_is_concrete(t)) continue;
        if (t->rank == 0) t->rank = -1;
        for (int d = 0; d < t->rank; d++) t->dims[d] = GR_UNKNOWN;
    }
}

/* OP_LATER if the shapes cannot be known yet; *wants as in op_infer. */
static vki_status infer(gr_graph *g, gr_node *n, uint64_t *wants, vki_error *err)
{
    *wants = 0;
    VKB_TRY(op_check_node(n, err));
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE && !gr_is_concrete(&g->tensors[n->in[i]])) return OP_LATER;
    op_infer c = {.g = g, .n = n, .err = err};
    gr_residual residual = n->epilogue.residual;
    n->n_in = op_own_inputs(n); /* the operator knows nothing of its residual */
    n->epilogue.residual = GR_RESIDUAL_NONE;
    vki_status status = op_get(n->op)->infer(&c);
    n->epilogue.residual = residual;
    n->n_in += residual != GR_RESIDUAL_NONE;
    *wants = c.wants;
    return status == VKI_OK ? check_outputs(g, n, err) : status;
}

static vki_status infer_known(gr_graph *g, gr_node *n, bool bounds, bool *known, vki_error *err)
{
    uint64_t wants;
    vki_status status = infer(g, n, &wants, err);
    *known = status == VKI_OK && (bounds || !(op_get(n->op)->flags & OP_DATA_SHAPED));
    if (status != VKI_OK && status != OP_LATER) return status;
    if (!*known) distrust_outputs(g, n);
    return VKI_OK;
}

vki_status gr_infer_node(gr_graph *g, gr_node *n, bool *known, vki_error *err)
{
    return infer_known(g, n, false, known, err);
}

vki_status gr_infer_bounds(gr_graph *g, gr_node *n, bool *known, vki_error *err)
{
    return infer_known(g, n, true, known, err);
}

vki_status gr_infer_wants(gr_graph *g, gr_node *n, uint64_t *wants, vki_error *err)
{
    vki_status status = infer(g, n, wants, err);
    distrust_outputs(g, n);
    return status == OP_LATER ? VKI_OK : status;
}
