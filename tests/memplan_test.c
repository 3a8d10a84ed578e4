/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "graph/memplan.h"

static uint32_t random_u32(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* No two live items overlap; offsets are aligned; the total is the end of the last item. */
static void check_plan(const memplan_item *m, int n, uint64_t align, uint64_t total, uint64_t bound)
{
    uint64_t end = 0;
    for (int i = 0; i < n; i++) {
        assert_int_equal(m[i].offset % align, 0);
        uint64_t top = m[i].offset + vkb_round_up(m[i].bytes, align);
        if (top > end && m[i].bytes) end = top;
        for (int j = 0; j < i; j++) {
            bool together = m[i].first <= m[j].last && m[j].first <= m[i].last;
            bool apart = m[i].offset + m[i].bytes <= m[j].offset || m[j].offset + m[j].bytes <= m[i].offset;
            assert_true(!together || apart || !m[i].bytes || !m[j].bytes);
        }
    }
    assert_int_equal(end, total);
    assert_true(total >= bound);
}

static uint64_t brute_bound(const memplan_item *m, int n, uint64_t align, int steps)
{
    uint64_t bound = 0;
    for (int s = 0; s < steps; s++) {
        uint64_t load = 0;
        for (int i = 0; i < n; i++)
            if (m[i].first <= s && s <= m[i].last) load += vkb_round_up(m[i].bytes, align);
        if (load > bound) bound = load;
    }
    return bound;
}

static void random_lifetimes(void **state)
{
    (void)state;
    memplan_item m[120];
    double ratio_sum = 0, ratio_worst = 0;
    uint64_t seed = 7;
    enum { ROUNDS = 300 };
    for (int round = 0; round < ROUNDS; round++) {
        int n = 1 + (int)(random_u32(&seed) % VKB_COUNT(m)), steps = 1 + (int)(random_u32(&seed) % 100);
        uint64_t align = (uint64_t)1 << random_u32(&seed) % 9, total, bound;
        for (int i = 0; i < n; i++) {
            int first = (int)(random_u32(&seed) % (uint32_t)steps);
            int span = random_u32(&seed) % 8 ? 4 : steps; /* mostly short lives, some long */
            int last = first + (int)(random_u32(&seed) % (uint32_t)span);
            m[i] = (memplan_item){random_u32(&seed) % 5 ? random_u32(&seed) % 100000 : 0, first,
                                  last < steps ? last : steps - 1, 0};
        }
        assert_int_equal(memplan_solve(m, n, align, &vkb_libc_allocator, &total, &bound, NULL), VKI_OK);
        check_plan(m, n, align, total, bound);
        assert_int_equal(bound, brute_bound(m, n, align, steps));
        double ratio = bound ? (double)total / (double)bound : 1;
        ratio_sum += ratio;
        if (ratio > ratio_worst) ratio_worst = ratio;
    }
    print_message("total / lower bound: mean %.4f, worst %.4f\n", ratio_sum / ROUNDS, ratio_worst);
    assert_true(ratio_sum / ROUNDS < 1.02);
    assert_true(ratio_worst < 1.2);
}

/* Where thousands live at once: placed in the order of time, nearly as tight. */
static void crowds(void **state)
{
    (void)state;
    enum { COUNT = 6000, STEPS = 9000 };
    static memplan_item m[COUNT];
    uint64_t seed = 11, total, bound;
    for (int equal = 0; equal < 2; equal++) {
        for (int i = 0; i < COUNT; i++) {
            int first = i, last = first + (int)(random_u32(&seed) % (STEPS - COUNT));
            uint64_t bytes = random_u32(&seed) % 50 ? 1 + random_u32(&seed) % 5000 : 0;
            m[i] = (memplan_item){equal ? 4096 : bytes, first, last, 0};
        }
        assert_int_equal(memplan_solve(m, COUNT, 64, &vkb_libc_allocator, &total, &bound, NULL), VKI_OK);
        check_plan(m, COUNT, 64, total, bound);
        assert_int_equal(bound, brute_bound(m, COUNT, 64, STEPS));
        print_message("%d items: total / lower bound %.4f\n", COUNT, (double)total / (double)bound);
        assert_true((double)total <= (double)bound * (equal ? 1 : 1.3));
    }
    for (int i = 0; i < COUNT; i++) m[i] = (memplan_item){UINT64_MAX / 64, 0, 0, 0}; /* the sum is too much */
    assert_int_equal(memplan_solve(m, COUNT, 64, &vkb_libc_allocator, &total, &bound, NULL), VKI_E_NOMEM);
}

/* A chain of layers needs its two largest neighbours, and no more. */
static void chain_is_optimal(void **state)
{
    (void)state;
    memplan_item m[1000];
    uint64_t seed = 3, total, bound;
    for (int i = 0; i < 1000; i++) m[i] = (memplan_item){1000 + random_u32(&seed) % 1000000, i, i + 1, 0};
    double start = vkb_now_ms();
    assert_int_equal(memplan_solve(m, 1000, 256, &vkb_libc_allocator, &total, &bound, NULL), VKI_OK);
    print_message("1000 items in a chain: %.2f ms, ratio %.4f\n", vkb_now_ms() - start,
                  (double)total / (double)bound);
    check_plan(m, 1000, 256, total, bound);
    assert_int_equal(total, bound);
}

/* Residual blocks: a skip connection lives over four steps. */
static void many_items_are_fast(void **state)
{
    (void)state;
    memplan_item m[1000];
    uint64_t seed = 5, total, bound;
    for (int i = 0; i < 1000; i++)
        m[i] = (memplan_item){(1 + random_u32(&seed) % 64) * 4096, i, i + (i % 3 ? 1 : 4), 0};
    double start = vkb_now_ms();
    assert_int_equal(memplan_solve(m, 1000, 64, &vkb_libc_allocator, &total, &bound, NULL), VKI_OK);
    double ms = vkb_now_ms() - start;
    print_message("1000 items with skips: %.2f ms, ratio %.4f\n", ms, (double)total / (double)bound);
    check_plan(m, 1000, 64, total, bound);
    assert_true((double)total < 1.1 * (double)bound);
}

/* With every tensor kept there is nothing to share, and it must not take long either. */
static void all_live_at_once(void **state)
{
    (void)state;
    memplan_item m[1000];
    uint64_t total, bound;
    for (int i = 0; i < 1000; i++) m[i] = (memplan_item){100 + (uint64_t)i, i, 1000, 0};
    double start = vkb_now_ms();
    assert_int_equal(memplan_solve(m, 1000, 1, &vkb_libc_allocator, &total, &bound, NULL), VKI_OK);
    print_message("1000 items that all live at the end: %.2f ms\n", vkb_now_ms() - start);
    check_plan(m, 1000, 1, total, bound);
    assert_int_equal(total, bound);
}

static void same_input_same_plan(void **state)
{
    (void)state;
    memplan_item a[64], b[64];
    uint64_t seed = 11, total_a, total_b, bound;
    for (int i = 0; i < 64; i++) {
        int first = (int)(random_u32(&seed) % 20);
        a[i] = (memplan_item){random_u32(&seed) % 500, first, first + (int)(random_u32(&seed) % 6), 0};
    }
    memcpy(b, a, sizeof a);
    assert_int_equal(memplan_solve(a, 64, 16, &vkb_libc_allocator, &total_a, &bound, NULL), VKI_OK);
    assert_int_equal(memplan_solve(b, 64, 16, &vkb_libc_allocator, &total_b, &bound, NULL), VKI_OK);
    assert_int_equal(total_a, total_b);
    assert_memory_equal(a, b, sizeof a);
}

static void edges(void **state)
{
    (void)state;
    uint64_t total = 1, bound = 1;
    vki_error err;
    assert_int_equal(memplan_solve(NULL, 0, 64, &vkb_libc_allocator, &total, &bound, &err), VKI_OK);
    assert_int_equal(total, 0);
    memplan_item extremes[] = {{10, INT32_MIN, INT32_MAX, 0}, {20, INT32_MAX, INT32_MAX, 0}, {0, 0, 0, 9}};
    assert_int_equal(memplan_solve(extremes, 3, 1, &vkb_libc_allocator, &total, &bound, &err), VKI_OK);
    assert_int_equal(total, 30);
    assert_int_equal(bound, 30);
    memplan_item huge[] = {{UINT64_MAX / 4, 0, 1, 0}, {UINT64_MAX / 4, 0, 1, 0}, {UINT64_MAX / 4, 1, 1, 0}};
    assert_int_equal(memplan_solve(huge, 3, 64, &vkb_libc_allocator, &total, &bound, &err), VKI_E_NOMEM);
    memplan_item over[] = {{UINT64_MAX - 3, 0, 0, 0}};
    assert_int_equal(memplan_solve(over, 1, 64, &vkb_libc_allocator, &total, &bound, &err), VKI_E_NOMEM);
    memplan_item backwards[] = {{4, 2, 1, 0}};
    assert_int_equal(memplan_solve(backwards, 1, 64, &vkb_libc_allocator, &total, &bound, &err), VKI_E_ARG);
    memplan_item one[] = {{4, 0, 1, 0}};
    assert_int_equal(memplan_solve(one, 1, 48, &vkb_libc_allocator, &total, &bound, &err), VKI_E_ARG);
}

static void *limited_alloc(void *user, size_t bytes, size_t align)
{
    int *left = user;
    if ((*left)-- <= 0) return NULL;
    return vkb_libc_allocator.alloc(NULL, bytes, align);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    memplan_item m[] = {{4, 0, 1, 0}, {8, 1, 2, 0}};
    uint64_t total, bound;
    for (int allowed = 0;; allowed++) {
        int left = allowed;
        vki_allocator a = {&left, limited_alloc, vkb_libc_allocator.free};
        vki_status status = memplan_solve(m, 2, 4, &a, &total, &bound, NULL);
        if (status == VKI_OK) break;
        assert_int_equal(status, VKI_E_NOMEM);
        assert_true(allowed < 50);
    }
    assert_int_equal(total, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowds),
        cmocka_unit_test(random_lifetimes),
        cmocka_unit_test(chain_is_optimal),
        cmocka_unit_test(many_items_are_fast),
        cmocka_unit_test(all_live_at_once),
        cmocka_unit_test(same_input_same_plan),
        cmocka_unit_test(edges),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
