/* SPDX-License-Identifier: Apache-2.0
 * States tied from outputs to inputs: the same bits as a state that the caller feeds by hand, on every
 * back end, on small networks and on the streaming models of ../shared/models (or of VKI_SHARED). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/counting.h"
#include "common/gpu_run.h"
#include "common/net.h"
#include "common/small_models.h"
#include "session/session.h"

enum { STEPS = 5, MOST = 4 };

#define OK(call)                                                                                             \
    do {                                                                                                     \
        vki_error why[1] = {0};                                                                              \
        if ((call) != VKI_OK) fail_msg("%s: %s", #call, why->text);                                          \
    } while (0)

typedef struct setting { /* where a network runs */
    const char *name;
    vki_backend backend;
    bool staging, keep, reference;
} setting;

static const setting settings[] = {
    {"CPU", VKI_BACKEND_CPU, false, false, false},
    {"reference", VKI_BACKEND_CPU, false, false, true},
    {"Vulkan", VKI_BACKEND_VULKAN, false, false, false},
    {"Vulkan with staging", VKI_BACKEND_VULKAN, true, false, false},
    {"Vulkan, tensors kept", VKI_BACKEND_VULKAN, true, true, false},
};

static vki_model *load(const setting *w, const char *path, const vki_allocator *a)
{
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_context_options o = {
        .size = sizeof o, .backend = w->backend, .force_staging = w->staging, .allocator = a};
    OK(vki_context_create(&o, &c, why));
    OK(vki_model_load_file(c, path, &m, why));
    vki_context_destroy(&c);
    return m;
}

static vki_session *open_session(vki_model *m, const setting *w, const vki_tie *ties, int count)
{
    vki_session *s = NULL;
    vki_session_options o = {.size = sizeof o,
                             .ties = ties,
                             .tie_count = count,
                             .threads = 1,
                             .keep_intermediates = w->keep,
                             .reference = w->reference};
    OK(vki_session_create(m, &o, &s, why));
    return s;
}

static size_t input_bytes(const vki_session *s, int i)
{
    gr_graph *g = &s->plan->graph;
    return (size_t)gr_bytes(&g->tensors[g->inputs[i]]);
}

static void write_floats(vki_session *s, int input, uint32_t seed, bool zero)
{
    const size_t n = input_bytes(s, input) / sizeof(float);
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t k = 0; k < n; k++) {
        seed = seed * 1664525u + 1013904223u;
        x[k] = zero ? 0 : (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
    OK(vki_session_write(s, input, x, n * sizeof *x, why));
    free(x);
}

static void *read_output(vki_session *s, int i, size_t *bytes)
{
    vki_tensor_info info;
    assert_int_equal(vki_session_output(s, i, &info), VKI_OK);
    *bytes = vki_dtype_size(info.dtype);
    for (int d = 0; d < info.rank; d++) *bytes *= (size_t)info.dims[d];
    void *data = malloc(*bytes + 1);
    assert_non_null(data);
    OK(vki_session_read(s, i, data, *bytes, why));
    return data;
}

static int index_of(const vki_session *s, bool input, const char *name)
{
    const gr_graph *g = &s->model->source;
    for (int i = 0; i < (input ? g->n_inputs : g->n_outputs); i++)
        if (!strcmp(g->tensors[input ? g->inputs[i] : g->outputs[i]].name, name)) return i;
    fail_msg("no %s", name);
    return -1;
}

static bool is_tied(const vki_session *s, const vki_tie *ties, int count, int input)
{
    for (int i = 0; i < count; i++)
        if (index_of(s, true, ties[i].input) == input) return true;
    return false;
}

/* What the caller would do without ties: all outputs first, then all inputs. */
static void carry_by_hand(vki_session *s, const vki_tie *ties, int count)
{
    void *value[MOST];
    size_t bytes[MOST];
    for (int i = 0; i < count; i++) value[i] = read_output(s, index_of(s, false, ties[i].output), &bytes[i]);
    for (int i = 0; i < count; i++) {
        OK(vki_session_write(s, index_of(s, true, ties[i].input), value[i], bytes[i], why));
        free(value[i]);
    }
}

static void same_outputs(vki_session *by_hand, vki_session *tied, const char *where, int step)
{
    for (int i = 0; i < by_hand->model->source.n_outputs; i++) {
        size_t n, m;
        void *a = read_output(by_hand, i, &n), *b = read_output(tied, i, &m);
        assert_int_equal(n, m);
        if (memcmp(a, b, n)) fail_msg("%s, step %d: output %d differs", where, step, i);
        free(a);
        free(b);
    }
}

/* Runs both for some steps; every third run begins anew, the fourth with a state of the caller's. */
static void compare(vki_session *by_hand, vki_session *tied, const vki_tie *ties, int count,
                    const char *where)
{
    const int inputs = by_hand->model->source.n_inputs;
    for (int step = 0; step < STEPS; step++) {
        const bool anew = step % 3 == 0, given = step == 4;
        for (int i = 0; i < inputs; i++) {
            const bool state = is_tied(by_hand, ties, count, i);
            const uint32_t seed = (uint32_t)(step * 16 + i);
            if (!state || anew || given) write_floats(by_hand, i, seed, state && anew);
            if (!state || given) write_floats(tied, i, seed, false);
        }
        if (anew && step) OK(vki_session_reset(tied, why));
        OK(vki_session_run(by_hand, 0, why));
        OK(vki_session_run(tied, 0, why));
        same_outputs(by_hand, tied, where, step);
        carry_by_hand(by_hand, ties, count);
    }
}

static bool available(const setting *w)
{
    return w->backend == VKI_BACKEND_CPU || gpu_run_device();
}

static void check_file(const char *path, const vki_tie *ties, int count, bool stays)
{
    for (size_t i = 0; i < VKB_COUNT(settings); i++) {
        const setting *w = &settings[i];
        if (!available(w)) continue;
        vki_model *m = load(w, path, NULL);
        vki_session *by_hand = open_session(m, w, NULL, 0), *tied = open_session(m, w, ties, count);
        if (stays && w->backend == VKI_BACKEND_VULKAN) { /* no host is in the way, but if all is kept */
            assert_int_equal(tied->plan->n_bonds, count);
            for (int k = 0; k < count; k++) assert_int_equal(tied->plan->bonds[k].on_device, !w->keep);
        }
        compare(by_hand, tied, ties, count, w->name);
        vki_session_destroy(&by_hand);
        vki_session_destroy(&tied);
        vki_model_destroy(&m);
    }
}

/* next = tanh(x W + state), y = next * 2; `also` as a part of another concatenation */
static void cell(gr_graph *g, int64_t width)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(2, 4)), state = net_input(g, "state", DIMS(2, width));
    gr_id product = net_binary(g, OP_MatMul, x, net_random(g, DIMS(4, 6)));
    gr_id next = net_unary(g, OP_Tanh, net_binary(g, OP_Add, product, state));
    net_output(g, net_binary(g, OP_Add, next, next));
    net_output(g, next);
}

static const char *output_name(const gr_graph *g, int i)
{
    return g->tensors[g->outputs[i]].name;
}

static void one_state(void **unused)
{
    (void)unused;
    gr_graph g;
    cell(&g, 6);
    const vki_tie tie = {output_name(&g, 1), "state"};
    check_file(small_model_file(&g), &tie, 1, true);
    gr_free(&g);
}

/* Outputs that are inputs, or views of them: a delay of two steps. */
static void shift_register(void **unused)
{
    (void)unused;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 8)), a = net_input(&g, "a", DIMS(1, 8)),
          b = net_input(&g, "b", DIMS(8));
    gr_id later = net_node(&g, OP_Reshape, IN(a, net_ints(&g, 1, (int64_t[]){8})));
    net_output(&g, net_binary(&g, OP_Sub, net_unary(&g, OP_Neg, x), b));
    net_output(&g, net_unary(&g, OP_Relu, x));
    net_output(&g, later);
    const vki_tie ties[] = {{output_name(&g, 1), "a"}, {output_name(&g, 2), "b"}};
    check_file(small_model_file(&g), ties, 2, false);
    gr_free(&g);
}

/* A state that grows must be refused: before the first run where the shape is known then. */
static void wrong_ties(void **unused)
{
    (void)unused;
    gr_graph g;
    cell(&g, 1); /* broadcast: the next state is wider */
    const char *next = output_name(&g, 1);
    const struct {
        vki_tie ties[2];
        int count;
        vki_status status;
    } cases[] = {
        {{{next, "state"}}, 1, VKI_E_SHAPE},
        {{{next, "nothing"}}, 1, VKI_E_ARG},
        {{{"nothing", "state"}}, 1, VKI_E_ARG},
        {{{NULL, "state"}}, 1, VKI_E_ARG},
        {{{next, "state"}, {next, "state"}}, 2, VKI_E_ARG},
        {{{next, "state"}}, -1, VKI_E_ARG},
    };
    vki_model *m = load(&settings[0], small_model_file(&g), NULL);
    for (size_t i = 0; i < VKB_COUNT(cases); i++) {
        vki_session *s = NULL;
        vki_error err = {0};
        vki_session_options o = {
            .size = sizeof o, .ties = cases[i].ties, .tie_count = cases[i].count, .threads = 1};
        assert_int_equal(vki_session_create(m, &o, &s, &err), cases[i].status);
        assert_null(s);
        assert_true(err.text[0]);
    }
    assert_int_equal(vki_session_reset(NULL, NULL), VKI_E_ARG);
    vki_model_destroy(&m);
    gr_free(&g);
}

/* Another shape is another plan: the state begins with zeros there. */
static void new_plan(void **unused)
{
    (void)unused;
    gr_graph g;
    net_init(&g);
    const int64_t n = gr_symbol(&g, "N");
    gr_id x = net_input(&g, "x", DIMS(n)), state = net_input(&g, "state", DIMS(n));
    net_output(&g, net_binary(&g, OP_Add, x, state));
    const vki_tie tie = {output_name(&g, 0), "state"};
    const char *path = small_model_file(&g);
    for (size_t i = 0; i < VKB_COUNT(settings); i++) {
        if (!available(&settings[i])) continue;
        vki_model *m = load(&settings[i], path, NULL);
        vki_session *s = open_session(m, &settings[i], &tie, 1);
        for (int64_t size = 3; size < 6; size++)
            for (int again = 0; again < 2; again++) {
                const vki_shape shapes[] = {{"x", 1, {size}}, {"state", 1, {size}}};
                OK(vki_session_reshape(s, shapes, 2, why));
                const float ones[5] = {1, 1, 1, 1, 1};
                float sum[5];
                for (int step = 1; step < 4; step++) {
                    OK(vki_session_write(s, 0, ones, (size_t)size * sizeof *ones, why));
                    OK(vki_session_run(s, 0, why));
                    OK(vki_session_read(s, 0, sum, (size_t)size * sizeof *sum, why));
                    for (int64_t k = 0; k < size; k++) assert_true(sum[k] == (float)step);
                }
            }
        vki_session_destroy(&s);
        vki_model_destroy(&m);
    }
    gr_free(&g);
}

static void carrying_allocates_nothing(void **unused)
{
    (void)unused;
    gr_graph g;
    cell(&g, 6);
    const vki_tie tie = {output_name(&g, 1), "state"};
    const char *path = small_model_file(&g);
    for (size_t i = 0; i < VKB_COUNT(settings); i++) {
        if (!available(&settings[i])) continue;
        counting c = {0};
        const vki_allocator a = counting_allocator(&c);
        vki_model *m = load(&settings[i], path, &a);
        vki_session *s = open_session(m, &settings[i], &tie, 1);
        write_floats(s, 0, 1, false);
        OK(vki_session_run(s, 0, why));
        const long long calls = atomic_load(&c.calls);
        for (int run = 0; run < 3; run++) {
            OK(vki_session_run(s, 0, why));
            OK(vki_session_reset(s, why));
        }
        assert_int_equal(atomic_load(&c.calls), calls);
        vki_session_destroy(&s);
        vki_model_destroy(&m);
        assert_int_equal(atomic_load(&c.live), 0);
    }
    gr_free(&g);
}

/* Every allocation of a session with a tie and of its second plan fails once: a status, no leak. */
static void exhausted(void **unused)
{
    (void)unused;
    gr_graph g;
    net_init(&g);
    const int64_t n = gr_symbol(&g, "N");
    gr_id x = net_input(&g, "x", DIMS(n)), state = net_input(&g, "state", DIMS(n));
    net_output(&g, net_binary(&g, OP_Add, x, state));
    const vki_tie tie = {output_name(&g, 0), "state"};
    counting c = {0};
    const vki_allocator a = counting_allocator(&c);
    vki_model *m = load(&settings[0], small_model_file(&g), &a);
    const long long live = atomic_load(&c.live);
    vki_status status = VKI_E_NOMEM;
    for (long long fail = 1; status == VKI_E_NOMEM && fail < 1000; fail++) {
        vki_session *s = NULL;
        vki_session_options o = {.size = sizeof o, .ties = &tie, .tie_count = 1, .threads = 1};
        atomic_store(&c.fail_at, atomic_load(&c.calls) + fail);
        status = vki_session_create(m, &o, &s, NULL);
        for (int64_t size = 4; status == VKI_OK && size < 6; size++)
            status = vki_session_reshape(s, (vki_shape[]){{"x", 1, {size}}, {"state", 1, {size}}}, 2, NULL);
        vki_session_destroy(&s);
        assert_true(status == VKI_OK || status == VKI_E_NOMEM);
        assert_int_equal(atomic_load(&c.live), live);
    }
    assert_int_equal(status, VKI_OK);
    vki_model_destroy(&m);
    gr_free(&g);
}

static void check_shared(const char *model, const vki_tie *tie)
{
    char path[512];
    const char *shared = getenv("VKI_SHARED");
    snprintf(path, sizeof path, "%s/models/%s/model.onnx", shared ? shared : "../shared", model);
    if (access(path, R_OK)) {
        print_message("skipped: no %s (set VKI_SHARED)\n", path);
        skip();
    }
    check_file(path, tie, 1, true);
}

static void dtln(void **unused)
{
    (void)unused;
    check_shared("audio/dtln_1", &(vki_tie){"tf_op_layer_stack_2", "input_3"});
}

static void silero(void **unused)
{
    (void)unused;
    check_shared("audio/silero_v6_16k_static", &(vki_tie){"stateN", "state"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_state),
                                       cmocka_unit_test(shift_register),
                                       cmocka_unit_test(wrong_ties),
                                       cmocka_unit_test(new_plan),
                                       cmocka_unit_test(carrying_allocates_nothing),
                                       cmocka_unit_test(exhausted),
                                       cmocka_unit_test(dtln),
                                       cmocka_unit_test(silero)};
    gpu_run_device();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
