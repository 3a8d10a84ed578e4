/* SPDX-License-Identifier: Apache-2.0
 * A budget for packed weights: kernels that could pack less do so, those first that lose the least time a
 * byte, until all weights of the plan's CPU nodes are within it. The same for any number of threads. */
#include "session/session.h"

static uint64_t constant_bytes(const gr_graph *g, const gr_node *n)
{
    uint64_t bytes = 0;
    for (int i = 0; n && i < n->n_in; i++)
        if (gr_is_const(g, n->in[i])) bytes += gr_bytes(&g->tensors[n->in[i]]);
    return bytes;
}

/* Bytes that a step would save. */
static uint64_t saving(const ses_step *step)
{
    const cpu_prep *prep = step->prep;
    return prep && prep->lean_bytes && prep->lean_bytes < prep->weight_bytes
               ? prep->weight_bytes - prep->lean_bytes
               : 0;
}

static ses_step *cheapest(const ses_plan *p)
{
    ses_step *best = NULL;
    double least = 0;
    for (int i = 0; i < p->n_steps; i++) {
        ses_step *step = &p->steps[i];
        const uint64_t bytes = saving(step);
        if (!bytes) continue;
        const double price = step->prep->lean_cost / (double)bytes;
        if (best && price >= least) continue;
        best = step;
        least = price;
    }
    return best;
}

vki_status ses_host_lean(ses_plan *p, vki_error *err)
{
    const gr_graph *g = &p->graph;
    uint64_t given = 0, taken = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const ses_step *step = &p->steps[i];
        const uint64_t bytes =
            constant_bytes(g, &g->nodes[step->node]) + constant_bytes(g, p->places[step->node].before);
        given += bytes;
        taken += step->prep && step->prep->weight_bytes ? step->prep->weight_bytes : bytes;
    }
    const double budget = (double)given * p->options->packed_percent / 100;
    for (ses_step *step; (double)taken > budget && (step = cheapest(p));) {
        taken -= saving(step);
        VKB_TRY(ses_host_plan_step(p, step, true, err));
    }
    return VKI_OK;
}
