/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Large blocks ask for huge pages: a fault fills 2 MiB rather than 4 KiB, and the TLB covers all of them. */
static void *libc_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    void *p = NULL;
#ifdef MADV_HUGEPAGE
    const size_t huge = (size_t)2 << 20;
    if (bytes >= 2 * huge && align <= huge) {
        if (posix_memalign(&p, huge, bytes)) return NULL;
        madvise(p, bytes / huge * huge, MADV_HUGEPAGE); /* where it is refused, small pages do as well */
        return p;
    }
#endif
    return posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, bytes) ? NULL : p;
}

static void libc_free(void *user, void *ptr)
{
    (void)user;
    free(ptr);
}

const vki_allocator vkb_libc_allocator = {NULL, libc_alloc, libc_free};

void *vkb_alloc(const vki_allocator *a, size_t bytes)
{
    return a->alloc(a->user, bytes ? bytes : 1, 64);
}

void vkb_prefault(void *p, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    enum { LEAST = 64 << 10 };
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = (uintptr_t)p + bytes;
    const uintptr_t first = ((uintptr_t)p + page - 1) / page * page;
    if (bytes >= LEAST) madvise((void *)first, end / page * page - first, MADV_POPULATE_WRITE);
#else
    (void)p;
    (void)bytes;
#endif
}

void *vkb_calloc(const vki_allocator *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) return NULL;
    void *p = vkb_alloc(a, count * size);
    if (p) memset(p, 0, count * size);
    return p;
}

void vkb_free(const vki_allocator *a, void *ptr)
{
    if (ptr) a->free(a->user, ptr);
}

bool vkb_grow(const vki_allocator *a, void **array, int *capacity, int need, size_t size)
{
    if (need <= *capacity) return true;
    int wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted < need) {
        if (wanted > INT32_MAX / 2) return false;
        wanted *= 2;
    }
    if ((size_t)wanted > SIZE_MAX / size) return false;
    void *grown = vkb_alloc(a, (size_t)wanted * size);
    if (!grown) return false;
    if (*array) memcpy(grown, *array, (size_t)*capacity * size);
    vkb_free(a, *array);
    *array = grown;
    *capacity = wanted;
    return true;
}
