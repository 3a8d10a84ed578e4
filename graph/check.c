/* SPDX-License-Identifier: Apache-2.0
 * The invariants of a graph, checked after a file was read and in the tests of every pass. */
#include <math.h>
#include <string.h>

#include "graph/ops/attrs.h"

static vki_status bad_tensor(const gr_tensor *t, int index, const char *what, vki_error *err)
{
    return vkb_fail(err, VKI_E_FORMAT, "tensor %d (%s) %s", index, t->name ? t->name : "no name", what);
}

static vki_status check_tensor(const gr_graph *g, int i, vki_error *err)
{
    const gr_tensor *t = &g->tensors[i];
    if (!t->name) return bad_tensor(t, i, "has no name", err);
    if (gr_find_tensor(g, t->name) != i) return bad_tensor(t, i, "has a name that another tensor has", err);
    if (t->dtype != VKI_DT_NONE && !vki_dtype_size(t->dtype))
        return bad_tensor(t, i, "has an unknown element type", err);
    if (t->rank < -1 || t->rank > GR_MAX_RANK) return bad_tensor(t, i, "has an impossible rank", err);
    for (int d = 0; d < t->rank; d++)
        if (t->dims[d] < GR_UNKNOWN && !gr_symbol_name(g, t->dims[d]))
            return bad_tensor(t, i, "has a dimension that is no known symbol", err);
    if (t->flags & ~(uint32_t)(GR_INPUT | GR_OUTPUT)) return bad_tensor(t, i, "has unknown flags", err);
    if (!t->data) return VKI_OK;
    if (t->flags & GR_INPUT) return bad_tensor(t, i, "is a graph input and a constant", err);
    if (gr_elements(t) < 0) return bad_tensor(t, i, "is a constant without a known size", err);
    if ((uintptr_t)t->data % 64) return bad_tensor(t, i, "is a constant whose data is not aligned", err);
    return VKI_OK;
}

/* The list names tensors that have the flag, and no other tensor has it. */
static vki_status check_list(const gr_graph *g, const gr_id *list, int count, uint32_t flag, const char *what,
                             uint8_t *seen, vki_error *err)
{
    memset(seen, 0, (size_t)g->n_tensors);
    for (int i = 0; i < count; i++) {
        if (list[i] < 0 || list[i] >= g->n_tensors)
            return vkb_fail(err, VKI_E_FORMAT, "graph %s %d is tensor %d, which does not exist", what, i,
                            list[i]);
        if (seen[list[i]] && flag == GR_INPUT)
            return vkb_fail(err, VKI_E_FORMAT, "graph input %s is listed twice", g->tensors[list[i]].name);
        seen[list[i]] = 1;
    }
    for (int t = 0; t < g->n_tensors; t++)
        if (seen[t] != !!(g->tensors[t].flags & flag))
            return vkb_fail(err, VKI_E_FORMAT, "tensor %s: its flags and the list of graph %ss disagree",
                            g->tensors[t].name, what);
    return VKI_OK;
}

static vki_status bad_node(const gr_node *n, const char *what, vki_error *err)
{
    return vkb_fail_node(err, VKI_E_FORMAT, n->name ? n->name : "", op_name(n->op), "%s", what);
}

static vki_status check_epilogue(const gr_graph *g, const gr_node *n, vki_error *err)
{
    const gr_epilogue *e = &n->epilogue;
    uint32_t flags = op_get(n->op)->flags;
    if ((unsigned)e->act >= GR_ACT_COUNT || (unsigned)e->residual > GR_RESIDUAL_AFTER)
        return bad_node(n, "the epilogue is unknown", err);
    if (isnan(e->alpha) || isnan(e->beta)) return bad_node(n, "the epilogue's parameters are NaN", err);
    if (e->act != GR_ACT_NONE && !(flags & OP_CAN_ACT))
        return bad_node(n, "the operator cannot carry an activation", err);
    if (e->residual == GR_RESIDUAL_NONE) return VKI_OK;
    if (!(flags & OP_CAN_RESIDUAL)) return bad_node(n, "the operator cannot carry a residual", err);
    if (!op_has_in(n, n->n_in - 1) || n->out[0] == GR_NONE)
        return bad_node(n, "the residual input or its output is missing", err);
    const gr_tensor *r = &g->tensors[n->in[n->n_in - 1]], *y = &g->tensors[n->out[0]];
    if (gr_is_concrete(r) && gr_is_concrete(y) && !gr_same_shape(r, y))
        return bad_node(n, "the residual's shape is not the output's", err);
    return VKI_OK;
}

/* `made` by tensor: can be read by the nodes that follow. */
static vki_status check_node(const gr_graph *g, const gr_node *n, uint8_t *made, vki_error *err)
{
    if (!n->name || !n->fused) return bad_node(n, "the node has no name", err);
    if (n->epilogue.residual != GR_RESIDUAL_NONE && n->n_in < 1)
        return bad_node(n, "the residual input is missing", err);
    if (op_check_node(n, err) != VKI_OK) {
        if (err) err->code = VKI_E_FORMAT;
        return VKI_E_FORMAT;
    }
    for (int i = 0; i < n->n_in; i++) {
        gr_id t = n->in[i];
        if (t == GR_NONE) continue;
        if (t < 0 || t >= g->n_tensors) return bad_node(n, "an input does not exist", err);
        if (!made[t])
            return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op),
                                 "input %s is not made before it is read", g->tensors[t].name);
    }
    bool output = false;
    for (int i = 0; i < n->n_out; i++) {
        gr_id t = n->out[i];
        if (t == GR_NONE) continue;
        if (t < 0 || t >= g->n_tensors) return bad_node(n, "an output does not exist", err);
        if (made[t])
            return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op), "output %s is made twice",
                                 g->tensors[t].name);
        made[t] = 1;
        output = true;
    }
    if (!output) return bad_node(n, "the node has no output", err);
    VKB_TRY(op_check_bodies(g, n, err));
    return check_epilogue(g, n, err);
}

static vki_status check_all(const gr_graph *g, uint8_t *seen, vki_error *err)
{
    for (int t = 0; t < g->n_tensors; t++) VKB_TRY(check_tensor(g, t, err));
    VKB_TRY(check_list(g, g->outputs, g->n_outputs, GR_OUTPUT, "output", seen, err));
    VKB_TRY(check_list(g, g->inputs, g->n_inputs, GR_INPUT, "input", seen, err));
    for (int t = 0; t < g->n_tensors; t++) seen[t] |= g->tensors[t].data != NULL;
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].dead) VKB_TRY(check_node(g, &g->nodes[i], seen, err));
    for (int i = 0; i < g->n_outputs; i++)
        if (!seen[g->outputs[i]])
            return vkb_fail(err, VKI_E_FORMAT, "graph output %s is made by no node",
                            g->tensors[g->outputs[i]].name);
    return VKI_OK;
}

static vki_status check_graph(const gr_graph *g, int depth, vki_error *err)
{
    if (depth > GR_MAX_DEPTH)
        return vkb_fail(err, VKI_E_FORMAT, "graphs within graphs, more than %d deep", GR_MAX_DEPTH);
    for (int i = 0; i < g->n_bodies; i++)
        if (g->bodies[i].own) VKB_TRY(check_graph(g->bodies[i].graph, depth + 1, err));
    uint8_t *seen = vkb_calloc(g->allocator, (size_t)g->n_tensors, 1);
    if (!seen) return vkb_nomem(err, (uint64_t)g->n_tensors);
    vki_status status = check_all(g, seen, err);
    vkb_free(g->allocator, seen);
    return status;
}

vki_status gr_check(const gr_graph *g, vki_error *err)
{
    return check_graph(g, 0, err);
}
