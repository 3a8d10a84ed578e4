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
