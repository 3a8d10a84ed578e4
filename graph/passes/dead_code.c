/* SPDX-License-Identifier: Apache-2.0
 * Drops nodes that no graph output needs, and optional outputs that nobody reads. */
#include "graph/passes/rewrite.h"

enum { MAX_OPTIONAL = 8 }; /* operators that may have more outputs (Split) take their number as a meaning */

static void trim(gr_node *n, int min_out, const bool *needed, bool *changed)
{
    for (int k = min_out; k < n->n_out; k++) {
        if (n->out[k] == GR_NONE || needed[n->out[k]]) continue;
        n->out[k] = GR_NONE;
        *changed = true;
    }
    while (n->n_out > min_out && n->out[n->n_out - 1] == GR_NONE) n->n_out--;
}

static void sweep(gr_graph *g, bool *needed, bool *changed)
{
    for (int i = 0; i < g->n_outputs; i++) needed[g->outputs[i]] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) { /* nodes are in execution order: readers come first here */
        gr_node *n = &g->nodes[i];
        const op_info *info = op_get(n->op);
        bool live = false;
        if (n->dead) continue;
        for (int k = 0; k < n->n_out; k++) live = live || (n->out[k] != GR_NONE && needed[n->out[k]]);
        if (!live) {
            n->dead = *changed = true;
            continue;
        }
        if (info->max_out <= MAX_OPTIONAL) trim(n, info->min_out, needed, changed);
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] != GR_NONE) needed[n->in[k]] = true;
    }
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    bool *needed = vkb_calloc(g->allocator, (size_t)g->n_tensors, sizeof *needed);
    if (!needed) return vkb_nomem(err, (uint64_t)g->n_tensors);
    sweep(g, needed, changed);
    vkb_free(g->allocator, needed);
    return VKI_OK;
}

const gr_pass pass_dead_code = {"dead_code", "nodes whose results nobody needs are dropped", run, false};
