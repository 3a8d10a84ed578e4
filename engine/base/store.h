/* SPDX-License-Identifier: Apache-2.0
 * Constants of a model that need not stay in memory, since the model's file has them: those that are used
 * where they are mapped, copies of those that lie there unaligned, and what is made of these. Thread safe. */
#ifndef BASE_STORE_H
#define BASE_STORE_H

#include "base/base.h"

typedef struct vkb_store vkb_store;

enum { VKB_STORE_LEAST = 64 << 10 }; /* bytes from which on a copy is worth an entry */

/* Takes the mapped file over, leaving it empty, if that succeeds. */
vki_status vkb_store_create(const vki_allocator *a, vkb_file *file, vkb_store **out, vki_error *err);
void vkb_store_destroy(vkb_store **store);
/* A copy, 64-byte aligned, of bytes of the file, whose pages do not stay in memory. NULL if exhausted. */
const void *vkb_store_copy(vkb_store *store, const void *bytes, uint64_t count);

/* A constant of `bytes` that is made of another one's content, and again when it has left memory. NULL if
 * exhausted, or if the store does not know the other one. The recipe is copied. */
typedef void (*vkb_make_fn)(void *to, const void *from, const void *recipe);
const void *vkb_store_make(vkb_store *store, const void *from, uint64_t bytes, vkb_make_fn make,
                           const void *recipe, size_t recipe_bytes);

/* In what follows `data` may be any address: where the store knows nothing of it nothing happens. */
bool vkb_store_has_copies(const vkb_store *store); /* not while others may copy */
/* Until vkb_store_drop, as often, the content is there to be read. What had left is read again, and
 * the second time it stays. false: the store knows nothing of it. */
bool vkb_store_hold(vkb_store *store, const void *data);
void vkb_store_drop(vkb_store *store, const void *data);
/* The content is there as long as the store. Only while it is held. */
void vkb_store_keep(vkb_store *store, const void *data);
/* The caller, who holds it, has read it, or its first `bytes`, for the last time: unless somebody keeps it or
 * another one holds it, it leaves memory. What is mapped may do so in any case, since it comes back when it
 * is read. */
void vkb_store_release(vkb_store *store, const void *data, uint64_t bytes);
/* So do all copies that nobody holds or keeps. */
void vkb_store_release_rest(vkb_store *store);

#endif
