/* SPDX-License-Identifier: Apache-2.0
 * A budget for packed weights: kernels that could pack less do so, those first that lose the least time a
 * byte, until all weights of the plan's CPU nodes are within it. The same for any number of threads. */
#include "session/session.h"

enum { MORE = 4 << 20 }; /* bytes beside the percentage: small models are no matter */

/* Adds the bytes of the node's constants to *all, and of those that no node before had to *given. */
static void add_constants(const gr_graph *g, const gr_node *n, bool *seen, uint64_t *all, uint64_t *given)
{
    for (int i = 0; n && i < n->n_in; i++) {
        if (!gr_is_const(g, n->in[i])) continue;
        const uint64_t bytes = gr_bytes(&g->tensors[n->in[i]]);
        *all += bytes;
        if (!seen[n->in[i]]) *given += bytes;
        seen[n->in[i]] = true;
    }
}

typedef struct candidate { /* by step */
    uint64_t bytes;        /* that it would save; 0: none */
    double price;          /* time a byte */
    bool lean;
} candidate;

/* Of those that are not lean the cheapest, the largest of these. -1: there is none. */
static int cheapest(const candidate *c, int n)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        if (!c[i].bytes || c[i].lean) continue;
        if (best < 0 || c[i].price < c[best].price ||
            (!(c[i].price > c[best].price) && c[i].bytes > c[best].bytes))
            best = i;
    }
    return best;
}

static double cost(const candidate *c)
{
    return c->price * (double)c->bytes;
}

/* Of those that save enough alone the one that costs least, if that is no more than `other` costs; else it.
 */
static int last_one(const candidate *c, int n, double excess, int other)
{
    int best = other;
    for (int i = 0; i < n && other >= 0; i++)
        if (!c[i].lean && (double)c[i].bytes >= excess && cost(&c[i]) < cost(&c[best])) best = i;
    return best;
}

/* Of those that are lean the dearest whose bytes there is room for. */
static int dearest(const candidate *c, int n, double room)
{
    int best = -1;
    for (int i = 0; i < n; i++)
        if (c[i].lean && (double)c[i].bytes <= room && (best < 0 || c[i].price > c[best].price)) best = i;
    return best;
}

static void choose(candidate *c, int n, double excess)
{
    for (int i; excess > 0 && (i = last_one(c, n, excess, cheapest(c, n))) >= 0; excess -= (double)c[i].bytes)
        c[i].lean = true;
    for (int i; (i = dearest(c, n, -excess)) >= 0; excess += (double)c[i].bytes) c[i].lean = false;
}

/* Fills the candidates; the result is how many bytes there are too many. What several nodes pack counts for
 * each. */
static double look_at(const ses_plan *p, candidate *c, bool *seen)
{
    const gr_graph *g = &p->graph;
    uint64_t given = 0, taken = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const ses_step *step = &p->steps[i];
        const cpu_prep *prep = step->prep;
        uint64_t bytes = 0;
        add_constants(g, &g->nodes[step->node], seen, &bytes, &given);
        add_constants(g, p->places[step->node].before, seen, &bytes, &given);
        taken += prep && prep->weight_bytes ? prep->weight_bytes : bytes;
        if (!prep || !prep->lean_bytes || prep->lean_bytes >= prep->weight_bytes) continue;
        c[i].bytes = prep->weight_bytes - prep->lean_bytes;
        c[i].price = prep->lean_cost / (double)c[i].bytes;
    }
    return (double)taken - (double)given * p->options->packed_percent / 100 - MORE;
}

vki_status ses_host_lean(ses_plan *p, vki_error *err)
{
    candidate *c = vkb_calloc(p->allocator, (size_t)p->n_steps + 1, sizeof *c);
    bool *seen = vkb_calloc(p->allocator, (size_t)p->graph.n_tensors + 1, sizeof *seen);
    vki_status status = c && seen ? VKI_OK : vkb_nomem(err, (uint64_t)p->n_steps * sizeof *c);
    if (status == VKI_OK) choose(c, p->n_steps, look_at(p, c, seen));
    for (int i = 0; i < p->n_steps && status == VKI_OK; i++)
        if (c[i].lean) status = ses_host_plan_step(p, &p->steps[i], true, err);
    vkb_free(p->allocator, seen);
    vkb_free(p->allocator, c);
    return status;
}
