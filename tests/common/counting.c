/* SPDX-License-Identifier: Apache-2.0 */
#include "common/counting.h"

static void *count_alloc(void *user, size_t bytes, size_t align)
{
    counting *c = user;
    long long call = atomic_fetch_add(&c->calls, 1) + 1, fail_at = atomic_load(&c->fail_at);
    if (fail_at && (c->fail_on ? call >= fail_at : call == fail_at)) return NULL;
    void *p = vkb_libc_allocator.alloc(NULL, bytes, align);
    if (p) atomic_fetch_add(&c->live, 1);
    return p;
}

static void count_free(void *user, void *ptr)
{
    atomic_fetch_sub(&((counting *)user)->live, 1);
    vkb_libc_allocator.free(NULL, ptr);
}

vki_allocator counting_allocator(counting *c)
{
    return (vki_allocator){c, count_alloc, count_free};
}
