/* SPDX-License-Identifier: Apache-2.0
 * Runs in flight: what is refused, ends other than good ones, callbacks, and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "common/counting.h"
#include "common/flights.h"
#include "common/gpu_run.h"
#include "common/small_models.h"

/* ---- what is refused, and ends that are not good ---- */

typedef struct gate { /* holds the session's thread in a callback */
    pthread_mutex_t lock;
    atomic_int calls, good, cancelled;
} gate;

static void on_done(void *user, uint64_t ticket, vki_status status)
{
    gate *g = user;
    assert_true(ticket > 0);
    atomic_fetch_add(&g->calls, 1);
    atomic_fetch_add(status == VKI_OK ? &g->good : &g->cancelled, 1);
    pthread_mutex_lock(&g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void held_back(void **state)
{
    (void)state;
    gr_graph g;
    net_cnn(&g);
    for (size_t w = 0; w < n_settings; w++) {
        if (!available(&settings[w])) continue;
        vki_model *m = load(&settings[w], &g, NULL);
        vki_session *s = open_session(m, &settings[w], 3, NULL);
        gate held = {.lock = PTHREAD_MUTEX_INITIALIZER};
        const vki_submit_options o = {.size = sizeof o, .done = on_done, .user = &held};
        uint64_t ticket[4];
        bool ended;
        float x[3 * 12 * 12] = {0}, y[5];
        vki_session_stats stats = {.size = sizeof stats};
        vki_error err = {0};
        write_inputs(s, 0);
        pthread_mutex_lock(&held.lock);
        for (int i = 0; i < 3; i++) SESSION_OK(vki_session_submit(s, &o, &ticket[i], why));
        SESSION_OK(vki_session_wait(s, ticket[0], 0, why)); /* has ended, but its callback has not */
        SESSION_OK(vki_session_submit(s, &o, &ticket[3], why));
        assert_int_equal(vki_session_wait(s, ticket[1], 1000000, &err), VKI_E_TIMEOUT);
        assert_non_null(strstr(err.text, "1.000 ms"));
        SESSION_OK(vki_session_poll(s, ticket[1], &ended, why));
        assert_false(ended);
        assert_int_equal(vki_session_read_run(s, ticket[1], 1, NULL, y, sizeof y, &err), VKI_E_STATE);
        assert_int_equal(vki_session_read_run(s, ticket[0], 1, NULL, y, sizeof y, &err),
                         VKI_E_ARG); /* gone */
        assert_int_equal(vki_session_write(s, 0, x, sizeof x, &err), VKI_E_STATE);
        assert_non_null(strstr(err.text, "3 runs are in flight"));
        assert_int_equal(vki_session_submit(s, &o, &(uint64_t){0}, &err), VKI_E_STATE);
        assert_int_equal(vki_session_run(s, 0, &err), VKI_E_STATE);
        assert_int_equal(vki_session_reset(s, &err), VKI_E_STATE);
        assert_int_equal(vki_session_reshape(s, &(vki_shape){"image", 4, {1, 3, 12, 12}}, 1, &err),
                         VKI_E_STATE);
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_E_STATE);
        SESSION_OK(vki_session_cancel(s, ticket[3], why));
        pthread_mutex_unlock(&held.lock);
        SESSION_OK(vki_session_wait(s, ticket[1], 0, why));
        SESSION_OK(vki_session_wait(s, ticket[2], 10000000000u, why));
        assert_int_equal(vki_session_wait(s, ticket[3], 0, &err), VKI_E_CANCELLED);
        assert_int_equal(err.code, VKI_E_CANCELLED);
        assert_int_equal(vki_session_read_run(s, ticket[3], 1, NULL, y, sizeof y, &err), VKI_E_STATE);
        assert_int_equal(vki_session_read(s, 1, y, sizeof y, &err), VKI_E_STATE);
        SESSION_OK(vki_session_read_run(s, ticket[2], 1, NULL, y, sizeof y, why));
        assert_int_equal(vki_session_read_run(s, ticket[2], 1, NULL, y, 4, &err), VKI_E_ARG);
        assert_int_equal(vki_session_read_run(s, ticket[2], 2, NULL, y, sizeof y, &err), VKI_E_ARG);
        SESSION_OK(vki_session_run(s, 0, why));
        SESSION_OK(vki_session_read(s, 1, y, sizeof y, why));
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        vki_session_destroy(&s);
        assert_int_equal(atomic_load(&held.calls), 4);
        assert_int_equal(atomic_load(&held.cancelled), 1);
        vki_model_destroy(&m);
    }
    gr_free(&g);
}

static void destroyed_in_flight(void **state)
{
    (void)state;
    gr_graph g;
    net_cnn(&g);
    for (size_t w = 0; w < n_settings; w++)
        for (int in_flight = 1; in_flight <= 4 && available(&settings[w]); in_flight++) {
            counting c = {0};
            const vki_allocator a = counting_allocator(&c);
            vki_model *m = load(&settings[w], &g, &a);
            vki_session *s = open_session(m, &settings[w], in_flight, NULL);
            vki_model_destroy(&m);
            gate open = {.lock = PTHREAD_MUTEX_INITIALIZER};
            const vki_submit_options o = {.size = sizeof o, .done = on_done, .user = &open};
            uint64_t ticket;
            write_inputs(s, 0);
            for (int i = 0; i < in_flight; i++) SESSION_OK(vki_session_submit(s, &o, &ticket, why));
            vki_session_destroy(&s);
            assert_int_equal(atomic_load(&open.calls), in_flight);
            assert_int_equal(atomic_load(&c.live), 0);
        }
    gr_free(&g);
}

static void wrong_arguments(void **state)
{
    (void)state;
    gr_graph g;
    net_cnn(&g);
    vki_model *m = load(&settings[0], &g, NULL);
    vki_session *s = NULL;
    vki_session_options o = {.size = sizeof o, .runs_in_flight = 5};
    assert_int_equal(vki_session_create(m, &o, &s, NULL), VKI_E_ARG);
    o.runs_in_flight = -1;
    assert_int_equal(vki_session_create(m, &o, &s, NULL), VKI_E_ARG);
    s = open_session(m, &settings[0], 2, NULL);
    uint64_t ticket = 7;
    bool ended;
    vki_submit_options bad = {.size = 1};
    assert_int_equal(vki_session_submit(NULL, NULL, &ticket, NULL), VKI_E_ARG);
    assert_int_equal(vki_session_submit(s, NULL, NULL, NULL), VKI_E_ARG);
    assert_int_equal(vki_session_submit(s, &bad, &ticket, NULL), VKI_E_ARG);
    assert_int_equal(vki_session_submit(s, NULL, &ticket, NULL), VKI_E_STATE); /* nothing written */
    assert_int_equal(ticket, 0);
    for (uint64_t t = 0; t < 3; t++) {
        assert_int_equal(vki_session_wait(s, t, 0, NULL), VKI_E_ARG);
        assert_int_equal(vki_session_poll(s, t, &ended, NULL), VKI_E_ARG);
        assert_int_equal(vki_session_cancel(s, t, NULL), VKI_E_ARG);
    }
    assert_int_equal(vki_session_wait(NULL, 1, 0, NULL), VKI_E_ARG);
    write_inputs(s, 0);
    SESSION_OK(vki_session_submit(s, NULL, &ticket, why));
    assert_int_equal(vki_session_poll(s, ticket, NULL, NULL), VKI_E_ARG);
    SESSION_OK(vki_session_wait(s, ticket, 0, why));
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    gr_free(&g);
}

/* The time given holds for the whole run, whatever it is made of. */
static void timeouts(void **state)
{
    (void)state;
    for (size_t w = 0; w < n_settings; w++)
        for (size_t n = 0; n < n_networks && available(&settings[w]); n++)
            for (int in_flight = 1; in_flight < 3; in_flight++) {
                gr_graph g;
                networks[n](&g);
                vki_model *m = load(&settings[w], &g, NULL);
                vki_session *s = open_session(m, &settings[w], in_flight, NULL);
                const vki_submit_options o = {.size = sizeof o, .timeout_ns = 1};
                uint64_t ticket;
                outputs first, out;
                shape_inputs(s);
                write_inputs(s, 0);
                for (int i = 0; i < 3; i++) { /* one that comes too late leaves the next one in order */
                    assert_int_equal(vki_session_run(s, 1, NULL), VKI_E_TIMEOUT);
                    vki_status status = vki_session_submit(s, &o, &ticket, NULL);
                    if (status == VKI_OK) status = vki_session_wait(s, ticket, 0, NULL);
                    assert_int_equal(status, VKI_E_TIMEOUT);
                }
                write_inputs(s, 0);
                SESSION_OK(vki_session_run(s, 60000000000u, why));
                read_run(s, 0, &first);
                SESSION_OK(vki_session_submit(s, NULL, &ticket, why));
                SESSION_OK(vki_session_wait(s, ticket, 0, why));
                read_run(s, ticket, &out);
                assert_memory_equal(&out, &first, sizeof out);
                vki_session_destroy(&s);
                vki_model_destroy(&m);
                gr_free(&g);
            }
}

/* ---- callbacks ---- */

typedef struct chain { /* each run starts the next */
    vki_session *s;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int left;
    bool destroy, finished;
    vki_status wrong_wait;
} chain;

static void next_run(void *user, uint64_t ticket, vki_status status)
{
    chain *c = user;
    float y[5];
    uint64_t next;
    assert_int_equal(status, VKI_OK);
    SESSION_OK(vki_session_read_run(c->s, ticket, 1, NULL, y, sizeof y, why));
    if (--c->left > 0) {
        const vki_submit_options o = {.size = sizeof o, .done = next_run, .user = c};
        write_input(c->s, 0, 5);
        SESSION_OK(vki_session_submit(c->s, &o, &next, why));
        c->wrong_wait = vki_session_wait(c->s, next, 0, NULL);
        return;
    }
    if (c->destroy) vki_session_destroy(&c->s);
    pthread_mutex_lock(&c->lock);
    c->finished = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void chains(void **state)
{
    (void)state;
    gr_graph g;
    net_cnn(&g);
    for (size_t w = 0; w < n_settings; w++)
        for (int i = 0; i < 4 && available(&settings[w]); i++) {
            vki_model *m = load(&settings[w], &g, NULL);
            chain c = {.s = open_session(m, &settings[w], 1 + i % 2, NULL),
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .changed = PTHREAD_COND_INITIALIZER,
                       .left = 10,
                       .destroy = i / 2};
            const vki_submit_options o = {.size = sizeof o, .done = next_run, .user = &c};
            uint64_t ticket;
            write_input(c.s, 0, 5);
            SESSION_OK(vki_session_submit(c.s, &o, &ticket, why));
            pthread_mutex_lock(&c.lock);
            while (!c.finished) pthread_cond_wait(&c.changed, &c.lock);
            pthread_mutex_unlock(&c.lock);
            assert_int_equal(c.wrong_wait, VKI_E_STATE);
            vki_session_destroy(&c.s);
            vki_model_destroy(&m);
        }
    gr_free(&g);
}

/* ---- memory ---- */

static uint64_t staging_of(vki_model *m, const setting *w, int in_flight)
{
    vki_session *s = open_session(m, w, in_flight, NULL);
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    vki_session_destroy(&s);
    return stats.staging_bytes;
}

static void memory(void **state)
{
    (void)state;
    const uint64_t once = 3 * 12 * 12 * 4 + 5 * 4; /* the least that a run has for itself */
    gr_graph g;
    net_cnn(&g);
    for (size_t w = 0; w < n_settings; w++) {
        if (!available(&settings[w])) continue;
        vki_model *m = load(&settings[w], &g, NULL);
        uint64_t one = staging_of(m, &settings[w], 1), two = staging_of(m, &settings[w], 2);
        assert_true(two >= one + once);
        assert_true(staging_of(m, &settings[w], 4) >= two + 2 * once);
        vki_session *s = open_session(m, &settings[w], 2, NULL);
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        vki_session_destroy(&s);
        vki_session_options o = {.size = sizeof o, .runs_in_flight = 2, .profile = settings[w].profile};
        o.memory_limit = stats.weight_bytes + stats.activation_bytes + stats.staging_bytes;
        o.threads = 2;
        SESSION_OK(vki_session_create(m, &o, &s, why));
        vki_session_destroy(&s);
        o.memory_limit--;
        assert_int_equal(vki_session_create(m, &o, &s, NULL), VKI_E_NOMEM);
        vki_model_destroy(&m);
    }
    gr_free(&g);
}

/* Creates, reshapes and runs a session. */
static vki_status live_a_life(vki_model *m)
{
    vki_session *s = NULL;
    vki_session_options o = {.size = sizeof o, .runs_in_flight = 3, .threads = 1};
    uint64_t ticket;
    vki_status status = vki_session_create(m, &o, &s, NULL);
    for (int64_t size = 8; status == VKI_OK && size < 12; size += 2) {
        status = vki_session_reshape(s, &(vki_shape){"image", 4, {1, 3, size, size}}, 1, NULL);
        if (status != VKI_OK) continue;
        write_input(s, 0, 1);
        status = vki_session_submit(s, NULL, &ticket, NULL);
        if (status == VKI_OK) status = vki_session_wait(s, ticket, 0, NULL);
    }
    vki_session_destroy(&s);
    return status;
}

static void exhausted(void **state)
{
    (void)state;
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, 0);
    counting c = {0};
    const vki_allocator a = counting_allocator(&c);
    vki_model *m = load(&settings[0], &g, &a);
    assert_int_equal(live_a_life(m), VKI_OK); /* the model keeps packed weights */
    const long long live = atomic_load(&c.live);
    vki_status status = VKI_E_NOMEM;
    for (long long at = 1; status == VKI_E_NOMEM && at < 2000; at++) {
        atomic_store(&c.fail_at, atomic_load(&c.calls) + at);
        status = live_a_life(m);
        assert_true(status == VKI_OK || status == VKI_E_NOMEM);
        assert_int_equal(atomic_load(&c.live), live);
    }
    assert_int_equal(status, VKI_OK);
    vki_model_destroy(&m);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_back), cmocka_unit_test(destroyed_in_flight),
        cmocka_unit_test(timeouts),  cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(chains),    cmocka_unit_test(memory),
        cmocka_unit_test(exhausted),
    };
    gpu_run_device();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
