/* SPDX-License-Identifier: Apache-2.0
 * A pool of worker threads for loops over independent tasks. The calling thread works too. Workers spin
 * briefly after a loop, then sleep, so that back-to-back loops of one network start fast and an idle pool
 * costs nothing. */
#ifndef VKB_THREADS_H
#define VKB_THREADS_H

#include "base/base.h"

typedef struct vkb_pool vkb_pool;

/* threads: total including the caller; 0: as many as there are fast cores this process may use (cores.h).
 * VKI_E_NOMEM. */
vki_status vkb_pool_create(const vki_allocator *a, int threads, vkb_pool **out, vki_error *err);
/* The workers, never the caller, stay on cores named as for vkb_cores_choose; 0 threads: as many as these
 * are. VKI_E_ARG, VKI_E_NOMEM, VKI_E_UNSUPPORTED. */
vki_status vkb_pool_create_on(const vki_allocator *a, int threads, const char *cores, vkb_pool **out,
                              vki_error *err);
void vkb_pool_destroy(vkb_pool **pool);
int vkb_pool_threads(const vkb_pool *pool); /* 1 for NULL */

/* Calls fn(arg, begin, end, thread) over disjoint ranges that cover [0, count), each at least `grain` long
 * but the last, up to four a thread; `thread` is in [0, vkb_pool_threads). Returns when all are done. A NULL
 * pool or a count <= grain runs on the caller. One loop at a time a pool; allocates nothing. */
typedef void (*vkb_range_fn)(void *arg, int64_t begin, int64_t end, int thread);
void vkb_parallel_for(vkb_pool *pool, int64_t count, int64_t grain, vkb_range_fn fn, void *arg);

#endif
