/* SPDX-License-Identifier: Apache-2.0
 * Where a graph is cut into what can run now and the rest. */
#include <string.h>

#include "session/stage.h"

enum {
    UNKNOWN = 0,
    AFTER = 1,
    NOW = 2
}; /* a tensor: its value is there in a later stage, after this one, in it */

typedef struct cutter {
    gr_graph *g, *rest;
    bool root;
    const int *feed, *outputs;
    ses_links *links;
    uint8_t *known; /* by tensor */
    bool *ready;    /* by node: runs in this stage */
    bool *needed;   /* by tensor: read by a node that is ready, or an output of the stage */
    int *slot;      /* by tensor: output of the stage's graph, or -1 */
    int n_ready;
    bool last;
    gr_id loop; /* the only ready node, or GR_NONE */
    vki_error *err;
} cutter;

/* ---- what can run ---- */

static bool inputs_known(const cutter *c, const gr_node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE && c->known[n->in[i]] != NOW) return false;
    return true;
}

static bool outputs_known(const cutter *c, const gr_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && !gr_is_concrete(&c->g->tensors[n->out[i]])) return false;
    return true;
}

static void take(cutter *c, gr_id node, uint8_t outputs)
{
    const gr_node *n = &c->g->nodes[node];
    c->ready[node] = true;
    c->n_ready++;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE) c->needed[n->in[i]] = true;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) c->known[n->out[i]] = outputs;
}

static void find_ready(cutter *c)
{
    const gr_graph *g = c->g;
    for (gr_id t = 0; t < g->n_tensors; t++)
        c->known[t] = g->tensors[t].data || g->tensors[t].flags & GR_INPUT ? NOW : UNKNOWN;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        uint32_t flags = op_get(n->op)->flags;
        if (n->dead || flags & OP_BODIES || !inputs_known(c, n)) continue;
        if (flags & OP_DATA_SHAPED)
            take(c, i, AFTER);
        else if (outputs_known(c, n))
            take(c, i, NOW);
    }
}

static int count_yields(const cutter *c)
{
    int count = 0;
    for (int i = 0; i < c->g->n_outputs; i++) count += c->known[c->g->outputs[i]] != UNKNOWN;
    return count;
}

static vki_status stuck(const cutter *c)
{
    const gr_graph *g = c->g;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        if (n->dead || !inputs_known(c, n)) continue;
        return vkb_fail_node(c->err, VKI_E_UNSUPPORTED, n->name, op_name(n->op),
                             "the shapes of the outputs of node %s (%s) cannot be known, although all its "
                             "inputs are: a list of more than %d numbers decides them",
                             n->name, op_name(n->op), SES_WANTED_MAX);
    }
    return vkb_fail(c->err, VKI_E_INTERNAL, "no node of the graph can run");
}

/* Loops stand alone, when all that comes before them is done. */
static vki_status find_loop(cutter *c)
{
    for (gr_id i = 0; i < c->g->n_nodes; i++) {
        const gr_node *n = &c->g->nodes[i];
        if (n->dead || !(op_get(n->op)->flags & OP_BODIES) || !inputs_known(c, n)) continue;
        c->loop = i;
        take(c, i, AFTER);
        return VKI_OK;
    }
    return stuck(c);
}

/* ---- what goes on ---- */

static bool add_output(cutter *c, gr_id t)
{
    c->slot[t] = c->g->n_outputs;
    c->needed[t] = true;
    return gr_add_output(c->g, t);
}

/* The first outputs of the stage are those of the network that are known; a loop gives all of its own. */
static bool make_outputs(cutter *c)
{
    gr_graph *g = c->g;
    int n = g->n_outputs;
    for (gr_id t = 0; t < g->n_tensors; t++) g->tensors[t].flags &= ~(uint32_t)GR_OUTPUT;
    g->n_outputs = 0;
    for (int i = 0; i < n && c->loop == GR_NONE; i++) { /* never writes beyond what it has read */
        if (c->known[g->outputs[i]] == UNKNOWN) continue;
        c->links->yields[c->links->n_yields++] = c->outputs[i];
        if (!add_output(c, g->outputs[i])) return false;
    }
    const gr_node *loop = c->loop == GR_NONE ? NULL : &g->nodes[c->loop];
    for (int i = 0; loop && i < loop->n_out; i++)
        if (!add_output(c, loop->out[i])) return false;
    return true;
}

/* Tensor t crosses into the rest. What the source has is handed on as it is; the root's inputs lie in its
 * plan. */
static bool add_crossing(cutter *c, gr_id t, const int *input_of)
{
    gr_graph *rest = c->rest;
    int at = rest->n_inputs;
    if (rest->tensors[t].flags & GR_INPUT) return true;
    if (input_of[t] >= 0 && !c->root) {
        c->links->next[at] = ~c->feed[input_of[t]];
    } else {
        if (c->slot[t] < 0 && !add_output(c, t)) return false;
        c->links->next[at] = c->slot[t];
    }
    return gr_add_input(rest, t);
}

static bool make_rest(cutter *c, const int *input_of)
{
    gr_graph *rest = c->rest;
    const gr_graph *g = c->g;
    int n = rest->n_outputs, kept = 0;
    for (gr_id t = 0; t < rest->n_tensors; t++) rest->tensors[t].flags = 0;
    rest->n_inputs = rest->n_outputs = 0;
    for (gr_id i = 0; i < rest->n_nodes; i++) {
        gr_node *node = &rest->nodes[i];
        node->dead = node->dead || c->ready[i];
        for (int k = 0; k < node->n_in && !node->dead; k++) {
            gr_id t = node->in[k];
            if (t == GR_NONE || g->tensors[t].data || c->known[t] == UNKNOWN) continue;
            if (!add_crossing(c, t, input_of)) return false;
        }
    }
    for (int i = 0; i < n; i++) {
        gr_id t = rest->outputs[i];
        if (c->loop == GR_NONE && c->known[t] != UNKNOWN) continue;
        if (c->loop != GR_NONE && c->known[t] != UNKNOWN && !g->tensors[t].data &&
            !add_crossing(c, t, input_of))
            return false;
        c->links->rest_outputs[kept++] = c->outputs[i];
        if (!gr_add_output(rest, t)) return false;
    }
    gr_compact(rest);
    return true;
}

static bool make_inputs(cutter *c)
{
    gr_graph *g = c->g;
    int n = g->n_inputs;
    g->n_inputs = 0;
    for (int i = 0; i < n; i++) {
        gr_id t = g->inputs[i];
        g->tensors[t].flags &= ~(uint32_t)GR_INPUT;
        if (!c->root && !c->needed[t]) continue;
        c->links->feed[g->n_inputs] = c->feed[i];
        if (!gr_add_input(g, t)) return false;
    }
    return true;
}

/* Outputs whose shapes depend on values get memory for the most they can be. */
static vki_status keep_ready(cutter *c)
{
    gr_graph *g = c->g;
    bool known;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        gr_node *n = &g->nodes[i];
        n->dead = n->dead || !c->ready[i];
        if (!n->dead && op_get(n->op)->flags & OP_DATA_SHAPED) VKB_TRY(gr_infer_bounds(g, n, &known, c->err));
    }
    gr_compact(g);
    return VKI_OK;
}

/* ---- all of it ---- */

static bool make_links(cutter *c)
{
    gr_graph *g = c->g;
    ses_links *l = c->links;
    l->feed = vkb_arena_alloc(&g->arena, (size_t)g->n_inputs * sizeof *l->feed + 1);
    l->yields = vkb_arena_alloc(&g->arena, (size_t)g->n_outputs * sizeof *l->yields + 1);
    l->rest_outputs = vkb_arena_alloc(&g->arena, (size_t)g->n_outputs * sizeof *l->rest_outputs + 1);
    l->next = vkb_arena_alloc(&g->arena, (size_t)g->n_tensors * sizeof *l->next + 1);
    l->n_yields = 0;
    return l->feed && l->yields && l->rest_outputs && l->next;
}

static vki_status cut(cutter *c, int *input_of)
{
    gr_graph *g = c->g;
    for (gr_id t = 0; t < g->n_tensors; t++) c->slot[t] = input_of[t] = -1;
    for (int i = 0; i < g->n_inputs; i++) input_of[g->inputs[i]] = i;
    find_ready(c);
    int yields = count_yields(c);
    if (!c->root && !c->n_ready && !yields) VKB_TRY(find_loop(c));
    c->last = c->loop == GR_NONE && yields == g->n_outputs;
    if (!make_links(c)) return vkb_nomem(c->err, (uint64_t)g->n_tensors * sizeof(int));
    if (!c->last) VKB_TRY(gr_clone(c->rest, g, c->err));
    if (!make_outputs(c) || (!c->last && !make_rest(c, input_of)) || !make_inputs(c))
        return vkb_nomem(c->err, (uint64_t)g->n_tensors * sizeof(int));
    return keep_ready(c);
}

vki_status ses_cut(gr_graph *g, bool root, const int *feed, const int *outputs, ses_links *links,
                   gr_graph *rest, bool *last, bool *loop, vki_error *err)
{
    const vki_allocator *a = g->allocator;
    size_t n = (size_t)g->n_tensors;
    cutter c = {.g = g,
                .rest = rest,
                .root = root,
                .feed = feed,
                .outputs = outputs,
                .links = links,
                .loop = GR_NONE,
                .err = err};
    gr_init(rest, a);
    c.known = vkb_calloc(a, n, sizeof *c.known);
    c.needed = vkb_calloc(a, n, sizeof *c.needed);
    c.ready = vkb_calloc(a, (size_t)g->n_nodes, sizeof *c.ready);
    c.slot = vkb_calloc(a, n, 2 * sizeof *c.slot);
    vki_status status = c.known && c.needed && c.ready && c.slot ? cut(&c, c.slot + n) : vkb_nomem(err, n);
    *last = c.last;
    *loop = c.loop != GR_NONE;
    vkb_free(a, c.known);
    vkb_free(a, c.needed);
    vkb_free(a, c.ready);
    vkb_free(a, c.slot);
    if (status != VKI_OK) gr_free(rest);
    return status;
}
