/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/passes/transposes.h"

#include <string.h>

typedef enum kind { /* of an operator */
                    STOPS = 0,
                    EACH,   /* element by element, with broadcasting */
                    AXIS,   /* op_axis_attrs */
                    ARG,    /* op_arg_attrs */
                    LIST_1, /* dimensions in a constant list, input 1 */
                    LIST_3, /* input 3; the list before it counts if it is absent */
                    SIZES   /* Resize */
} kind;

static kind kind_of(const gr_graph *g, const gr_node *n)
{
    const char *family = op_family(n->op);
    if (n->epilogue.residual != GR_RESIDUAL_NONE) return STOPS;
    if (!strcmp(family, "unary") || !strcmp(family, "binary") || !strcmp(family, "compare")) return EACH;
    switch (n->op) {
    case OP_Where:
    case OP_Identity:
        return EACH;
    case OP_Cast:
        return n->n_in == 1 ? EACH : STOPS;
    case OP_QuantizeLinear:
    case OP_DequantizeLinear:
        return gr_elements(&g->tensors[n->in[1]]) == 1 ? EACH : STOPS;
    case OP_Softmax:
    case OP_LogSoftmax:
    case OP_Concat:
    case OP_Split:
        return AXIS;
    case OP_ArgMax:
    case OP_ArgMin:
        return ((const op_arg_attrs *)n->attrs)->keepdims ? ARG : STOPS;
    case OP_Slice:
    case OP_Pad:
        return LIST_3;
    case OP_Resize:
        return SIZES;
    default:
        return !strcmp(family, "reduce") && ((const op_reduce_attrs *)n->attrs)->keepdims ? LIST_1 : STOPS;
    }
}

static bool is_absent(const gr_node *n, int i)
{
    return i >= n->n_in || n->in[i] == GR_NONE;
}

bool tp_is_data(const gr_graph *g, const gr_node *n, int i, const tp_order *order)
{
    if (is_absent(n, i)) return false;
    const kind k = kind_of(g, n);
    const gr_tensor *t = &g->tensors[n->in[i]];
    if (n->op == OP_QuantizeLinear || n->op == OP_DequantizeLinear) return i == 0;
    if (k == EACH || n->op == OP_Concat) return !(t->data && gr_elements(t) == 1 && t->rank <= order->rank);
    return i == 0;
}

/* Constant dimensions, resolved; the count, -1 if they are not known or name one twice. */
static int dims_in(const gr_graph *g, const gr_node *n, int i, int rank, int64_t *out)
{
    int count;
    uint32_t seen = 0;
    if (!gr_const_i64(g, n->in[i], out, GR_MAX_RANK, &count)) return -1;
    for (int k = 0; k < count; k++) {
        if (out[k] < 0) out[k] += rank;
        if (out[k] < 0 || out[k] >= rank || seen >> out[k] & 1u) return -1;
        seen |= 1u << out[k];
    }
    return count;
}

static bool known_lists(const gr_graph *g, const gr_node *n, kind k, int rank)
{
    int64_t dims[GR_MAX_RANK], values[2 * GR_MAX_RANK];
    int count;
    if (k == LIST_1) return is_absent(n, 1) || dims_in(g, n, 1, rank, dims) >= 0;
    if (k == SIZES) {
        const op_resize_attrs *a = n->attrs;
        return is_absent(n, 1) && a->keep_aspect_ratio_policy == 0 &&
               a->coordinate_transformation_mode != OP_COORD_TF_CROP_AND_RESIZE;
    }
    if (k != LIST_3) return true;
    if (!gr_const_i64(g, n->in[1], values, 2 * GR_MAX_RANK, &count)) return false;
    return is_absent(n, 3) || dims_in(g, n, 3, rank, dims) >= 0;
}

static bool has_rank(const gr_graph *g, gr_id t, int rank)
{
    return gr_is_concrete(&g->tensors[t]) && g->tensors[t].rank == rank;
}

bool tp_passes(const gr_graph *g, const gr_node *n, const tp_order *order)
{
    const kind k = kind_of(g, n);
    if (k == STOPS || n->n_in < 1) return false;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && !has_rank(g, n->out[i], order->rank)) return false;
    for (int i = 0; i < n->n_in; i++) {
        if (!tp_is_data(g, n, i, order)) continue;
        const gr_tensor *t = &g->tensors[n->in[i]];
        const bool widened =
            k == EACH && t->data && t->rank < order->rank && gr_is_concrete(t); /* a constant */
        if (!widened && !has_rank(g, n->in[i], order->rank)) return false;
    }
    return known_lists(g, n, k, order->rank);
}

/* A constant list of the dimensions in place of input i. */
static vki_status set_list(gr_graph *g, gr_node *n, int i, int count, const int64_t *dims, vki_error *err)
{
    gr_id in[8] = {GR_NONE, GR_NONE, GR_NONE, GR_NONE, GR_NONE, GR_NONE, GR_NONE, GR_NONE};
    const int64_t size = count;
    if (n->n_in > 8) return vkb_fail(err, VKI_E_INTERNAL, "%s has too many inputs", n->name);
    for (int k = 0; k < n->n_in; k++) in[k] = n->in[k];
    in[i] = gr_add_const(g, NULL, VKI_I64, 1, &size, dims, true);
    if (in[i] == GR_NONE || !gr_set_inputs(g, n, n->n_in > i ? n->n_in : i + 1, in)) return vkb_nomem(err, 0);
    return VKI_OK;
}

static vki_status rename_list(gr_graph *g, gr_node *n, int i, const tp_order *order, vki_error *err)
{
    int64_t dims[GR_MAX_RANK], values[2 * GR_MAX_RANK];
    int count;
    if (!is_absent(n, i)) {
        count = dims_in(g, n, i, order->rank, dims);
        if (count == 0) return VKI_OK;
    } else {
        if (i == 1) return VKI_OK; /* all dimensions, or none */
        gr_const_i64(g, n->in[1], values, 2 * GR_MAX_RANK, &count);
        if (n->op == OP_Pad) count /= 2;
        for (int k = 0; k < count; k++) dims[k] = k;
    }
    for (int k = 0; k < count; k++) dims[k] = order->perm[dims[k]];
    return set_list(g, n, i, count, dims, err);
}

static void rename_resize(gr_node *n, const tp_order *order)
{
    op_ints *axes = &((op_resize_attrs *)n->attrs)->axes;
    if (axes->count == 0) {
        axes->count = order->rank;
        for (int i = 0; i < order->rank; i++) axes->v[i] = i;
    }
    for (int i = 0; i < axes->count; i++)
        axes->v[i] = order->perm[axes->v[i] < 0 ? axes->v[i] + order->rank : axes->v[i]];
}

vki_status tp_rename(gr_graph *g, gr_node *n, const tp_order *order, vki_error *err)
{
    int64_t *axis = NULL;
    switch (kind_of(g, n)) {
    case AXIS:
        axis = &((op_axis_attrs *)n->attrs)->axis;
        break;
    case ARG:
        axis = &((op_arg_attrs *)n->attrs)->axis;
        break;
    case LIST_1:
        return rename_list(g, n, 1, order, err);
    case LIST_3:
        return rename_list(g, n, 3, order, err);
    case SIZES:
        rename_resize(n, order);
        break;
    default:
        break;
    }
    if (axis) *axis = order->perm[*axis < 0 ? *axis + order->rank : *axis];
    return VKI_OK;
}
