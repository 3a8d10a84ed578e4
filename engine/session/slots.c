/* SPDX-License-Identifier: Apache-2.0
 * Inputs and outputs of the runs in flight: in the plan's staging memory, or copies on the host. */
#include <string.h>

#include "session/flight.h"

bool ses_slots_direct(const vki_session *s)
{
    return s->plan && s->plan->slots > 1;
}

static bool is_tied(const vki_session *s, int input)
{
    for (int i = 0; i < s->n_ties; i++)
        if (s->ties[i].input == input) return true;
    return false;
}

/* ---- memory ---- */

static vki_status make_lists(vki_session *s, vki_error *err)
{
    ses_flights *f = s->flights;
    const gr_graph *g = &s->model->source;
    const vki_allocator *a = &s->model->context->allocator;
    const size_t in = (size_t)g->n_inputs, out = (size_t)g->n_outputs;
    f->version = vkb_calloc(a, in, sizeof *f->version);
    f->loaded = vkb_calloc(a, in, sizeof *f->loaded);
    f->holder = vkb_calloc(a, in, sizeof *f->holder);
    bool good = f->version && f->loaded && f->holder;
    for (int i = 0; i < f->count && good; i++) {
        ses_flight *flight = &f->slots[i];
        flight->version = vkb_calloc(a, in, sizeof *flight->version);
        flight->given = vkb_calloc(a, in, sizeof *flight->given);
        flight->inputs = vkb_calloc(a, in, sizeof *flight->inputs);
        flight->outputs = vkb_calloc(a, out, sizeof *flight->outputs);
        good = flight->version && flight->given && flight->inputs && flight->outputs;
    }
    return good ? VKI_OK : vkb_nomem(err, (uint64_t)f->count * (in + out) * sizeof(ses_value));
}

/* Keeps what is there: a plan that cannot be made leaves the old one with its inputs. */
static vki_status grow(vki_session *s, ses_value *v, uint64_t bytes, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    if (v->own && v->capacity >= bytes) return VKI_OK;
    ses_value larger = {0};
    VKB_TRY(ses_value_reserve(a, &larger, bytes, err));
    if (v->own && v->capacity) memcpy(larger.own, v->own, (size_t)v->capacity);
    s->flights->bytes += bytes - v->capacity;
    vkb_free(a, v->own);
    v->own = larger.own;
    v->capacity = bytes;
    return VKI_OK;
}

static vki_status reserve(vki_session *s, const ses_stage *root, ses_flight *flight, vki_error *err)
{
    const gr_graph *g = &root->plan->graph;
    for (int i = 0; i < g->n_inputs; i++)
        VKB_TRY(grow(s, &flight->inputs[i], gr_bytes(&g->tensors[g->inputs[i]]), err));
    for (int i = 0; i < root->links.n_yields; i++) /* others grow when their shapes are known */
        VKB_TRY(grow(s, &flight->outputs[root->links.yields[i]], gr_bytes(&g->tensors[g->outputs[i]]), err));
    return VKI_OK;
}

vki_status ses_slots_reserve(vki_session *s, const ses_stage *root, vki_error *err)
{
    ses_flights *f = s->flights;
    if (f->count == 1) return VKI_OK;
    if (!f->version) {
        vki_status status = make_lists(s, err);
        if (status != VKI_OK) ses_slots_free(s);
        if (status != VKI_OK) return status;
    }
    bool planned_only = s->model->context->limits && !s->model->context->device;
    if (!root->plan || root->plan->slots > 1 || planned_only) return VKI_OK;
    for (int i = 0; i < f->count; i++) VKB_TRY(reserve(s, root, &f->slots[i], err));
    return ses_stages_trim(s, err);
}

void ses_slots_clear(vki_session *s)
{
    ses_flights *f = s->flights;
    const size_t in = (size_t)s->model->source.n_inputs;
    f->seen = 0;
    for (int i = 0; i < f->count; i++) f->slots[i].ticket = 0;
    if (!f->version) return;
    memset(f->version, 0, in * sizeof *f->version);
    memset(f->loaded, 0, in * sizeof *f->loaded);
    for (int i = 0; i < f->count; i++) memset(f->slots[i].version, 0, in * sizeof *f->version);
    ses_slots_forget_given(s);
}

void ses_slots_forget_given(vki_session *s)
{
    ses_flights *f = s->flights;
    for (int i = 0; i < f->count && f->version; i++)
        memset(f->slots[i].given, 0, (size_t)s->model->source.n_inputs * sizeof *f->slots[i].given);
}

void ses_slots_free(vki_session *s)
{
    ses_flights *f = s->flights;
    const gr_graph *g = &s->model->source;
    const vki_allocator *a = &s->model->context->allocator;
    for (int i = 0; i < f->count; i++) {
        ses_flight *flight = &f->slots[i];
        for (int k = 0; flight->inputs && k < g->n_inputs; k++) vkb_free(a, flight->inputs[k].own);
        for (int k = 0; flight->outputs && k < g->n_outputs; k++) vkb_free(a, flight->outputs[k].own);
        vkb_free(a, flight->version);
        vkb_free(a, flight->given);
        vkb_free(a, flight->inputs);
        vkb_free(a, flight->outputs);
        flight->version = NULL;
        flight->given = NULL;
        flight->inputs = flight->outputs = NULL;
    }
    vkb_free(a, f->version);
    vkb_free(a, f->loaded);
    vkb_free(a, f->holder);
    f->version = f->loaded = NULL;
    f->holder = NULL;
}

/* ---- before a run ---- */

vki_status ses_slot_write(vki_session *s, int input, const void *data, vki_error *err)
{
    ses_flights *f = s->flights;
    const gr_graph *g = &s->plan->graph;
    const gr_id tensor = g->inputs[input];
    const int slot = ses_slot_of(f, f->next);
    ses_flight *flight = &f->slots[slot];
    if (f->count == 1 || ses_slots_direct(s))
        VKB_TRY(ses_write_input(s->plan, tensor, slot, data, err));
    else
        memcpy(flight->inputs[input].own, data, (size_t)gr_bytes(&g->tensors[tensor]));
    if (f->count == 1) {
        ses_ties_given(s, input);
    } else {
        flight->version[input] = f->version[input] = ++f->versions;
        flight->given[input] = true;
        f->holder[input] = slot;
    }
    return VKI_OK;
}

void ses_slot_complete(vki_session *s)
{
    ses_flights *f = s->flights;
    const gr_graph *g = &s->plan->graph;
    const int slot = ses_slot_of(f, f->next);
    ses_flight *flight = &f->slots[slot];
    for (int i = 0; i < g->n_inputs && f->count > 1; i++) {
        const gr_id tensor = g->inputs[i];
        if (flight->version[i] == f->version[i] || is_tied(s, i)) continue;
        if (ses_slots_direct(s))
            ses_copy_input(s->plan, tensor, f->holder[i], slot);
        else
            memcpy(flight->inputs[i].own, f->slots[f->holder[i]].inputs[i].own,
                   (size_t)gr_bytes(&g->tensors[tensor]));
        flight->version[i] = f->version[i];
    }
}

/* ---- the run ---- */

static vki_status load_inputs(vki_session *s, ses_flight *flight, vki_error *err)
{
    ses_flights *f = s->flights;
    const gr_graph *g = &s->plan->graph;
    for (int i = 0; i < g->n_inputs; i++) {
        bool given = flight->given[i];
        flight->given[i] = false;
        if (is_tied(s, i) ? !given : f->loaded[i] == flight->version[i]) continue;
        f->loaded[i] = 0; /* if it fails, part of it may have been written */
        VKB_TRY(ses_write_input(s->plan, g->inputs[i], 0, flight->inputs[i].own, err));
        f->loaded[i] = flight->version[i];
        ses_ties_given(s, i);
    }
    return VKI_OK;
}

static vki_status keep_output(vki_session *s, ses_value *v, const ses_result *from, vki_error *err)
{
    const ses_plan *p = from->stage->plan;
    const gr_id id = p->graph.outputs[from->output];
    const gr_tensor t = ses_actual(p, id);
    VKB_TRY(grow(s, v, gr_bytes(&t), err));
    v->dtype = t.dtype;
    v->rank = t.rank;
    memcpy(v->dims, t.dims, sizeof v->dims);
    ses_read(p, id, 0, v->own);
    v->data = v->own;
    return VKI_OK;
}

vki_status ses_slot_run(vki_session *s, ses_flight *flight, vki_error *err)
{
    if (s->flights->count == 1) return ses_session_run(s, &flight->watch, err);
    VKB_TRY(load_inputs(s, flight, err));
    VKB_TRY(ses_session_run(s, &flight->watch, err));
    for (int i = 0; i < s->model->source.n_outputs; i++)
        VKB_TRY(keep_output(s, &flight->outputs[i], &s->results[i], err));
    return VKI_OK;
}

/* ---- after it ---- */

/* Where the results of the session's plan are: of its only run, or of a slot that the plan has. */
static vki_status read_plan(vki_session *s, int slot, int output, gr_tensor *t, void *data, vki_error *err)
{
    if (!s->last)
        return vkb_fail(err, VKI_E_STATE,
                        "there are no results: the session has not run since its plan was made, or the last "
                        "run failed; call vki_session_run");
    const ses_result *r = &s->results[output];
    const ses_plan *p = r->stage->plan;
    const gr_id id = p->graph.outputs[r->output];
    *t = ses_actual(p, id);
    if (data) ses_read(p, id, slot, data);
    return VKI_OK;
}

vki_status ses_slot_read(vki_session *s, const ses_flight *flight, int output, gr_tensor *t, void *data,
                         vki_error *err)
{
    const int slot = (int)(flight - s->flights->slots);
    if (s->flights->count == 1 || ses_slots_direct(s)) return read_plan(s, slot, output, t, data, err);
    const ses_value *v = &flight->outputs[output];
    *t = s->model->source.tensors[s->model->source.outputs[output]];
    t->dtype = v->dtype;
    t->rank = v->rank;
    memcpy(t->dims, v->dims, sizeof t->dims);
    if (data) memcpy(data, v->own, (size_t)gr_bytes(t));
    return VKI_OK;
}
