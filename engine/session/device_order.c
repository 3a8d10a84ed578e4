/* SPDX-License-Identifier: Apache-2.0
 * The order of a plan's dispatches, chosen together with their memory: dispatches that share an interval
 * between barriers must not share memory. Orders that look ahead by different lengths are tried; the one with
 * the fewest barriers is taken whose arena stays within a tenth of the least that the order of the graph
 * needs. */
#include "session/session.h"

#include <string.h>

enum { ANY_DISTANCE = INT32_MAX, A_LITTLE = 8 };

static vki_status count_barriers(const ses_plan *p, int *barriers, vki_error *err)
{
    *barriers = 0;
    for (int i = 0; i < p->n_segments; i++)
        if (p->segments[i].gpu)
            VKB_TRY(gpu_count_barriers(&p->program, p->segments[i].first_dispatch,
                                       p->segments[i].n_dispatches, p->allocator, barriers, err));
    return VKI_OK;
}

/* What an interval touches is there from its beginning to its end. */
static void widen_lifetimes(gpu_program *program, const gpu_order *order)
{
    for (int i = 0; i < program->n_bufs; i++) {
        gpu_buf *b = &program->bufs[i];
        if (b->alias >= 0 || b->last < 0) continue;
        if (b->first < program->n_dispatches) b->first = order[b->first].begin;
        if (b->last < program->n_dispatches) b->last = order[b->last].end;
    }
}

/* Barriers are those between the intervals of each segment. */
static vki_status make_order(const ses_plan *p, int window, gpu_order *order, int *barriers, vki_error *err)
{
    int intervals;
    *barriers = 0;
    for (int i = 0; i < p->n_segments; i++) {
        const ses_segment *seg = &p->segments[i];
        if (!seg->gpu || !seg->n_dispatches) continue;
        VKB_TRY(gpu_schedule(&p->program, seg->first_dispatch, seg->n_dispatches, window, p->allocator, order,
                             &intervals, err));
        *barriers += intervals - 1;
    }
    return VKI_OK;
}

/* Brings the graph's order into another; the lifetimes are those of that. */
static void apply(ses_plan *p, const gpu_dispatch *graph_order, const gpu_order *order)
{
    for (int i = 0; i < p->program.n_dispatches; i++)
        p->program.dispatches[i] = graph_order[order[i].dispatch];
    ses_device_touch(p);
    widen_lifetimes(&p->program, order);
}

static vki_status try_orders(ses_plan *p, gpu_dispatch *graph_order, gpu_order *order, vki_error *err)
{
    static const int windows[] = {ANY_DISTANCE, A_LITTLE};
    gpu_program *program = &p->program;
    const size_t bytes = (size_t)program->n_dispatches * sizeof *graph_order;
    int barriers, fewer;
    bool changed = false;
    VKB_TRY(ses_device_lay_out(p, err));
    VKB_TRY(count_barriers(p, &barriers, err));
    const uint64_t tenth_more = p->arena_lower_bound + p->arena_lower_bound / 10;
    const uint64_t most = p->arena_bytes > tenth_more ? p->arena_bytes : tenth_more;
    if (bytes) memcpy(graph_order, program->dispatches, bytes);
    for (size_t i = 0; i < VKB_COUNT(windows); i++) {
        VKB_TRY(make_order(p, windows[i], order, &fewer, err));
        if (fewer >= barriers) break;
        changed = true;
        apply(p, graph_order, order);
        VKB_TRY(ses_device_lay_out(p, err));
        if (p->arena_bytes <= most) return VKI_OK;
        memcpy(program->dispatches, graph_order, bytes);
        ses_device_touch(p);
    }
    return changed ? ses_device_lay_out(p, err) : VKI_OK;
}

vki_status ses_device_order(ses_plan *p, vki_error *err)
{
    const size_t n = (size_t)p->program.n_dispatches;
    if (!gr_pass_is_on(&pass_intervals, p->options->disable_passes)) return ses_device_lay_out(p, err);
    gpu_dispatch *graph_order = vkb_calloc(p->allocator, n, sizeof *graph_order);
    gpu_order *order = vkb_calloc(p->allocator, n, sizeof *order);
    vki_status status = graph_order && order ? try_orders(p, graph_order, order, err)
                                             : vkb_nomem(err, n * sizeof *graph_order);
    vkb_free(p->allocator, graph_order);
    vkb_free(p->allocator, order);
    return status;
}
