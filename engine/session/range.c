/* SPDX-License-Identifier: Apache-2.0
 * Ranges of input shapes that are declared up front. What plans of the range need is found by planning its
 * corners and its middle; then memory for the most of it is allocated once, and all plans of the root share
 * it, since only one of them is in use at a time. The same shapes are planned for good at once, so that
 * pipelines and packed weights are there as well. */
#include <string.h>

#include "session/stage.h"

enum { MOST_VARIABLES = 3 };

/* ---- what is declared ---- */

static vki_status check_range(const gr_graph *g, const vki_range *r, vki_error *err)
{
    const gr_id t = gr_find_tensor(g, r->input ? r->input : "");
    if (t == GR_NONE || !(g->tensors[t].flags & GR_INPUT))
        return vkb_fail(err, VKI_E_ARG, "a range is given for \"%s\", but the model has no such input",
                        r->input ? r->input : "(null)");
    const gr_tensor *in = &g->tensors[t];
    if (r->rank < 0 || r->rank > VKI_MAX_RANK || (in->rank >= 0 && in->rank != r->rank))
        return vkb_fail(err, VKI_E_ARG, "the range of input %s has %d dimensions, the input has %d", r->input,
                        r->rank, in->rank);
    for (int d = 0; d < r->rank; d++) {
        if (r->min[d] < 1 || r->max[d] < r->min[d])
            return vkb_fail(
                err, VKI_E_ARG,
                "the range of input %s: dimension %d goes from %lld to %lld; it must begin at 1 or "
                "above and not end before it begins",
                r->input, d, (long long)r->min[d], (long long)r->max[d]);
        if (in->rank >= 0 && in->dims[d] >= 0 && (r->min[d] != in->dims[d] || r->max[d] != in->dims[d]))
            return vkb_fail(err, VKI_E_ARG, "the range of input %s: dimension %d is always %lld", r->input, d,
                            (long long)in->dims[d]);
    }
    return VKI_OK;
}

vki_status ses_ranges_init(vki_session *s, const vki_session_options *o, vki_error *err)
{
    const gr_graph *g = &s->model->source;
    if (!o->range_count) return VKI_OK;
    s->ranges = vkb_calloc(&s->model->context->allocator, (size_t)g->n_inputs, sizeof *s->ranges);
    if (!s->ranges) return vkb_nomem(err, (uint64_t)g->n_inputs * sizeof *s->ranges);
    for (int i = 0; i < g->n_inputs; i++) s->ranges[i].rank = -1;
    for (int k = 0; k < o->range_count; k++) {
        VKB_TRY(check_range(g, &o->ranges[k], err));
        for (int i = 0; i < g->n_inputs; i++) {
            if (strcmp(s->shapes[i].input, o->ranges[k].input)) continue;
            s->ranges[i] = o->ranges[k];
            s->ranges[i].input = s->shapes[i].input;
            s->shapes[i].rank = o->ranges[k].rank; /* where no shape is given it begins with the largest */
            memcpy(s->shapes[i].dims, o->ranges[k].max, sizeof s->shapes[i].dims);
        }
    }
    return VKI_OK;
}

vki_status ses_ranges_check(const vki_session *s, const vki_shape *shapes, vki_error *err)
{
    for (int i = 0; s->ranges && i < s->model->source.n_inputs; i++) {
        const vki_range *r = &s->ranges[i];
        if (r->rank < 0) continue;
        if (shapes[i].rank != r->rank)
            return vkb_fail(err, VKI_E_SHAPE, "input %s: a shape of %d dimensions is not in the range of %d",
                            r->input, shapes[i].rank, r->rank);
        for (int d = 0; d < r->rank; d++)
            if (shapes[i].dims[d] < r->min[d] || shapes[i].dims[d] > r->max[d])
                return vkb_fail(
                    err, VKI_E_SHAPE,
                    "input %s: dimension %d is %lld, outside of the range of %lld to %lld that the "
                    "session was created for",
                    r->input, d, (long long)shapes[i].dims[d], (long long)r->min[d], (long long)r->max[d]);
    }
    return VKI_OK;
}

/* ---- which shapes are planned ---- */

typedef enum corner { SMALLEST, MIDDLE, LARGEST } corner;

typedef struct variable { /* dimensions that change together: those of one symbol, or one without */
    int64_t symbol;       /* GR_UNKNOWN: none, then: */
    int input, dim;
} variable;

typedef struct prober {
    vki_session *s;
    variable variables[MOST_VARIABLES];
    int n_variables;
    vki_shape *shapes; /* by input */
} prober;

static bool is_of(const prober *p, const variable *v, int input, int d)
{
    const gr_graph *g = &p->s->model->source;
    const gr_tensor *t = &g->tensors[g->inputs[input]];
    bool symbolic = t->rank >= 0 && t->dims[d] < GR_UNKNOWN;
    if (v->symbol != GR_UNKNOWN) return symbolic && t->dims[d] == v->symbol;
    return v->input == input && v->dim == d;
}

static void find_variables(prober *p)
{
    const vki_session *s = p->s;
    const gr_graph *g = &s->model->source;
    for (int i = 0; i < g->n_inputs; i++) {
        const gr_tensor *t = &g->tensors[g->inputs[i]];
        for (int d = 0; d < s->ranges[i].rank; d++) {
            bool known = s->ranges[i].min[d] == s->ranges[i].max[d];
            for (int k = 0; k < p->n_variables; k++) known = known || is_of(p, &p->variables[k], i, d);
            if (known || p->n_variables == MOST_VARIABLES) continue;
            int64_t symbol = t->rank >= 0 && t->dims[d] < GR_UNKNOWN ? t->dims[d] : GR_UNKNOWN;
            p->variables[p->n_variables++] = (variable){symbol, i, d};
        }
    }
}

/* The middle is a multiple of the largest power of two that divides both ends: networks that halve their
 * input often take no other sizes. */
static int64_t size_at(int64_t min, int64_t max, corner c)
{
    int64_t step = 1, middle = min + (max - min) / 2;
    while (min % (2 * step) == 0 && max % (2 * step) == 0) step *= 2;
    return c == SMALLEST ? min : c == LARGEST ? max : middle / step * step;
}

/* All dimensions at one corner, those of variable `other` (-1: none) at another. */
static void set_shapes(const prober *p, corner all, int other, corner its)
{
    for (int i = 0; i < p->s->model->source.n_inputs; i++) {
        const vki_range *r = &p->s->ranges[i];
        for (int d = 0; d < r->rank; d++) {
            bool its_own = other >= 0 && is_of(p, &p->variables[other], i, d);
            p->shapes[i].dims[d] = size_at(r->min[d], r->max[d], its_own ? its : all);
        }
    }
}

/* Plans a probe. Those between the ends that are the caller's may be no shapes of the network's. */
static vki_status probe(const prober *p, bool must, vki_error *err)
{
    ses_stage *stage;
    vki_status status = ses_root_get(p->s, p->shapes, &stage, err);
    return status == VKI_E_SHAPE && !must ? VKI_OK : status;
}

static vki_status probe_all(const prober *p, vki_error *err)
{
    set_shapes(p, LARGEST, -1, LARGEST);
    VKB_TRY(probe(p, true, err));
    set_shapes(p, SMALLEST, -1, SMALLEST);
    VKB_TRY(probe(p, true, err));
    set_shapes(p, MIDDLE, -1, MIDDLE);
    VKB_TRY(probe(p, false, err));
    for (int k = 0; k < p->n_variables && p->n_variables > 1; k++) {
        set_shapes(p, LARGEST, k, SMALLEST);
        VKB_TRY(probe(p, false, err));
        set_shapes(p, SMALLEST, k, LARGEST);
        VKB_TRY(probe(p, false, err));
    }
    return VKI_OK;
}

/* ---- the memory ---- */

static void at_least(uint64_t *bytes, uint64_t needed)
{
    if (*bytes < needed) *bytes = needed;
}

void ses_reserve_measure(ses_reserve *r, const ses_plan *p)
{
    at_least(&r->host_bytes, p->host_bytes);
    at_least(&r->arena_bytes, p->arena_bytes);
    at_least(&r->staging_bytes, p->staging_bytes);
}

uint64_t ses_reserve_bytes(const ses_reserve *r)
{
    return r ? r->host_bytes + r->arena_bytes + r->staging_bytes : 0;
}

void ses_reserve_free(vki_session *s)
{
    const vki_allocator *a = &s->model->context->allocator;
    if (s->reserve) {
        vkb_free(a, s->reserve->host);
        vkr_memory_destroy(s->model->context->device, &s->reserve->device);
    }
    vkb_free(a, s->reserve);
    vkb_free(a, s->ranges);
}

static vki_status allocate(vki_session *s, vki_error *err)
{
    ses_reserve *r = s->reserve;
    const vki_allocator *a = &s->model->context->allocator;
    uint64_t limit = s->options.memory_limit, bytes = ses_reserve_bytes(r);
    if (limit && bytes > limit)
        return vkb_fail(err, VKI_E_NOMEM,
                        "the ranges of shapes need %llu bytes of activations and staging, more than the "
                        "memory_limit of %llu",
                        (unsigned long long)bytes, (unsigned long long)limit);
    if (r->host_bytes) r->host = r->host_bytes <= SIZE_MAX ? vkb_alloc(a, (size_t)r->host_bytes) : NULL;
    if (r->host_bytes && !r->host) return vkb_nomem(err, r->host_bytes);
    if (!s->model->context->device || !r->arena_bytes) return VKI_OK;
    return vkr_memory_create(s->model->context->device, r->arena_bytes, r->staging_bytes, &r->device, err);
}

static vki_status reserve(const prober *p, vki_error *err)
{
    vki_session *s = p->s;
    s->reserve->measuring = true;
    vki_status status = probe_all(p, err);
    s->reserve->measuring = false;
    ses_stages_forget(s); /* they have no memory */
    VKB_TRY(status);
    VKB_TRY(allocate(s, err));
    return probe_all(p, err);
}

vki_status ses_ranges_reserve(vki_session *s, const vki_shape *shapes, vki_error *err)
{
    const vki_allocator *a = &s->model->context->allocator;
    size_t n = (size_t)s->model->source.n_inputs;
    for (size_t i = 0; i < n; i++)
        if (shapes[i].rank < 0)
            return vkb_fail(err, VKI_E_SHAPE,
                            "ranges need the shapes of all inputs: give one, or a range, for input %s",
                            shapes[i].input);
    prober p = {.s = s, .shapes = vkb_calloc(a, n, sizeof *p.shapes)};
    s->reserve = vkb_calloc(a, 1, sizeof *s->reserve);
    vki_status status = p.shapes && s->reserve ? VKI_OK : vkb_nomem(err, n * sizeof *p.shapes);
    if (status == VKI_OK) {
        memcpy(p.shapes, shapes, n * sizeof *p.shapes);
        find_variables(&p);
        status = reserve(&p, err);
    }
    vkb_free(a, p.shapes);
    return status;
}
