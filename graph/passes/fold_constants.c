/* SPDX-License-Identifier: Apache-2.0
 * Computes nodes of constants once. Shapes are inferred on the way, so that chains such as Shape -> Gather ->
 * Concat -> Reshape vanish in one run where the shapes are concrete. */
#include <string.h>

#include "graph/passes/rewrite.h"

enum { MAX_IN = 64, MAX_OUT = 16 };
static const uint64_t MAX_BYTES = 64u << 20; /* of a result that is larger than its inputs */

static bool concrete_outputs(const gr_graph *g, const gr_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && !gr_is_concrete(&g->tensors[n->out[i]])) return false;
    return true;
}

static bool foldable(const gr_graph *g, const gr_node *n, const gr_evaluator *ev)
{
    bool shape_only = op_get(n->op)->flags & OP_SHAPE_ONLY;
    if (n->n_in > MAX_IN || n->n_out > MAX_OUT || !concrete_outputs(g, n)) return false;
    uint64_t in = 0, out = 0;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == GR_NONE) continue;
        if (!gr_is_const(g, n->in[i]) && !(shape_only && gr_is_concrete(&g->tensors[n->in[i]]))) return false;
        in += gr_bytes(&g->tensors[n->in[i]]);
    }
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) out += gr_bytes(&g->tensors[n->out[i]]);
    return (out <= in || out <= MAX_BYTES) && (!ev->can || ev->can(g, n));
}

static vki_status evaluate(gr_graph *g, gr_node *n, const gr_evaluator *ev, const void *const *in,
                           void *const *out, vki_error *err)
{
    int64_t dims[MAX_OUT][GR_MAX_RANK];
    if (!(op_get(n->op)->flags & OP_DATA_SHAPED)) return ev->run(g, n, in, out, err);
    VKB_TRY(ev->run_dims(g, n, in, out, dims, err));
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) memcpy(g->tensors[n->out[i]].dims, dims[i], sizeof dims[i]);
    return VKI_OK;
}

static vki_status fold(gr_graph *g, gr_node *n, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    const void *in[MAX_IN];
    void *out[MAX_OUT];
    for (int i = 0; i < n->n_in; i++) in[i] = n->in[i] == GR_NONE ? NULL : g->tensors[n->in[i]].data;
    for (int i = 0; i < n->n_out; i++) {
        out[i] = NULL;
        if (n->out[i] == GR_NONE) continue;
        uint64_t bytes = gr_bytes(&g->tensors[n->out[i]]);
        out[i] = gr_const_alloc(g, bytes);
        if (!out[i]) return vkb_nomem(err, bytes);
    }
    vki_status status = evaluate(g, n, ev, in, out, err);
    if (status == VKI_E_UNSUPPORTED) return VKI_OK; /* it stays a node */
    VKB_TRY(status);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && !gr_make_const(g, n->out[i], out[i], false))
            return vkb_fail_node(err, VKI_E_INTERNAL, n->name, op_name(n->op), "output %d cannot be constant",
                                 i);
    n->dead = true;
    *changed = true;
    return VKI_OK;
}

static bool constant_inputs(const gr_graph *g, const gr_node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE && !gr_is_const(g, n->in[i])) return false;
    return true;
}

/* What depends on values can be computed where all of them are there, in memory for the most it can be. */
static vki_status open_shapes(gr_graph *g, gr_node *n, const gr_evaluator *ev, bool *known, vki_error *err)
{
    bool bounds = op_get(n->op)->flags & OP_DATA_SHAPED && ev->run_dims && constant_inputs(g, n);
    return (bounds ? gr_infer_bounds : gr_infer_node)(g, n, known, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    if (!ev) return VKI_OK;
    for (int i = 0; i < g->n_nodes; i++) {
        gr_node *n = &g->nodes[i];
        bool known;
        if (n->dead) continue;
        if (!concrete_outputs(g, n)) VKB_TRY(open_shapes(g, n, ev, &known, err));
        if (foldable(g, n, ev)) VKB_TRY(fold(g, n, ev, changed, err));
        if (!n->dead && op_get(n->op)->flags & OP_DATA_SHAPED) VKB_TRY(gr_infer_node(g, n, &known, err));
    }
    return VKI_OK;
}

const gr_pass pass_fold_constants = {"fold_constants", "nodes of constants are computed once", run, false};
