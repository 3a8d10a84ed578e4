/* SPDX-License-Identifier: Apache-2.0
 * A model against stored results without each of its graph passes. Most passes have no part in the plan of
 * most networks: what is run is told by a hash of the plan. */
#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "graph/passes/pass.h"
#include "session/stage.h"
#include "testdata.h"

/* ---- what a plan does, as a number; equal ones give the same results ---- */

#define ADD(hash, value) ((hash) = vkb_hash(&(value), sizeof(value), (hash)))

static uint64_t add_text(uint64_t hash, const char *text)
{
    return vkb_hash(text, strlen(text), hash);
}

static uint64_t add_graph(uint64_t hash, const ses_plan *p)
{
    const gr_graph *g = &p->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        const ses_place *place = &p->places[i];
        const bool how[] = {place->gpu, place->view, place->merged};
        ADD(hash, n->op);
        ADD(hash, n->epilogue.act);
        ADD(hash, n->epilogue.residual);
        ADD(hash, n->epilogue.alpha);
        ADD(hash, n->epilogue.beta);
        ADD(hash, how);
        hash = vkb_hash(n->in, (size_t)n->n_in * sizeof *n->in, hash);
        hash = vkb_hash(n->out, (size_t)n->n_out * sizeof *n->out, hash);
    }
    for (gr_id t = 0; t < g->n_tensors; t++) {
        const gr_tensor *tensor = &g->tensors[t];
        ADD(hash, tensor->dtype);
        ADD(hash, tensor->const_key);
        if (tensor->rank > 0)
            hash = vkb_hash(tensor->dims, (size_t)tensor->rank * sizeof tensor->dims[0], hash);
    }
    return hash;
}

static uint64_t add_dispatches(uint64_t hash, const gpu_program *p)
{
    for (int i = 0; i < p->n_dispatches; i++) {
        const gpu_dispatch *d = &p->dispatches[i];
        ADD(hash, d->shader);
        ADD(hash, d->groups);
        ADD(hash, d->base);
        ADD(hash, d->cut);
        hash = vkb_hash(d->spec, d->n_spec * sizeof d->spec[0], hash);
        hash = vkb_hash(d->push, d->n_push * sizeof d->push[0], hash);
        for (int b = 0; b < d->n_bind; b++) {
            uint64_t offset, bytes;
            ADD(hash, d->bind[b].space);
            ADD(hash, d->bind[b].index);
            ADD(hash, d->bind[b].offset);
            if (d->bind[b].space != GPU_SPACE_ARENA) continue;
            gpu_arena_range(p, &d->bind[b], &offset, &bytes);
            ADD(hash, offset);
            ADD(hash, bytes);
        }
    }
    return hash;
}

static uint64_t add_crossings(uint64_t hash, const ses_crossing *crossings, int count)
{
    for (int i = 0; i < count; i++) {
        ADD(hash, crossings[i].tensor);
        ADD(hash, crossings[i].layout);
    }
    return hash;
}

static uint64_t plan_hash(const ses_plan *p)
{
    uint64_t hash = add_dispatches(add_graph(0, p), &p->program);
    for (int i = 0; i < p->n_steps; i++) {
        hash = add_text(hash, p->steps[i].kernel ? p->steps[i].kernel->name : "reference");
        ADD(hash, p->steps[i].scratch_at);
    }
    if (p->host_at) hash = vkb_hash(p->host_at, (size_t)p->graph.n_tensors * sizeof *p->host_at, hash);
    for (int i = 0; i < p->n_segments; i++) {
        const ses_segment *s = &p->segments[i];
        ADD(hash, s->gpu);
        ADD(hash, s->count);
        ADD(hash, s->n_dispatches);
        hash = add_crossings(hash, s->uploads, s->n_uploads);
        hash = add_crossings(hash, s->downloads, s->n_downloads);
    }
    return ADD(hash, p->barriers);
}

/* ---- the sets ---- */

typedef struct pass_check {
    verify_job *job;
    vki_model *model;
    const testdata *data;
    const char *label, *given; /* passes that the caller leaves out anyway */
    uint64_t whole;            /* of the plan with all others */
} pass_check;

/* A session without the pass. "": with all; the list is not empty even then, so that the graph is prepared
 * in the same steps. */
static vki_status open_without(const pass_check *c, const char *pass, vki_session **session, vki_error *err)
{
    char list[1100];
    verify_job job = *c->job;
    snprintf(list, sizeof list, "%s,%s", c->given ? c->given : "", pass);
    job.session.disable_passes = list;
    return verify_open(&job, c->model, c->data, session, err);
}

/* Later stages are planned when the values are there that their shapes depend on: these are always run. */
static bool is_same(const pass_check *c, const vki_session *s)
{
    return s->plan && s->root->last && plan_hash(s->plan) == c->whole;
}

static void check_without(pass_check *c, const char *pass)
{
    vki_session *session = NULL;
    vki_error err = {0};
    char label[640];
    snprintf(label, sizeof label, "%.500s without %s", c->label, pass);
    vki_status status = open_without(c, pass, &session, &err);
    if (status == VKI_OK && is_same(c, session))
        c->job->totals.same++;
    else if (status == VKI_OK)
        status = verify_outputs(c->job, session, label, c->data, &err);
    if (status != VKI_OK) verify_error(c->job, label, &err);
    vki_session_destroy(&session);
}

void verify_each_pass(verify_job *job, vki_model *model, const char *label, const char *folder)
{
    testdata data;
    vki_session *session = NULL;
    vki_error err = {0};
    if (testdata_load(&data, folder, &err) != VKI_OK) {
        verify_error(job, label, &err);
        return;
    }
    pass_check c = {job, model, &data, label, job->session.disable_passes, 0};
    vki_status status = open_without(&c, "", &session, &err);
    if (status == VKI_OK && session->plan) c.whole = plan_hash(session->plan);
    vki_session_destroy(&session);
    if (status != VKI_OK) verify_error(job, label, &err);
    for (int i = 0; status == VKI_OK && gr_passes[i]; i++) check_without(&c, gr_passes[i]->name);
    if (status == VKI_OK) check_without(&c, "all");
    testdata_free(&data);
}
