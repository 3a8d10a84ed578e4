/* SPDX-License-Identifier: Apache-2.0
 * The order of dispatches, and their cutting into submits and parts: on small programs made by hand, and on
 * random ones against the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/flights.h"
#include "common/gpu_run.h"
#include "common/small_models.h"

enum { MOST = 48, BUFS = 10, BYTES = 256 };

static gpu_dispatch list[MOST];
static gpu_buf bufs[BUFS];
static gpu_program program;

static void begin(int n_bufs)
{
    memset(list, 0, sizeof list);
    for (int i = 0; i < n_bufs; i++)
        bufs[i] = (gpu_buf){.tensor = GR_NONE, .bytes = BYTES, .alias = -1, .offset = (uint64_t)i * BYTES};
    program = (gpu_program){.dispatches = list, .bufs = bufs, .n_bufs = n_bufs};
}

static gpu_dispatch *add(void)
{
    gpu_dispatch *d = &list[program.n_dispatches++];
    d->node = program.n_dispatches - 1;
    return d;
}

static void touch(gpu_dispatch *d, int buf, uint8_t access)
{
    gpu_bind_add(d, (gpu_bind){GPU_SPACE_ARENA, 0, buf, 0, 0}, access);
}

static void reads_writes(int from, int to)
{
    gpu_dispatch *d = add();
    touch(d, from, GPU_READ);
    touch(d, to, GPU_WRITE);
}

static int schedule(int window, gpu_order *order)
{
    int intervals = -1;
    assert_int_equal(
        gpu_schedule(&program, 0, program.n_dispatches, window, &vkb_libc_allocator, order, &intervals, NULL),
        VKI_OK);
    return intervals;
}

static void expect(int window, int intervals, const int *dispatches)
{
    gpu_order order[MOST];
    assert_int_equal(schedule(window, order), intervals);
    for (int i = 0; i < program.n_dispatches; i++) assert_int_equal(order[i].dispatch, dispatches[i]);
}

/* Three branches of two steps, one after the other, then a join: the first steps come together. */
static void branches(void **state)
{
    (void)state;
    begin(8);
    for (int i = 0; i < 3; i++) {
        reads_writes(0, 1 + 2 * i);
        reads_writes(1 + 2 * i, 2 + 2 * i);
    }
    gpu_dispatch *join = add();
    for (int i = 0; i < 3; i++) touch(join, 2 + 2 * i, GPU_READ);
    touch(join, 7, GPU_WRITE);
    expect(100, 3, (const int[]){0, 2, 4, 1, 3, 5, 6});
    expect(3, 5, (const int[]){0, 2, 1, 3, 4, 5, 6}); /* the third branch is too far away at first */
    expect(1, 7, (const int[]){0, 1, 2, 3, 4, 5, 6});
    gpu_order order[MOST];
    schedule(100, order);
    assert_int_equal(order[0].begin, 0);
    assert_int_equal(order[2].end, 2);
    assert_int_equal(order[4].begin, 3);
    assert_int_equal(order[6].end, 6);
}

/* What is overwritten has been read before; parts of a buffer are apart; aliases are not. */
static void memory_in_common(void **state)
{
    (void)state;
    begin(4);
    reads_writes(0, 1);
    reads_writes(1, 2);
    reads_writes(0, 1); /* after the one before it, which reads 1 */
    expect(100, 3, (const int[]){0, 1, 2});

    begin(4);
    for (int i = 0; i < 2; i++) {
        gpu_dispatch *d = add();
        touch(d, 0, GPU_READ);
        gpu_bind_add(d, (gpu_bind){GPU_SPACE_ARENA, 0, 1, (uint64_t)i * 128, 128}, GPU_WRITE);
    }
    expect(100, 1, (const int[]){0, 1});
    program.dispatches[1].bind[1].offset = 64;
    expect(100, 2, (const int[]){0, 1});

    begin(4);
    bufs[2].alias = 1; /* the same memory by another name */
    reads_writes(0, 1);
    reads_writes(0, 2);
    expect(100, 2, (const int[]){0, 1});
    bufs[2].at = BYTES / 2;
    bufs[2].bytes = BYTES / 2;
    program.dispatches[0].bind[1].bytes = BYTES / 2;
    expect(100, 1, (const int[]){0, 1});
}

static bool conflict(const gpu_dispatch *a, const gpu_dispatch *b)
{
    gpu_access x[GPU_MAX_BINDINGS], y[GPU_MAX_BINDINGS];
    int n = gpu_accesses(&program, a, x), m = gpu_accesses(&program, b, y);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < m; k++)
            if ((x[i].write || y[k].write) && x[i].offset < y[k].offset + y[k].bytes &&
                y[k].offset < x[i].offset + x[i].bytes)
                return true;
    return false;
}

/* Each dispatch once; what depends on each other keeps its order and is in different intervals. */
static void check_order(const gpu_order *order)
{
    int at[MOST];
    memset(at, -1, sizeof at);
    for (int i = 0; i < program.n_dispatches; i++) {
        assert_int_equal(at[order[i].dispatch], -1);
        at[order[i].dispatch] = i;
        assert_true(order[i].begin <= i && i <= order[i].end);
    }
    for (int i = 0; i < program.n_dispatches; i++)
        for (int k = i + 1; k < program.n_dispatches; k++)
            if (conflict(&list[i], &list[k])) assert_true(order[at[i]].end < order[at[k]].begin);
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void random_programs(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 400; round++) {
        begin(BUFS);
        for (int i = 7; i < BUFS; i++) {
            bufs[i].alias = (int32_t)(next(&seed) % 7);
            bufs[i].at = next(&seed) % 2 * 64;
            bufs[i].bytes = 64;
        }
        int count = 1 + (int)(next(&seed) % (MOST - 1));
        for (int i = 0; i < count; i++) {
            gpu_dispatch *d = add();
            for (uint32_t k = 0; k < 1 + next(&seed) % 4; k++)
                touch(d, (int)(next(&seed) % BUFS), next(&seed) % 3 ? GPU_READ : GPU_WRITE);
        }
        gpu_order order[MOST];
        int wide = schedule(MOST, order);
        check_order(order);
        assert_true(schedule(1, order) <= count);
        check_order(order);
        assert_true(schedule(1 + (int)(next(&seed) % 9), order) >= wide);
        check_order(order);
    }
}

/* ---- parts and submits ---- */

static void splits(void **state)
{
    (void)state;
    gpu_program p = {0};
    const vki_allocator *a = &vkb_libc_allocator;
    begin(2);
    for (int i = 0; i < 3; i++) {
        gpu_dispatch *d = add();
        d->shader = i == 1 ? SH_softmax_group_f32 : SH_conv2d_1x1_f32;
        memcpy(d->groups, (const uint32_t[]){10, i == 2 ? 1 : 7, 1}, sizeof d->groups);
        d->macs = 700;
    }
    p = program;
    p.dispatches = vkb_calloc(a, 3, sizeof *p.dispatches);
    p.cap_dispatches = 3;
    memcpy(p.dispatches, list, 3 * sizeof *list);
    assert_int_equal(gpu_split(&p, 2, 4, a, NULL), VKI_OK); /* along x: there is nothing else */
    assert_int_equal(gpu_split(&p, 1, 4, a, NULL), VKI_OK); /* cannot be split */
    assert_int_equal(gpu_split(&p, 0, 100, a, NULL), VKI_OK);
    assert_int_equal(p.n_dispatches, 7 + 1 + 4);
    for (uint32_t i = 0; i < 7; i++) { /* a row each */
        const gpu_dispatch *d = &p.dispatches[i];
        assert_true(d->base[0] == 0 && d->base[1] == i && d->groups[0] == 10 && d->groups[1] == 1);
        assert_true(d->parts == 7 && d->macs == 100 && d->node == 0);
    }
    assert_true(p.dispatches[7].parts == 0 && p.dispatches[7].groups[1] == 7);
    uint32_t sum = 0;
    for (int i = 8; i < 12; i++) {
        assert_int_equal(p.dispatches[i].base[0], sum);
        sum += p.dispatches[i].groups[0];
    }
    assert_int_equal(sum, 10);
    assert_false(gpu_same_pipeline(&p.dispatches[0], &list[0]));
    vkb_free(a, p.dispatches);
}

static void bounded(void **state)
{
    (void)state;
    const gpu_limits *limits = gpu_limits_of("mali");
    const vki_allocator *a = &vkb_libc_allocator;
    begin(2);
    for (int i = 0; i < 6; i++) {
        gpu_dispatch *d = add();
        d->shader = SH_conv2d_1x1_f32;
        memcpy(d->groups, (const uint32_t[]){4, i == 3 ? 4000 : 1, 1}, sizeof d->groups);
        for (int k = 0; k < 3; k++) gpu_spec(d, k ? 1 : 64);
        d->macs = i == 3 ? 2000000000u : 1000000;
        touch(d, 0, GPU_READ);
        touch(d, 1, GPU_WRITE);
    }
    gpu_program p = program;
    p.dispatches = vkb_calloc(a, 6, sizeof *p.dispatches);
    p.cap_dispatches = 6;
    memcpy(p.dispatches, list, 6 * sizeof *list);
    const uint32_t most = 2000;
    assert_true(gpu_dispatch_cost(&p, &p.dispatches[3], limits) > 5 * most);
    assert_int_equal(gpu_split_long(&p, 0, limits, most, a, NULL), VKI_OK);
    assert_true(p.n_dispatches > 10);
    gpu_cut_submits(&p, 0, p.n_dispatches, limits, most);
    double sum = 0;
    uint32_t rows = 0;
    for (int i = 0; i < p.n_dispatches; i++) {
        double us = gpu_dispatch_cost(&p, &p.dispatches[i], limits);
        sum = p.dispatches[i].cut ? us : sum + us;
        assert_true(sum <= most + gpu_rates(limits)->launch_us); /* of a part, its own launch */
        if (p.dispatches[i].node == 3) rows += p.dispatches[i].groups[1];
    }
    assert_false(p.dispatches[0].cut);
    assert_int_equal(rows, 4000);
    gpu_cut_submits(&p, 0, p.n_dispatches, limits, 0);
    for (int i = 0; i < p.n_dispatches; i++) assert_false(p.dispatches[i].cut);
    assert_int_equal(gpu_max_submit_us(limits), 8000);
    vkb_free(a, p.dispatches);
}

/* ---- whole networks ---- */

static vki_session *open_bounded(vki_model *m, uint32_t max_submit_us, const char *disable)
{
    vki_session *s = NULL;
    vki_session_options o = {
        .size = sizeof o, .max_submit_us = max_submit_us, .disable_passes = disable, .runs_in_flight = 2};
    SESSION_OK(vki_session_create(m, &o, &s, why));
    shape_inputs(s);
    return s;
}

/* In many submits, or in the order of the graph: the same bits. */
static void same_results(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    for (size_t w = 1; w < n_settings; w++)
        for (size_t n = 0; n <= n_networks; n++) {
            gr_graph g;
            if (n < n_networks)
                networks[n](&g);
            else
                small_cnn(&g, &vkb_libc_allocator, 18);
            vki_model *m = load(&settings[w], &g, NULL);
            outputs want, got;
            for (int i = 0; i < 3; i++) {
                vki_session *s = open_bounded(m, i == 1 ? 1 : 0, i == 2 ? "intervals" : NULL);
                int cuts = 0, parts = 0;
                for (int k = 0; k < s->plan->program.n_dispatches; k++) {
                    cuts += s->plan->program.dispatches[k].cut;
                    parts += s->plan->program.dispatches[k].parts > 0;
                }
                if (n == n_networks) assert_int_equal(cuts > 2 && parts > 1, i == 1);
                if (i != 1) assert_int_equal(cuts + parts, 0);
                write_inputs(s, 0);
                SESSION_OK(vki_session_run(s, 0, why));
                SESSION_OK(vki_session_run(s, 0, why));
                read_run(s, 0, i ? &got : &want);
                if (i) assert_memory_equal(&got, &want, sizeof got);
                vki_session_destroy(&s);
            }
            vki_model_destroy(&m);
            gr_free(&g);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(branches),        cmocka_unit_test(memory_in_common),
                                       cmocka_unit_test(random_programs), cmocka_unit_test(splits),
                                       cmocka_unit_test(bounded),         cmocka_unit_test(same_results)};
    gpu_run_device();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
