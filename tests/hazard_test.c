/* SPDX-License-Identifier: Apache-2.0
 * The hazard tracker. Synchronization validation misses write-after-write and in-place chains, so they are
 * tested here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/counting.h"
#include "gpu/gpu.h"

static gpu_hazards *fresh(void)
{
    gpu_hazards *h;
    assert_int_equal(gpu_hazards_create(&vkb_libc_allocator, &h, NULL), VKI_OK);
    return h;
}

static bool step(gpu_hazards *h, int count, const gpu_access *accesses)
{
    bool barrier = false;
    assert_int_equal(gpu_hazards_step(h, accesses, count, &barrier, NULL), VKI_OK);
    return barrier;
}
#define STEP(h, ...)                                                                                         \
    step(h, (int)VKB_COUNT(((const gpu_access[]){__VA_ARGS__})), (const gpu_access[]){__VA_ARGS__})
#define R(offset, bytes)                                                                                     \
    {                                                                                                        \
        offset, bytes, false                                                                                 \
    }
#define W(offset, bytes)                                                                                     \
    {                                                                                                        \
        offset, bytes, true                                                                                  \
    }

static void test_orders(void **state)
{
    (void)state;
    static const struct {
        bool first_writes, second_writes, barrier;
    } rows[] = {{false, false, false}, {true, false, true}, {false, true, true}, {true, true, true}};
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gpu_hazards *h = fresh();
        assert_false(STEP(h, {256, 64, rows[i].first_writes}));
        assert_int_equal(STEP(h, {256, 64, rows[i].second_writes}), rows[i].barrier);
        gpu_hazards_destroy(&h);
        assert_null(h);
    }
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, bytes;
        bool overlaps;
    } rows[] = {{0, 256, false},           {320, 64, false}, {0, 257, true},     {319, 1, true},
                {256, 64, true},           {280, 4, true},   {0, 1 << 20, true}, {256, 0, false},
                {280, 0, false},           {255, 1, false},  {255, 2, true},     {320, 1, false},
                {UINT64_MAX / 2, 9, false}};
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gpu_hazards *h = fresh();
        assert_false(STEP(h, W(256, 64)));
        assert_int_equal(STEP(h, R(rows[i].offset, rows[i].bytes)), rows[i].overlaps);
        gpu_hazards_destroy(&h);
    }
}

/* Each read-modify-write of the same range needs a barrier before it, the second and third ones too. */
static void test_in_place_chain(void **state)
{
    (void)state;
    gpu_hazards *h = fresh();
    assert_false(STEP(h, W(0, 128)));
    assert_true(STEP(h, W(0, 128)));
    assert_true(STEP(h, W(0, 128)));
    assert_true(STEP(h, R(0, 128), W(0, 128)));
    assert_true(STEP(h, R(0, 128), W(0, 128)));
    assert_true(STEP(h, R(64, 16)));
    gpu_hazards_destroy(&h);
}

/* A barrier forgets all that came before it, but not the step that asked for it. */
static void test_barrier_clears(void **state)
{
    (void)state;
    gpu_hazards *h = fresh();
    assert_false(STEP(h, W(0, 64)));
    assert_false(STEP(h, W(64, 64)));
    assert_true(STEP(h, R(0, 64), W(128, 64)));
    assert_false(STEP(h, R(64, 64), W(192, 64))); /* its writer is behind the barrier */
    assert_true(STEP(h, R(128, 64)));
    assert_false(STEP(h, R(192, 64)));
    assert_true(STEP(h, W(192, 64))); /* write after read */
    gpu_hazards_destroy(&h);
}

/* Two branches from one input: the readers do not wait for each other, the join waits for both at once. */
static void test_branches(void **state)
{
    (void)state;
    gpu_hazards *h = fresh();
    assert_false(STEP(h, W(0, 100)));
    assert_true(STEP(h, R(0, 100), W(100, 100)));
    assert_false(STEP(h, R(0, 100), W(200, 100)));
    assert_true(STEP(h, R(100, 100), R(200, 100), W(300, 100)));
    assert_false(STEP(h, R(100, 100), W(400, 100)));
    assert_true(STEP(h, W(100, 100))); /* memory reused while it is being read */
    gpu_hazards_destroy(&h);
}

static void test_one_dispatch(void **state)
{
    (void)state;
    gpu_hazards *h = fresh(); /* in place within one dispatch is the kernel's own affair */
    assert_false(STEP(h, R(0, 64), W(0, 64)));
    gpu_hazards_destroy(&h);
}

/* Against a model that checks every pair of steps since the last barrier. */
static void test_against_model(void **state)
{
    (void)state;
    enum { STEPS = 400 };
    gpu_access list[STEPS][2];
    gpu_hazards *h = fresh();
    uint64_t seed = 1;
    int since = 0, barriers = 0;
    for (int s = 0; s < STEPS; s++) {
        bool wanted = false;
        for (int k = 0; k < 2; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            list[s][k] = (gpu_access){(seed >> 33) % 64, (seed >> 45) % 6, (seed >> 60) % 3 == 0};
        }
        for (int p = since; p < s; p++)
            for (int k = 0; k < 4; k++) {
                const gpu_access *a = &list[p][k / 2], *b = &list[s][k % 2];
                for (uint64_t at = 0; at < 70; at++)
                    wanted |=
                        (a->write || b->write) && at - a->offset < a->bytes && at - b->offset < b->bytes;
            }
        assert_int_equal(step(h, 2, list[s]), wanted);
        if (wanted) since = s, barriers++;
    }
    assert_in_range(barriers, 20, STEPS - 20); /* else the model tests nothing */
    gpu_hazards_destroy(&h);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    counting c = {0};
    vki_allocator a = counting_allocator(&c);
    gpu_hazards *h;
    vki_error err;
    bool barrier;
    const gpu_access access = W(0, 4);
    c.fail_at = 1;
    assert_int_equal(gpu_hazards_create(&a, &h, &err), VKI_E_NOMEM);
    c.fail_at = 3;
    assert_int_equal(gpu_hazards_create(&a, &h, &err), VKI_OK);
    assert_int_equal(gpu_hazards_step(h, &access, 1, &barrier, &err), VKI_E_NOMEM);
    assert_int_equal(gpu_hazards_step(h, &access, 1, &barrier, &err), VKI_OK);
    gpu_hazards_destroy(&h);
    assert_int_equal(c.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),         cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_in_place_chain), cmocka_unit_test(test_barrier_clears),
        cmocka_unit_test(test_branches),       cmocka_unit_test(test_one_dispatch),
        cmocka_unit_test(test_against_model),  cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
