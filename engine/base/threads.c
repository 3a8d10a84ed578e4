/* SPDX-License-Identifier: Apache-2.0
 * The pool. A loop is cut into at most one part a thread. Everything a worker needs to claim a part lies in
 * one 64-bit word, the ticket: which loop it is, how many parts it has, and the next part to take. A claim is
 * one compare-and-swap on it, so that a worker that wakes late finds the parts gone (the caller takes what
 * nobody has started) and can never touch a later loop's part by mistake. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_THREADS = 1024, /* parts fit into 16 bits of the ticket */
    SPINS_BETWEEN_CLOCKS = 64
};
#define SPIN_MS                                                                                              \
    0.05 /* longer than the gap between two loops of a network, shorter than a scheduler's slice */

typedef struct worker {
    vkb_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct vkb_pool {
    _Alignas(64) atomic_uint_least64_t ticket; /* loop << 32 | parts << 16 | next part */
    _Alignas(64) atomic_int pending;           /* parts of the loop not finished */
    _Alignas(64) atomic_int sleeping;          /* workers in, or about to enter, pthread_cond_wait */
    atomic_int caller_sleeps;
    atomic_bool quit;
    /* The loop. Written before the ticket is published, read only by the holder of a part, whose part keeps
     * the loop alive. */
    vkb_range_fn fn;
    void *arg;
    int64_t count, grain;
    uint32_t loops;
    const vki_allocator *allocator;
    worker *workers; /* threads - 1 */
    int threads, started;
    double spin_ms;
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
};

static uint64_t ticket_of(uint32_t loop, uint32_t parts, uint32_t next)
{
    return (uint64_t)loop << 32 | (uint64_t)parts << 16 | next;
}

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
    return (uint32_t)(atomic_load(&p->ticket) >> 32);
}

/* Takes the next part of loop `loop`; -1 if none is left or the loop is over. */
static int claim(vkb_pool *p, uint32_t loop)
{
    uint64_t t = atomic_load(&p->ticket);
    for (;;) {
        uint32_t parts = (uint32_t)(t >> 16) & 0xffff, next = (uint32_t)t & 0xffff;
        if ((uint32_t)(t >> 32) != loop || next >= parts) return -1;
        if (atomic_compare_exchange_weak(&p->ticket, &t, t + 1)) return (int)next;
    }
}

/* Range of part `part`: whole grains, spread evenly. */
static void run_part(vkb_pool *p, int part, int parts, int thread)
{
    int64_t grains = vkb_ceil_div(p->count, p->grain);
    int64_t each = grains / parts, extra = grains % parts;
    int64_t first = part * each + vkb_min(part, extra), n = each + (part < extra);
    int64_t begin = first * p->grain, end = vkb_min(p->count, (first + n) * p->grain);
    p->fn(p->arg, begin, end, thread);
}

static void finish_part(vkb_pool *p)
{
    if (atomic_fetch_sub(&p->pending, 1) != 1 || !atomic_load(&p->caller_sleeps)) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->mutex);
}

static void work_on(vkb_pool *p, uint32_t loop, int parts, int thread)
{
    for (int part; (part = claim(p, loop)) >= 0;) {
        run_part(p, part, parts, thread);
        finish_part(p);
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

static void *worker_main(void *arg)
{
    worker *w = arg;
    vkb_pool *p = w->pool;
    for (uint32_t seen = 0;;) {
        wait_for_loop(p, seen);
        uint64_t t = atomic_load(&p->ticket);
        seen = (uint32_t)(t >> 32);
        if (atomic_load(&p->quit)) return NULL;
        work_on(p, seen, (int)((t >> 16) & 0xffff), w->index);
    }
}

static void publish(vkb_pool *p, int parts, int first)
{
    p->loops++;
    atomic_store(&p->ticket, ticket_of(p->loops, (uint32_t)parts, (uint32_t)first));
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
    atomic_store(&p->caller_sleeps, 1);
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
    int parts = (int)vkb_min(pool->threads, vkb_ceil_div(count, grain));
    pool->fn = fn;
    pool->arg = arg;
    pool->count = count;
    pool->grain = grain;
    atomic_store(&pool->pending, parts - 1);
    publish(pool, parts, 1); /* part 0 is the caller's */
    run_part(pool, 0, parts, 0);
    work_on(pool, pool->loops, parts, 0);
    wait_for_end(pool);
}

int vkb_pool_threads(const vkb_pool *pool)
{
    return pool ? pool->threads : 1;
}

static int usable_cores(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof(set), &set)) {
        int n = CPU_COUNT(&set);
        if (n > 0) return n;
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)vkb_min(n, MAX_THREADS);
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

vki_status vkb_pool_create(const vki_allocator *a, int threads, vkb_pool **out, vki_error *err)
{
    *out = NULL;
    int cores = usable_cores();
    if (threads <= 0) threads = cores;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    vkb_pool *p = vkb_calloc(a, 1, sizeof(*p));
    if (!p) return vkb_nomem(err, sizeof(*p));
    p->allocator = a;
    p->threads = threads;
    p->spin_ms = threads <= cores ? SPIN_MS : 0; /* spinning against one's own threads only delays them */
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    vki_status status = VKI_OK;
    if (threads > 1) {
        p->workers = vkb_calloc(a, (size_t)threads - 1, sizeof(worker));
        status = p->workers ? start_workers(p, err) : vkb_nomem(err, (uint64_t)threads * sizeof(worker));
    }
    *out = p;
    if (status != VKI_OK) vkb_pool_destroy(out);
    return status;
}

void vkb_pool_destroy(vkb_pool **pool)
{
    vkb_pool *p = *pool;
    if (!p) return;
    *pool = NULL;
    atomic_store(&p->quit, true);
    publish(p, 0, 0);
    for (int i = 0; i < p->started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
    vkb_free(p->allocator, p->workers);
    vkb_free(p->allocator, p);
}
