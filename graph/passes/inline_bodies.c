/* SPDX-License-Identifier: Apache-2.0
 * If with a constant condition becomes its branch; Loop and Scan whose number of rounds is known, small and
 * not changed by what they compute become that many copies of their body. */
#include <stdio.h>
#include <string.h>

#include "graph/passes/rewrite.h"

enum {
    ROUNDS_MAX = 64,
    UNROLLED_MAX = 512, /* nodes that a loop may become */
    NODES_MAX = 50000   /* of a graph: hostile files nest loops */
};

typedef struct inliner {
    gr_graph *g;
    gr_node node;    /* a copy: adding nodes moves them */
    gr_id *map;      /* by tensor of the body: here, or GR_NONE */
    gr_id *in, *out; /* of one round: for the body's inputs, and what its outputs became */
    vki_error *err;
} inliner;

static vki_status exhausted(const inliner *l)
{
    return vkb_nomem(l->err, (uint64_t)l->g->n_nodes * sizeof(gr_node));
}

/* ---- one copy of a body ---- */

static bool copy_tensor(inliner *l, const gr_graph *body, gr_id t)
{
    const gr_tensor *from = &body->tensors[t];
    if (t == GR_NONE || l->map[t] != GR_NONE) return true;
    l->map[t] = gr_add_tensor(l->g, from->name, from->dtype, from->data ? from->rank : -1, from->dims);
    if (l->map[t] == GR_NONE) return false;
    l->g->tensors[l->map[t]].data = from->data;
    l->g->tensors[l->map[t]].const_key = from->const_key;
    return true;
}

static gr_id mapped(const inliner *l, gr_id t)
{
    return t == GR_NONE ? GR_NONE : l->map[t];
}

static bool copy_node(inliner *l, const gr_graph *body, const gr_node *from)
{
    gr_graph *g = l->g;
    for (int i = 0; i < from->n_in; i++)
        if (from->in[i] != GR_NONE && !copy_tensor(l, body, from->in[i])) return false;
    for (int i = 0; i < from->n_out; i++)
        if (from->out[i] != GR_NONE && !copy_tensor(l, body, from->out[i])) return false;
    gr_node *n = gr_add_node(g, from->op, from->name, from->n_in, from->in, from->n_out, from->out);
    if (!n) return false;
    for (int i = 0; i < n->n_in; i++) n->in[i] = mapped(l, from->in[i]);
    for (int i = 0; i < n->n_out; i++) n->out[i] = mapped(l, from->out[i]);
    if (n->attrs) memcpy(n->attrs, from->attrs, op_get(n->op)->attrs_size);
    n->epilogue = from->epilogue;
    n->fused = from->fused;
    int64_t *bodies[2];
    for (int i = 0, count = op_bodies_of(n, bodies); i < count; i++)
        if ((*bodies[i] = gr_add_body(g, body->bodies[*bodies[i]].graph)) < 0) return false;
    return true;
}

/* The body on l->in, its outputs in l->out. Constants stay from copy to copy. */
static vki_status copy_body(inliner *l, const gr_graph *body)
{
    for (gr_id t = 0; t < body->n_tensors; t++)
        if (!body->tensors[t].data) l->map[t] = GR_NONE;
    for (int i = 0; i < body->n_inputs; i++) l->map[body->inputs[i]] = l->in[i];
    for (int i = 0; i < body->n_nodes; i++)
        if (!body->nodes[i].dead && !copy_node(l, body, &body->nodes[i])) return exhausted(l);
    for (int i = 0; i < body->n_outputs; i++) {
        if (!copy_tensor(l, body, body->outputs[i])) return exhausted(l); /* a constant */
        l->out[i] = l->map[body->outputs[i]];
    }
    return VKI_OK;
}

static vki_status begin(inliner *l, const gr_graph *body)
{
    const vki_allocator *a = l->g->allocator;
    size_t n = (size_t)body->n_tensors + (size_t)body->n_inputs + (size_t)body->n_outputs;
    l->map = vkb_alloc(a, n * sizeof *l->map);
    if (!l->map) return exhausted(l);
    for (size_t i = 0; i < n; i++) l->map[i] = GR_NONE;
    l->in = l->map + body->n_tensors;
    l->out = l->in + body->n_inputs;
    return VKI_OK;
}

/* ---- helper nodes ---- */

static gr_node *add(inliner *l, op_kind op, int n_in, const gr_id *in, gr_id out)
{
    return out == GR_NONE ? NULL : gr_add_node(l->g, op, l->node.name, n_in, in, 1, &out);
}

static gr_id fresh(inliner *l)
{
    return gr_add_tensor(l->g, l->node.name, VKI_DT_NONE, -1, NULL);
}

static vki_status forward(inliner *l, int output, gr_id from)
{
    return add(l, OP_Identity, 1, &from, l->node.out[output]) ? VKI_OK : exhausted(l);
}

static gr_id scalar(inliner *l, vki_dtype dtype, const void *value)
{
    return gr_add_const(l->g, l->node.name, dtype, 0, NULL, value, true);
}

/* Rounds of a scan output, stacked along an axis. */
static vki_status stack(inliner *l, gr_id *rounds, int count, int64_t axis, bool reverse, int output)
{
    const int64_t one = 1;
    gr_id axes = gr_add_const(l->g, l->node.name, VKI_I64, 1, &one, &axis, true);
    for (int i = 0; i < count; i++) {
        gr_id out = fresh(l);
        if (axes == GR_NONE || !add(l, OP_Unsqueeze, 2, (gr_id[]){rounds[i], axes}, out)) return exhausted(l);
        rounds[i] = out;
    }
    for (int i = 0; reverse && i < count / 2; i++) {
        gr_id other = rounds[i];
        rounds[i] = rounds[count - 1 - i];
        rounds[count - 1 - i] = other;
    }
    gr_node *concat = add(l, OP_Concat, count, rounds, l->node.out[output]);
    if (!concat) return exhausted(l);
    ((op_axis_attrs *)concat->attrs)->axis = axis;
    return VKI_OK;
}

/* ---- If ---- */

static vki_status inline_if(inliner *l, bool condition)
{
    const op_if_attrs *a = l->node.attrs;
    const gr_graph *body = l->g->bodies[condition ? a->then_branch : a->else_branch].graph;
    int first = condition ? 1 : 1 + (int)a->then_inputs;
    VKB_TRY(begin(l, body));
    for (int i = 0; i < body->n_inputs; i++) l->in[i] = l->node.in[first + i];
    VKB_TRY(copy_body(l, body));
    for (int i = 0; i < body->n_outputs; i++) VKB_TRY(forward(l, i, l->out[i]));
    return VKI_OK;
}

/* ---- rounds: what Loop and Scan have in common ---- */

typedef struct rounds {
    const gr_graph *body;
    int64_t count;
    int first_in, n_states; /* the values that go from round to round: inputs of the body from first_in on, */
    int first_out;          /* its outputs from first_out on; scan outputs follow */
    int node_states;        /* the first of them among the node's inputs */
} rounds;

/* The other inputs of round `i`. */
typedef vki_status (*round_inputs)(inliner *l, const rounds *r, int i);

static vki_status unroll(inliner *l, const rounds *r, round_inputs inputs, gr_id *pieces)
{
    int count = (int)r->count, n_scans = r->body->n_outputs - r->first_out - r->n_states;
    for (int k = 0; k < r->n_states; k++) l->in[r->first_in + k] = l->node.in[r->node_states + k];
    for (int i = 0; i < count; i++) {
        VKB_TRY(inputs(l, r, i));
        VKB_TRY(copy_body(l, r->body));
        for (int k = 0; k < r->n_states; k++) l->in[r->first_in + k] = l->out[r->first_out + k];
        for (int k = 0; k < n_scans; k++) pieces[k * count + i] = l->out[r->first_out + r->n_states + k];
    }
    for (int k = 0; k < r->n_states; k++) VKB_TRY(forward(l, k, l->in[r->first_in + k]));
    const op_scan_attrs *a = l->node.op == OP_Scan ? l->node.attrs : NULL;
    for (int k = 0; k < n_scans; k++)
        VKB_TRY(stack(l, pieces + k * count, count, a ? op_listed(&a->scan_output_axes, k) : 0,
                      a && op_listed(&a->scan_output_directions, k), r->n_states + k));
    return VKI_OK;
}

static vki_status unroll_all(inliner *l, const rounds *r, round_inputs inputs)
{
    size_t n_scans = (size_t)(r->body->n_outputs - r->first_out - r->n_states);
    VKB_TRY(begin(l, r->body));
    gr_id *pieces = vkb_alloc(l->g->allocator, n_scans * (size_t)r->count * sizeof *pieces);
    if (!pieces) return exhausted(l);
    vki_status status = unroll(l, r, inputs, pieces);
    vkb_free(l->g->allocator, pieces);
    return status;
}

/* No rounds give empty scan outputs, whose other dimensions nobody knows here. */
static bool small_enough(const gr_graph *g, const rounds *r)
{
    bool scans = r->body->n_outputs > r->first_out + r->n_states;
    return r->count <= ROUNDS_MAX && (r->count > 0 || !scans) &&
           r->count * (r->body->n_nodes + 1) <= UNROLLED_MAX &&
           g->n_nodes + r->count * (r->body->n_nodes + r->body->n_outputs + 4) <= NODES_MAX;
}

/* ---- Loop ---- */

static bool const_bool(const gr_graph *g, gr_id t, bool *value)
{
    int64_t v;
    int count;
    if (t == GR_NONE || !gr_const_i64(g, t, &v, 1, &count) || count != 1) {
        const gr_tensor *c = gr_is_const(g, t) ? &g->tensors[t] : NULL;
        if (!c || c->dtype != VKI_BOOL || gr_elements(c) != 1) return false;
        v = *(const uint8_t *)c->data;
    }
    *value = v != 0;
    return true;
}

/* The condition after a round: true, whatever the body computes? */
static bool goes_on(const gr_graph *body)
{
    gr_id t = body->outputs[0];
    bool value;
    for (int i = body->n_nodes - 1; i >= 0; i--) /* in execution order */
        if (body->nodes[i].op == OP_Identity && body->nodes[i].out[0] == t) t = body->nodes[i].in[0];
    return t == body->inputs[1] || (const_bool(body, t, &value) && value);
}

static bool loop_rounds(const gr_graph *g, const gr_node *n, rounds *r)
{
    const op_loop_attrs *a = n->attrs;
    int count;
    bool condition = true;
    *r = (rounds){.body = g->bodies[a->body].graph,
                  .first_in = 2,
                  .n_states = (int)a->carried,
                  .first_out = 1,
                  .node_states = 2};
    if (op_has_in(n, 1) && !const_bool(g, n->in[1], &condition)) return false;
    if (condition && (!op_has_in(n, 0) || !gr_const_i64(g, n->in[0], &r->count, 1, &count) || count != 1 ||
                      !goes_on(r->body)))
        return false;
    r->count = condition ? vkb_max(r->count, 0) : 0;
    return true;
}

static vki_status loop_inputs(inliner *l, const rounds *r, int i)
{
    const int64_t iteration = i;
    const uint8_t yes = 1;
    l->in[0] = scalar(l, VKI_I64, &iteration);
    if (i == 0) {
        l->in[1] = scalar(l, VKI_BOOL, &yes);
        for (int k = 2 + r->n_states; k < r->body->n_inputs; k++) l->in[k] = l->node.in[k];
    }
    return l->in[0] == GR_NONE || l->in[1] == GR_NONE ? exhausted(l) : VKI_OK;
}

/* ---- Scan ---- */

static bool scan_rounds(const gr_graph *g, const gr_node *n, rounds *r)
{
    const op_scan_attrs *a = n->attrs;
    const gr_tensor *x = &g->tensors[n->in[a->states]];
    int64_t axis = op_listed(&a->scan_input_axes, 0);
    *r = (rounds){.body = g->bodies[a->body].graph, .n_states = (int)a->states};
    if (axis < 0) axis += x->rank;
    if (!gr_is_concrete(x) || axis < 0 || axis >= x->rank) return false;
    for (int i = 0; i < n->n_in; i++) /* wrong shapes are for inference to find */
        if (!gr_is_concrete(&g->tensors[n->in[i]])) return false;
    r->count = x->dims[axis];
    return true;
}

static vki_status scan_inputs(inliner *l, const rounds *r, int i)
{
    const op_scan_attrs *a = l->node.attrs;
    int first = r->n_states, captures = first + (int)a->num_scan_inputs;
    for (int k = 0; k < a->num_scan_inputs; k++) {
        const int64_t at = op_listed(&a->scan_input_directions, k) ? r->count - 1 - i : i;
        gr_id index = scalar(l, VKI_I64, &at), out = fresh(l);
        gr_node *gather =
            index == GR_NONE ? NULL : add(l, OP_Gather, 2, (gr_id[]){l->node.in[first + k], index}, out);
        if (!gather) return exhausted(l);
        ((op_axis_attrs *)gather->attrs)->axis = op_listed(&a->scan_input_axes, k);
        l->in[first + k] = out;
    }
    for (int k = captures; k < r->body->n_inputs && i == 0; k++) l->in[k] = l->node.in[k];
    return VKI_OK;
}

/* ---- the pass ---- */

static vki_status visit(inliner *l, bool *done)
{
    gr_graph *g = l->g;
    const gr_node *n = &l->node;
    rounds r;
    bool condition;
    *done = false;
    if (n->op == OP_If && const_bool(g, n->in[0], &condition)) {
        const op_if_attrs *a = n->attrs;
        *done =
            g->n_nodes + g->bodies[condition ? a->then_branch : a->else_branch].graph->n_nodes <= NODES_MAX;
        return *done ? inline_if(l, condition) : VKI_OK;
    }
    if (n->op == OP_Loop && loop_rounds(g, n, &r) && small_enough(g, &r)) {
        *done = true;
        return unroll_all(l, &r, loop_inputs);
    }
    if (n->op == OP_Scan && scan_rounds(g, n, &r) && small_enough(g, &r)) {
        *done = true;
        return unroll_all(l, &r, scan_inputs);
    }
    return VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    bool any = false;
    for (int i = 0, count = g->n_nodes; i < count; i++) { /* not what is added: the next round's */
        bool done, known;
        if (g->nodes[i].dead || !(op_get(g->nodes[i].op)->flags & OP_BODIES)) continue;
        VKB_TRY(op_check_bodies(g, &g->nodes[i], err));
        VKB_TRY(gr_infer_node(g, &g->nodes[i], &known, err)); /* refuses what does not fit */
        inliner l = {.g = g, .node = g->nodes[i], .err = err};
        vki_status status = visit(&l, &done);
        vkb_free(g->allocator, l.map);
        VKB_TRY(status);
        g->nodes[i].dead = g->nodes[i].dead || done;
        any = any || done;
    }
    if (!any) return VKI_OK;
    *changed = true;
    return gr_sort(g, err);
}

const gr_pass pass_inline_bodies = {
    "inline_bodies", "branches by constant conditions and short loops become part of the graph", run, false};
