/* SPDX-License-Identifier: Apache-2.0
 * A recurrent layer is a handful of dispatches, however many steps it has: what sets it apart from a dispatch
 * or more a step. Long bidirectional layers against the reference, their dispatches as the report says them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/gpu_run.h"
#include "common/net.h"
#include "common/small_models.h"

enum { STEPS = 200, INPUT = 40 };

#define OK(call)                                                                                             \
    do {                                                                                                     \
        vki_error why[1] = {0};                                                                              \
                                                                                                             \
        if ((call) != VKI_OK) fail_msg("%s: %s", #call, why->text);                                          \
    } while (0)

typedef struct layer {
    op_kind op;
    int64_t gates, hidden;
    int most_dispatches;
} layer;

/* As small as trained weights are: errors must not grow from step to step. */
static gr_id weights(gr_graph *g, int64_t rows, int64_t columns)
{
    gr_id t = net_random(g, DIMS(2, rows, columns));
    float *w = (float *)(uintptr_t)g->tensors[t].data;
    for (int64_t i = 0; i < 2 * rows * columns; i++) w[i] *= 1 / sqrtf((float)columns);
    return t;
}

static vki_model *bidirectional(const layer *l, vki_backend backend)
{
    gr_graph g;
    net_init(&g);
    int64_t rows = l->gates * l->hidden;
    gr_id x = net_input(&g, "x", DIMS(STEPS, 1, INPUT));
    gr_id w = weights(&g, rows, INPUT), r = weights(&g, rows, l->hidden);
    net_output(&g, net_node(&g, l->op, IN(x, w, r, net_random(&g, DIMS(2, 2 * rows)))));
    op_recurrent_attrs *attrs = net_last(&g)->attrs;
    attrs->hidden_size = l->hidden;
    attrs->direction = 2;
    vki_context *c = NULL;
    vki_model *m = NULL;
    OK(vki_context_create(&(vki_context_options){.size = sizeof(vki_context_options), .backend = backend}, &c,
                          why));
    OK(vki_model_load_file(c, small_model_file(&g), &m, why));
    vki_context_destroy(&c); /* lives on with the model */
    gr_free(&g);
    return m;
}

/* The caller frees it. */
static float *run(vki_session *s, size_t count)
{
    float x[STEPS * INPUT];
    for (int i = 0; i < STEPS * INPUT; i++) x[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    OK(vki_session_write(s, 0, x, sizeof x, why));
    OK(vki_session_run(s, 0, why));
    float *y = malloc(count * sizeof *y);
    assert_non_null(y);
    OK(vki_session_read(s, 0, y, count * sizeof *y, why));
    return y;
}

static void count_dispatches(void *user, const vki_node_report *r)
{
    assert_string_equal(r->place, "vulkan");
    *(int *)user += r->dispatches;
}

static void takes_few_dispatches(const layer *l)
{
    vki_model *m = bidirectional(l, VKI_BACKEND_VULKAN);
    vki_session *reference = NULL, *tested = NULL;
    vki_session_options o = {.size = sizeof o, .reference = true};
    OK(vki_session_create(m, &o, &reference, why));
    o = (vki_session_options){.size = sizeof o, .placement = VKI_PLACE_GPU_ONLY};
    OK(vki_session_create(m, &o, &tested, why));
    size_t count = (size_t)(STEPS * 2 * l->hidden);
    float *expected = run(reference, count), *y = run(tested, count);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(y[i] - expected[i]) <= 1e-4f))
            fail_msg("hidden %d, element %zu: %g instead of %g", (int)l->hidden, i, (double)y[i],
                     (double)expected[i]);
    int dispatches = 0;
    assert_int_equal(vki_session_report(tested, count_dispatches, &dispatches), VKI_OK);
    print_message("%s, hidden %d, both directions, %d steps: %d dispatches\n", op_get(l->op)->name,
                  (int)l->hidden, STEPS, dispatches);
    assert_in_range(dispatches, 1, l->most_dispatches);
    free(expected);
    free(y);
    vki_session_destroy(&reference);
    vki_session_destroy(&tested);
    vki_model_destroy(&m);
}

static void long_layers(void **state)
{
    (void)state;
    static const layer layers[] = {
        {OP_LSTM, 4, 64, 4}, {OP_LSTM, 4, 128, 4}, {OP_LSTM, 4, 256, 4},
        {OP_GRU, 3, 128, 4}, {OP_RNN, 1, 128, 4},
    };
    if (!gpu_run_device()) skip();
    for (size_t i = 0; i < VKB_COUNT(layers); i++) takes_few_dispatches(&layers[i]);
}

/* What no workgroup of the device can hold takes a dispatch a step, or two where GRU's reset gate comes
 * before the product; planned for the least that Vulkan promises. tests/cases runs that kernel on small
 * layers. */
static void large_layers_go_step_by_step(void **state)
{
    (void)state;
    static const layer layers[] = {{OP_LSTM, 4, 1024, 1 + STEPS}, {OP_GRU, 3, 1024, 1 + 2 * STEPS}};
    for (size_t i = 0; i < VKB_COUNT(layers); i++) {
        vki_model *m = bidirectional(&layers[i], VKI_BACKEND_PLAN);
        vki_session *s = NULL;
        vki_session_options o = {.size = sizeof o,
                                 .placement = VKI_PLACE_GPU_ONLY,
                                 .max_submit_us = UINT32_MAX}; /* long dispatches are not split */
        OK(vki_session_create(m, &o, &s, why));
        int dispatches = 0;
        assert_int_equal(vki_session_report(s, count_dispatches, &dispatches), VKI_OK);
        assert_int_equal(dispatches, layers[i].most_dispatches);
        vki_session_destroy(&s);
        vki_model_destroy(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_layers),
                                       cmocka_unit_test(large_layers_go_step_by_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
