/* SPDX-License-Identifier: Apache-2.0
 * How long a plan for other shapes takes once pipelines and weights are there. Times are the best of several,
 * since the machine may be busy; the ceilings leave room for sanitizers to be left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/gpu_run.h"
#include "common/session_check.h"
#include "session/session.h"

static const char *model_path(void)
{
    static char path[1024];
    const char *shared = getenv("VKI_SHARED");
    snprintf(path, sizeof path, "%s/models/textdet/ppocrv4_det/model.onnx", shared ? shared : "../shared");
    return path;
}

/* The best time of a reshape to a size that has no plan yet. */
static double best_replan(vki_session *s, int first, double *planning, int *nodes)
{
    double best = 1e9;
    *planning = 1e9;
    for (int i = 0; i < 12; i++) {
        vki_shape shape = {"x", 4, {1, 3, 320 + 32 * (first + i), 352 + 32 * (i % 5)}};
        vki_session_stats stats = {.size = sizeof stats};
        double start = vkb_now_ms();
        SESSION_OK(vki_session_reshape(s, &shape, 1, why));
        double ms = vkb_now_ms() - start;
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        best = ms < best ? ms : best;
        *planning = stats.plan_ms < *planning ? stats.plan_ms : *planning;
        *nodes = stats.nodes;
    }
    return best;
}

static void replan(vki_backend backend, double most_ms)
{
    vki_context_options co = {.size = sizeof co, .backend = backend};
    vki_session_options so = {.size = sizeof so};
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_session *s = NULL;
    double planning;
    int nodes;
    SESSION_OK(vki_context_create(&co, &c, why));
    SESSION_OK(vki_model_load_file(c, model_path(), &m, why));
    SESSION_OK(vki_session_create(m, &so, &s, why));
    best_replan(s, 0, &planning, &nodes); /* makes pipelines and weights */
    int pipelines = c->device ? vkr_device_pipelines(c->device) : 0;
    double ms = best_replan(s, 12, &planning, &nodes);
    print_message("%d nodes: %.2f ms a reshape, %.2f ms of it planning\n", nodes, ms, planning);
    if (c->device) assert_int_equal(vkr_device_pipelines(c->device), pipelines);
#ifndef VKI_SANITIZED /* which take several times as long */
    assert_true(ms < most_ms);
#else
    assert_true(ms < 100 * most_ms);
#endif
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
}

static void on_the_cpu(void **state)
{
    (void)state;
    replan(VKI_BACKEND_CPU, 20);
}

static void on_vulkan(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    replan(VKI_BACKEND_VULKAN, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_the_cpu), cmocka_unit_test(on_vulkan)};
    if (access(model_path(), R_OK) != 0) {
        print_message(
            "replan_test: skipped: %s is absent (set VKI_SHARED to the folder that holds models/)\n",
            model_path());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
