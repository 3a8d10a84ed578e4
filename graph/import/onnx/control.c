/* SPDX-License-Identifier: Apache-2.0
 * If, Loop and Scan. Their subgraphs become graphs of their own; what these read of the graph around them
 * becomes an input of both. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

enum { NAMES_MAX = 1024 }; /* inputs, and outputs, of a body */

/* ---- names of the graph around ---- */

static void mark(onnx_ctx *c, const char *name)
{
    onnx_value *v = onnx_value_of(c, onnx_text(name), false);
    if (v) v->read = true;
}

static void mark_graph(onnx_ctx *c, const Onnx__GraphProto *g) /* as deep as the file, which wire.c bounds */
{
    for (size_t i = 0; i < g->n_output; i++) mark(c, g->output[i]->name);
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *node = g->node[i];
        for (size_t k = 0; k < node->n_input; k++) mark(c, node->input[k]);
        for (size_t k = 0; k < node->n_attribute; k++)
            if (node->attribute[k]->g) mark_graph(c, node->attribute[k]->g);
    }
}

void onnx_mark_captures(onnx_ctx *c, Onnx__NodeProto *const *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < nodes[i]->n_attribute; k++)
            if (nodes[i]->attribute[k]->g) mark_graph(c, nodes[i]->attribute[k]->g);
}

/* The graph that the names of v stand for. */
static gr_graph *graph_of(const onnx_ctx *c, const onnx_values *v)
{
    while (v && !v->scope) v = v->outer;
    return v ? v->scope->g : c->main;
}

static bool add_capture(const onnx_ctx *c, const onnx_values *v, const onnx_value *around, onnx_capture *made)
{
    gr_graph *g = v->scope->g;
    gr_tensor t = graph_of(c, v->outer)->tensors[around->value];
    gr_id id = gr_add_tensor(g, t.name, t.data ? t.dtype : VKI_DT_NONE, t.data ? t.rank : -1, t.dims);
    if (id == GR_NONE) return false;
    made->value.tensor = made->value.value = id;
    made->around = t.data ? GR_NONE : around->value;
    g->tensors[id].data = t.data; /* lives as long as the graph around */
    g->tensors[id].const_key = t.const_key;
    return t.data || gr_add_input(g, id);
}

onnx_value *onnx_capture_value(onnx_ctx *c, const onnx_values *v, const onnx_value *around)
{
    onnx_scope *scope = v->scope;
    for (onnx_capture *have = scope->captures; have; have = have->next)
        if (have->value.name == around->name) return &have->value;
    onnx_capture *made = vkb_arena_alloc(&c->scratch, sizeof *made);
    if (!made) return NULL;
    made->value = (onnx_value){.name = around->name, .tensor = GR_NONE, .value = GR_NONE, .defined = true};
    made->value.list = around->list; /* refused where it is read */
    if (!around->list && !add_capture(c, v, around, made)) return NULL;
    scope->count += made->around != GR_NONE && !around->list;
    *scope->captures_end = made;
    scope->captures_end = &made->next;
    return &made->value;
}

/* ---- a subgraph ---- */

static bool is_initializer(const Onnx__GraphProto *proto, const char *name)
{
    for (size_t i = 0; i < proto->n_initializer; i++)
        if (strcmp(onnx_text(proto->initializer[i]->name), name) == 0) return true;
    return false;
}

static vki_status define_inputs(onnx_ctx *c, const Onnx__GraphProto *proto)
{
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = onnx_text(proto->input[i]->name);
        if (is_initializer(proto, name)) continue;
        gr_id id = gr_add_tensor(c->g, name, VKI_DT_NONE, -1, NULL); /* what comes in decides */
        if (id == GR_NONE || !gr_add_input(c->g, id)) return onnx_nomem(c);
        VKB_TRY(onnx_define_as(c, name, id, NULL));
    }
    return VKI_OK;
}

static vki_status define_body(onnx_ctx *c, const Onnx__GraphProto *proto)
{
    size_t names = proto->n_input + proto->n_output + proto->n_initializer;
    for (size_t i = 0; i < proto->n_node; i++) names += proto->node[i]->n_input + proto->node[i]->n_output;
    if (!onnx_values_init(c, names)) return onnx_nomem(c);
    VKB_TRY(define_inputs(c, proto));
    for (size_t i = 0; i < proto->n_output; i++) {
        onnx_value *v = onnx_value_of(c, onnx_text(proto->output[i]->name), true);
        if (!v) return onnx_nomem(c);
        v->read = true;
    }
    if (proto->n_sparse_initializer)
        VKB_TRY(onnx_issue_add(c, "", "initializers", "some are stored as sparse tensors"));
    for (size_t i = 0; i < proto->n_initializer; i++)
        VKB_TRY(onnx_define_initializer(c, proto->initializer[i]));
    for (size_t i = 0; i < proto->n_node; i++) VKB_TRY(onnx_define_node(c, proto->node[i], i));
    return VKI_OK;
}

static vki_status import_body(onnx_node *n, const Onnx__GraphProto *proto, const onnx_values *around,
                              onnx_scope *scope)
{
    onnx_ctx *c = n->c;
    VKB_TRY(define_body(c, proto));
    c->values.outer = around;
    c->values.scope = scope;
    VKB_TRY(onnx_nodes(c, proto->node, proto->n_node));
    for (size_t i = 0; i < proto->n_output; i++) {
        const char *name = onnx_text(proto->output[i]->name);
        const onnx_value *v = onnx_value_find(c, name);
        if (!v) return onnx_fail(n, "no node of its body makes the body's output '%.96s'", name);
        if (v->list)
            VKB_TRY(onnx_issue_add(c, n->type, n->name, "its body gives a sequence or an optional"));
        else if (!gr_add_output(c->g, v->value))
            return onnx_nomem(c);
    }
    return gr_sort(c->g, c->err);
}

typedef struct body {
    int index, n_in, n_out; /* n_in: without captures */
    onnx_scope scope;
} body;

/* The subgraph of an attribute. */
static vki_status read_body(onnx_node *n, const char *attribute, body *b)
{
    onnx_ctx *c = n->c;
    const Onnx__AttributeProto *a = onnx_attr(n, attribute);
    if (!a || !a->g) return onnx_fail(n, "the attribute '%s' is missing", attribute);
    if (a->g->n_input > NAMES_MAX || a->g->n_output > NAMES_MAX)
        return onnx_fail(n, "its body has %zu inputs and %zu outputs", a->g->n_input, a->g->n_output);
    c->inlined += a->g->n_node;
    if (a->g->n_node > BODY_NODES_MAX || c->inlined > BODY_NODES_MAX)
        return onnx_fail(n, "functions and subgraphs expand to more than %d nodes", BODY_NODES_MAX);
    const onnx_values around = c->values;
    const char *prefix = c->prefix;
    gr_graph *g = c->g;
    const onnx_values *v = &around;
    while (v && !v->scope) v = v->outer;
    *b = (body){.index = gr_new_body(g)};
    if (b->index < 0) return onnx_nomem(c);
    b->scope = (onnx_scope){.g = g->bodies[b->index].graph, .depth = v ? v->scope->depth + 1 : 1};
    b->scope.captures_end = &b->scope.captures;
    if (b->scope.depth > GR_MAX_DEPTH)
        return onnx_fail(n, "bodies within bodies, more than %d", GR_MAX_DEPTH);
    c->g = b->scope.g;
    c->prefix = NULL;
    vki_status status = import_body(n, a->g, &around, &b->scope);
    c->values = around;
    c->prefix = prefix;
    c->g = g;
    b->n_in = b->scope.g->n_inputs - b->scope.count;
    b->n_out = (int)a->g->n_output;
    return status;
}

/* ---- the node ---- */

static gr_id *add_captures(const body *b, gr_id *to)
{
    for (const onnx_capture *k = b->scope.captures; k; k = k->next)
        if (k->around != GR_NONE && !k->value.list) *to++ = k->around;
    return to;
}

/* The node gets `own` inputs of its own (absent at the end where it has fewer), then the captures, and all
 * outputs that its bodies give. */
static vki_status emit(onnx_node *n, int own, const body *a, const body *b, int n_out)
{
    int count = own + a->scope.count + (b ? b->scope.count : 0);
    gr_id *in = vkb_arena_alloc(&n->c->scratch, (size_t)(count + ONNX_IN_SPARE) * sizeof *in);
    gr_id *out = vkb_arena_alloc(&n->c->scratch, (size_t)(n_out + 1) * sizeof *out);
    bool *used = vkb_arena_alloc(&n->c->scratch, (size_t)n_out + 1);
    if (!in || !out || !used) return onnx_nomem(n->c);
    if (n->n_out > n_out) return onnx_fail(n, "has %d outputs, but its body gives %d", n->n_out, n_out);
    for (int i = 0; i < own; i++) in[i] = i < n->n_in ? n->in[i] : GR_NONE;
    gr_id *next = add_captures(a, in + own);
    if (b) add_captures(b, next);
    for (int i = 0; i < n_out; i++) {
        out[i] = i < n->n_out ? n->out[i] : GR_NONE;
        used[i] = i < n->n_out && n->out_used[i];
    }
    n->in = in;
    n->n_in = count;
    n->out = out;
    n->n_out = n_out;
    n->out_used = used;
    return lift_outputs(n);
}

vki_status lift_if(onnx_node *n)
{
    body a, b;
    if (n->n_in != 1 || n->in[0] == GR_NONE) return onnx_fail(n, "it needs its condition, and nothing else");
    VKB_TRY(read_body(n, "then_branch", &a));
    VKB_TRY(read_body(n, "else_branch", &b));
    if (a.n_in || b.n_in) return onnx_fail(n, "its branches have inputs");
    if (a.n_out != b.n_out) return onnx_fail(n, "its branches give %d and %d outputs", a.n_out, b.n_out);
    onnx_set_attr(n, "then_branch", a.index);
    onnx_set_attr(n, "else_branch", b.index);
    onnx_set_attr(n, "then_inputs", a.scope.count);
    return emit(n, 1, &a, &b, a.n_out);
}

vki_status lift_loop(onnx_node *n)
{
    body b;
    int carried = n->n_in > 2 ? n->n_in - 2 : 0;
    VKB_TRY(read_body(n, "body", &b));
    if (b.n_in != carried + 2 || b.n_out < carried + 1)
        return onnx_fail(n,
                         "its body has %d inputs and %d outputs; with %d values it needs %d and at least %d",
                         b.n_in, b.n_out, carried, carried + 2, carried + 1);
    onnx_set_attr(n, "body", b.index);
    onnx_set_attr(n, "carried", carried);
    return emit(n, carried + 2, &b, NULL, b.n_out - 1);
}

vki_status lift_scan(onnx_node *n)
{
    body b;
    int64_t sequences = 0;
    VKB_TRY(onnx_attr_int(n, "num_scan_inputs", &sequences));
    if (sequences < 1 || sequences > n->n_in)
        return onnx_fail(n, "num_scan_inputs is %lld; it has %d inputs", (long long)sequences, n->n_in);
    VKB_TRY(read_body(n, "body", &b));
    int states = n->n_in - (int)sequences;
    if (b.n_in != n->n_in || b.n_out < states)
        return onnx_fail(n, "its body has %d inputs and %d outputs; it needs %d and at least %d", b.n_in,
                         b.n_out, n->n_in, states);
    onnx_set_attr(n, "body", b.index);
    onnx_set_attr(n, "states", states);
    onnx_set_attr(n, "num_scan_inputs", (double)sequences);
    return emit(n, n->n_in, &b, NULL, b.n_out);
}

/* The graph that scans one element of a batch: what the rounds of a Scan over the batch run. */
static bool wrap_scan(onnx_node *n, const body *inner, const op_scan_attrs *attrs, gr_graph *g)
{
    vkb_arena *arena = &n->c->scratch;
    size_t n_in = (size_t)(inner->n_in + inner->scope.count), n_out = (size_t)inner->n_out;
    gr_id *ids = vkb_arena_alloc(arena, (n_in + n_out + 1) * sizeof *ids);
    if (!ids) return false;
    for (size_t i = 0; i < n_in + n_out; i++) {
        ids[i] = gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
        if (ids[i] == GR_NONE || (i < n_in && !gr_add_input(g, ids[i]))) return false;
    }
    gr_node *scan = gr_add_node(g, OP_Scan, n->name, (int)n_in, ids, (int)n_out, ids + n_in);
    int index = gr_add_body(g, inner->scope.g);
    if (!scan || index < 0) return false;
    op_scan_attrs *a = scan->attrs;
    *a = *attrs;
    a->body = index;
    for (size_t i = 0; i < n_out; i++)
        if (!gr_add_output(g, ids[n_in + i])) return false;
    return true;
}

/* In opset 8 everything has a batch in front: a Scan over it, around the Scan of one element. */
vki_status lift_scan_8(onnx_node *n)
{
    body b;
    int64_t sequences = 0;
    const int64_t *directions;
    int n_directions;
    VKB_TRY(onnx_attr_int(n, "num_scan_inputs", &sequences));
    VKB_TRY(onnx_attr_ints(n, "directions", &directions, &n_directions));
    int own = n->n_in - 1;
    if (sequences < 1 || sequences > own)
        return onnx_fail(n, "num_scan_inputs is %lld; it has %d inputs", (long long)sequences, n->n_in);
    if (n->in[0] != GR_NONE) return onnx_refuse(n, "sequence_lens is given");
    if (n_directions > OP_INTS_MAX) return onnx_refuse(n, "%d directions", n_directions);
    VKB_TRY(read_body(n, "body", &b));
    op_scan_attrs a = {.states = own - sequences, .num_scan_inputs = sequences};
    if (b.n_in != own || b.n_out < a.states)
        return onnx_fail(n, "its body has %d inputs and %d outputs; it needs %d and at least %lld", b.n_in,
                         b.n_out, own, (long long)a.states);
    for (int i = 0; i < n_directions; i++) a.scan_input_directions.v[i] = directions[i];
    a.scan_input_directions.count = n_directions > 0 ? n_directions : 0;
    int outer = gr_new_body(n->c->g);
    if (outer < 0 || !wrap_scan(n, &b, &a, n->c->g->bodies[outer].graph)) return onnx_nomem(n->c);
    onnx_set_attr(n, "body", outer);
    onnx_set_attr(n, "num_scan_inputs", own);
    n->in++;
    n->n_in--;
    return emit(n, own, &b, NULL, b.n_out);
}
