/* SPDX-License-Identifier: Apache-2.0
 * The pool. A loop is cut evenly into one home range a thread, and that into chunks of a half, a quarter, and
 * two eighths. A thread works through its home from the front, so that over loops of equal length it meets
 * the data it had before; when it is done it takes chunks of the others' homes from their ends, the small
 * ones first. Ranges never depend on who runs them. Which chunks of a home are left lies in one 64-bit word
 * with the number of the loop; a claim is one compare-and-swap on it, so that a worker that wakes late finds
 * the chunks gone and can never touch a later loop's by mistake. */
#include "base/threads.h"

#include "base/cores.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    MAX_THREADS = 1024,
    CHUNKS = 4, /* of a home */
    SPINS_BETWEEN_CLOCKS = 64
};
#define SPIN_MS                                                                                              \
    0.05 /* longer than the gap between two loops of a network, shorter than a scheduler's slice */

typedef struct worker {
    vkb_pool *pool;
    pthread_t thread;
    int index;
} worker;

typedef struct home {
    _Alignas(64) atomic_uint_least64_t chunks; /* loop << 32 | first << 16 | end of those that are left */
} home;

struct vkb_pool {
    _Alignas(64) atomic_uint_least64_t loop; /* its number << 32 | homes */
    _Alignas(64) atomic_int pending;         /* chunks of the loop not finished */
    _Alignas(64) atomic_int sleeping;        /* workers in, or about to enter, pthread_cond_wait */
    atomic_int caller_sleeps;
    atomic_bool quit;
    /* The loop. Written before its homes are, read only by the holder of a chunk, which keeps the loop
     * alive. */
    vkb_range_fn fn;
    void *arg;
    int64_t count, grain;
    uint32_t loops;
    const vki_allocator *allocator;
    home *homes;     /* threads */
    worker *workers; /* threads - 1 */
    int threads, started;
    double spin_ms;
    vkb_core_set cores; /* that workers stay on; none: where the system puts them */
    vki_error refused;  /* by the system, the last one; written under `mutex` */
    int settled;        /* workers that stay on their cores, or may not; under `mutex` */
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint32_t loop_of(vkb_pool *p)
{
    return (uint32_t)(atomic_load(&p->loop) >> 32);
}

/* Takes a chunk of home `h` in loop `loop`, the first or the last one; -1 if none is left or the loop is
 * over. */
static int claim(vkb_pool *p, int h, uint32_t loop, bool last)
{
    uint64_t t = atomic_load(&p->homes[h].chunks);
    for (;;) {
        const uint32_t first = (uint32_t)(t >> 16) & 0xffff, end = (uint32_t)t & 0xffff;
        if ((uint32_t)(t >> 32) != loop || first >= end) return -1;
        if (atomic_compare_exchange_weak(&p->homes[h].chunks, &t, last ? t - 1 : t + (1 << 16)))
            return (int)(last ? end - 1 : first);
    }
}

/* Chunk `chunk` of home `h`: whole grains. */
static void run_chunk(vkb_pool *p, int h, int homes, int chunk, int thread)
{
    static const int eighths[CHUNKS + 1] = {0, 4, 6, 7, 8};
    const int64_t grains = vkb_ceil_div(p->count, p->grain), each = grains / homes, extra = grains % homes;
    const int64_t first = h * each + vkb_min(h, extra), n = each + (h < extra);
    const int64_t from = first + vkb_ceil_div(n * eighths[chunk], 8);
    const int64_t to = first + vkb_ceil_div(n * eighths[chunk + 1], 8);
    if (from < to) p->fn(p->arg, from * p->grain, vkb_min(p->count, to * p->grain), thread);
}

static void finish_chunk(vkb_pool *p)
{
    if (atomic_fetch_sub(&p->pending, 1) != 1 || !atomic_load(&p->caller_sleeps)) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->mutex);
}

static void work_on(vkb_pool *p, uint32_t loop, int homes, int thread)
{
    for (int i = 0; i < homes; i++) {
        const int h = (thread + i) % homes;
        const bool own = h == thread;
        for (int chunk; (chunk = claim(p, h, loop, !own)) >= 0;) {
            run_chunk(p, h, homes, chunk, thread);
            finish_chunk(p);
        }
    }
}

/* Waits until a loop other than `seen` is there: spins, then sleeps. */
static void wait_for_loop(vkb_pool *p, uint32_t seen)
{
    if (p->spin_ms > 0) {
        double end = vkb_now_ms() + p->spin_ms;
        do {
            for (int i = 0; i < SPINS_BETWEEN_CLOCKS; i++) {
                if (loop_of(p) != seen) return;
                relax();
            }
        } while (vkb_now_ms() < end);
    }
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->sleeping, 1); /* before the last look: the publisher looks here after publishing */
    while (loop_of(p) == seen) pthread_cond_wait(&p->work, &p->mutex);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->mutex);
}

static void settle(vkb_pool *p)
{
    vki_error err = {0};
    const vki_status status = vkb_cores_stay_on(&p->cores, &err);
    pthread_mutex_lock(&p->mutex);
    if (status != VKI_OK) p->refused = err;
    p->settled++;
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->mutex);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    vkb_pool *p = w->pool;
    if (p->cores.count) settle(p);
    for (uint32_t seen = 0;;) {
        wait_for_loop(p, seen);
        const uint64_t t = atomic_load(&p->loop);
        seen = (uint32_t)(t >> 32);
        if (atomic_load(&p->quit)) return NULL;
        work_on(p, seen, (int)(uint32_t)t, w->index);
    }
}

static void publish(vkb_pool *p, int homes)
{
    p->loops++;
    for (int i = 0; i < homes; i++) atomic_store(&p->homes[i].chunks, (uint64_t)p->loops << 32 | CHUNKS);
    atomic_exchange(&p->loop, (uint64_t)p->loops << 32 | (uint32_t)homes); /* see wait_for_end */
    if (!atomic_load(&p->sleeping)) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mutex);
}

static void wait_for_end(vkb_pool *p)
{
    if (p->spin_ms > 0) {
        double end = vkb_now_ms() + p->spin_ms;
        do {
            for (int i = 0; i < SPINS_BETWEEN_CLOCKS; i++) {
                if (!atomic_load(&p->pending)) return;
                relax();
            }
        } while (vkb_now_ms() < end);
    }
    pthread_mutex_lock(&p->mutex);
    /* Exchanged, not stored, before the last look, as the worker does it the other way round: QEMU 7 on x86
     * lets a load go before the release store in front of it, which ARM does not. */
    atomic_exchange(&p->caller_sleeps, 1);
    while (atomic_load(&p->pending)) pthread_cond_wait(&p->done, &p->mutex);
    atomic_store(&p->caller_sleeps, 0);
    pthread_mutex_unlock(&p->mutex);
}

void vkb_parallel_for(vkb_pool *pool, int64_t count, int64_t grain, vkb_range_fn fn, void *arg)
{
    if (count <= 0) return;
    if (grain < 1) grain = 1;
    if (!pool || pool->threads == 1 || count <= grain) {
        fn(arg, 0, count, 0);
        return;
    }
    const int homes = (int)vkb_min(pool->threads, vkb_ceil_div(count, grain));
    pool->fn = fn;
    pool->arg = arg;
    pool->count = count;
    pool->grain = grain;
    atomic_store(&pool->pending, homes * CHUNKS);
    publish(pool, homes);
    work_on(pool, pool->loops, homes, 0);
    wait_for_end(pool);
}

int vkb_pool_threads(const vkb_pool *pool)
{
    return pool ? pool->threads : 1;
}

static vki_status start_workers(vkb_pool *p, vki_error *err)
{
    for (int i = 0; i < p->threads - 1; i++) {
        p->workers[i] = (worker){.pool = p, .index = i + 1};
        int code = pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]);
        if (code)
            return vkb_fail(err, VKI_E_NOMEM, "cannot start thread %d of %d: %s; ask for fewer threads",
                            i + 2, p->threads, strerror(code));
        p->started++;
    }
    return VKI_OK;
}

static vki_status wait_until_settled(vkb_pool *p, vki_error *err)
{
    pthread_mutex_lock(&p->mutex);
    while (p->settled < p->started) pthread_cond_wait(&p->done, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
    if (p->refused.code == VKI_OK) return VKI_OK;
    return vkb_fail(err, p->refused.code, "%s", p->refused.text);
}

static vki_status start(vkb_pool *p, vki_error *err)
{
    const size_t threads = (size_t)p->threads;
    if (threads == 1) return VKI_OK;
    p->homes = vkb_calloc(p->allocator, threads, sizeof(home));
    p->workers = vkb_calloc(p->allocator, threads - 1, sizeof(worker));
    if (!p->workers || !p->homes) return vkb_nomem(err, threads * (sizeof(worker) + sizeof(home)));
    VKB_TRY(start_workers(p, err));
    return p->cores.count ? wait_until_settled(p, err) : VKI_OK;
}

vki_status vkb_pool_create_on(const vki_allocator *a, int threads, const char *names, vkb_pool **out,
                              vki_error *err)
{
    *out = NULL;
    vkb_cores cores;
    vkb_core_set set;
    vkb_cores_find(&cores, VKB_SYSFS_CPUS);
    VKB_TRY(vkb_cores_choose(&cores, names, &set, err));
    if (threads <= 0) threads = set.count ? set.count : cores.fast.count;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    vkb_pool *p = vkb_calloc(a, 1, sizeof(*p));
    if (!p) return vkb_nomem(err, sizeof(*p));
    p->allocator = a;
    p->threads = threads;
    p->cores = set;
    const bool crowded = threads > cores.usable.count || (set.count && threads - 1 > set.count);
    p->spin_ms = crowded ? 0 : SPIN_MS; /* spinning against one's own threads only delays them */
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    const vki_status status = start(p, err);
    *out = p;
    if (status != VKI_OK) vkb_pool_destroy(out);
    return status;
}

vki_status vkb_pool_create(const vki_allocator *a, int threads, vkb_pool **out, vki_error *err)
{
    return vkb_pool_create_on(a, threads, NULL, out, err);
}

void vkb_pool_destroy(vkb_pool **pool)
{
    vkb_pool *p = *pool;
    if (!p) return;
    *pool = NULL;
    atomic_store(&p->quit, true);
    publish(p, 0);
    for (int i = 0; i < p->started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
    vkb_free(p->allocator, p->workers);
    vkb_free(p->allocator, p->homes);
    vkb_free(p->allocator, p);
}
