/* SPDX-License-Identifier: Apache-2.0
 * The choice between device and CPU: measured, remembered in memory and in a file, forced to either outcome
 * by verdicts that are put there; which options leave it open; small parts, and the order of nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/counting.h"
#include "common/gpu_run.h"
#include "common/net.h"
#include "common/session_check.h"
#include "common/small_models.h"
#include "session/choice.h"

enum { SIZE = 16 };
static char cache[128]; /* path of the pipeline cache */
static char verdicts[160];

static vki_model *open_model(vki_backend backend, const char *path, const vki_allocator *a)
{
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, SIZE);
    vki_context_options o = {.size = sizeof o, .backend = backend, .cache_path = path, .allocator = a};
    vki_context *c = NULL;
    vki_model *m = NULL;
    SESSION_OK(vki_context_create(&o, &c, why));
    SESSION_OK(vki_model_load_file(c, small_model_file(&g), &m, why));
    vki_context_destroy(&c);
    gr_free(&g);
    return m;
}

static vki_session *open_session(vki_model *m, vki_placement placement, int tune_ms)
{
    vki_session_options o = {.size = sizeof o, .placement = placement, .tune_ms = tune_ms, .threads = 1};
    vki_session *s = NULL;
    SESSION_OK(vki_session_create(m, &o, &s, why));
    return s;
}

typedef struct places {
    int gpu, cpu, explained; /* nodes; with `text` in their reason */
    const char *text;
} places;

static void count(void *user, const vki_node_report *n)
{
    places *p = user;
    p->gpu += !strcmp(n->place, "vulkan");
    p->cpu += !strcmp(n->place, "cpu");
    p->explained += p->text && strstr(n->reason, p->text) != NULL;
}

static places places_of(const vki_session *s, const char *text)
{
    places p = {.text = text};
    assert_int_equal(vki_session_report(s, count, &p), VKI_OK);
    return p;
}

/* How it was decided, and where all nodes are. Ends the session. */
static void expect(vki_session *s, const char *how, bool cpu)
{
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    if (strncmp(stats.placement, how, strlen(how)) != 0)
        fail_msg("\"%s\" instead of \"%s\"", stats.placement, how);
    places p = places_of(s, how);
    assert_true(cpu ? p.cpu > 0 && p.gpu == 0 : p.gpu > 0 && p.cpu == 0);
    if (cpu && strcmp(how, "as asked for") != 0) assert_true(p.explained >= p.cpu); /* the reason of each */
    vki_session_destroy(&s);
}

/* Sessions of a device that the caller named use it, unless he gives time to measure. */
static void who_chooses(void **state)
{
    (void)state;
    vki_model *m = open_model(VKI_BACKEND_CPU, NULL, NULL);
    expect(open_session(m, VKI_PLACE_AUTO, 100), "as asked for", true);
    expect(open_session(m, VKI_PLACE_GPU_FIRST, 0), "as asked for", true);
    vki_model_destroy(&m);
    if (!gpu_run_device()) return;
    m = open_model(VKI_BACKEND_VULKAN, NULL, NULL);
    expect(open_session(m, VKI_PLACE_AUTO, 0), "as asked for", false);
    expect(open_session(m, VKI_PLACE_GPU_FIRST, 100), "as asked for", false);
    expect(open_session(m, VKI_PLACE_GPU_ONLY, 100), "as asked for", false);
    expect(open_session(m, VKI_PLACE_CPU_ONLY, 100), "as asked for", true);
    m->context->chosen = true; /* as by VKI_BACKEND_AUTO, which takes no software device */
    expect(open_session(m, VKI_PLACE_GPU_FIRST, 0), "as asked for", false);
    vki_session *s = open_session(m, VKI_PLACE_AUTO, 0);
    assert_true(s->choice.open && s->choice.budget_ms == SES_TUNE_MS);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
}

/* The key of what was measured is that of the verdicts that are put in its place. */
static uint64_t measure(vki_model *m)
{
    vki_session *s = open_session(m, VKI_PLACE_AUTO, 2000);
    assert_true(s->choice.open && s->choice.settled);
    assert_int_equal(strncmp(s->choice.text, "measured: GPU ", 14), 0);
    uint64_t key = s->choice.key;
    ses_verdict v;
    assert_true(ses_verdicts_find(m->context->verdicts, key, &v));
    assert_true(v.gpu_ms > 0 && v.cpu_ms > 0);
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    const char *end = strrchr(stats.placement, ' ');
    assert_string_equal(end, v.cpu_ms < v.gpu_ms ? " CPU" : " GPU");
    assert_true(places_of(s, NULL).gpu == 0 ? v.cpu_ms < v.gpu_ms : v.gpu_ms <= v.cpu_ms);
    vki_session_destroy(&s);
    return key;
}

static void both_outcomes(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    vki_model *m = open_model(VKI_BACKEND_VULKAN, NULL, NULL);
    const uint64_t key = measure(m);
    static const struct {
        double gpu, cpu;
        const char *text;
        bool on_cpu;
    } rows[] = {
        {16.6, 4.1, "remembered: GPU 16.6 ms, CPU 4.10 ms: CPU", true},
        {4.1, 16.6, "remembered: GPU 4.10 ms, CPU 16.6 ms: GPU", false},
        {SES_LATE, 70, "remembered: GPU over 50 ms, CPU 70.0 ms: CPU", true},
        {3, SES_LATE, "remembered: GPU 3.00 ms, CPU over 50 ms: GPU", false},
    };
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        ses_verdicts_add(m->context->verdicts, &(ses_verdict){key, rows[i].gpu, rows[i].cpu});
        expect(open_session(m, VKI_PLACE_AUTO, 100), rows[i].text, rows[i].on_cpu);
    }
    /* nothing is measured below 0; a verdict still counts */
    expect(open_session(m, VKI_PLACE_AUTO, -1), "remembered: ", false);
    /* another number of threads is another CPU */
    vki_session *s = NULL;
    vki_session_options o = {.size = sizeof o, .tune_ms = -1, .threads = 2};
    SESSION_OK(vki_session_create(m, &o, &s, why));
    assert_int_equal(strncmp(s->choice.text, "estimated: GPU ", 15), 0);
    assert_true(s->choice.key != key);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
}

/* The results are those of the place that was chosen, whichever that is. */
static void results_agree(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, SIZE);
    vki_model *m = open_model(VKI_BACKEND_VULKAN, NULL, NULL);
    const uint64_t key = measure(m);
    vki_session *reference = NULL;
    vki_session_options plain = {.size = sizeof plain, .reference = true};
    SESSION_OK(vki_session_create(m, &plain, &reference, why));
    session_write_inputs(reference, 1);
    SESSION_OK(vki_session_run(reference, 0, why));
    for (int cpu = 0; cpu < 2; cpu++) {
        ses_verdicts_add(m->context->verdicts, &(ses_verdict){key, cpu ? 2 : 1, cpu ? 1 : 2});
        vki_session *s = open_session(m, VKI_PLACE_AUTO, 100);
        session_write_inputs(s, 1);
        session_compare(&g, reference, s);
        vki_session_destroy(&s);
    }
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    gr_free(&g);
}

/* ---- the file ---- */

static long file_size(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return -1;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    fclose(f);
    return size;
}

static void flip_byte(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fputc(c ^ 0x10, f), c ^ 0x10);
    fclose(f);
}

static bool knows(const char *path, uint64_t key)
{
    vki_model *m = open_model(VKI_BACKEND_VULKAN, path, NULL);
    ses_verdict v;
    bool known = ses_verdicts_find(m->context->verdicts, key, &v);
    vki_model_destroy(&m);
    return known;
}

static void kept_in_a_file(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    vki_model *m = open_model(VKI_BACKEND_VULKAN, cache, NULL),
              *other = open_model(VKI_BACKEND_VULKAN, cache, NULL);
    const uint64_t key = measure(m);
    ses_verdicts_add(m->context->verdicts, &(ses_verdict){key, 9, 1});
    ses_verdicts_add(other->context->verdicts, &(ses_verdict){7, 1, 9}); /* adds to what is in the file */
    vki_model_destroy(&m);
    vki_model_destroy(&other);
    m = open_model(VKI_BACKEND_VULKAN, cache, NULL);
    expect(open_session(m, VKI_PLACE_AUTO, 100), "remembered: GPU 9.00 ms, CPU 1.00 ms: CPU", true);
    vki_model_destroy(&m);
    assert_true(knows(cache, key) && knows(cache, 7) && !knows(cache, 8));
    for (long at = 0, size = file_size(verdicts); at < size; at += 5) { /* damaged anywhere: ignored */
        flip_byte(verdicts, at);
        assert_false(knows(cache, key));
        flip_byte(verdicts, at);
    }
    assert_true(knows(cache, key));
    assert_int_equal(truncate(verdicts, file_size(verdicts) - 1), 0);
    assert_false(knows(cache, key));
    m = open_model(VKI_BACKEND_VULKAN, cache, NULL); /* and replaced */
    ses_verdicts_add(m->context->verdicts, &(ses_verdict){key, 9, 1});
    vki_model_destroy(&m);
    assert_true(knows(cache, key) && !knows(cache, 7));
    assert_false(knows("/no/such/folder/cache", key));
}

/* ---- small parts, and the order ---- */

/* Gather and Greater for the device, NonZero for the CPU, `count` times, of what a convolution made. */
static void net_of_islands(gr_graph *g, int count)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(1, 64, 40, 40));
    gr_id y = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(64, 64, 3, 3))));
    y = net_node(g, OP_Reshape, IN(y, net_ints(g, 2, (const int64_t[]){64, 38 * 38})));
    for (int64_t i = 0; i < count; i++) {
        gr_id row = net_node(g, OP_Gather, IN(y, net_ints(g, 1, &i)));
        net_output(g, net_unary(g, OP_NonZero, net_binary(g, OP_Greater, row, net_scalar(g, 0.5f))));
    }
}

static vki_session_stats plan_stats(const gr_graph *g, vki_placement placement, places *p)
{
    vki_context_options co = {.size = sizeof co, .backend = VKI_BACKEND_PLAN, .plan_device = "mali"};
    vki_session_options so = {.size = sizeof so, .placement = placement, .threads = 1};
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_session *s = NULL;
    SESSION_OK(vki_context_create(&co, &c, why));
    SESSION_OK(vki_model_load_file(c, small_model_file(g), &m, why));
    SESSION_OK(vki_session_create(m, &so, &s, why));
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    *p = places_of(s, "a small part");
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
    return stats;
}

static void small_parts(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    gr_graph g;
    places first, moved;
    net_of_islands(&g, COUNT);
    vki_session_stats stats = plan_stats(&g, VKI_PLACE_GPU_FIRST, &first);
    assert_int_equal(first.gpu, 1 + 2 * COUNT); /* the convolution stores rows, so that Reshape is a view */
    assert_int_equal(stats.segments, 2);        /* all of the device's nodes, then all of the CPU's */
    assert_int_equal(stats.submits, 1);
    double before = stats.estimated_ms;
    stats = plan_stats(&g, VKI_PLACE_AUTO, &moved);
    assert_true(moved.explained > 0 && moved.cpu == first.cpu + moved.explained);
    assert_true(moved.gpu >= 1 && stats.estimated_ms < before); /* the convolution stays */
    gr_free(&g);
}

/* ---- memory ---- */

static vki_status whole_life(const gr_graph *g, vki_backend backend, const vki_allocator *a, vki_error *err)
{
    vki_context_options co = {.size = sizeof co, .backend = backend, .allocator = a, .cache_path = cache};
    vki_session_options so = {.size = sizeof so, .threads = 1, .tune_ms = -1};
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_session *s = NULL;
    vki_status status = vki_context_create(&co, &c, err);
    if (status == VKI_OK) status = vki_model_load_file(c, small_model_file(g), &m, err);
    if (status == VKI_OK) status = vki_session_create(m, &so, &s, err);
    places p = {.text = NULL};
    if (status == VKI_OK) status = vki_session_report(s, count, &p);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
    return status;
}

/* Every allocation fails once; a trial that fails may leave the other place. */
static void memory_exhausted(void **state)
{
    (void)state;
    gr_graph g;
    net_of_islands(&g, 3);
    for (int vulkan = 0; vulkan <= (gpu_run_device() != NULL); vulkan++) {
        const vki_backend backend = vulkan ? VKI_BACKEND_VULKAN : VKI_BACKEND_PLAN;
        counting c = {0};
        vki_allocator a = counting_allocator(&c);
        vki_error err = {0};
        assert_int_equal(whole_life(&g, backend, &a, &err), VKI_OK);
        assert_int_equal(atomic_load(&c.live), 0);
        const long long calls = atomic_load(&c.calls);
        int refused = 0;
        for (long long n = 1; n <= calls; n += vulkan ? 53 : 5) {
            atomic_store(&c.calls, 0);
            atomic_store(&c.fail_at, n);
            vki_status status = whole_life(&g, backend, &a, &err);
            if (status != VKI_OK && status != VKI_E_NOMEM)
                fail_msg("allocation %lld: %s: %s", n, vki_status_name(status), err.text);
            assert_int_equal(atomic_load(&c.live), 0);
            refused += status == VKI_E_NOMEM;
        }
        assert_true(refused > 0);
    }
    gr_free(&g);
}

int main(void)
{
    gpu_run_device(); /* stays open */
    snprintf(cache, sizeof cache, "/tmp/vkinfer_choice_%ld", (long)getpid());
    snprintf(verdicts, sizeof verdicts, "%s.placement", cache);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_chooses),    cmocka_unit_test(both_outcomes), cmocka_unit_test(results_agree),
        cmocka_unit_test(kept_in_a_file), cmocka_unit_test(small_parts),   cmocka_unit_test(memory_exhausted),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(cache);
    unlink(verdicts);
    return failed;
}
