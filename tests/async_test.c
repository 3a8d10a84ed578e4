/* SPDX-License-Identifier: Apache-2.0
 * Runs in flight: the same bits as runs that are waited for one by one, on every back end, whatever the
 * number of runs in flight; inputs that are not written again, states, stages, and new plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/flights.h"
#include "common/gpu_run.h"
#include "common/net.h"
#include "common/small_models.h"

enum { RUNS = 9 };

static outputs wanted[RUNS];

static void run_one_by_one(vki_model *m, const setting *w, const vki_tie *tie)
{
    vki_session *s = open_session(m, w, 0, tie);
    shape_inputs(s);
    for (int i = 0; i < RUNS; i++) {
        write_inputs(s, i);
        SESSION_OK(vki_session_run(s, 0, why));
        read_run(s, 0, &wanted[i]);
    }
    vki_session_destroy(&s);
}

static void check_run(vki_session *s, uint64_t ticket, const outputs *want)
{
    outputs got;
    SESSION_OK(vki_session_wait(s, ticket, 0, why));
    read_run(s, ticket, &got);
    assert_memory_equal(&got, want, sizeof got);
    read_run(s, 0, &got); /* the run waited for last */
    assert_memory_equal(&got, want, sizeof got);
}

/* As many at once as there may be. */
static void run_in_flight(vki_session *s, int in_flight, const outputs *want)
{
    uint64_t tickets[RUNS];
    for (int i = 0; i < RUNS + in_flight - 1; i++) {
        if (i >= in_flight - 1 && i - in_flight + 1 > 0)
            check_run(s, tickets[i - in_flight], &want[i - in_flight]);
        if (i >= RUNS) continue;
        write_inputs(s, i);
        SESSION_OK(vki_session_submit(s, NULL, &tickets[i], why));
        if (i) assert_int_equal(tickets[i], tickets[i - 1] + 1);
    }
    check_run(s, tickets[RUNS - 1], &want[RUNS - 1]);
}

static void same_results(void **state)
{
    (void)state;
    for (size_t w = 0; w < n_settings; w++)
        for (size_t n = 0; n < n_networks && available(&settings[w]); n++) {
            gr_graph g;
            networks[n](&g);
            vki_model *m = load(&settings[w], &g, NULL);
            run_one_by_one(m, &settings[w], NULL);
            for (int in_flight = 1; in_flight <= SES_FLIGHTS_MAX; in_flight++) {
                vki_session *s = open_session(m, &settings[w], in_flight, NULL);
                shape_inputs(s);
                run_in_flight(s, in_flight, wanted);
                run_in_flight(s, in_flight, wanted);
                vki_session_destroy(&s);
            }
            vki_model_destroy(&m);
            gr_free(&g);
        }
}

/* Plans that are one stretch on the device are shared by its runs, and no others. */
static void which_plans_are_shared(void **state)
{
    (void)state;
    for (size_t w = 0; w < n_settings; w++)
        for (size_t n = 0; n < n_networks && available(&settings[w]); n++) {
            gr_graph g;
            networks[n](&g);
            vki_model *m = load(&settings[w], &g, NULL);
            vki_session *s = open_session(m, &settings[w], 3, NULL);
            shape_inputs(s);
            bool gpu = settings[w].backend == VKI_BACKEND_VULKAN && !settings[w].profile;
            bool all_there =
                networks[n] == net_cnn || networks[n] == net_loop; /* which becomes part of the graph */
            assert_int_equal(s->plan->slots, gpu && all_there ? 3 : 1);
            vki_session_destroy(&s);
            vki_model_destroy(&m);
            gr_free(&g);
        }
}

static void states(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(6)), memory = net_input(&g, "memory", DIMS(6));
    net_output(&g, net_unary(&g, OP_Tanh, net_binary(&g, OP_Add, x, memory)));
    const vki_tie tie = {g.tensors[g.outputs[0]].name, "memory"};
    for (size_t w = 0; w < n_settings; w++) {
        if (!available(&settings[w])) continue;
        vki_model *m = load(&settings[w], &g, NULL);
        run_one_by_one(m, &settings[w], &tie); /* gives the state a new value every third time */
        for (int in_flight = 1; in_flight <= 3; in_flight++) {
            vki_session *s = open_session(m, &settings[w], in_flight, &tie);
            run_in_flight(s, in_flight, wanted);
            SESSION_OK(vki_session_reset(s, why));
            run_in_flight(s, in_flight, wanted);
            vki_session_destroy(&s);
        }
        vki_model_destroy(&m);
    }
    gr_free(&g);
}

/* A new plan forgets the runs before it; the old one comes back. */
static void reshaped(void **state)
{
    (void)state;
    gr_graph g;
    small_cnn(&g, &vkb_libc_allocator, 0);
    for (size_t w = 0; w < n_settings; w++) {
        if (!available(&settings[w])) continue;
        vki_model *m = load(&settings[w], &g, NULL);
        vki_session *s = open_session(m, &settings[w], 2, NULL);
        outputs first, again;
        for (int i = 0; i < 6; i++) {
            const int64_t size = i % 2 ? 16 : 12;
            uint64_t ticket;
            SESSION_OK(vki_session_reshape(s, &(vki_shape){"image", 4, {1, 3, size, size}}, 1, why));
            assert_int_equal(vki_session_submit(s, NULL, &ticket, NULL), VKI_E_STATE);
            write_inputs(s, 0);
            SESSION_OK(vki_session_submit(s, NULL, &ticket, why));
            SESSION_OK(vki_session_wait(s, ticket, 0, why));
            if (i % 2 == 0) read_run(s, ticket, i ? &again : &first);
            if (i && i % 2 == 0) assert_memory_equal(&first, &again, sizeof first);
            if (i) assert_int_equal(vki_session_wait(s, ticket - 1, 0, NULL), VKI_E_ARG);
        }
        vki_session_destroy(&s);
        vki_model_destroy(&m);
    }
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_results),
                                       cmocka_unit_test(which_plans_are_shared), cmocka_unit_test(states),
                                       cmocka_unit_test(reshaped)};
    gpu_run_device();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
