/* SPDX-License-Identifier: Apache-2.0
 * How far arenas are above their lower bounds, the largest sum of what lives at once, over all stored models:
 * 1.10 times on average at most, 1.30 times for each, on the host and as planned for kinds of devices. And
 * views never raise that bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/session_check.h"

/* For symbolic dimensions of inputs, by model; others get 1, or the size here for any after the first. */
static const struct {
    const char *model, *input; /* NULL: any */
    int64_t size;
} sizes[] = {{"ppocrv4_det", NULL, 640},        {"super_resolution_10", NULL, 224},
             {"waifu2x_upconv7_art", NULL, 96}, {"magika_v3_3", NULL, 2048},
             {"tesseract_eng_crnn", NULL, 254}, {"bert_tiny", NULL, 32},
             {"silero_v6_if", "input", 576},    {"silero_v6_if", "state", 1}};

static int64_t size_of(const char *path, const char *input, int d)
{
    for (size_t i = 0; i < VKB_COUNT(sizes) && d > 0; i++)
        if (strstr(path, sizes[i].model) && (!sizes[i].input || !strcmp(input, sizes[i].input)))
            return sizes[i].size;
    return d == 0 ? 1 : 0;
}

/* Shapes for all dynamic inputs; false: a dimension has no size here. */
static bool choose_shapes(const char *path, const vki_model *m, vki_shape *shapes, int *count)
{
    *count = 0;
    for (int i = 0; i < vki_model_input_count(m) && *count < 8; i++) {
        vki_tensor_info info;
        assert_int_equal(vki_model_input(m, i, &info), VKI_OK);
        if (info.rank < 0) return false;
        vki_shape shape = {.input = info.name, .rank = info.rank};
        for (int d = 0; d < info.rank; d++) {
            shape.dims[d] = info.dims[d] >= 0 ? info.dims[d] : size_of(path, info.name, d);
            if (shape.dims[d] <= 0) return false;
        }
        shapes[(*count)++] = shape;
    }
    return true;
}

typedef struct sums {
    double total, worst;
    int count;
} sums;

static vki_session_stats stats_of(vki_model *m, const vki_session_options *o)
{
    vki_session *session = NULL;
    vki_session_stats stats = {.size = sizeof stats};
    SESSION_OK(vki_session_create(m, o, &session, why));
    assert_int_equal(vki_session_stats_get(session, &stats), VKI_OK);
    vki_session_destroy(&session);
    return stats;
}

static void add_model(sums *s, const char *path, vki_context *context)
{
    vki_model *m = NULL;
    vki_shape shapes[8];
    int count;
    SESSION_OK(vki_model_load_file(context, path, &m, why));
    if (!choose_shapes(path, m, shapes, &count)) {
        print_message("no size for a dimension of %s\n", path);
        vki_model_destroy(&m);
        return;
    }
    vki_session_options o = {.size = sizeof o, .shapes = shapes, .shape_count = count};
    vki_session_stats stats = stats_of(m, &o);
    o.disable_passes = "views";
    uint64_t copied = stats_of(m, &o).activation_lower_bound;
    if (stats.activation_lower_bound > copied)
        fail_msg("%s: views make %llu bytes of %llu", path, (unsigned long long)stats.activation_lower_bound,
                 (unsigned long long)copied);
    double ratio = stats.activation_lower_bound
                       ? (double)stats.activation_bytes / (double)stats.activation_lower_bound
                       : 1;
    if (ratio > 1.02) print_message("%.3f: %s\n", ratio, path);
    s->total += ratio;
    s->worst = ratio > s->worst ? ratio : s->worst;
    s->count++;
    vki_model_destroy(&m);
}

static void check_device(const glob_t *files, vki_backend backend, const char *kind)
{
    vki_context_options o = {.size = sizeof o, .backend = backend, .plan_device = kind};
    vki_context *context = NULL;
    SESSION_OK(vki_context_create(&o, &context, why));
    sums s = {0};
    for (size_t i = 0; i < files->gl_pathc; i++) add_model(&s, files->gl_pathv[i], context);
    print_message("%s: %d models, %.4f on average, %.4f at most\n", kind ? kind : "host", s.count,
                  s.total / s.count, s.worst);
    assert_true(s.count >= 15);
    assert_true(s.total <= 1.10 * s.count);
    assert_true(s.worst <= 1.30);
    vki_context_destroy(&context);
}

static void arenas_are_close_to_their_bounds(void **state)
{
    (void)state;
    char pattern[1024];
    const char *shared = getenv("VKI_SHARED");
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/models/*/*/model.onnx", shared ? shared : "../shared");
    if (glob(pattern, 0, NULL, &files)) {
        print_message("skipped: no %s (set VKI_SHARED)\n", pattern);
        skip();
    }
    check_device(&files, VKI_BACKEND_CPU, NULL);
    check_device(&files, VKI_BACKEND_PLAN, "mali");
    check_device(&files, VKI_BACKEND_PLAN, "minimum");
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arenas_are_close_to_their_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
