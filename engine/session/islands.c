/* SPDX-License-Identifier: Apache-2.0
 * Small parts of a network that stand between parts on the other place: by the cost model, transfers and
 * submits can take longer than the part. Parts change their place one after the other as long as the estimate
 * for the whole network falls; that for large ones is left to measurements. */
#include "session/session.h"

#include <string.h>

enum { SWEEPS = 4, SMALL = 5 }; /* a part is small with less than a fifth of all the work */

typedef struct islands {
    ses_plan *p;
    const gpu_kernel *const *kernels; /* by node: for the device; NULL: the CPU alone has it */
    double *us[2];                    /* by node, on the CPU and on the device */
    bool *gpu, *before;               /* by node: where it is; where it was before a try */
    bool *made, *wanted[2];           /* by tensor: on the device; by nodes on the CPU, on the device */
    cost_rates device;
} islands;

static bool is_view(const islands *s, gr_id node)
{
    return s->p->places[node].view;
}

/* ---- what a placement costs ---- */

/* Views are where their input is. */
static int follow(islands *s)
{
    const gr_graph *g = &s->p->graph;
    int submits = 0;
    memset(s->made, 0, (size_t)g->n_tensors);
    for (int k = 0; k < 2; k++) memset(s->wanted[k], 0, (size_t)g->n_tensors);
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        if (is_view(s, i)) s->gpu[i] = n->in[0] != GR_NONE && s->made[n->in[0]] && s->kernels[i];
        submits += s->gpu[i] && (i == 0 || !s->gpu[i - 1]);
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] != GR_NONE && !gr_is_const(g, n->in[k])) s->wanted[s->gpu[i]][n->in[k]] = true;
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE) s->made[n->out[k]] = s->gpu[i];
    }
    return submits;
}

static double total(islands *s)
{
    const gr_graph *g = &s->p->graph;
    double us = follow(s) * s->device.submit_us;
    for (gr_id i = 0; i < g->n_nodes; i++) us += s->us[s->gpu[i]][i];
    for (gr_id t = 0; t < g->n_tensors; t++) {
        bool host = s->wanted[0][t] || g->tensors[t].flags & GR_OUTPUT;
        if (s->made[t] ? host : s->wanted[1][t])
            us += (double)gr_bytes(&g->tensors[t]) / s->device.copy_bytes;
    }
    return us;
}

/* ---- parts ---- */

static gr_id end_of(const islands *s, gr_id first)
{
    gr_id end = first + 1;
    while (end < s->p->graph.n_nodes && s->gpu[end] == s->gpu[first]) end++;
    return end;
}

static bool can_change(const islands *s, gr_id first, gr_id end, double most)
{
    double us = 0;
    for (gr_id i = first; i < end; i++) {
        if (!s->gpu[first] && !is_view(s, i) && !s->kernels[i]) return false;
        us += s->us[s->gpu[first]][i];
    }
    return us < most;
}

/* One after the other; false: nothing got better. */
static bool sweep(islands *s, double *best, double most)
{
    const size_t n = (size_t)s->p->graph.n_nodes;
    bool better = false;
    for (gr_id first = 0, end; first < s->p->graph.n_nodes; first = end) {
        end = end_of(s, first);
        if (!can_change(s, first, end, most)) continue;
        memcpy(s->before, s->gpu, n);
        memset(s->gpu + first, !s->gpu[first], (size_t)(end - first));
        double now = total(s);
        if (now < *best) {
            *best = now;
            better = true;
        } else {
            memcpy(s->gpu, s->before, n);
        }
    }
    return better;
}

static void estimate(islands *s)
{
    const gr_graph *g = &s->p->graph;
    const cost_rates host = cpu_rates(s->p->options->threads);
    for (gr_id i = 0; i < g->n_nodes; i++) {
        s->us[0][i] = ses_guess_us(s->p, i, &host);
        s->us[1][i] = ses_guess_us(s->p, i, &s->device);
        s->gpu[i] = s->p->places[i].gpu;
    }
}

static void apply(const islands *s)
{
    for (gr_id i = 0; i < s->p->graph.n_nodes; i++) {
        ses_place *place = &s->p->places[i];
        if (place->view || place->gpu == s->gpu[i]) continue;
        place->gpu = s->gpu[i];
        place->kernel = s->gpu[i] ? s->kernels[i] : NULL;
        place->reason = s->gpu[i] ? "a small part: what is around it runs on the device"
                                  : "a small part: transfers would cost more than the device saves";
    }
}

vki_status ses_move_islands(ses_plan *p, const gpu_kernel *const *kernels, vki_error *err)
{
    const size_t n = (size_t)p->graph.n_nodes, t = (size_t)p->graph.n_tensors;
    const size_t bytes = 2 * n * sizeof(double) + 2 * n + 3 * t;
    char *memory = vkb_calloc(p->allocator, bytes, 1);
    if (!memory) return vkb_nomem(err, bytes);
    islands s = {.p = p, .kernels = kernels, .device = *gpu_rates(p->model->context->limits)};
    s.us[0] = (double *)(void *)memory;
    s.us[1] = s.us[0] + n;
    s.gpu = (bool *)(s.us[1] + n);
    s.before = s.gpu + n;
    s.made = s.before + n;
    s.wanted[0] = s.made + t;
    s.wanted[1] = s.wanted[0] + t;
    estimate(&s);
    double all = 0, best = total(&s);
    for (size_t i = 0; i < n; i++) all += s.us[s.gpu[i]][i];
    for (int k = 0; k < SWEEPS && n && sweep(&s, &best, all / SMALL); k++) continue;
    apply(&s);
    vkb_free(p->allocator, memory);
    return VKI_OK;
}
