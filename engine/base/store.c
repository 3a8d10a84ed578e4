/* SPDX-License-Identifier: Apache-2.0 */
#include "base/store.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct entry {
    uint8_t *copy;
    const uint8_t *source; /* in the file; what it is made of */
    uint64_t bytes;
    vkb_make_fn make; /* NULL: a copy */
    void *recipe;
    int holds;
    uint64_t gone;    /* so many bytes from the start on are not in memory */
    bool back, stays; /* they came back to it; are to stay there */
} entry;

struct vkb_store {
    const vki_allocator *allocator;
    vkb_file file;
    pthread_mutex_t lock;
    entry *entries; /* by address of the copy */
    int count, capacity;
};

vki_status vkb_store_create(const vki_allocator *a, vkb_file *file, vkb_store **out, vki_error *err)
{
    vkb_store *s = *out = vkb_calloc(a, 1, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    s->allocator = a;
    s->file = *file;
    *file = (vkb_file){NULL, 0};
    pthread_mutex_init(&s->lock, NULL);
    return VKI_OK;
}

void vkb_store_destroy(vkb_store **store)
{
    vkb_store *s = *store;
    if (!s) return;
    for (int i = 0; i < s->count; i++) {
        vkb_free(s->allocator, s->entries[i].copy);
        vkb_free(s->allocator, s->entries[i].recipe);
    }
    vkb_free(s->allocator, s->entries);
    vkb_file_unmap(&s->file);
    pthread_mutex_destroy(&s->lock);
    vkb_free(s->allocator, s);
    *store = NULL;
}

/* The first `bytes`, part by part, so that never much of the file is in memory. */
static void copy_in(const vkb_store *s, const entry *e, uint64_t bytes)
{
    enum { PART = 2 << 20 };
    vkb_prefault(e->copy, (size_t)bytes);
    for (uint64_t at = 0; at < bytes; at += PART) {
        const uint64_t part = bytes - at < PART ? bytes - at : PART;
        memcpy(e->copy + at, e->source + at, (size_t)part);
        vkb_file_release(&s->file, e->source, at + part);
    }
}

/* The entries before which one for the address has its place. */
static int entries_up_to(const vkb_store *s, const void *data)
{
    int low = 0, high = s->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if ((uintptr_t)s->entries[middle].copy <= (uintptr_t)data)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static entry *find(const vkb_store *s, const void *data)
{
    int i = entries_up_to(s, data) - 1;
    bool inside = i >= 0 && (uintptr_t)data - (uintptr_t)s->entries[i].copy < s->entries[i].bytes;
    return inside ? &s->entries[i] : NULL;
}

/* The first `bytes`, of which what lies on whole pages; the allocator's own data may lie beside it on those
 * at the ends. */
static void leave(entry *e, uint64_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)e->copy;
    const uintptr_t first = (at + page - 1) / page * page, last = (at + (uintptr_t)bytes) / page * page;
    if (first >= last || madvise((void *)first, last - first, MADV_DONTNEED)) return;
    e->gone = bytes;
}

/* What is gone, but of what is made of another one, which comes back whole. That one need not be in memory,
 * nor be so afterwards; who holds it may go on reading what is there. */
static void fill(const vkb_store *s, entry *e)
{
    const uint64_t gone = e->gone;
    e->gone = 0;
    if (!e->make) {
        copy_in(s, e, gone);
        return;
    }
    entry *from = find(s, e->source);
    const uint64_t from_gone = from->gone;
    if (from_gone) fill(s, from);
    vkb_prefault(e->copy, (size_t)e->bytes);
    e->make(e->copy, e->source, e->recipe);
    if (from_gone) leave(from, from_gone);
}

/* Fills it, and takes over what belongs to it. */
static const void *add(vkb_store *s, entry e)
{
    pthread_mutex_lock(&s->lock);
    bool room =
        (!e.make || find(s, e.source)) && VKB_GROW(s->allocator, s->entries, s->capacity, s->count + 1);
    if (room) {
        e.gone = e.bytes;
        fill(s, &e);
        int at = entries_up_to(s, e.copy);
        memmove(&s->entries[at + 1], &s->entries[at], (size_t)(s->count - at) * sizeof e);
        s->entries[at] = e;
        s->count++;
    }
    pthread_mutex_unlock(&s->lock);
    if (room) return e.copy;
    vkb_free(s->allocator, e.copy);
    vkb_free(s->allocator, e.recipe);
    return NULL;
}

const void *vkb_store_copy(vkb_store *s, const void *bytes, uint64_t count)
{
    if (count > SIZE_MAX) return NULL;
    entry e = {.source = bytes, .bytes = count, .copy = vkb_alloc(s->allocator, (size_t)count)};
    return e.copy ? add(s, e) : NULL;
}

const void *vkb_store_make(vkb_store *s, const void *from, uint64_t bytes, vkb_make_fn make,
                           const void *recipe, size_t recipe_bytes)
{
    if (!s || bytes > SIZE_MAX) return NULL;
    entry e = {.source = from, .bytes = bytes, .make = make};
    e.copy = vkb_alloc(s->allocator, (size_t)bytes);
    e.recipe = vkb_alloc(s->allocator, recipe_bytes);
    if (e.copy && e.recipe) {
        memcpy(e.recipe, recipe, recipe_bytes);
        return add(s, e);
    }
    vkb_free(s->allocator, e.copy);
    vkb_free(s->allocator, e.recipe);
    return NULL;
}

bool vkb_store_has_copies(const vkb_store *s)
{
    return s && s->count;
}

bool vkb_store_hold(vkb_store *s, const void *data)
{
    if (!s) return false;
    pthread_mutex_lock(&s->lock);
    entry *e = find(s, data);
    if (e) e->holds++;
    if (e && e->gone) {
        fill(s, e);
        e->stays = e->back; /* what is needed again and again is not worth the copying */
        e->back = true;
    }
    pthread_mutex_unlock(&s->lock);
    return e != NULL;
}

void vkb_store_drop(vkb_store *s, const void *data)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    entry *e = find(s, data);
    if (e) e->holds--;
    pthread_mutex_unlock(&s->lock);
}

void vkb_store_keep(vkb_store *s, const void *data)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    entry *e = find(s, data);
    if (e) e->stays = true;
    pthread_mutex_unlock(&s->lock);
}

void vkb_store_release(vkb_store *s, const void *data, uint64_t bytes)
{
    if (!s) return;
    vkb_file_release(&s->file, data, bytes);
    pthread_mutex_lock(&s->lock);
    entry *e = find(s, data);
    if (e && e->holds == 1 && !e->stays) {
        const bool part = data == e->copy && bytes < e->bytes;
        if (!part) bytes = e->bytes;
        if (bytes > e->gone && !(part && e->make)) leave(e, bytes);
    }
    pthread_mutex_unlock(&s->lock);
}

void vkb_store_release_rest(vkb_store *s)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->count; i++) {
        entry *e = &s->entries[i];
        if (!e->holds && !e->stays && e->gone < e->bytes) leave(e, e->bytes);
    }
    pthread_mutex_unlock(&s->lock);
}
