/* SPDX-License-Identifier: Apache-2.0
 * Read and written ranges of the arena since the last barrier. A barrier is a full one, so it clears the
 * list; networks put a barrier before nearly every dispatch, which keeps the list short. */
#include "gpu/gpu.h"

struct gpu_hazards {
    const vki_allocator *allocator;
    gpu_access *seen;
    int n_seen, cap_seen;
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
        vkb_free(a, (*h)->seen);
        vkb_free(a, *h);
    }
    *h = NULL;
}

void gpu_hazards_clear(gpu_hazards *h)
{
    h->n_seen = 0;
}

static bool conflict(const gpu_access *a, const gpu_access *b)
{
    if ((!a->write && !b->write) || !a->bytes || !b->bytes) return false;
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static bool conflicts(const gpu_hazards *h, const gpu_access *accesses, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < h->n_seen; k++)
            if (conflict(&accesses[i], &h->seen[k])) return true;
    return false;
}

vki_status gpu_hazards_step(gpu_hazards *h, const gpu_access *accesses, int count, bool *barrier,
                            vki_error *err)
{
    *barrier = conflicts(h, accesses, count);
    if (*barrier) h->n_seen = 0;
    if (!VKB_GROW(h->allocator, h->seen, h->cap_seen, h->n_seen + count))
        return vkb_nomem(err, (uint64_t)(h->n_seen + count) * sizeof *h->seen);
    for (int i = 0; i < count; i++) h->seen[h->n_seen++] = accesses[i];
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
