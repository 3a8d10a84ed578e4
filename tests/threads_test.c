/* SPDX-License-Identifier: Apache-2.0
 * The thread pool: every index is visited exactly once, whatever the number of threads, the count and the
 * grain; loops follow one another without losing a part; the pool sleeps and wakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cores.h"
#include "base/threads.h"

enum { MOST = 1000 };

typedef struct visit {
    atomic_int seen[MOST];
    atomic_int calls, bad;
    int64_t count, grain;
    int threads;
} visit;

static void on_range(void *arg, int64_t begin, int64_t end, int thread)
{
    visit *v = arg;
    atomic_fetch_add(&v->calls, 1);
    if (begin >= end || begin < 0 || end > v->count) atomic_fetch_add(&v->bad, 1);
    if (end != v->count && end - begin < v->grain) atomic_fetch_add(&v->bad, 1);
    if (thread < 0 || thread >= v->threads) atomic_fetch_add(&v->bad, 1);
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(&v->seen[i], 1);
}

static void check_loop(vkb_pool *pool, visit *v, int64_t count, int64_t grain)
{
    memset(v, 0, sizeof(*v));
    v->count = count;
    v->grain = grain;
    v->threads = vkb_pool_threads(pool);
    vkb_parallel_for(pool, count, grain, on_range, v);
    assert_int_equal(atomic_load(&v->bad), 0);
    for (int64_t i = 0; i < MOST; i++) assert_int_equal(atomic_load(&v->seen[i]), i < count);
    if (count <= grain) assert_int_equal(atomic_load(&v->calls), count > 0);
    assert_true(atomic_load(&v->calls) <= 4 * v->threads);
}

static void ranges_cover_once(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 3, 5, 16};
    static const int64_t counts[] = {0, 1, 2, 3, 7, 16, 17, 100, 999, 1000};
    static const int64_t grains[] = {1, 2, 3, 16, 100, 2000};
    static visit v;
    for (size_t t = 0; t < VKB_COUNT(threads); t++) {
        vkb_pool *pool = NULL;
        assert_int_equal(vkb_pool_create(&vkb_libc_allocator, threads[t], &pool, NULL), VKI_OK);
        assert_int_equal(vkb_pool_threads(pool), threads[t]);
        for (size_t c = 0; c < VKB_COUNT(counts); c++)
            for (size_t g = 0; g < VKB_COUNT(grains); g++) check_loop(pool, &v, counts[c], grains[g]);
        vkb_pool_destroy(&pool);
        assert_null(pool);
    }
}

static void no_pool_runs_on_caller(void **state)
{
    (void)state;
    static visit v;
    assert_int_equal(vkb_pool_threads(NULL), 1);
    check_loop(NULL, &v, 77, 5);
    assert_int_equal(atomic_load(&v.calls), 1);
    vkb_pool *none = NULL;
    vkb_pool_destroy(&none);
}

/* The caller's first range waits until all others are done: threads that have finished their own must take
 * them. */
static void on_blocked(void *arg, int64_t begin, int64_t end, int thread)
{
    visit *v = arg;
    (void)thread;
    if (begin == 0) {
        const double give_up = vkb_now_ms() + 20000;
        while (atomic_load(&v->calls) < v->count - end && vkb_now_ms() < give_up) sched_yield();
        if (atomic_load(&v->calls) < v->count - end) atomic_fetch_add(&v->bad, 1);
        return;
    }
    atomic_fetch_add(&v->calls, (int)(end - begin));
}

static void the_rest_is_taken(void **state)
{
    (void)state;
    static visit v;
    vkb_pool *pool = NULL;
    assert_int_equal(vkb_pool_create(&vkb_libc_allocator, 3, &pool, NULL), VKI_OK);
    for (int64_t count = 24; count < 240; count += 24) {
        memset(&v, 0, sizeof v);
        v.count = count;
        vkb_parallel_for(pool, count, 1, on_blocked, &v);
        assert_int_equal(atomic_load(&v.bad), 0);
        assert_int_equal(atomic_load(&v.calls), count - count / 6); /* all but the half of a third */
    }
    vkb_pool_destroy(&pool);
}

/* A system of files that says what each core this process may use can do. */
static void cores_are_told_apart(void **state)
{
    (void)state;
    static vkb_cores all, c;
    char root[] = "/tmp/vkinfer_cores_XXXXXX", path[128];
    assert_non_null(mkdtemp(root));
    vkb_cores_find(&all, root); /* nothing there: all are fast */
    assert_true(all.usable >= 1 && all.fast == all.usable);
    int slow = 0, seen = 0;
    for (int i = 0; i < VKB_MOST_CORES; i++) {
        if (!all.is_usable[i]) continue;
        const char *const kinds[] = {"1024\n", "250\n", "512\n", "511\n"};
        snprintf(path, sizeof path, "%s/cpu%d", root, i);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/cpu%d/cpu_capacity", root, i);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(kinds[seen % 4], f);
        fclose(f);
        slow += seen++ % 2;
    }
    vkb_cores_find(&c, root);
    assert_int_equal(c.usable, all.usable);
    assert_int_equal(c.fast, all.usable - slow);
    for (int i = 0; i < VKB_MOST_CORES; i++) {
        if (!all.is_usable[i]) continue;
        snprintf(path, sizeof path, "%s/cpu%d/cpu_capacity", root, i);
        unlink(path);
        snprintf(path, sizeof path, "%s/cpu%d", root, i);
        rmdir(path);
    }
    rmdir(root);
}

typedef struct sums {
    _Alignas(64) int64_t of[16][8]; /* one cache line a thread */
} sums;

static void on_sum(void *arg, int64_t begin, int64_t end, int thread)
{
    sums *s = arg;
    for (int64_t i = begin; i < end; i++) s->of[thread][0] += i;
}

/* Back to back loops of changing length, with no synchronization but the pool's own: under the thread
 * sanitizer this proves that a loop's writes are visible to its caller and to the next loop. */
static void many_loops(void **state)
{
    (void)state;
    static const int threads[] = {2, 5};
    for (size_t t = 0; t < VKB_COUNT(threads); t++) {
        vkb_pool *pool = NULL;
        assert_int_equal(vkb_pool_create(&vkb_libc_allocator, threads[t], &pool, NULL), VKI_OK);
        for (int loop = 0; loop < 3000; loop++) {
            sums s = {0};
            int64_t count = 1 + loop % 300, total = 0;
            vkb_parallel_for(pool, count, 1, on_sum, &s);
            for (int i = 0; i < threads[t]; i++) total += s.of[i][0];
            assert_int_equal(total, count * (count - 1) / 2);
        }
        vkb_pool_destroy(&pool);
    }
}

static void sleeps_and_wakes(void **state)
{
    (void)state;
    static visit v;
    vkb_pool *pool = NULL;
    assert_int_equal(vkb_pool_create(&vkb_libc_allocator, 0, &pool, NULL), VKI_OK);
    assert_true(vkb_pool_threads(pool) >= 1);
    for (int i = 0; i < 20; i++) {
        const struct timespec pause = {0, i % 2 ? 2000000 : 30000}; /* past the spinning, and within it */
        nanosleep(&pause, NULL);
        check_loop(pool, &v, 100, 1);
    }
    vkb_pool_destroy(&pool);
}

static void *refuse(void *user, size_t bytes, size_t align)
{
    (void)bytes;
    int *left = user;
    return (*left)-- > 0 ? vkb_libc_allocator.alloc(NULL, bytes, align) : NULL;
}

static void exhausted_memory_is_reported(void **state)
{
    (void)state;
    for (int allowed = 0; allowed < 3; allowed++) {
        int left = allowed;
        const vki_allocator a = {&left, refuse, vkb_libc_allocator.free};
        vkb_pool *pool = (vkb_pool *)&left;
        vki_error err = {0};
        assert_int_equal(vkb_pool_create(&a, 4, &pool, &err), VKI_E_NOMEM);
        assert_null(pool);
        assert_true(err.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_cover_once),
        cmocka_unit_test(no_pool_runs_on_caller),
        cmocka_unit_test(many_loops),
        cmocka_unit_test(sleeps_and_wakes),
        cmocka_unit_test(the_rest_is_taken),
        cmocka_unit_test(cores_are_told_apart),
        cmocka_unit_test(exhausted_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
