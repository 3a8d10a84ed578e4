/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <pthread.h>
#include <string.h>

typedef struct entry {
    uint64_t const_key, pack_key, bytes;
    uintptr_t packer;
    void *data;
} entry;

struct ses_cpu_weights {
    const vki_allocator *allocator;
    pthread_mutex_t lock;
    entry *entries;
    int count, capacity;
    uint64_t bytes;
};

vki_status ses_cpu_weights_create(const vki_allocator *a, ses_cpu_weights **out, vki_error *err)
{
    ses_cpu_weights *w = *out = vkb_calloc(a, 1, sizeof *w);
    if (!w) return vkb_nomem(err, sizeof *w);
    w->allocator = a;
    pthread_mutex_init(&w->lock, NULL);
    return VKI_OK;
}

void ses_cpu_weights_destroy(ses_cpu_weights **weights)
{
    ses_cpu_weights *w = *weights;
    if (!w) return;
    for (int i = 0; i < w->count; i++) vkb_free(w->allocator, w->entries[i].data);
    vkb_free(w->allocator, w->entries);
    pthread_mutex_destroy(&w->lock);
    vkb_free(w->allocator, w);
    *weights = NULL;
}

/* Kernels pack all constant inputs of a node together (weights with bias), so the key covers all of them. */
static uint64_t key_of(const cpu_prep *p)
{
    uint64_t key = 0;
    for (int i = 0; i < p->n->n_in; i++) {
        gr_id t = p->n->in[i];
        uint64_t part = gr_is_const(p->g, t) ? p->g->tensors[t].const_key : 0;
        key = vkb_hash(&part, sizeof part, key);
    }
    return key;
}

static uintptr_t packer_of(const cpu_prep *p)
{
    return p->pack_part ? (uintptr_t)p->pack_part : (uintptr_t)p->pack;
}

/* The pages of a part of what is packed come to memory as those leave it that it is made of. */
static void pack(const cpu_prep *p, char *data, vkb_store *spent)
{
    const int64_t bytes = (int64_t)p->weight_bytes, each = vkb_ceil_div(bytes, cpu_pack_parts(p));
    for (int64_t i = 0; i < cpu_pack_parts(p); i++) {
        const int64_t at = i * each, read = (i + 1) * p->part_bytes;
        if (at < bytes) vkb_prefault(data + at, (size_t)vkb_min(each, bytes - at));
        cpu_pack_part(p, data, i);
        if (!read) continue;
        const gr_tensor *t = p->spent[0];
        vkb_store_release(spent, t->data, (uint64_t)vkb_min(read, (int64_t)gr_bytes(t)));
    }
}

static vki_status pack_new(ses_cpu_weights *w, const cpu_prep *p, uint64_t key, vkb_store *spent,
                           const void **out, vki_error *err)
{
    if (!VKB_GROW(w->allocator, w->entries, w->capacity, w->count + 1)) return vkb_nomem(err, sizeof(entry));
    void *data = p->weight_bytes <= SIZE_MAX ? vkb_alloc(w->allocator, (size_t)p->weight_bytes) : NULL;
    if (!data) return vkb_nomem(err, p->weight_bytes);
    pack(p, data, spent);
    w->entries[w->count++] = (entry){key, p->pack_key, p->weight_bytes, packer_of(p), data};
    w->bytes += p->weight_bytes;
    *out = data;
    return VKI_OK;
}

static const void *find(const ses_cpu_weights *w, const cpu_prep *p, uint64_t key)
{
    for (int i = 0; i < w->count; i++) {
        const entry *e = &w->entries[i];
        if (e->const_key == key && e->pack_key == p->pack_key && e->packer == packer_of(p) &&
            e->bytes == p->weight_bytes)
            return e->data;
    }
    return NULL;
}

vki_status ses_cpu_weights_get(ses_cpu_weights *w, const cpu_prep *p, vkb_store *spent, const void **out,
                               vki_error *err)
{
    *out = NULL;
    if (!p->weight_bytes) return VKI_OK;
    uint64_t key = key_of(p);
    pthread_mutex_lock(&w->lock);
    *out = find(w, p, key);
    vki_status status = *out ? VKI_OK : pack_new(w, p, key, spent, out, err);
    pthread_mutex_unlock(&w->lock);
    return status;
}

bool ses_cpu_weights_have(ses_cpu_weights *w, const cpu_prep *p)
{
    if (!p->weight_bytes) return true;
    uint64_t key = key_of(p);
    pthread_mutex_lock(&w->lock);
    bool have = find(w, p, key) != NULL;
    pthread_mutex_unlock(&w->lock);
    return have;
}

uint64_t ses_cpu_weights_key(const cpu_prep *p)
{
    const uint64_t all[] = {key_of(p), p->pack_key, p->weight_bytes, packer_of(p)};
    return vkb_hash(all, sizeof all, 0);
}

uint64_t ses_cpu_weights_bytes(ses_cpu_weights *w)
{
    pthread_mutex_lock(&w->lock);
    uint64_t bytes = w->bytes;
    pthread_mutex_unlock(&w->lock);
    return bytes;
}
