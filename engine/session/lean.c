/* SPDX-License-Identifier: Apache-2.0
 * A budget for packed weights: kernels that could pack less do so, or leave their node to others, those first
 * that lose the least time a byte, until all weights of the plan's CPU nodes are within it. The same for any
 * number of threads. */
#include "session/session.h"

#include <stdlib.h>

enum { MORE = 4 << 20 }; /* bytes beside the percentage: small models are no matter */

typedef struct candidate {
    int step;
    bool lean;
    double bytes; /* that it would save */
    double cost;  /* time */
    double price; /* time a byte */
} candidate;

typedef struct budget {
    ses_plan *plan;
    candidate *all; /* in the order of the steps */
    candidate **by_price, **by_bytes;
    int count;
    double excess; /* bytes */
} budget;

/* ---- what there is ---- */

/* The bytes of the node's constants; *given gets those that no node before had. */
static uint64_t constants(const gr_graph *g, const gr_node *n, bool *seen, uint64_t *given)
{
    uint64_t all = 0;
    for (int i = 0; n && i < n->n_in; i++) {
        if (!gr_is_const(g, n->in[i])) continue;
        const uint64_t bytes = gr_bytes(&g->tensors[n->in[i]]);
        all += bytes;
        if (!seen[n->in[i]]) *given += bytes;
        seen[n->in[i]] = true;
    }
    return all;
}

/* What several nodes pack counts for each. */
static double excess_of(const ses_plan *p, bool *seen)
{
    uint64_t given = 0, taken = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const ses_step *step = &p->steps[i];
        const uint64_t bytes = constants(&p->graph, &p->graph.nodes[step->node], seen, &given) +
                               constants(&p->graph, p->places[step->node].before, seen, &given);
        taken += step->prep && step->prep->weight_bytes ? step->prep->weight_bytes : bytes;
    }
    return (double)taken - (double)given * p->options->packed_percent / 100 - MORE;
}

/* Packed, if the step were lean; 0: the same, or none. */
static vki_status lean_bytes(ses_plan *p, const ses_step *step, uint64_t *bytes, vki_error *err)
{
    ses_step other = *step;
    *bytes = step->prep->lean_bytes;
    if (!step->prep->yields) return VKI_OK;
    VKB_TRY(ses_host_choose(p, &other, true, err));
    *bytes = other.prep->weight_bytes;
    return VKI_OK;
}

static vki_status find_candidates(budget *b, vki_error *err)
{
    for (int i = 0; i < b->plan->n_steps; i++) {
        const ses_step *step = &b->plan->steps[i];
        uint64_t bytes = 0;
        if (!step->prep) continue;
        VKB_TRY(lean_bytes(b->plan, step, &bytes, err));
        if (!bytes || bytes >= step->prep->weight_bytes) continue;
        const double saved = (double)(step->prep->weight_bytes - bytes), cost = step->prep->lean_cost;
        candidate *c = &b->all[b->count];
        *c = (candidate){.step = i, .bytes = saved, .cost = cost, .price = cost / saved};
        b->by_price[b->count] = b->by_bytes[b->count] = c;
        b->count++;
    }
    return VKI_OK;
}

/* ---- orders: in that of the steps where nothing else tells ---- */

static int order(double a, double b)
{
    return (a > b) - (a < b);
}

static int cheaper(const void *a, const void *b)
{
    const candidate *x = *(candidate *const *)a, *y = *(candidate *const *)b;
    const int by_price = order(x->price, y->price), by_bytes = order(y->bytes, x->bytes);
    return by_price ? by_price : by_bytes ? by_bytes : x->step - y->step;
}

static int dearer(const void *a, const void *b)
{
    const candidate *x = *(candidate *const *)a, *y = *(candidate *const *)b;
    const int by_price = order(y->price, x->price);
    return by_price ? by_price : x->step - y->step;
}

static int larger(const void *a, const void *b)
{
    const candidate *x = *(candidate *const *)a, *y = *(candidate *const *)b;
    const int by_bytes = order(y->bytes, x->bytes);
    return by_bytes ? by_bytes : x->step - y->step;
}

static void sort(candidate **c, int count, int (*compare)(const void *, const void *))
{
    qsort(c, (size_t)count, sizeof *c, compare);
}

/* ---- the choice ---- */

/* The cheapest one after the other; at last, if it costs less, one that saves enough alone. Of these `alone`
 * is the one that costs least: the less is left to save, the more there are. */
static void choose(budget *b)
{
    const candidate *first = b->all;
    candidate *alone = NULL;
    sort(b->by_price, b->count, cheaper);
    sort(b->by_bytes, b->count, larger);
    for (int i = 0, n = 0; i < b->count && b->excess > 0; i++) {
        for (; n < b->count && b->by_bytes[n]->bytes >= b->excess; n++) {
            candidate *c = b->by_bytes[n];
            const int than = alone ? order(c->cost, alone->cost) : -1;
            if (!c->lean && (than < 0 || (!than && c - first < alone - first))) alone = c;
        }
        candidate *next = alone && alone->cost < b->by_price[i]->cost ? alone : b->by_price[i];
        next->lean = true;
        b->excess -= next->bytes;
    }
}

/* The dearest ones whose bytes there is room for after all. */
static void give_back(budget *b)
{
    sort(b->by_price, b->count, dearer);
    for (int i = 0; i < b->count; i++) {
        candidate *c = b->by_price[i];
        if (!c->lean || c->bytes > -b->excess) continue;
        c->lean = false;
        b->excess += c->bytes;
    }
}

static vki_status make_lean(budget *b, vki_error *err)
{
    VKB_TRY(find_candidates(b, err));
    choose(b);
    give_back(b);
    for (int i = 0; i < b->count; i++)
        if (b->all[i].lean) VKB_TRY(ses_host_plan_step(b->plan, &b->plan->steps[b->all[i].step], true, err));
    return VKI_OK;
}

vki_status ses_host_lean(ses_plan *p, vki_error *err)
{
    const size_t steps = (size_t)p->n_steps, tensors = (size_t)p->graph.n_tensors + 1;
    bool *seen = vkb_calloc(p->allocator, tensors, sizeof *seen);
    if (!seen) return vkb_nomem(err, tensors * sizeof *seen);
    budget b = {.plan = p, .excess = excess_of(p, seen)};
    vkb_free(p->allocator, seen);
    if (!(b.excess > 0)) return VKI_OK;
    b.all = vkb_calloc(p->allocator, steps, sizeof *b.all);
    b.by_price = vkb_calloc(p->allocator, 2 * steps, sizeof *b.by_price);
    vki_status status = VKI_OK;
    if (b.all && b.by_price) {
        b.by_bytes = b.by_price + steps;
        status = make_lean(&b, err);
    } else {
        status = vkb_nomem(err, steps * (sizeof *b.all + 2 * sizeof *b.by_price));
    }
    vkb_free(p->allocator, b.by_price);
    vkb_free(p->allocator, b.all);
    return status;
}
