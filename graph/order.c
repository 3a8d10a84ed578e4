/* SPDX-License-Identifier: Apache-2.0
 * An order of nodes that keeps less memory alive, by list scheduling: of the nodes whose inputs are made, the
 * next is the one after which the least more is alive. On networks with long branches (several sizes of one
 * picture) that is a quarter less; on most it is the order of the file. */
#include "graph/ops/op.h"

#include <string.h>

typedef struct scheduler {
    gr_graph *g;
    gr_id *root;     /* by tensor: what it is a view of */
    int64_t *bytes;  /* by root; 0: constant */
    int *reads;      /* by root: by nodes, in all; one more of inputs and outputs, which stay */
    int *left;       /* by root: reads to come */
    bool *made;      /* by root */
    int *first;      /* by tensor: in `readers`, one entry more than tensors */
    gr_id *readers;  /* nodes */
    int *waits;      /* by node: reads of tensors that are not made yet */
    gr_id *ready;    /* nodes */
    gr_id *order;    /* by place: the node */
    gr_node *sorted; /* the nodes in that order */
    int n_ready;
    int64_t work; /* reads of nodes that may still be looked at */
} scheduler;

static bool is_read(const scheduler *s, gr_id t)
{
    return t != GR_NONE && !gr_is_const(s->g, t);
}

static int64_t bytes_of(const gr_graph *g, gr_id t)
{
    const uint64_t most = UINT64_C(1) << 40, bytes = gr_bytes(&g->tensors[t]); /* sums stay in range */
    return gr_is_const(g, t) ? 0 : (int64_t)(bytes < most ? bytes : most);
}

static void find_roots(scheduler *s)
{
    const gr_graph *g = s->g;
    for (gr_id t = 0; t < g->n_tensors; t++) s->root[t] = t;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        if (op_get(n->op)->flags & OP_VIEW && is_read(s, n->in[0]) && n->out[0] != GR_NONE)
            s->root[n->out[0]] = s->root[n->in[0]];
    }
    for (gr_id t = 0; t < g->n_tensors; t++) s->bytes[t] = bytes_of(g, t);
}

static void count_reads(scheduler *s)
{
    const gr_graph *g = s->g;
    for (gr_id i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            gr_id t = g->nodes[i].in[k];
            if (!is_read(s, t)) continue;
            s->reads[s->root[t]]++;
            s->first[t + 1]++;
            s->waits[i]++;
        }
    for (int i = 0; i < g->n_inputs; i++) s->reads[s->root[g->inputs[i]]]++;
    for (int i = 0; i < g->n_outputs; i++) s->reads[s->root[g->outputs[i]]]++;
    for (gr_id t = 0; t < g->n_tensors; t++) s->first[t + 1] += s->first[t];
    for (gr_id i = g->n_nodes - 1; i >= 0; i--)
        for (int k = 0; k < g->nodes[i].n_in; k++)
            if (is_read(s, g->nodes[i].in[k])) s->readers[--s->first[g->nodes[i].in[k] + 1]] = i;
}

/* The tensor is there: nodes that have waited for it last are ready. After count_reads the readers of t begin
 * at first[t + 1] and end where those of the next begin. */
static void make(scheduler *s, gr_id t, int end)
{
    s->made[s->root[t]] = true;
    for (int i = s->first[t + 1]; i < end; i++)
        if (--s->waits[s->readers[i]] == 0) s->ready[s->n_ready++] = s->readers[i];
}

static int end_of(const scheduler *s, gr_id t, int total)
{
    return t + 2 <= s->g->n_tensors ? s->first[t + 2] : total;
}

static int times_read(const scheduler *s, const gr_node *n, gr_id root)
{
    int times = 0;
    for (int k = 0; k < n->n_in; k++) times += is_read(s, n->in[k]) && s->root[n->in[k]] == root;
    return times;
}

/* What the node makes, and what nobody needs behind it. */
static int64_t gain_of(const scheduler *s, const gr_node *n, int64_t *made)
{
    int64_t gone = 0;
    *made = 0;
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] != GR_NONE && !s->made[s->root[n->out[k]]]) *made += s->bytes[s->root[n->out[k]]];
    for (int k = 0; k < n->n_in; k++) {
        if (!is_read(s, n->in[k])) continue;
        gr_id root = s->root[n->in[k]];
        bool again = false;
        for (int j = 0; j < k && !again; j++) again = is_read(s, n->in[j]) && s->root[n->in[j]] == root;
        if (!again && s->left[root] == times_read(s, n, root)) gone += s->bytes[root];
    }
    return *made - gone;
}

static void begin(scheduler *s)
{
    const gr_graph *g = s->g;
    memcpy(s->left, s->reads, (size_t)g->n_tensors * sizeof *s->left);
    memset(s->made, 0, (size_t)g->n_tensors * sizeof *s->made);
}

static void run(scheduler *s, const gr_node *n)
{
    for (int k = 0; k < n->n_in; k++)
        if (is_read(s, n->in[k])) s->left[s->root[n->in[k]]]--;
}

/* The most that is alive at once with the nodes in that order (NULL: as they are). */
static int64_t peak_of(scheduler *s, const gr_id *order)
{
    const gr_graph *g = s->g;
    int64_t alive = 0, peak = 0, made;
    begin(s);
    for (int i = 0; i < g->n_inputs; i++) s->made[s->root[g->inputs[i]]] = true;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[order ? order[i] : i];
        int64_t gain = gain_of(s, n, &made);
        peak = vkb_max(peak, alive + made);
        alive += gain;
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE) s->made[s->root[n->out[k]]] = true;
        run(s, n);
    }
    return peak;
}

/* On networks that are thousands of nodes wide this would take long: -1 where `work` is used up. */
static int pick(scheduler *s)
{
    int best = 0;
    int64_t least = INT64_MAX, made;
    for (int i = 0; i < s->n_ready; i++) {
        const gr_node *n = &s->g->nodes[s->ready[i]];
        s->work -= 1 + (int64_t)n->n_in * n->n_in / 4; /* gain_of compares them with each other */
        if (s->work < 0) return -1;
        int64_t gain = gain_of(s, n, &made);
        if (gain > least || (gain == least && s->ready[i] > s->ready[best])) continue;
        least = gain;
        best = i;
    }
    return best;
}

/* false: the graph has a cycle, nodes read what nobody makes, or it would take too long. */
static bool schedule(scheduler *s, int total)
{
    const gr_graph *g = s->g;
    s->work = 1000 * 1000 + 256 * (int64_t)g->n_nodes; /* a few milliseconds at most for 100 nodes */
    begin(s);
    s->n_ready = 0;
    for (gr_id i = 0; i < g->n_nodes; i++)
        if (!s->waits[i]) s->ready[s->n_ready++] = i;
    for (int i = 0; i < g->n_inputs; i++) make(s, g->inputs[i], end_of(s, g->inputs[i], total));
    for (gr_id at = 0; at < g->n_nodes; at++) {
        if (!s->n_ready) return false;
        int which = pick(s);
        if (which < 0) return false;
        const gr_id node = s->ready[which];
        const gr_node *n = &g->nodes[node];
        s->ready[which] = s->ready[--s->n_ready];
        s->order[at] = node;
        run(s, n);
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE) make(s, n->out[k], end_of(s, n->out[k], total));
    }
    return true;
}

static bool allocate(scheduler *s, int reads)
{
    const vki_allocator *a = s->g->allocator;
    size_t tensors = (size_t)s->g->n_tensors, nodes = (size_t)s->g->n_nodes;
    s->root = vkb_calloc(a, tensors, sizeof *s->root);
    s->bytes = vkb_calloc(a, tensors, sizeof *s->bytes);
    s->reads = vkb_calloc(a, tensors, sizeof *s->reads);
    s->left = vkb_calloc(a, tensors, sizeof *s->left);
    s->made = vkb_calloc(a, tensors, sizeof *s->made);
    s->first = vkb_calloc(a, tensors + 1, sizeof *s->first);
    s->readers = vkb_calloc(a, (size_t)reads, sizeof *s->readers);
    s->waits = vkb_calloc(a, nodes, sizeof *s->waits);
    s->ready = vkb_calloc(a, nodes, sizeof *s->ready);
    s->order = vkb_calloc(a, nodes, sizeof *s->order);
    s->sorted = vkb_calloc(a, nodes, sizeof *s->sorted);
    return s->root && s->bytes && s->reads && s->left && s->made && s->first && s->readers && s->waits &&
           s->ready && s->order && s->sorted;
}

static void release(scheduler *s)
{
    void *all[] = {s->root,    s->bytes, s->reads, s->left,  s->made,  s->first,
                   s->readers, s->waits, s->ready, s->order, s->sorted};
    for (size_t i = 0; i < VKB_COUNT(all); i++) vkb_free(s->g->allocator, all[i]);
}

vki_status gr_order_for_memory(gr_graph *g, vki_error *err)
{
    scheduler s = {.g = g};
    int reads = 0;
    for (gr_id i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++) reads += is_read(&s, g->nodes[i].in[k]);
    if (!allocate(&s, reads)) {
        release(&s);
        return vkb_nomem(err, (uint64_t)g->n_nodes * sizeof *s.sorted);
    }
    find_roots(&s);
    count_reads(&s);
    int64_t now = peak_of(&s, NULL);
    if (schedule(&s, reads) && peak_of(&s, s.order) < now - now / 16) {
        for (gr_id i = 0; i < g->n_nodes; i++) s.sorted[i] = g->nodes[s.order[i]];
        memcpy(g->nodes, s.sorted, (size_t)g->n_nodes * sizeof *g->nodes);
    }
    release(&s);
    return VKI_OK;
}
