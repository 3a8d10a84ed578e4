/* SPDX-License-Identifier: Apache-2.0
 * The thread pool: every index is visited exactly once, whatever the number of threads, the count and the
 * grain; loops follow one another without losing a part; the pool sleeps and wakes; its workers stay where
 * they are told to. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cores.h"
#include "base/threads.h"
#include "common/sysfs.h"

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

/* ---- cores ---- */

/* Usable cores from the first on: fast, slow, fast, slow... by what `name` says of them. */
static void check_kinds(const char *name, const char *const kinds[4])
{
    static vkb_cores all, c;
    static vkb_core_set set;
    char root[] = "/tmp/vkinfer_cores_XXXXXX";
    assert_non_null(mkdtemp(root));
    vkb_cores_find(&all, root); /* nothing there: all are fast, and slow too */
    assert_true(all.usable.count >= 1 && all.fast.count == all.usable.count);
    assert_int_equal(vkb_cores_choose(&all, "slow", &set, NULL), VKI_OK);
    assert_memory_equal(&set, &all.usable, sizeof set);
    int seen = 0;
    for (int i = 0; i < VKB_MOST_CORES; i++)
        if (all.usable.has[i]) sysfs_tell(root, i, name, kinds[seen++ % 4]);
    vkb_cores_find(&c, root);
    sysfs_forget(root);
    assert_int_equal(c.usable.count, seen);
    assert_int_equal(c.fast.count, (seen + 1) / 2);
    assert_int_equal(vkb_cores_choose(&c, "fast", &set, NULL), VKI_OK);
    assert_memory_equal(&set, &c.fast, sizeof set);
    if (seen == 1) return; /* it is alike */
    assert_int_equal(vkb_cores_choose(&c, "slow", &set, NULL), VKI_OK);
    assert_int_equal(set.count, seen / 2);
    for (int i = 0; i < VKB_MOST_CORES; i++) assert_int_equal(set.has[i], c.usable.has[i] && !c.fast.has[i]);
}

static void cores_are_told_apart(void **state)
{
    (void)state;
    check_kinds("cpu_capacity", (const char *const[]){"1024\n", "250\n", "512\n", "511\n"});
    check_kinds("cpufreq/cpuinfo_max_freq",
                (const char *const[]){"3000000\n", "2399999\n", "2400000\n", "1800000\n"});
}

static void cores_are_chosen(void **state)
{
    (void)state;
    static const vkb_cores c = {
        .usable = {4, {[0] = true, [2] = true, [3] = true, [9] = true}},
        .fast = {1, {[9] = true}},
    };
    static vkb_core_set set;
    static const char *const none[] = {NULL, "", "none"};
    for (size_t i = 0; i < VKB_COUNT(none); i++) {
        assert_int_equal(vkb_cores_choose(&c, none[i], &set, NULL), VKI_OK);
        assert_int_equal(set.count, 0);
    }
    assert_int_equal(vkb_cores_choose(&c, "2-3,0,3", &set, NULL), VKI_OK);
    assert_true(set.count == 3 && set.has[0] && set.has[2] && set.has[3]);
    static const char *const wrong[] = {
        "1", "0-3", "1024", "99999999999999999999", "quick", "0,", ",0", "3-2", "0 ", "-1", "2-", "2-3x"};
    for (size_t i = 0; i < VKB_COUNT(wrong); i++) {
        vki_error err = {0};
        vkb_pool *pool = NULL;
        assert_int_equal(vkb_cores_choose(&c, wrong[i], &set, &err), VKI_E_ARG);
        assert_non_null(strstr(err.text, wrong[i]));
        if (strcmp(wrong[i], "1") && strcmp(wrong[i], "0-3"))
            assert_int_equal(vkb_pool_create_on(&vkb_libc_allocator, 2, wrong[i], &pool, NULL), VKI_E_ARG);
    }
}

#if defined(__linux__)
typedef struct stay {
    cpu_set_t seen[4]; /* by thread */
    atomic_int running;
} stay;

/* Waits until all threads are here, so that each has one range. */
static void on_stay(void *arg, int64_t begin, int64_t end, int thread)
{
    stay *s = arg;
    (void)begin, (void)end;
    sched_getaffinity(0, sizeof s->seen[thread], &s->seen[thread]);
    atomic_fetch_add(&s->running, 1);
    while (atomic_load(&s->running) < 3) sched_yield();
}

/* Workers stay on the last core there is; the caller goes wherever it might before. */
static void workers_stay_on_their_cores(void **state)
{
    (void)state;
    static stay s;
    cpu_set_t before, only;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    size_t last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &before)) last--;
    char name[16];
    snprintf(name, sizeof name, "%zu", last);
    CPU_ZERO(&only);
    CPU_SET(last, &only);
    vkb_pool *pool = NULL;
    assert_int_equal(vkb_pool_create_on(&vkb_libc_allocator, 0, name, &pool, NULL), VKI_OK);
    assert_int_equal(vkb_pool_threads(pool), 1); /* as many as cores */
    vkb_pool_destroy(&pool);
    assert_int_equal(vkb_pool_create_on(&vkb_libc_allocator, 3, name, &pool, NULL), VKI_OK);
    vkb_parallel_for(pool, 3, 1, on_stay, &s);
    vkb_pool_destroy(&pool);
    assert_true(CPU_EQUAL(&s.seen[0], &before));
    assert_true(CPU_EQUAL(&s.seen[1], &only) && CPU_EQUAL(&s.seen[2], &only));
}
#endif

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
        cmocka_unit_test(cores_are_chosen),
#if defined(__linux__)
        cmocka_unit_test(workers_stay_on_their_cores),
#endif
        cmocka_unit_test(exhausted_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
