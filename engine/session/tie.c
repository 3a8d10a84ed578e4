/* SPDX-License-Identifier: Apache-2.0
 * States: outputs that become inputs of the next run. Where both ends of all ties are buffers of one device
 * plan, its last command buffer copies them. Otherwise the session does when the next run begins, all outputs
 * before all inputs: an output may be (a view of) an input, as in a shift register, and has to be readable
 * until then. */
#include "session/stage.h"

#include <string.h>

/* ---- from names ---- */

static int find(const gr_graph *g, const gr_id *list, int count, const char *name)
{
    for (int i = 0; name && i < count; i++)
        if (!strcmp(g->tensors[list[i]].name, name)) return i;
    return -1;
}

vki_status ses_ties_init(vki_session *s, const vki_session_options *o, vki_error *err)
{
    const gr_graph *g = &s->model->source;
    if (!o->tie_count) return VKI_OK;
    s->ties = vkb_calloc(&s->model->context->allocator, (size_t)o->tie_count, sizeof *s->ties);
    if (!s->ties) return vkb_nomem(err, (uint64_t)o->tie_count * sizeof *s->ties);
    for (int i = 0; i < o->tie_count; i++) {
        const vki_tie *t = &o->ties[i];
        ses_tie tie = {.output = find(g, g->outputs, g->n_outputs, t->output),
                       .input = find(g, g->inputs, g->n_inputs, t->input)};
        if (tie.output < 0 || tie.input < 0)
            return vkb_fail(err, VKI_E_ARG, "a tie from \"%s\" to \"%s\": the model has no %s of that name",
                            t->output ? t->output : "(null)", t->input ? t->input : "(null)",
                            tie.output < 0 ? "output" : "input");
        for (int k = 0; k < i; k++)
            if (s->ties[k].input == tie.input)
                return vkb_fail(err, VKI_E_ARG, "input %s is tied to two outputs", t->input);
        s->ties[s->n_ties++] = tie;
    }
    return VKI_OK;
}

void ses_ties_free(vki_session *s)
{
    const vki_allocator *a = &s->model->context->allocator;
    for (int i = 0; i < s->n_ties; i++) vkb_free(a, s->ties[i].value);
    vkb_free(a, s->ties);
}

/* ---- in a plan ---- */

vki_status ses_bonds_find(const vki_session *s, gr_graph *g, const int *yields, int n_yields, ses_bond **out,
                          int *count, vki_error *err)
{
    *out = NULL;
    *count = 0;
    if (!s->n_ties) return VKI_OK;
    *out = vkb_arena_alloc(&g->arena, (size_t)s->n_ties * sizeof **out);
    if (!*out) return vkb_nomem(err, (uint64_t)s->n_ties * sizeof **out);
    for (int i = 0; i < s->n_ties; i++)
        for (int k = 0; k < n_yields; k++)
            if (yields[k] == s->ties[i].output)
                (*out)[(*count)++] = (ses_bond){
                    .output = g->outputs[k], .input = g->inputs[s->ties[i].input], .tie = i, .segment = -1};
    if (*count < s->n_ties) *count = 0; /* some come from later stages: the session carries them all */
    return VKI_OK;
}

static int32_t memory_of(const gpu_program *program, int32_t buf)
{
    return program->bufs[buf].alias >= 0 ? program->bufs[buf].alias : buf;
}

static const ses_crossing *crossing_of(const ses_plan *p, gr_id tensor, bool upload)
{
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        const ses_crossing *list = upload ? seg->uploads : seg->downloads;
        for (int i = 0; i < (upload ? seg->n_uploads : seg->n_downloads); i++)
            if (list[i].tensor == tensor) return &list[i];
    }
    return NULL;
}

/* Whether the bond's ends are buffers that only the device touches. */
static bool on_device(const ses_plan *p, ses_bond *b, const bool *read_on_cpu)
{
    const ses_crossing *from = crossing_of(p, b->output, false), *to = crossing_of(p, b->input, true);
    const gr_tensor *output = &p->graph.tensors[b->output], *input = &p->graph.tensors[b->input];
    if (!from || !to || read_on_cpu[b->input] || p->options->keep) return false;
    if (input->flags & GR_OUTPUT || output->flags & GR_INPUT || !gr_same_shape(input, output)) return false;
    b->from = from->transfer;
    b->to = to->transfer;
    return true;
}

/* A state of which an output is a part must wait until that has been read. */
static bool is_output_too(const ses_plan *p, int32_t memory)
{
    for (int s = 0; s < p->n_segments; s++)
        for (int i = 0; i < p->segments[s].n_downloads; i++)
            if (memory_of(&p->program, p->segments[s].downloads[i].transfer.buf) == memory) return true;
    return false;
}

void ses_bonds_settle(ses_plan *p, const bool *read_on_cpu)
{
    bool all = true;
    int segment = 0;
    for (int i = 0; i < p->n_bonds; i++) {
        p->bonds[i].on_device = false;
        p->bonds[i].segment = -1;
    }
    for (int i = 0; i < p->n_bonds; i++) all = all && on_device(p, &p->bonds[i], read_on_cpu);
    for (int i = 0; all && i < p->n_bonds; i++)
        all = !is_output_too(p, memory_of(&p->program, p->bonds[i].to.buf));
    for (int i = 0; i < p->n_segments; i++) segment += p->segments[i].gpu;
    for (int i = 0; all && i < p->n_bonds; i++) {
        p->bonds[i].on_device = true;
        p->bonds[i].segment = p->unified ? -1 : segment++;
    }
}

ses_bond *ses_bond_of(const ses_plan *p, gr_id input)
{
    for (int i = 0; i < p->n_bonds; i++)
        if (p->bonds[i].on_device && p->bonds[i].input == input) return &p->bonds[i];
    return NULL;
}

/* ---- in a session ---- */

static vki_status mismatch(const gr_tensor *output, const gr_tensor *input, vki_error *err)
{
    char from[128], to[128];
    return vkb_fail(err, VKI_E_SHAPE, "output %s is %s, but input %s, which it is tied to, is %s",
                    output->name, gr_shape_text(NULL, output, from, sizeof from), input->name,
                    gr_shape_text(NULL, input, to, sizeof to));
}

static bool same_form(const gr_tensor *a, const gr_tensor *b)
{
    return a->dtype == b->dtype && gr_same_shape(a, b);
}

vki_status ses_ties_check(vki_session *s, const ses_stage *root, vki_error *err)
{
    const ses_plan *p = root->plan;
    if (!p) return VKI_OK;
    for (int i = 0; i < s->n_ties; i++) {
        ses_tie *t = &s->ties[i];
        const gr_tensor *input = &p->graph.tensors[p->graph.inputs[t->input]];
        const uint64_t bytes = gr_bytes(input);
        if (t->value && t->capacity >= bytes) continue;
        void *value = bytes < SIZE_MAX ? vkb_alloc(p->allocator, (size_t)bytes + 1) : NULL;
        if (!value) return vkb_nomem(err, bytes);
        vkb_free(p->allocator, t->value);
        t->value = value;
        t->capacity = bytes;
    }
    for (int i = 0; i < p->n_bonds; i++) { /* the outputs of later stages are looked at when they are there */
        const gr_tensor *output = &p->graph.tensors[p->bonds[i].output];
        const gr_tensor *input = &p->graph.tensors[p->bonds[i].input];
        if (!same_form(output, input)) return mismatch(output, input, err);
    }
    return VKI_OK;
}

vki_status ses_ties_reset(vki_session *s, vki_error *err)
{
    const ses_plan *p = s->plan;
    if (!p || (p->model->context->limits && !p->model->context->device)) return VKI_OK; /* planned only */
    for (int i = 0; i < s->n_ties; i++) {
        const ses_tie *t = &s->ties[i];
        const gr_id input = p->graph.inputs[t->input];
        memset(t->value, 0, (size_t)gr_bytes(&p->graph.tensors[input]));
        VKB_TRY(ses_write_input(s->plan, input, 0, t->value, err));
        s->written[t->input] = true;
        ses_ties_given(s, t->input);
    }
    return VKI_OK;
}

void ses_ties_given(vki_session *s, int input)
{
    for (int i = 0; i < s->n_ties; i++)
        if (s->ties[i].input == input) s->ties[i].given = true;
}

/* Whether the session has to carry it now. */
static bool is_due(const vki_session *s, int tie)
{
    if (s->ties[tie].given) return false;
    for (int i = 0; i < s->plan->n_bonds; i++)
        if (s->plan->bonds[i].tie == tie) return !s->plan->bonds[i].on_device;
    return true;
}

vki_status ses_ties_carry(vki_session *s, vki_error *err)
{
    const gr_graph *g = &s->plan->graph;
    for (int i = 0; i < s->n_ties && s->last; i++) {
        const ses_tie *t = &s->ties[i];
        const ses_result *r = &s->results[t->output];
        if (!is_due(s, i)) continue;
        const gr_id id = r->stage->plan->graph.outputs[r->output];
        const gr_tensor output = ses_actual(r->stage->plan, id), *input = &g->tensors[g->inputs[t->input]];
        if (!same_form(&output, input)) return mismatch(&output, input, err);
        ses_read(r->stage->plan, id, 0, t->value);
    }
    for (int i = 0; i < s->n_ties && s->last; i++)
        if (is_due(s, i))
            VKB_TRY(ses_write_input(s->plan, g->inputs[s->ties[i].input], 0, s->ties[i].value, err));
    for (int i = 0; i < s->n_ties; i++) s->ties[i].given = false;
    return VKI_OK;
}
