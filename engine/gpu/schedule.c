/* SPDX-License-Identifier: Apache-2.0
 * The order of dispatches: those that do not depend on each other share an interval between two barriers, so
 * that small ones fill the device together. List scheduling, interval by interval: an interval takes every
 * dispatch that depends on earlier intervals only. `window` bounds how far ahead of the first dispatch that
 * waits it looks: what runs early holds its output for longer. */
#include "gpu/gpu.h"

#include <string.h>

typedef struct touch { /* of memory, by a dispatch */
    int32_t next;      /* touch of the same memory and kind before this one; -1 */
    int32_t dispatch;
    uint64_t begin, end;
    bool write;
} touch;

typedef struct scheduler {
    const gpu_program *p;
    const vki_allocator *a;
    int first, count;
    touch *touches;
    int32_t *newest[2]; /* by buffer: its last read, its last write; -1 */
    int32_t *edges;     /* what dispatches depend on: those of one after those of the other */
    int32_t *ends;      /* by dispatch: of its edges */
    int n_touches, n_edges, cap_edges;
    int32_t *interval; /* by dispatch; -1: none yet */
    vki_error *err;
} scheduler;

static touch touch_of(const gpu_program *p, const gpu_bind *bind, int32_t dispatch, int32_t *memory)
{
    const gpu_buf *buf = &p->bufs[bind->index];
    const uint64_t begin = (buf->alias >= 0 ? buf->at : 0) + bind->offset;
    const uint64_t bytes = bind->bytes ? bind->bytes : buf->bytes - bind->offset;
    *memory = buf->alias >= 0 ? buf->alias : bind->index;
    return (touch){
        .dispatch = dispatch, .begin = begin, .end = begin + bytes, .write = bind->access & GPU_WRITE};
}

static vki_status add_edge(scheduler *s, int32_t to, int32_t dispatch)
{
    const int32_t begin = dispatch ? s->ends[dispatch - 1] : 0;
    for (int32_t e = begin; e < s->n_edges; e++)
        if (s->edges[e] == to) return VKI_OK;
    if (!VKB_GROW(s->a, s->edges, s->cap_edges, s->n_edges + 1)) return vkb_nomem(s->err, sizeof *s->edges);
    s->edges[s->n_edges++] = to;
    return VKI_OK;
}

/* On those of the list that are newer than *oldest; a write that covers all of it becomes that. */
static vki_status depend_on(scheduler *s, const touch *now, int32_t newest, int32_t *oldest)
{
    for (int32_t i = newest; i > *oldest; i = s->touches[i].next) {
        const touch *t = &s->touches[i];
        if (t->dispatch == now->dispatch || t->begin >= now->end || now->begin >= t->end) continue;
        VKB_TRY(add_edge(s, t->dispatch, now->dispatch));
        if (t->write && t->begin <= now->begin && t->end >= now->end) *oldest = i;
    }
    return VKI_OK;
}

/* Behind a write that covers all of it, nothing older matters; reads do not mind each other. */
static vki_status depend(scheduler *s, const touch *now, int32_t memory)
{
    int32_t oldest = -1;
    VKB_TRY(depend_on(s, now, s->newest[true][memory], &oldest));
    return now->write ? depend_on(s, now, s->newest[false][memory], &oldest) : VKI_OK;
}

static vki_status find_edges(scheduler *s)
{
    for (int i = 0; i < s->p->n_bufs; i++) s->newest[false][i] = s->newest[true][i] = -1;
    for (int32_t i = 0; i < s->count; i++) {
        const gpu_dispatch *d = &s->p->dispatches[s->first + i];
        for (int k = 0; k < d->n_bind; k++) {
            int32_t memory;
            if (d->bind[k].space != GPU_SPACE_ARENA) continue;
            touch *now = &s->touches[s->n_touches];
            *now = touch_of(s->p, &d->bind[k], i, &memory);
            s->ends[i] = s->n_edges;
            VKB_TRY(depend(s, now, memory));
            now->next = s->newest[now->write][memory];
            s->newest[now->write][memory] = s->n_touches++;
        }
        s->ends[i] = s->n_edges;
    }
    return VKI_OK;
}

/* However far ahead: an interval takes what depends on the ones before it. */
static int32_t assign_earliest(scheduler *s)
{
    int32_t intervals = 0;
    for (int32_t i = 0; i < s->count; i++) {
        s->interval[i] = 0;
        for (int32_t e = i ? s->ends[i - 1] : 0; e < s->ends[i]; e++)
            s->interval[i] = (int32_t)vkb_max(s->interval[i], s->interval[s->edges[e]] + 1);
        intervals = (int32_t)vkb_max(intervals, s->interval[i] + 1);
    }
    return intervals;
}

static bool is_ready(const scheduler *s, int32_t i, int32_t now)
{
    for (int32_t e = i ? s->ends[i - 1] : 0; e < s->ends[i]; e++) {
        int32_t before = s->interval[s->edges[e]];
        if (before < 0 || before == now) return false;
    }
    return true;
}

static int32_t assign(scheduler *s, int window)
{
    int32_t head = 0, now = 0;
    if (window >= s->count) return assign_earliest(s);
    for (int i = 0; i < s->count; i++) s->interval[i] = -1;
    for (; head < s->count; now++) {
        int64_t end = vkb_min((int64_t)s->count, (int64_t)head + window);
        for (int32_t i = head; i < end; i++)
            if (s->interval[i] < 0 && is_ready(s, i, now)) s->interval[i] = now;
        while (head < s->count && s->interval[head] >= 0) head++;
    }
    return now;
}

/* Sorted by interval. begin: by interval and one more, zero; in the end where the next one begins. */
static void write_order(const scheduler *s, int32_t intervals, int32_t *begin, gpu_order *out)
{
    for (int32_t i = 0; i < s->count; i++) begin[s->interval[i] + 1]++;
    for (int32_t k = 0; k < intervals; k++) begin[k + 1] += begin[k];
    for (int32_t i = 0; i < s->count; i++) out[s->first + begin[s->interval[i]]++].dispatch = s->first + i;
    for (int32_t k = 0, at = 0; k < intervals; at = begin[k++])
        for (int32_t i = at; i < begin[k]; i++) {
            out[s->first + i].begin = s->first + at;
            out[s->first + i].end = s->first + begin[k] - 1;
        }
}

vki_status gpu_schedule(const gpu_program *p, int first, int count, int window, const vki_allocator *a,
                        gpu_order *out, int *intervals, vki_error *err)
{
    scheduler s = {.p = p, .a = a, .first = first, .count = count, .err = err};
    const size_t n = (size_t)count + 1;
    s.touches = vkb_calloc(a, n * GPU_MAX_BINDINGS, sizeof *s.touches);
    s.newest[false] = vkb_calloc(a, (size_t)p->n_bufs + 1, sizeof **s.newest);
    s.newest[true] = vkb_calloc(a, (size_t)p->n_bufs + 1, sizeof **s.newest);
    s.ends = vkb_calloc(a, n, sizeof *s.ends);
    s.interval = vkb_calloc(a, n, sizeof *s.interval);
    int32_t *begin = vkb_calloc(a, n, sizeof *begin);
    vki_status status = s.touches && s.newest[false] && s.newest[true] && s.ends && s.interval && begin
                            ? find_edges(&s)
                            : vkb_nomem(err, n * GPU_MAX_BINDINGS * sizeof *s.touches);
    if (status == VKI_OK) {
        *intervals = assign(&s, window);
        write_order(&s, *intervals, begin, out);
    }
    vkb_free(a, s.touches);
    vkb_free(a, s.newest[false]);
    vkb_free(a, s.newest[true]);
    vkb_free(a, begin);
    vkb_free(a, s.edges);
    vkb_free(a, s.ends);
    vkb_free(a, s.interval);
    return status;
}
