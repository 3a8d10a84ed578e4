/* SPDX-License-Identifier: Apache-2.0
 * The public API on every device there is: results, states, wrong arguments, exhausted memory, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/counting.h"
#include "common/gpu_run.h"
#include "common/small_models.h"

enum { SIZE = 20 };

static bool have_vulkan;

#define OK(call)                                                                                             \
    do {                                                                                                     \
        vki_error why[1] = {0};                                                                              \
                                                                                                             \
        if ((call) != VKI_OK) fail_msg("%s: %s", #call, why->text);                                          \
    } while (0)

static vki_context *make_context(bool vulkan, const vki_allocator *a, bool staging)
{
    vki_context *c = NULL;
    vki_context_options o = {.size = sizeof o,
                             .backend = vulkan ? VKI_BACKEND_VULKAN : VKI_BACKEND_CPU,
                             .allocator = a,
                             .force_staging = staging};
    OK(vki_context_create(&o, &c, why));
    return c;
}

static const char *cnn_file(int64_t size)
{
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, size);
    const char *path = small_model_file(&g);
    gr_free(&g);
    return path;
}

static void fill(float *x, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static void run_cnn(vki_session *s, int64_t height, int64_t width, float *features, float *scores)
{
    size_t n = (size_t)(3 * height * width);
    float *image = malloc(n * sizeof *image);
    assert_non_null(image);
    fill(image, n, 7);
    OK(vki_session_write(s, 0, image, n * sizeof *image, why));
    OK(vki_session_run(s, 0, why));
    OK(vki_session_read(s, 0, features, (size_t)(8 * (height / 2) * (width / 2)) * sizeof *features, why));
    OK(vki_session_read(s, 1, scores, 5 * sizeof *scores, why));
    free(image);
}

static float largest_difference(const float *a, const float *b, size_t n)
{
    float d = 0;
    for (size_t i = 0; i < n; i++) d = fmaxf(d, fabsf(a[i] - b[i]));
    return d;
}

/* ---- results ---- */
static void compare_with_reference(bool vulkan, bool staging, vki_precision precision, float tolerance)
{
    vki_context *c = make_context(vulkan, NULL, staging);
    vki_model *m = NULL;
    OK(vki_model_load_file(c, cnn_file(SIZE), &m, why));
    vki_session *reference = NULL, *s = NULL;
    OK(vki_session_create(m, &(vki_session_options){.size = sizeof(vki_session_options), .reference = true},
                          &reference, why));
    vki_session_options o = {.size = sizeof o, .precision = precision};
    if (vulkan) o.placement = VKI_PLACE_GPU_ONLY;
    OK(vki_session_create(m, &o, &s, why));
    enum { N = 8 * (SIZE / 2) * (SIZE / 2) };
    static float f0[N], f1[N], f2[N];
    float s0[5], s1[5], s2[5];
    run_cnn(reference, SIZE, SIZE, f0, s0);
    run_cnn(s, SIZE, SIZE, f1, s1);
    assert_true(largest_difference(f0, f1, N) < tolerance);
    assert_true(largest_difference(s0, s1, 5) < tolerance);
    run_cnn(s, SIZE, SIZE, f2, s2); /* a second run gives the same bits */
    assert_memory_equal(f1, f2, sizeof f1);
    assert_memory_equal(s1, s2, sizeof s1);
    vki_session_destroy(&reference);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
}

static void results_agree(void **state)
{
    (void)state;
    compare_with_reference(false, false, VKI_PRECISION_FP32, 1e-5f);
    if (!have_vulkan) return;
    compare_with_reference(true, false, VKI_PRECISION_FP32, 1e-5f);
    compare_with_reference(true, true, VKI_PRECISION_FP32, 1e-5f);
    compare_with_reference(true, false, VKI_PRECISION_FP16_STORE, 1e-2f);
}

/* ---- dynamic shapes ---- */
static void reshape_on(bool vulkan)
{
    vki_context *c = make_context(vulkan, NULL, false);
    vki_model *m = NULL;
    OK(vki_model_load_file(c, cnn_file(0), &m, why));
    vki_tensor_info info;
    assert_int_equal(vki_model_input(m, 0, &info), VKI_OK);
    assert_int_equal(info.dims[2], -1);
    assert_string_equal(info.symbol[3], "W");
    vki_session *s = NULL;
    OK(vki_session_create(m, NULL, &s, why));
    assert_int_equal(vki_session_input(s, 0, &info), VKI_E_STATE);
    assert_int_equal(vki_session_run(s, 0, NULL), VKI_E_STATE);
    static float features[8 * 32 * 32], again[8 * 32 * 32];
    float scores[5];
    for (int round = 0; round < 2; round++) {
        int64_t sizes[][2] = {{8, 12}, {17, 31}, {64, 64}};
        for (size_t i = 0; i < VKB_COUNT(sizes); i++) {
            vki_shape shape = {"image", 4, {1, 3, sizes[i][0], sizes[i][1]}};
            OK(vki_session_reshape(s, &shape, 1, why));
            assert_int_equal(vki_session_output(s, 0, &info), VKI_OK);
            assert_int_equal(info.dims[3], sizes[i][1] / 2);
            assert_int_equal(vki_session_run(s, 0, NULL), VKI_E_STATE); /* the new input was not written */
            run_cnn(s, sizes[i][0], sizes[i][1], round ? again : features, scores);
        }
    }
    assert_memory_equal(features, again, sizeof features);
    /* a refused shape leaves the old plan in force */
    vki_error err = {0};
    assert_int_equal(vki_session_reshape(s, &(vki_shape){"image", 4, {1, 4, 8, 8}}, 1, &err), VKI_E_SHAPE);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(vki_session_reshape(s, &(vki_shape){"image", 4, {1, 3, -8, 8}}, 1, &err), VKI_E_ARG);
    assert_int_equal(vki_session_reshape(s, &(vki_shape){"nobody", 4, {1, 3, 8, 8}}, 1, &err), VKI_E_ARG);
    run_cnn(s, 64, 64, again, scores);
    assert_memory_equal(features, again, sizeof features);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
}

static void shapes_change(void **state)
{
    (void)state;
    reshape_on(false);
    if (have_vulkan) reshape_on(true);
}

/* ---- wrong arguments ---- */
static void wrong_arguments(void **state)
{
    (void)state;
    vki_error err;
    vki_context *c = NULL;
    assert_int_equal(vki_context_create(NULL, NULL, &err), VKI_E_ARG);
    assert_int_equal(vki_context_create(&(vki_context_options){.size = 3}, &c, &err), VKI_E_ARG);
    assert_null(c);
    vki_context_options no_loader = {
        .size = sizeof no_loader, .backend = VKI_BACKEND_VULKAN, .loader_path = "/nowhere/libvulkan.so"};
    assert_int_equal(vki_context_create(&no_loader, &c, &err), VKI_E_NO_DEVICE);
    no_loader.backend = VKI_BACKEND_AUTO; /* falls to the CPU, which says so itself */
    OK(vki_context_create(&no_loader, &c, why));
    vki_device_info device;
    assert_int_equal(vki_context_device(c, &device), VKI_OK);
    assert_int_equal(device.kind, VKI_DEVICE_CPU);
    vki_model *m = NULL;
    assert_int_equal(vki_model_load_file(c, "/nowhere/model.vkm", &m, &err), VKI_E_IO);
    assert_int_equal(vki_model_load_file(c, "/", &m, &err), VKI_E_IO);
    assert_int_equal(vki_model_load_file(c, "docs/api.md", &m, &err), VKI_E_FORMAT);
    assert_non_null(strstr(err.text, "docs/api.md"));
    assert_int_equal(vki_model_load_file(NULL, "x", &m, &err), VKI_E_ARG);
    assert_int_equal(vki_model_load_memory(c, "not a model", 11, &m, &err), VKI_E_FORMAT);
    OK(vki_model_load_file(c, cnn_file(SIZE), &m, why));
    vki_tensor_info info;
    assert_int_equal(vki_model_input(m, 1, &info), VKI_E_ARG);
    assert_int_equal(vki_model_output(m, -1, &info), VKI_E_ARG);
    vki_session *s = NULL;
    vki_session_options o = {.size = sizeof o, .placement = VKI_PLACE_GPU_ONLY};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_UNSUPPORTED);
    o = (vki_session_options){.size = sizeof o, .threads = -1};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_ARG);
    o = (vki_session_options){.size = sizeof o, .cpu_affinity = "quick"};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_ARG);
    o = (vki_session_options){.size = sizeof o, .precision = VKI_PRECISION_INT8};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_UNSUPPORTED);
    o = (vki_session_options){.size = sizeof o, .disable_passes = "no_such_pass"};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_ARG);
    o = (vki_session_options){.size = sizeof o, .packed_percent = -1};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_ARG);
    assert_non_null(strstr(err.text, "packed_percent"));
    o = (vki_session_options){.size = sizeof o, .memory_limit = 100};
    assert_int_equal(vki_session_create(m, &o, &s, &err), VKI_E_NOMEM);
    assert_non_null(strstr(err.text, "memory_limit"));
    assert_null(s);
    OK(vki_session_create(m, NULL, &s, why));
    float x[3 * SIZE * SIZE] = {0};
    assert_int_equal(vki_session_write(s, 0, x, sizeof x - 4, &err), VKI_E_ARG);
    assert_int_equal(vki_session_write(s, 1, x, sizeof x, &err), VKI_E_ARG);
    assert_int_equal(vki_session_write(s, 0, NULL, sizeof x, &err), VKI_E_ARG);
    assert_int_equal(vki_session_run(s, 0, &err), VKI_E_STATE);
    OK(vki_session_write(s, 0, x, sizeof x, why));
    assert_int_equal(vki_session_read(s, 1, x, 20, &err), VKI_E_STATE);
    OK(vki_session_run(s, 0, why));
    assert_int_equal(vki_session_read(s, 1, x, 16, &err), VKI_E_ARG);
    assert_int_equal(vki_session_read(s, 2, x, 20, &err), VKI_E_ARG);
    assert_int_equal(vki_session_read_tensor(s, "nobody", NULL, x, 20, &err), VKI_E_ARG);
    /* parents first: the children keep them alive */
    vki_context_destroy(&c);
    vki_model_destroy(&m);
    OK(vki_session_run(s, 0, why));
    vki_session_destroy(&s);
    vki_session_destroy(&s);
    vki_session_destroy(NULL);
}

/* ---- report ---- */
typedef struct seen {
    int nodes, timed;
    bool conv_fused;
} seen;

static void look(void *user, const vki_node_report *n)
{
    seen *r = user;
    assert_true(n->name && n->op && n->place && n->kernel && n->reason && n->output);
    r->nodes++;
    r->timed += n->us >= 0;
    if (!strcmp(n->name, "conv1") && strstr(n->fused, "relu")) r->conv_fused = true;
}

static void report_on(bool vulkan)
{
    vki_context *c = make_context(vulkan, NULL, false);
    vki_model *m = NULL;
    OK(vki_model_load_file(c, cnn_file(SIZE), &m, why));
    vki_session *s = NULL;
    OK(vki_session_create(m, &(vki_session_options){.size = sizeof(vki_session_options), .profile = true}, &s,
                          why));
    float features[8 * (SIZE / 2) * (SIZE / 2)], scores[5];
    run_cnn(s, SIZE, SIZE, features, scores);
    seen r = {0};
    assert_int_equal(vki_session_report(s, look, &r), VKI_OK);
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    assert_int_equal(r.nodes, stats.nodes);
    assert_int_equal(r.timed, stats.nodes);
    assert_true(r.conv_fused);
    assert_true(stats.activation_bytes >= stats.activation_lower_bound && stats.activation_lower_bound > 0);
    assert_true(stats.weight_bytes >= 8 * 27 * 4 && stats.first_run_ms > 0);
    assert_true(!vulkan ||
                (stats.dispatches > 0 && stats.pipelines > 0 && stats.pipelines <= stats.dispatches));
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
}

static void reports(void **state)
{
    (void)state;
    report_on(false);
    if (have_vulkan) report_on(true);
}

/* ---- memory ---- */
static vki_status whole_life(const vki_allocator *a, bool vulkan, const char *path, vki_error *err)
{
    vki_context_options o = {
        .size = sizeof o, .backend = vulkan ? VKI_BACKEND_VULKAN : VKI_BACKEND_CPU, .allocator = a};
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_session *s = NULL;
    vki_status status = vki_context_create(&o, &c, err);
    if (status == VKI_OK) status = vki_model_load_file(c, path, &m, err);
    if (status == VKI_OK) status = vki_session_create(m, NULL, &s, err);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
    return status;
}

static void exhaust(bool vulkan)
{
    const char *path = cnn_file(SIZE);
    counting c = {0};
    vki_allocator a = counting_allocator(&c);
    vki_error err = {0};
    assert_int_equal(whole_life(&a, vulkan, path, &err), VKI_OK);
    assert_int_equal(atomic_load(&c.live), 0);
    long long calls = atomic_load(&c.calls);
    long long step = vulkan ? 7 : 1; /* devices take a while to make */
    for (long long n = 1; n <= calls; n += step) {
        c.fail_on = n % 2;
        atomic_store(&c.calls, 0);
        atomic_store(&c.fail_at, n);
        err = (vki_error){0};
        vki_status status = whole_life(&a, vulkan, path, &err);
        if (status != VKI_OK && status != VKI_E_NOMEM)
            fail_msg("allocation %lld: %s: %s", n, vki_status_name(status), err.text);
        if (status != VKI_OK) assert_true(strlen(err.text) > 0);
        assert_int_equal(atomic_load(&c.live), 0);
    }
}

static void memory_exhausted(void **state)
{
    (void)state;
    exhaust(false);
    if (have_vulkan) exhaust(true);
}

/* ---- threads ---- */
typedef struct job {
    vki_model *model;
    const float *expected;
    bool agreed;
} job;

static void *work(void *arg)
{
    job *j = arg;
    vki_session *s = NULL;
    if (vki_session_create(j->model, NULL, &s, NULL) != VKI_OK) return NULL;
    float *features = malloc(8 * (SIZE / 2) * (SIZE / 2) * sizeof *features), scores[5];
    j->agreed = features != NULL;
    for (int i = 0; i < 20 && j->agreed; i++) {
        run_cnn(s, SIZE, SIZE, features, scores);
        j->agreed = !memcmp(scores, j->expected, sizeof scores);
    }
    free(features);
    vki_session_destroy(&s);
    return NULL;
}

static void threads_on(bool vulkan)
{
    vki_context *c = make_context(vulkan, NULL, false);
    vki_model *m = NULL;
    OK(vki_model_load_file(c, cnn_file(SIZE), &m, why));
    vki_session *s = NULL;
    OK(vki_session_create(m, NULL, &s, why));
    float features[8 * (SIZE / 2) * (SIZE / 2)], scores[5];
    run_cnn(s, SIZE, SIZE, features, scores);
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){m, scores, false};
        assert_int_equal(pthread_create(&thread[i], NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_true(jobs[i].agreed);
    }
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
}

static void threads_share_a_model(void **state)
{
    (void)state;
    threads_on(false);
    if (have_vulkan) threads_on(true);
}

int main(void)
{
    have_vulkan =
        gpu_run_device() != NULL; /* stays open: LSan counts an unloaded driver's own data as leaked */
    if (!have_vulkan) print_message("no Vulkan device: the Vulkan half of these tests is skipped\n");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_agree),    cmocka_unit_test(shapes_change),
        cmocka_unit_test(wrong_arguments),  cmocka_unit_test(reports),
        cmocka_unit_test(memory_exhausted), cmocka_unit_test(threads_share_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
