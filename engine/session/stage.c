/* SPDX-License-Identifier: Apache-2.0
 * The tree of stages: looking one up, making it, dropping those not used for long. */
#include "session/stage.h"

#include <string.h>

#include "session/flight.h"

/* ---- values ---- */

uint64_t ses_value_bytes(const ses_value *v)
{
    gr_tensor t = {.dtype = v->dtype, .rank = v->rank};
    memcpy(t.dims, v->dims, sizeof t.dims);
    return gr_bytes(&t);
}

vki_status ses_value_reserve(const vki_allocator *a, ses_value *v, uint64_t bytes, vki_error *err)
{
    if (v->own && v->capacity >= bytes) return VKI_OK;
    void *own = bytes <= SIZE_MAX ? vkb_alloc(a, (size_t)bytes) : NULL;
    if (!own) return vkb_nomem(err, bytes);
    vkb_free(a, v->own);
    v->own = own;
    v->capacity = bytes;
    return VKI_OK;
}

static bool same_shape(const ses_value *a, const ses_value *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           (a->rank <= 0 || !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]));
}

/* ---- the tree ---- */

static void stage_free(vki_session *s, ses_stage *stage)
{
    const vki_allocator *a = &s->model->context->allocator;
    int outputs = stage->plan ? stage->plan->graph.n_outputs : stage->loop.n_outputs;
    for (int i = 0; stage->made && i < outputs; i++) vkb_free(a, stage->made[i].own);
    for (int i = 0; i < stage->n_wanted; i++) vkb_free(a, stage->wanted[i].data);
    vkb_free(a, stage->made);
    vkb_free(a, stage->frame);
    vkb_free(a, stage->wanted);
    vkb_free(a, stage->shapes);
    gr_free(&stage->rest);
    gr_free(&stage->loop);
    ses_plan_destroy(&stage->plan);
    if (stage->parent) stage->parent->n_children--;
    vkb_free(a, stage);
}

static void stage_drop(vki_session *s, int index)
{
    stage_free(s, s->stages[index]);
    s->stages[index] = s->stages[--s->n_stages];
}

static uint64_t stage_bytes(const ses_stage *stage)
{
    return stage->plan ? ses_plan_own_bytes(stage->plan) : 0;
}

/* The one to drop next: not in use, nothing below it, unused for longest. -1: all are needed. */
static int oldest(const vki_session *s)
{
    int found = -1;
    for (int i = 0; i < s->n_stages; i++) {
        const ses_stage *stage = s->stages[i];
        if (stage->busy || stage->n_children || stage == s->root) continue;
        if (found < 0 || stage->used < s->stages[found]->used) found = i;
    }
    return found;
}

static bool drop_oldest(vki_session *s)
{
    int i = oldest(s);
    if (i >= 0) stage_drop(s, i);
    return i >= 0;
}

static uint64_t idle_bytes(const vki_session *s)
{
    uint64_t bytes = 0;
    for (int i = 0; i < s->n_stages; i++)
        if (!s->stages[i]->busy && s->stages[i] != s->root && s->stages[i]->run != s->run)
            bytes += stage_bytes(s->stages[i]);
    return bytes;
}

static uint64_t all_bytes(const vki_session *s, uint64_t *weights)
{
    uint64_t bytes = s->flights->bytes + ses_reserve_bytes(s->reserve);
    *weights = 0;
    for (int i = 0; i < s->n_stages; i++) {
        const ses_plan *p = s->stages[i]->plan;
        bytes += stage_bytes(s->stages[i]);
        if (p && ses_plan_weight_bytes(p) > *weights) *weights = ses_plan_weight_bytes(p);
    }
    return bytes;
}

vki_status ses_stages_trim(vki_session *s, vki_error *err)
{
    uint64_t limit = s->options.memory_limit, weights, bytes;
    while ((s->n_stages > SES_STAGES_MAX || idle_bytes(s) > SES_IDLE_BYTES) && drop_oldest(s)) continue;
    bytes = all_bytes(s, &weights);
    while (limit && bytes + weights > limit && drop_oldest(s)) bytes = all_bytes(s, &weights);
    if (!limit || bytes + weights <= limit) return VKI_OK;
    return vkb_fail(err, VKI_E_NOMEM,
                    "the stages of the network need %llu bytes (weights %llu, activations and staging %llu), "
                    "more than the memory_limit of %llu",
                    (unsigned long long)(bytes + weights), (unsigned long long)weights,
                    (unsigned long long)bytes, (unsigned long long)limit);
}

void ses_stages_forget(vki_session *s)
{
    while (drop_oldest(s)) continue;
}

void ses_stages_free(vki_session *s)
{
    s->root = NULL;
    for (int i = 0; i < s->n_stages; i++) s->stages[i]->busy = 0;
    while (drop_oldest(s)) continue;
    vkb_free(&s->model->context->allocator, s->stages);
    s->stages = NULL;
}

/* ---- making one ---- */

typedef struct maker {
    vki_session *s;
    ses_stage *stage;
    const ses_value *const *inputs; /* by input of the source */
    gr_graph g;
    ses_held held;
    int *feed;    /* by input of g: of the source */
    int *outputs; /* by output of g: of the network */
    vki_error *err;
} maker;

static vki_status bind_inputs(maker *m)
{
    gr_graph *g = &m->g;
    vki_shape *shapes;
    if (m->stage->parent) {
        for (int i = 0; i < g->n_inputs; i++) {
            gr_tensor *t = &g->tensors[g->inputs[i]];
            const ses_value *v = m->inputs[i];
            t->dtype = v->dtype;
            t->rank = v->rank;
            memcpy(t->dims, v->dims, sizeof t->dims);
        }
        return gr_infer(g, m->err);
    }
    shapes = vkb_calloc(g->allocator, (size_t)g->n_inputs, sizeof *shapes);
    if (!shapes) return vkb_nomem(m->err, (uint64_t)g->n_inputs * sizeof *shapes);
    for (int i = 0; i < g->n_inputs; i++) {
        shapes[i] = (vki_shape){.input = g->tensors[g->inputs[i]].name, .rank = m->inputs[i]->rank};
        memcpy(shapes[i].dims, m->inputs[i]->dims, sizeof shapes[i].dims);
    }
    vki_status status = gr_bind_shapes(g, shapes, g->n_inputs, m->err);
    vkb_free(g->allocator, shapes);
    return status;
}

/* Input `at` of g becomes a constant. */
static vki_status want(maker *m, int at)
{
    gr_graph *g = &m->g;
    ses_stage *stage = m->stage;
    gr_id t = g->inputs[at];
    int input = m->feed[at];
    size_t bytes = (size_t)ses_value_bytes(m->inputs[input]);
    if (!VKB_GROW(g->allocator, stage->wanted, stage->cap_wanted, stage->n_wanted + 1))
        return vkb_nomem(m->err, sizeof *stage->wanted);
    void *data = vkb_alloc(g->allocator, bytes);
    if (!data) return vkb_nomem(m->err, bytes);
    if (bytes) memcpy(data, m->inputs[input]->data, bytes);
    stage->wanted[stage->n_wanted++] = (ses_wanted){input, bytes, data};
    if (!gr_make_const(g, t, data, true)) return vkb_nomem(m->err, bytes);
    g->tensors[t].flags &= ~(uint32_t)GR_INPUT;
    g->n_inputs--;
    for (int i = at; i < g->n_inputs; i++) {
        g->inputs[i] = g->inputs[i + 1];
        m->feed[i] = m->feed[i + 1];
    }
    return VKI_OK;
}

static bool has_unknown(const gr_graph *g, const gr_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && !gr_is_concrete(&g->tensors[n->out[i]])) return true;
    return false;
}

/* Makes constants of the inputs whose values nodes need for their shapes. */
static vki_status find_wanted(maker *m, bool *found)
{
    gr_graph *g = &m->g;
    *found = false;
    for (gr_id i = 0; i < g->n_nodes && m->stage->parent; i++) {
        gr_node *n = &g->nodes[i];
        uint64_t wants;
        if (n->dead || op_get(n->op)->flags & OP_DATA_SHAPED || !has_unknown(g, n)) continue;
        VKB_TRY(gr_infer_wants(g, n, &wants, m->err));
        for (int k = 0; k < n->n_in && k < 64; k++) {
            gr_id t = wants >> k & 1 ? n->in[k] : GR_NONE;
            if (t == GR_NONE || !(g->tensors[t].flags & GR_INPUT) ||
                gr_elements(&g->tensors[t]) > SES_WANTED_MAX)
                continue;
            int at = 0;
            while (g->inputs[at] != t) at++;
            VKB_TRY(want(m, at));
            *found = true;
        }
    }
    return VKI_OK;
}

/* A graph with all the shapes that can be known. */
static vki_status make_graph(maker *m)
{
    const ses_options *o = &m->s->options;
    const gr_pass_options passes = {.evaluator = &ses_evaluator,
                                    .disable = o->disable_passes,
                                    .no_fusion = o->reference,
                                    .for_devices = m->s->model->context->limits != NULL};
    vkb_store *constants = m->s->model->constants;
    VKB_TRY(gr_clone(&m->g, m->stage->source, m->err));
    VKB_TRY(ses_hold(constants, &m->g, &m->held, m->err));
    vkb_store_release_rest(constants);
    VKB_TRY(bind_inputs(m));
    for (bool more = true, first = true; more; first = false) {
        VKB_TRY(find_wanted(m, &more));
        if (more || first) VKB_TRY(gr_optimize(&m->g, &passes, m->err));
    }
    for (int i = 0; i < m->g.n_inputs; i++) {
        const gr_tensor *t = &m->g.tensors[m->g.inputs[i]];
        if (!gr_is_concrete(t))
            return vkb_fail(m->err, VKI_E_SHAPE,
                            "the shape of input %s is not known: give it in the options or by "
                            "vki_session_reshape",
                            t->name);
    }
    return VKI_OK;
}

static vki_status make_buffers(maker *m, bool loop)
{
    ses_stage *stage = m->stage;
    const gr_graph *g = loop ? &stage->loop : &stage->plan->graph;
    stage->made = vkb_calloc(g->allocator, (size_t)g->n_outputs, sizeof *stage->made);
    stage->frame = vkb_calloc(g->allocator, (size_t)stage->rest.n_inputs, sizeof *stage->frame);
    if (stage->made && stage->frame) return VKI_OK;
    return vkb_nomem(m->err, (uint64_t)g->n_outputs * sizeof *stage->made);
}

static vki_status make_stage(maker *m)
{
    ses_stage *stage = m->stage;
    double start = vkb_now_ms();
    bool loop = false;
    VKB_TRY(make_graph(m));
    VKB_TRY(ses_cut(&m->g, !stage->parent, m->feed, m->outputs, &stage->links, &stage->rest, &stage->last,
                    &loop, m->err));
    if (loop) {
        ses_keep_all(m->s->model->constants, &m->g);
        stage->loop = m->g;
        gr_init(&m->g, stage->loop.allocator);
    } else {
        ses_bond *bonds = NULL;
        int n_bonds = 0;
        if (!stage->parent)
            VKB_TRY(ses_bonds_find(m->s, &m->g, stage->links.yields, stage->links.n_yields, &bonds, &n_bonds,
                                   m->err));
        int slots = !stage->parent && stage->last && !m->s->n_ties ? m->s->options.in_flight : 1;
        VKB_TRY(ses_plan_create(m->s->model, &m->s->options, &m->g, bonds, n_bonds, slots,
                                stage->parent ? NULL : m->s->reserve, start, &stage->plan, m->err));
    }
    return make_buffers(m, loop);
}

/* Which outputs of the network those of the source are: its own, or what the parent left. */
static const int *source_outputs(const ses_stage *stage)
{
    bool rest = stage->parent && stage->source == &stage->parent->rest;
    return rest ? stage->parent->links.rest_outputs : NULL;
}

static vki_status prepare(maker *m)
{
    const gr_graph *source = m->stage->source;
    const vki_allocator *a = source->allocator;
    const int *outputs = source_outputs(m->stage);
    m->feed = vkb_calloc(a, (size_t)source->n_inputs + (size_t)source->n_outputs, sizeof *m->feed);
    m->stage->shapes = vkb_calloc(a, (size_t)source->n_inputs, sizeof *m->stage->shapes);
    if (!m->feed || !m->stage->shapes)
        return vkb_nomem(m->err, (uint64_t)source->n_inputs * sizeof(ses_value));
    m->outputs = m->feed + source->n_inputs;
    for (int i = 0; i < source->n_outputs; i++) m->outputs[i] = outputs ? outputs[i] : i;
    for (int i = 0; i < source->n_inputs; i++) {
        m->feed[i] = i;
        m->stage->shapes[i] = *m->inputs[i];
        m->stage->shapes[i].data = m->stage->shapes[i].own = NULL;
    }
    return VKI_OK;
}

static vki_status make(vki_session *s, ses_stage *stage, const ses_value *const *inputs, vki_error *err)
{
    maker m = {.s = s, .stage = stage, .inputs = inputs, .err = err};
    gr_init(&m.g, stage->source->allocator);
    vki_status status = prepare(&m);
    if (status == VKI_OK) status = make_stage(&m);
    gr_free(&m.g);
    ses_unhold(s->model->constants, stage->source->allocator, &m.held);
    vkb_free(stage->source->allocator, m.feed);
    return status;
}

static vki_status add_stage(vki_session *s, ses_stage *parent, const gr_graph *source,
                            const ses_value *const *inputs, ses_stage **out, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    if (!VKB_GROW(a, s->stages, s->cap_stages, s->n_stages + 1)) return vkb_nomem(err, sizeof *s->stages);
    ses_stage *stage = vkb_calloc(a, 1, sizeof *stage);
    if (!stage) return vkb_nomem(err, sizeof *stage);
    gr_init(&stage->rest, a);
    gr_init(&stage->loop, a);
    stage->source = source;
    stage->parent = parent;
    if (parent) parent->n_children++;
    vki_status status = make(s, stage, inputs, err);
    if (status != VKI_OK) {
        stage_free(s, stage);
        return status;
    }
    s->stages[s->n_stages++] = *out = stage;
    return VKI_OK;
}

/* ---- looking one up ---- */

static bool fits(const ses_stage *stage, const ses_stage *parent, const gr_graph *source,
                 const ses_value *const *inputs)
{
    if (stage->parent != parent || stage->source != source) return false;
    for (int i = 0; i < source->n_inputs; i++)
        if (!same_shape(&stage->shapes[i], inputs[i])) return false;
    for (int i = 0; i < stage->n_wanted; i++) {
        const ses_wanted *w = &stage->wanted[i];
        if (w->bytes && memcmp(w->data, inputs[w->input]->data, w->bytes)) return false;
    }
    return true;
}

vki_status ses_stage_get(vki_session *s, ses_stage *parent, const gr_graph *source,
                         const ses_value *const *inputs, ses_stage **out, vki_error *err)
{
    *out = NULL;
    for (int i = 0; i < s->n_stages && !*out; i++)
        if (fits(s->stages[i], parent, source, inputs)) *out = s->stages[i];
    if (!*out) {
        vki_status status = add_stage(s, parent, source, inputs, out, err);
        /* Memory may be short for what is only kept: without that, once more. */
        if (status == VKI_E_NOMEM && oldest(s) >= 0) {
            while (drop_oldest(s)) continue;
            status = add_stage(s, parent, source, inputs, out, err);
        }
        VKB_TRY(status);
        (*out)->busy++;
        status = ses_stages_trim(s, err);
        (*out)->busy--;
        if (status != VKI_OK) {
            for (int i = 0; i < s->n_stages; i++)
                if (s->stages[i] == *out) stage_drop(s, i--);
            *out = NULL;
            return status;
        }
    }
    (*out)->used = ++s->clock;
    return VKI_OK;
}

/* ---- all of a run ---- */

static void each(const vki_session *s, const ses_stage *parent, ses_stage_fn fn, void *user)
{
    uint64_t after = 0; /* children in the order of their use */
    for (;;) {
        ses_stage *next = NULL;
        for (int i = 0; i < s->n_stages; i++) {
            ses_stage *stage = s->stages[i];
            bool wanted = parent ? stage->parent == parent && stage->run == s->run : stage == s->root;
            if (!wanted || stage->used <= after || (next && stage->used > next->used)) continue;
            next = stage;
        }
        if (!next) return;
        after = next->used;
        fn(user, next);
        if (next->run == s->run && s->run) each(s, next, fn, user);
    }
}

void ses_stages_each(const vki_session *s, ses_stage_fn fn, void *user)
{
    each(s, NULL, fn, user);
}
