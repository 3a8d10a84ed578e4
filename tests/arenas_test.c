/* SPDX-License-Identifier: Apache-2.0
 * How far arenas are above their lower bounds, the largest sum of what lives at once, over all stored models:
 * 1.10 times on average at most, 1.30 times for each, on the host and as planned for kinds of devices. */
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
    const char *model;
    int64_t size;
} sizes[] = {{"ppocrv4_det", 640},  {"super_resolution_10", 224}, {"waifu2x_upconv7_art", 96},
             {"magika_v3_3", 2048}, {"tesseract_eng_crnn", 254},  {"bert_tiny", 32}};

static int64_t size_of(const char *path, int d)
{
    for (size_t i = 0; i < VKB_COUNT(sizes) && d > 0; i++)
        if (strstr(path, sizes[i].model)) return sizes[i].size;
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
            shape.dims[d] = info.dims[d] >= 0 ? info.dims[d] : size_of(path, d);
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

static void add_model(sums *s, const char *path, vki_context *context)
{
    vki_model *m = NULL;
    vki_session *session = NULL;
    vki_shape shapes[8];
    int count;
    vki_session_stats stats = {.size = sizeof stats};
    SESSION_OK(vki_model_load_file(context, path, &m, why));
    if (!choose_shapes(path, m, shapes, &count)) {
        print_message("no size for a dimension of %s\n", path);
        vki_model_destroy(&m);
        return;
    }
    vki_session_options o = {.size = sizeof o, .shapes = shapes, .shape_count = count};
    SESSION_OK(vki_session_create(m, &o, &session, why));
    assert_int_equal(vki_session_stats_get(session, &stats), VKI_OK);
    double ratio = stats.activation_lower_bound
                       ? (double)stats.activation_bytes / (double)stats.activation_lower_bound
                       : 1;
    if (ratio > 1.02) print_message("%.3f: %s\n", ratio, path);
    s->total += ratio;
    s->worst = ratio > s->worst ? ratio : s->worst;
    s->count++;
    vki_session_destroy(&session);
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
