/* SPDX-License-Identifier: Apache-2.0
 * Read and written ranges of the arena since the last barrier. A barrier is a full one, so it clears the
 * lists; networks put a barrier before nearly every dispatch, which keeps them short. Ranges that meet are
 * joined, so that wide networks have short lists, too. */
#include "gpu/gpu.h"

#include <string.h>

typedef struct range {
    uint64_t begin, end;
} range;

typedef struct range_list { /* sorted; they neither overlap nor touch */
    range *items;
    int count, capacity;
} range_list;

struct gpu_hazards {
    const vki_allocator *allocator;
    range_list read, written;
};

vki_status gpu_hazards_create(const vki_allocator *a, gpu_hazards **out, vki_error *err)
{
    *out = vkb_calloc(a, 1, sizeof **out);
    if (!*out) return vkb_nomem(err, sizeof **out);
    (*out)->allocator = a;
    return VKI_OK;
}

void gpu_hazards_destroy(gpu_hazards **h)
{
    if (*h) {
        const vki_allocator *a = (*h)->allocator;
        vkb_free(a, (*h)->read.items);
        vkb_free(a, (*h)->written.items);
        vkb_free(a, *h);
    }
    *h = NULL;
}

void gpu_hazards_clear(gpu_hazards *h)
{
    h->read.count = h->written.count = 0;
}

/* The first range that ends at `offset` or behind it. */
static int first_at(const range_list *list, uint64_t offset)
{
    int low = 0, high = list->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (list->items[middle].end < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool overlaps(const range_list *list, const range *r)
{
    int i = first_at(list, r->begin);
    if (i < list->count && list->items[i].end == r->begin) i++; /* touches only */
    return i < list->count && list->items[i].begin < r->end;
}

static bool add(const vki_allocator *a, range_list *list, range r)
{
    int from = first_at(list, r.begin), to = from;
    for (; to < list->count && list->items[to].begin <= r.end; to++) {
        if (list->items[to].begin < r.begin) r.begin = list->items[to].begin;
        if (list->items[to].end > r.end) r.end = list->items[to].end;
    }
    if (!VKB_GROW(a, list->items, list->capacity, list->count + 1)) return false;
    memmove(&list->items[from + 1], &list->items[to], (size_t)(list->count - to) * sizeof r);
    list->items[from] = r;
    list->count += 1 - (to - from);
    return true;
}

static range range_of(const gpu_access *access)
{
    return (range){access->offset, access->offset + access->bytes};
}

static bool conflicts(const gpu_hazards *h, const gpu_access *accesses, int count)
{
    for (int i = 0; i < count; i++) {
        const range r = range_of(&accesses[i]);
        if (!accesses[i].bytes) continue;
        if (overlaps(&h->written, &r) || (accesses[i].write && overlaps(&h->read, &r))) return true;
    }
    return false;
}

vki_status gpu_hazards_step(gpu_hazards *h, const gpu_access *accesses, int count, bool *barrier,
                            vki_error *err)
{
    *barrier = conflicts(h, accesses, count);
    if (*barrier) gpu_hazards_clear(h);
    for (int i = 0; i < count; i++)
        if (accesses[i].bytes &&
            !add(h->allocator, accesses[i].write ? &h->written : &h->read, range_of(&accesses[i])))
            return vkb_nomem(err, sizeof(range));
    return VKI_OK;
}

void gpu_arena_range(const gpu_program *p, const gpu_bind *bind, uint64_t *offset, uint64_t *bytes)
{
    const gpu_buf *buf = &p->bufs[bind->index];
    *offset = gpu_buf_offset(p, bind->index) + bind->offset;
    *bytes = bind->bytes ? bind->bytes : buf->bytes - bind->offset;
}

int gpu_accesses(const gpu_program *p, const gpu_dispatch *d, gpu_access *out)
{
    int count = 0;
    for (int i = 0; i < d->n_bind; i++) {
        if (d->bind[i].space != GPU_SPACE_ARENA) continue; /* weights are only read */
        gpu_access *access = &out[count++];
        gpu_arena_range(p, &d->bind[i], &access->offset, &access->bytes);
        access->write = d->bind[i].access & GPU_WRITE;
    }
    return count;
}

vki_status gpu_count_barriers(const gpu_program *p, int first, int count, const vki_allocator *a,
                              int *barriers, vki_error *err)
{
    gpu_hazards *hazards;
    VKB_TRY(gpu_hazards_create(a, &hazards, err));
    vki_status status = VKI_OK;
    for (int i = first; i < first + count && status == VKI_OK; i++) {
        gpu_access accesses[GPU_MAX_BINDINGS];
        bool needed = false;
        if (p->dispatches[i].cut) gpu_hazards_clear(hazards);
        status =
            gpu_hazards_step(hazards, accesses, gpu_accesses(p, &p->dispatches[i], accesses), &needed, err);
        *barriers += needed;
    }
    gpu_hazards_destroy(&hazards);
    return status;
}
