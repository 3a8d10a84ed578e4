/* SPDX-License-Identifier: Apache-2.0
 * Which of the model's constants have to be in memory: while a plan is made all that it may read, and
 * afterwards what its kernels read where it lies. What was packed need not be. */
#include "session/session.h"

vki_status ses_hold(vkb_store *constants, const gr_graph *g, ses_held *held, vki_error *err)
{
    if (!vkb_store_has_copies(constants)) return VKI_OK;
    if (!VKB_GROW(g->allocator, held->data, held->capacity, held->count + g->n_tensors))
        return vkb_nomem(err, (uint64_t)g->n_tensors * sizeof *held->data);
    for (gr_id i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].data && vkb_store_hold(constants, g->tensors[i].data))
            held->data[held->count++] = g->tensors[i].data;
    for (int i = 0; i < g->n_bodies; i++) VKB_TRY(ses_hold(constants, g->bodies[i].graph, held, err));
    return VKI_OK;
}

void ses_unhold(vkb_store *constants, const vki_allocator *a, ses_held *held)
{
    for (int i = 0; i < held->count; i++) vkb_store_drop(constants, held->data[i]);
    vkb_free(a, held->data);
    *held = (ses_held){0};
}

void ses_keep_all(vkb_store *constants, const gr_graph *g)
{
    for (gr_id i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].data) vkb_store_keep(constants, g->tensors[i].data);
}

static bool is_spent(const cpu_prep *prep, const void *data)
{
    for (int i = 0; prep && i < (int)VKB_COUNT(prep->spent); i++)
        if (prep->spent[i] && prep->spent[i]->data == data) return true;
    return false;
}

static void keep_inputs(const ses_plan *p, const gr_node *n, const cpu_prep *prep)
{
    for (int i = 0; n && i < n->n_in; i++) {
        const void *data = n->in[i] == GR_NONE ? NULL : p->graph.tensors[n->in[i]].data;
        if (data && !is_spent(prep, data)) vkb_store_keep(p->model->constants, data);
    }
}

void ses_keep_read(const ses_plan *p)
{
    const gr_graph *g = &p->graph;
    if (p->options->keep || p->options->reference) ses_keep_all(p->model->constants, g);
    for (int i = 0; i < g->n_outputs; i++)
        if (g->tensors[g->outputs[i]].data)
            vkb_store_keep(p->model->constants, g->tensors[g->outputs[i]].data);
    for (int i = 0; i < p->n_steps; i++) {
        const ses_step *step = &p->steps[i];
        keep_inputs(p, p->places[step->node].before, step->prep);
        if (!p->places[step->node].merged) keep_inputs(p, &g->nodes[step->node], step->prep);
    }
}

uint64_t ses_spent_bytes(const ses_step *step)
{
    uint64_t bytes = 0;
    for (int i = 0; step->prep && i < (int)VKB_COUNT(step->prep->spent) && step->prep->spent[i]; i++)
        bytes += gr_bytes(step->prep->spent[i]);
    return bytes;
}

static bool is_awaited(const ses_plan *p, const void *data)
{
    for (int i = 0; i < p->n_steps; i++)
        if (!p->steps[i].call.n && is_spent(p->steps[i].prep, data)) return true;
    return false;
}

vkb_store *ses_spent_from(const ses_plan *p, const ses_step *step)
{
    const gr_tensor *t = step->prep->spent[0];
    return t && !is_awaited(p, t->data) ? p->model->constants : NULL;
}

void ses_release_spent(const ses_plan *p, const ses_step *step)
{
    const cpu_prep *prep = step->prep;
    for (int i = 0; prep && i < (int)VKB_COUNT(prep->spent) && prep->spent[i]; i++) {
        const gr_tensor *t = prep->spent[i];
        if (!is_awaited(p, t->data)) vkb_store_release(p->model->constants, t->data, gr_bytes(t));
    }
}
