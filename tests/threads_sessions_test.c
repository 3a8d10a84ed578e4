/* SPDX-License-Identifier: Apache-2.0
 * Eight threads with a session each, of three networks that they share, on one context: the same bits as runs
 * one after the other, on the CPU and on Vulkan. Sessions come and go; half of them have runs in flight.
 * Meant for the thread sanitizer (tools/dev test).
 *
 * threads_sessions_test [SECONDS [MODEL...]]: for so long on each back end (2, or $VKI_TEST_SECONDS), and
 * with these networks instead of small ones; the inputs of all are float32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/flights.h"
#include "common/gpu_run.h"
#include "common/small_models.h"

enum { THREADS = 8, MODELS = 3, SEEDS = 3, RUNS_A_SESSION = 12, TENSORS = 16 };

static double seconds = 2;
static char **paths; /* MODELS of them, or NULL */

typedef struct tensors {
    void *data[TENSORS];
    size_t bytes[TENSORS];
    int count;
} tensors;

typedef struct shared {
    vki_model *models[MODELS];
    tensors inputs[MODELS][SEEDS], wanted[MODELS][SEEDS];
    double end_ms;
    atomic_int runs, wrong;
    atomic_bool failed;
    vki_error err; /* of the first failure; read when all have ended */
} shared;

typedef struct worker {
    shared *all;
    int index;
} worker;

static vki_status give_up(shared *all, const vki_error *err)
{
    if (!atomic_exchange(&all->failed, true)) all->err = *err;
    return err->code;
}

static vki_status open_one(vki_model *m, int index, vki_session **s, vki_error *err)
{
    vki_session_options o = {.size = sizeof o, .threads = 1 + index % 2, .runs_in_flight = 1 + index / 4};
    return vki_session_create(m, &o, s, err);
}

static size_t bytes_of(const vki_tensor_info *info)
{
    size_t n = vki_dtype_size(info->dtype);
    for (int d = 0; d < info->rank; d++) n *= (size_t)info->dims[d];
    return n;
}

/* ---- what is expected ---- */

static void make_inputs(const vki_session *s, int seed, tensors *t)
{
    uint32_t random = (uint32_t)seed + 1;
    t->count = vki_model_input_count(s->model);
    assert_true(t->count <= TENSORS);
    for (int i = 0; i < t->count; i++) {
        vki_tensor_info info;
        assert_int_equal(vki_session_input(s, i, &info), VKI_OK);
        assert_int_equal(info.dtype, VKI_F32);
        t->bytes[i] = bytes_of(&info);
        float *x = t->data[i] = malloc(t->bytes[i] + 1);
        assert_non_null(x);
        for (size_t k = 0; k < t->bytes[i] / sizeof *x; k++) {
            random = random * 1664525u + 1013904223u;
            x[k] = (float)(random >> 8) / (float)(1 << 24) - 0.5f;
        }
    }
}

static void take_outputs(vki_session *s, tensors *t)
{
    t->count = vki_model_output_count(s->model);
    assert_true(t->count <= TENSORS);
    for (int i = 0; i < t->count; i++) {
        vki_tensor_info info;
        assert_int_equal(vki_session_output(s, i, &info), VKI_OK);
        t->bytes[i] = bytes_of(&info);
        t->data[i] = malloc(t->bytes[i] + 1);
        assert_non_null(t->data[i]);
        SESSION_OK(vki_session_read(s, i, t->data[i], t->bytes[i], why));
    }
}

static void run_alone(shared *all, int model)
{
    vki_session *s = NULL;
    SESSION_OK(open_one(all->models[model], 0, &s, why));
    for (int seed = 0; seed < SEEDS; seed++) {
        tensors *in = &all->inputs[model][seed];
        make_inputs(s, seed, in);
        for (int i = 0; i < in->count; i++)
            SESSION_OK(vki_session_write(s, i, in->data[i], in->bytes[i], why));
        SESSION_OK(vki_session_run(s, 0, why));
        take_outputs(s, &all->wanted[model][seed]);
    }
    vki_session_destroy(&s);
}

static void free_tensors(tensors *t)
{
    for (int i = 0; i < t->count; i++) free(t->data[i]);
}

/* ---- all at once: no assertions, which belong to the main thread ---- */

static vki_status start_run(vki_session *s, const tensors *in, uint64_t *ticket, vki_error *err)
{
    for (int i = 0; i < in->count; i++) VKB_TRY(vki_session_write(s, i, in->data[i], in->bytes[i], err));
    return vki_session_submit(s, NULL, ticket, err);
}

static vki_status compare(shared *all, vki_session *s, uint64_t ticket, const tensors *want, vki_error *err)
{
    if (ticket) VKB_TRY(vki_session_wait(s, ticket, 0, err));
    for (int i = 0; i < want->count; i++) {
        void *got = calloc(1, want->bytes[i] + 1);
        if (!got) return vkb_nomem(err, want->bytes[i]);
        vki_status status = ticket ? vki_session_read_run(s, ticket, i, NULL, got, want->bytes[i], err)
                                   : vki_session_read(s, i, got, want->bytes[i], err);
        if (status == VKI_OK && memcmp(got, want->data[i], want->bytes[i])) atomic_fetch_add(&all->wrong, 1);
        free(got);
        if (status != VKI_OK) return status;
    }
    atomic_fetch_add(&all->runs, 1);
    return VKI_OK;
}

static vki_status in_turn(shared *all, vki_session *s, int model, vki_error *err)
{
    for (int run = 0; run < RUNS_A_SESSION; run++) {
        const tensors *in = &all->inputs[model][run % SEEDS];
        for (int i = 0; i < in->count; i++) VKB_TRY(vki_session_write(s, i, in->data[i], in->bytes[i], err));
        VKB_TRY(vki_session_run(s, 0, err));
        VKB_TRY(compare(all, s, 0, &all->wanted[model][run % SEEDS], err));
        if (vkb_now_ms() > all->end_ms) break;
    }
    return VKI_OK;
}

/* Two in flight; the last one is left to vki_session_destroy. */
static vki_status overlapped(shared *all, vki_session *s, int model, vki_error *err)
{
    uint64_t before = 0, ticket;
    for (int run = 0; run < RUNS_A_SESSION; run++) {
        VKB_TRY(start_run(s, &all->inputs[model][run % SEEDS], &ticket, err));
        if (run) VKB_TRY(compare(all, s, before, &all->wanted[model][(run - 1) % SEEDS], err));
        before = ticket;
        if (vkb_now_ms() > all->end_ms) break;
    }
    return VKI_OK;
}

static void *work(void *arg)
{
    const worker *w = arg;
    shared *all = w->all;
    int model = w->index % MODELS;
    vki_error err = {0};
    while (vkb_now_ms() < all->end_ms && !atomic_load(&all->failed)) {
        vki_session *s = NULL;
        vki_status status = open_one(all->models[model], w->index, &s, &err);
        if (status == VKI_OK) status = (w->index / 4 ? overlapped : in_turn)(all, s, model, &err);
        if (status != VKI_OK) give_up(all, &err);
        vki_session_destroy(&s);
    }
    return NULL;
}

static void check(vki_backend backend)
{
    static shared all;
    vki_context *c = NULL;
    vki_context_options o = {.size = sizeof o, .backend = backend};
    pthread_t threads[THREADS];
    worker workers[THREADS];
    memset(&all, 0, sizeof all);
    SESSION_OK(vki_context_create(&o, &c, why));
    for (int i = 0; i < MODELS; i++) {
        gr_graph g;
        networks[i](&g);
        SESSION_OK(vki_model_load_file(c, paths ? paths[i] : small_model_file(&g), &all.models[i], why));
        gr_free(&g);
        run_alone(&all, i);
    }
    all.end_ms = vkb_now_ms() + seconds * 1e3;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){&all, i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    if (atomic_load(&all.failed)) fail_msg("%s", all.err.text);
    print_message("%d runs\n", atomic_load(&all.runs));
    assert_int_equal(atomic_load(&all.wrong), 0);
    assert_true(atomic_load(&all.runs) >= THREADS / 2);
    for (int i = 0; i < MODELS; i++) {
        for (int k = 0; k < SEEDS; k++) {
            free_tensors(&all.inputs[i][k]);
            free_tensors(&all.wanted[i][k]);
        }
        vki_model_destroy(&all.models[i]);
    }
    vki_context_destroy(&c);
}

static void on_the_cpu(void **state)
{
    (void)state;
    check(VKI_BACKEND_CPU);
}

static void on_vulkan(void **state)
{
    (void)state;
    if (!gpu_run_device()) {
        print_message("no Vulkan device\n");
        skip();
    }
    check(VKI_BACKEND_VULKAN);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_the_cpu), cmocka_unit_test(on_vulkan)};
    const char *given = argc > 1 ? argv[1] : getenv("VKI_TEST_SECONDS");
    if (given) seconds = atof(given);
    if (argc == 2 + MODELS) paths = argv + 2;
    if (seconds <= 0 || (argc > 2 && !paths)) {
        fprintf(stderr, "usage: %s [SECONDS [MODEL1 MODEL2 MODEL3]]\n", argv[0]);
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
