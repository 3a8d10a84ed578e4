/* SPDX-License-Identifier: Apache-2.0
 * Running a chain of stages. Where all stages are there already and outputs lie in host memory, nothing is
 * allocated. */
#include <string.h>

#include "session/stage.h"

vki_status ses_value_of(ses_run_context *r, ses_stage *stage, int output, const ses_value **out)
{
    ses_value *v = &stage->made[output];
    *out = v;
    if (!stage->plan) return VKI_OK; /* a loop makes them itself */
    ses_plan *p = stage->plan;
    gr_id id = p->graph.outputs[output];
    gr_tensor t = ses_actual(p, id);
    v->dtype = t.dtype;
    v->rank = t.rank;
    memcpy(v->dims, t.dims, sizeof v->dims);
    v->data = ses_host_data(p, id);
    if (v->data || !gr_bytes(&t)) return VKI_OK;
    VKB_TRY(ses_value_reserve(p->allocator, v, gr_bytes(&t), r->err));
    ses_read(p, id, 0, v->own);
    v->data = v->own;
    return VKI_OK;
}

static vki_status run_stage(ses_run_context *r, ses_stage *stage, const ses_value *const *inputs,
                            ses_result *results)
{
    stage->run = r->s->run;
    if (!stage->plan) return ses_loop_run(r, stage, inputs);
    const gr_graph *g = &stage->plan->graph;
    for (int i = 0; inputs && i < g->n_inputs; i++) {
        const ses_value *v = inputs[stage->links.feed[i]];
        if (v->data) VKB_TRY(ses_write_input(stage->plan, g->inputs[i], 0, v->data, r->err));
    }
    VKB_TRY(ses_run(stage->plan, r->s->pool, r->watch, r->err));
    for (int i = 0; i < stage->links.n_yields; i++) results[stage->links.yields[i]] = (ses_result){stage, i};
    return VKI_OK;
}

/* What the rest reads: from the stage, or as the stage got it. */
static vki_status make_frame(ses_run_context *r, ses_stage *stage, const ses_value *const *inputs)
{
    for (int i = 0; i < stage->rest.n_inputs; i++) {
        int from = stage->links.next[i];
        if (from < 0)
            stage->frame[i] = inputs[~from];
        else
            VKB_TRY(ses_value_of(r, stage, from, &stage->frame[i]));
    }
    return VKI_OK;
}

vki_status ses_chain_run(ses_run_context *r, ses_stage *first, const ses_value *const *inputs,
                         ses_result *results, ses_stage **last)
{
    ses_stage *stage = first;
    first->busy++;
    vki_status status = run_stage(r, first, inputs, results);
    while (status == VKI_OK && !stage->last) {
        ses_stage *next;
        status = make_frame(r, stage, inputs);
        if (status == VKI_OK) status = ses_stage_get(r->s, stage, &stage->rest, stage->frame, &next, r->err);
        if (status != VKI_OK) break;
        inputs = stage->frame;
        stage = next;
        stage->busy++;
        status = run_stage(r, stage, inputs, results);
    }
    *last = stage;
    for (; stage != first; stage = stage->parent) stage->busy--;
    first->busy--;
    return status;
}

void ses_let_go(vki_session *s)
{
    for (ses_stage *stage = s->last; stage; stage = stage->parent) stage->busy--;
    s->last = NULL;
}

vki_status ses_session_run(vki_session *s, const ses_watch *watch, vki_error *err)
{
    ses_run_context r = {.s = s, .watch = watch, .err = err};
    double start = vkb_now_ms();
    ses_stage *last;
    VKB_TRY(ses_ties_carry(s, err));
    ses_let_go(s);
    s->run++;
    VKB_TRY(ses_chain_run(&r, s->root, NULL, s->results, &last));
    for (ses_stage *stage = s->last = last; stage; stage = stage->parent) stage->busy++;
    if (s->first_run_ms < 0) s->first_run_ms = vkb_now_ms() - start;
    return VKI_OK;
}
