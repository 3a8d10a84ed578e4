/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "graph/ops/op.h"

/* ---- who makes and who reads ---- */

vki_status gr_uses_make(gr_uses *u, const gr_graph *g, vki_error *err)
{
    size_t n = (size_t)g->n_tensors;
    gr_id *block = vkb_calloc(g->allocator, n ? n : 1, 3 * sizeof *block);
    *u = (gr_uses){NULL, NULL, NULL};
    if (!block) return vkb_nomem(err, 3 * n * sizeof *block);
    *u = (gr_uses){block, (int *)(block + n), block + 2 * n};
    for (size_t t = 0; t < n; t++) u->producer[t] = u->reader[t] = GR_NONE;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *node = &g->nodes[i];
        if (node->dead) continue;
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] != GR_NONE) u->producer[node->out[k]] = i;
        for (int k = 0; k < node->n_in; k++) {
            gr_id t = node->in[k];
            if (t == GR_NONE) continue;
            u->reader[t] = u->count[t]++ ? GR_NONE : i;
        }
    }
    for (int i = 0; i < g->n_outputs; i++) {
        u->count[g->outputs[i]]++;
        u->reader[g->outputs[i]] = GR_NONE;
    }
    return VKI_OK;
}

void gr_uses_free(gr_uses *u, const gr_graph *g)
{
    vkb_free(g->allocator, u->producer);
    *u = (gr_uses){NULL, NULL, NULL};
}

/* ---- changes ---- */

void gr_replace_tensor(gr_graph *g, gr_id old_id, gr_id new_id)
{
    if (old_id == new_id) return;
    for (int i = 0; i < g->n_nodes; i++) {
        gr_node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == old_id) n->in[k] = new_id;
    }
    if (!(g->tensors[old_id].flags & GR_OUTPUT)) return;
    for (int i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == old_id) g->outputs[i] = new_id;
    g->tensors[old_id].flags &= ~(uint32_t)GR_OUTPUT;
    g->tensors[new_id].flags |= GR_OUTPUT;
}

bool gr_note_fused(gr_graph *g, gr_node *into, const gr_node *gone)
{
    const char *text = vkb_arena_printf(&g->arena, "%s%s%s%s%s", into->fused, *into->fused ? ", " : "",
                                        gone->name, *gone->fused ? ", " : "", gone->fused);
    if (text) into->fused = text;
    return text != NULL;
}

/* ---- order ---- */

typedef struct sorter {
    const gr_graph *g;
    const gr_uses *uses;
    gr_id *order, *stack; /* nodes; `stack` is the path being walked */
    int *next;            /* by node: input to look at next; DONE when it is in `order` */
    int n_order;
} sorter;
enum { NEW = 0, DONE = -1 }; /* while on the stack next[] is at least 1 */

/* The first producer of node's inputs, from input next[node] on, that is not in order yet; or GR_NONE. */
static gr_id pending(sorter *s, gr_id node)
{
    const gr_node *n = &s->g->nodes[node];
    while (!n->dead && s->next[node] <= n->n_in) {
        gr_id t = n->in[s->next[node]++ - 1];
        gr_id p = t == GR_NONE ? GR_NONE : s->uses->producer[t];
        if (p != GR_NONE && s->next[p] != DONE) return p;
    }
    return GR_NONE;
}

/* Depth first: producers, then the node itself. The node on a cycle, or GR_NONE. */
static gr_id visit(sorter *s, gr_id root)
{
    int depth = 0;
    if (s->next[root] == DONE) return GR_NONE;
    s->stack[depth++] = root;
    s->next[root] = 1;
    while (depth) {
        gr_id top = s->stack[depth - 1], p = pending(s, top);
        if (p == GR_NONE) {
            s->next[top] = DONE;
            s->order[s->n_order++] = top;
            depth--;
        } else if (s->next[p] != NEW) {
            return p;
        } else {
            s->stack[depth++] = p;
            s->next[p] = 1;
        }
    }
    return GR_NONE;
}

static vki_status sort_nodes(gr_graph *g, const gr_uses *uses, gr_node *sorted, gr_id *memory, vki_error *err)
{
    size_t n = (size_t)g->n_nodes;
    sorter s = {g, uses, memory, memory + n, (int *)(memory + 2 * n), 0};
    for (gr_id i = 0; i < g->n_nodes; i++) {
        gr_id bad = visit(&s, i);
        if (bad != GR_NONE)
            return vkb_fail_node(err, VKI_E_FORMAT, g->nodes[bad].name, op_name(g->nodes[bad].op),
                                 "the node depends on its own output: the graph has a cycle");
    }
    for (size_t i = 0; i < n; i++) sorted[i] = g->nodes[s.order[i]];
    if (n) memcpy(g->nodes, sorted, n * sizeof *sorted);
    return VKI_OK;
}

vki_status gr_sort(gr_graph *g, vki_error *err)
{
    size_t n = (size_t)g->n_nodes;
    gr_uses uses;
    VKB_TRY(gr_uses_make(&uses, g, err));
    gr_node *sorted = vkb_calloc(g->allocator, n, sizeof *sorted);
    gr_id *memory = vkb_calloc(g->allocator, n, 3 * sizeof *memory);
    vki_status status = sorted && memory ? sort_nodes(g, &uses, sorted, memory, err)
                                         : vkb_nomem(err, n * (sizeof *sorted + 3 * sizeof *memory));
    vkb_free(g->allocator, sorted);
    vkb_free(g->allocator, memory);
    gr_uses_free(&uses, g);
    return status;
}

/* ---- compaction ---- */

static void mark(const gr_id *list, int count, gr_id *keep)
{
    for (int i = 0; i < count; i++)
        if (list[i] != GR_NONE) keep[list[i]] = 0;
}

static void renumber(gr_id *list, int count, const gr_id *to)
{
    for (int i = 0; i < count; i++)
        if (list[i] != GR_NONE) list[i] = to[list[i]];
}

void gr_compact(gr_graph *g)
{
    int kept = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].dead) g->nodes[kept++] = g->nodes[i];
    g->n_nodes = kept;
    if (!g->n_tensors) return;

    gr_id *to = g->name_slots; /* it has room for twice the tensors, and is made anew below */
    for (int t = 0; t < g->n_tensors; t++) to[t] = GR_NONE;
    mark(g->inputs, g->n_inputs, to);
    mark(g->outputs, g->n_outputs, to);
    for (int i = 0; i < g->n_nodes; i++) {
        mark(g->nodes[i].in, g->nodes[i].n_in, to);
        mark(g->nodes[i].out, g->nodes[i].n_out, to);
    }
    kept = 0;
    for (int t = 0; t < g->n_tensors; t++) {
        if (to[t] == GR_NONE) continue;
        to[t] = kept;
        g->tensors[kept++] = g->tensors[t];
    }
    g->n_tensors = kept;
    renumber(g->inputs, g->n_inputs, to);
    renumber(g->outputs, g->n_outputs, to);
    for (int i = 0; i < g->n_nodes; i++) {
        renumber(g->nodes[i].in, g->nodes[i].n_in, to);
        renumber(g->nodes[i].out, g->nodes[i].n_out, to);
    }
    gr_reindex(g);
}
