/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/session_check.h"
#include "common/small_models.h"

vki_model *session_load(const gr_graph *g, bool vulkan, bool staging, const vki_allocator *a)
{
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_context_options o = {.size = sizeof o,
                             .backend = vulkan ? VKI_BACKEND_VULKAN : VKI_BACKEND_CPU,
                             .allocator = a,
                             .force_staging = staging};
    SESSION_OK(vki_context_create(&o, &c, why));
    SESSION_OK(vki_model_load_file(c, small_model_file(g), &m, why));
    vki_context_destroy(&c); /* lives on with the model */
    return m;
}

size_t session_elements(const vki_tensor_info *info)
{
    size_t n = 1;
    for (int i = 0; i < info->rank; i++) n *= (size_t)info->dims[i];
    return n;
}

void session_write_inputs(vki_session *s, int count)
{
    for (int i = 0; i < count; i++) {
        vki_tensor_info info;
        assert_int_equal(vki_session_input(s, i, &info), VKI_OK);
        size_t n = session_elements(&info);
        float *x = malloc(n * sizeof *x);
        assert_non_null(x);
        for (size_t k = 0; k < n; k++) x[k] = (float)((k * 37 + (size_t)i) % 101) / 10.0f - 4.0f;
        SESSION_OK(vki_session_write(s, i, x, n * sizeof *x, why));
        free(x);
    }
}

void session_compare(const gr_graph *g, vki_session *reference, vki_session *tested)
{
    session_compare_within(g, reference, tested, 1e-4f);
}

void session_compare_within(const gr_graph *g, vki_session *reference, vki_session *tested, float tolerance)
{
    for (int round = 0; round < 2; round++) {
        SESSION_OK(vki_session_run(tested, 0, why));
        for (int i = 0; i < g->n_outputs; i++) {
            vki_tensor_info info;
            assert_int_equal(vki_session_output(reference, i, &info), VKI_OK);
            size_t n = session_elements(&info), bytes = n * vki_dtype_size(info.dtype);
            char *a = malloc(2 * bytes);
            assert_non_null(a);
            SESSION_OK(vki_session_read(reference, i, a, bytes, why));
            SESSION_OK(vki_session_read(tested, i, a + bytes, bytes, why));
            if (info.dtype != VKI_F32) assert_memory_equal(a, a + bytes, bytes);
            for (size_t k = 0; k < n && info.dtype == VKI_F32; k++) {
                float x = ((float *)(void *)a)[k], y = ((float *)(void *)(a + bytes))[k];
                if (!(fabsf(x - y) <= tolerance * (1 + fabsf(x))))
                    fail_msg("output %s, element %zu: %g instead of %g", info.name, k, (double)y, (double)x);
            }
            free(a);
        }
    }
}

static vki_session *session_of_reference(const gr_graph *g, vki_model *m)
{
    vki_session *s = NULL;
    const vki_session_options o = {.size = sizeof o, .reference = true};
    SESSION_OK(vki_session_create(m, &o, &s, why));
    session_write_inputs(s, g->n_inputs);
    SESSION_OK(vki_session_run(s, 0, why));
    return s;
}

vki_session_stats session_check_options(const gr_graph *g, bool vulkan, bool staging,
                                        const vki_session_options *o)
{
    vki_model *m = session_load(g, vulkan, staging, NULL);
    vki_session *reference = session_of_reference(g, m), *s = NULL;
    vki_session_stats stats = {.size = sizeof stats};
    SESSION_OK(vki_session_create(m, o, &s, why));
    session_write_inputs(s, g->n_inputs);
    session_compare(g, reference, s);
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    vki_session_destroy(&s);
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    return stats;
}

typedef struct kernel_count {
    const char *kernel;
    int nodes;
} kernel_count;

static void count_kernel(void *user, const vki_node_report *node)
{
    kernel_count *c = user;
    c->nodes += !strcmp(node->kernel, c->kernel);
}

vki_session *session_with(const gr_graph *g, vki_model *m, const vki_session_options *o, const char *kernel,
                          int nodes)
{
    vki_session *s = NULL;
    kernel_count c = {kernel, 0};
    SESSION_OK(vki_session_create(m, o, &s, why));
    session_write_inputs(s, g->n_inputs);
    SESSION_OK(vki_session_run(s, 0, why));
    assert_int_equal(vki_session_report(s, count_kernel, &c), VKI_OK);
    if (c.nodes != nodes) fail_msg("%d threads: %s %d times, not %d", o->threads, kernel, c.nodes, nodes);
    return s;
}

void session_check_merge(gr_graph *g, int dispatches, const char *passes, float half)
{
    enum { MERGED, APART, HALF, WAYS };
    vki_model *m = session_load(g, true, false, NULL);
    vki_session *reference = session_of_reference(g, m);
    for (int way = 0; way < (half > 0 ? WAYS : HALF); way++) {
        vki_session *s = NULL;
        vki_session_options o = {.size = sizeof o,
                                 .precision = way == HALF ? VKI_PRECISION_FP16_STORE : VKI_PRECISION_FP32,
                                 .disable_passes = way == APART ? passes : NULL};
        SESSION_OK(vki_session_create(m, &o, &s, why));
        session_write_inputs(s, g->n_inputs);
        session_compare_within(g, reference, s, way == HALF ? half : 1e-4f);
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        if (way != APART && dispatches >= 0) assert_int_equal(stats.dispatches, dispatches);
        if (way == APART && dispatches >= 0) assert_true(stats.dispatches > dispatches);
        vki_session_destroy(&s);
    }
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    gr_free(g);
}
