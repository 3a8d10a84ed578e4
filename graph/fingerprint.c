/* SPDX-License-Identifier: Apache-2.0
 * A graph's identity in 64 bits: what it computes, not what its parts are called. */
#include "graph/ops/op.h"

#include <string.h>

static uint64_t ids(const gr_id *list, int count, uint64_t seed)
{
    return vkb_hash(list, (size_t)count * sizeof *list, seed);
}

static uint64_t tensor(const gr_tensor *t, uint64_t seed)
{
    uint64_t v[4 + GR_MAX_RANK] = {(uint64_t)t->dtype, (uint64_t)t->rank, t->flags,
                                   t->data ? t->const_key : 0};
    for (int d = 0; d < t->rank; d++) v[4 + d] = (uint64_t)t->dims[d];
    return vkb_hash(v, sizeof v, seed);
}

static uint64_t node(const gr_node *n, uint64_t seed)
{
    const gr_epilogue *e = &n->epilogue;
    uint32_t v[6] = {(uint32_t)n->op, (uint32_t)e->act, (uint32_t)e->residual, 0, 0, n->dead};
    memcpy(&v[3], &e->alpha, sizeof e->alpha);
    memcpy(&v[4], &e->beta, sizeof e->beta);
    seed = vkb_hash(v, sizeof v, seed);
    if (n->attrs) seed = vkb_hash(n->attrs, op_get(n->op)->attrs_size, seed);
    return ids(n->out, n->n_out, ids(n->in, n->n_in, seed));
}

uint64_t gr_fingerprint(const gr_graph *g)
{
    uint64_t h = ids(g->outputs, g->n_outputs, ids(g->inputs, g->n_inputs, 0));
    for (int i = 0; i < g->n_tensors; i++) h = tensor(&g->tensors[i], h);
    for (int i = 0; i < g->n_nodes; i++) h = node(&g->nodes[i], h);
    for (int i = 0; i < g->n_bodies; i++) { /* at most GR_MAX_DEPTH deep */
        uint64_t body = gr_fingerprint(g->bodies[i].graph);
        h = vkb_hash(&body, sizeof body, h);
    }
    return h;
}
