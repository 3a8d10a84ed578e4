/* SPDX-License-Identifier: Apache-2.0
 * A device that is lost while runs are in flight: every run ends, with a status and a text that say so, in
 * wait, poll and callback alike; nothing hangs when it is cancelled or destroyed, nothing leaks, and a new
 * context works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/counting.h"
#include "common/flights.h"
#include "common/gpu_run.h"
#include "common/small_models.h"
#include "common/vulkan_calls.h"
#include "vulkan/internal.h"

enum { IN_FLIGHT = 3, MOST_CALLS = 5 };

/* ---- the driver ---- */

typedef enum lossy_call { LOST_AT_SUBMIT, LOST_AT_WAIT, LOSSY_CALLS } lossy_call;

static atomic_int left[LOSSY_CALLS]; /* calls that go well before the one that loses the device */
static atomic_bool lost;

static void lose_at(lossy_call call, int number)
{
    for (int i = 0; i < LOSSY_CALLS; i++) atomic_store(&left[i], i == (int)call ? number : 1 << 30);
}

static bool is_lost(lossy_call call)
{
    if (atomic_fetch_sub(&left[call], 1) <= 0) atomic_store(&lost, true);
    return atomic_load(&lost);
}

static VKAPI_ATTR VkResult VKAPI_CALL lossy_submit(VkQueue q, uint32_t n, const VkSubmitInfo *s, VkFence f)
{
    return is_lost(LOST_AT_SUBMIT) ? VK_ERROR_DEVICE_LOST : real.QueueSubmit(q, n, s, f);
}

/* The device does what it was given: else its memory would be freed under it. */
static VKAPI_ATTR VkResult VKAPI_CALL lossy_wait(VkDevice d, uint32_t n, const VkFence *f, VkBool32 all,
                                                 uint64_t ns)
{
    const bool gone = is_lost(LOST_AT_WAIT);
    VkResult result = real.WaitForFences(d, n, f, all, gone ? UINT64_MAX : ns);
    return gone ? VK_ERROR_DEVICE_LOST : result;
}

/* ---- runs ---- */

/* Those where other code runs: net_cnn in slots of the plan, mixed and staged ones by the session's thread.
 */
static bool is_tried(const setting *w, size_t network_index)
{
    if (w->backend != VKI_BACKEND_VULKAN || w->profile || !available(w)) return false;
    return network_index < (w->staging ? 1 : 3);
}

typedef struct ends { /* what callbacks were told */
    atomic_int calls, good, lost;
} ends;

static void on_done(void *user, uint64_t ticket, vki_status status)
{
    ends *e = user;
    (void)ticket;
    atomic_fetch_add(&e->calls, 1);
    if (status == VKI_OK) atomic_fetch_add(&e->good, 1);
    if (status == VKI_E_DEVICE_LOST) atomic_fetch_add(&e->lost, 1);
}

typedef struct life { /* of a session on a device that will be lost */
    counting allocations;
    vki_allocator allocator;
    vki_model *m;
    vki_session *s;
    ends told;
    outputs wanted; /* of run 0 */
} life;

static void begin(life *l, const setting *w, network make, int in_flight)
{
    vki_context *c = NULL;
    gr_graph g;
    memset(l, 0, sizeof *l);
    l->allocator = counting_allocator(&l->allocations);
    vki_context_options o = {
        .size = sizeof o, .backend = w->backend, .force_staging = w->staging, .allocator = &l->allocator};
    make(&g);
    SESSION_OK(vki_context_create(&o, &c, why));
    wrap(c->device);
    c->device->vk.QueueSubmit = lossy_submit;
    c->device->vk.WaitForFences = lossy_wait;
    atomic_store(&lost, false);
    lose_at(LOSSY_CALLS, 0);
    SESSION_OK(vki_model_load_file(c, small_model_file(&g), &l->m, why));
    vki_context_destroy(&c);
    gr_free(&g);
    l->s = open_session(l->m, w, in_flight, NULL);
    shape_inputs(l->s);
    uint64_t ticket;
    write_inputs(l->s, 0);
    SESSION_OK(vki_session_submit(l->s, NULL, &ticket, why));
    SESSION_OK(vki_session_wait(l->s, ticket, 0, why));
    read_run(l->s, ticket, &l->wanted);
}

static void end(life *l)
{
    vki_session_destroy(&l->s);
    vki_model_destroy(&l->m);
    assert_int_equal(atomic_load(&l->allocations.live), 0);
    assert_int_equal(atomic_load(&live), 0);
}

static void expect_loss(vki_status status, const vki_error *err)
{
    assert_int_equal(status, VKI_E_DEVICE_LOST);
    assert_int_equal(err->code, VKI_E_DEVICE_LOST);
    if (!strstr(err->text, "make a new context")) fail_msg("the text says not what to do: %s", err->text);
}

/* Submits as many as may be in flight, all with the inputs of run 0; returns how many were taken. */
static int submit_all(life *l, int in_flight, uint64_t *tickets)
{
    const vki_submit_options o = {.size = sizeof o, .done = on_done, .user = &l->told};
    int taken = 0;
    for (int i = 0; i < in_flight; i++) {
        vki_error err = {0};
        vki_status status = vki_session_submit(l->s, &o, &tickets[taken], &err);
        if (status == VKI_OK) {
            assert_true(tickets[taken++] > 0);
            continue;
        }
        expect_loss(status, &err);
        assert_int_equal(tickets[taken], 0);
    }
    return taken;
}

/* Where a run ended well, its results are right; where not, there are none. */
static bool check_end(life *l, uint64_t ticket)
{
    vki_error err = {0};
    bool ended;
    outputs got;
    vki_status status = vki_session_wait(l->s, ticket, 60000000000u, &err);
    SESSION_OK(vki_session_poll(l->s, ticket, &ended, why));
    assert_true(ended);
    SESSION_OK(vki_session_cancel(l->s, ticket, why)); /* too late, and harmless */
    if (status == VKI_OK) {
        read_run(l->s, ticket, &got);
        assert_memory_equal(&got, &l->wanted, sizeof got);
        return true;
    }
    expect_loss(status, &err);
    assert_int_equal(vki_session_wait(l->s, ticket, 0, &err), VKI_E_DEVICE_LOST); /* as often as asked */
    assert_int_equal(vki_session_read_run(l->s, ticket, 0, NULL, got.data[0], l->wanted.bytes[0], &err),
                     VKI_E_STATE);
    assert_non_null(strstr(err.text, "failed"));
    return false;
}

/* The session is there, but the context is of no use any more. */
static void check_aftermath(life *l)
{
    vki_error err = {0};
    uint64_t ticket;
    outputs got;
    vki_session_stats stats = {.size = sizeof stats};
    write_inputs(l->s, 0); /* what needs no device works */
    assert_int_equal(vki_session_stats_get(l->s, &stats), VKI_OK);
    expect_loss(vki_session_run(l->s, 0, &err), &err);
    assert_int_equal(vki_session_read(l->s, 0, got.data[0], l->wanted.bytes[0], &err), VKI_E_STATE);
    vki_status status = vki_session_submit(l->s, NULL, &ticket, &err);
    if (status == VKI_OK) status = vki_session_wait(l->s, ticket, 0, &err);
    expect_loss(status, &err);
}

/* One loss, at call `number` of those that the runs make; false: they make no more calls. */
static bool one_loss(const setting *w, network make, int in_flight, lossy_call call, int number)
{
    static life l;
    uint64_t tickets[IN_FLIGHT];
    begin(&l, w, make, in_flight);
    write_inputs(l.s, 0);
    lose_at(call, number);
    int taken = submit_all(&l, in_flight, tickets), good = 0;
    for (int i = 0; i < taken; i++) good += check_end(&l, tickets[i]);
    const bool happened = atomic_load(&lost);
    assert_int_equal(happened, good < in_flight);
    if (happened) check_aftermath(&l);
    vki_session_destroy(&l.s); /* the last callback has returned */
    assert_int_equal(atomic_load(&l.told.calls), taken);
    assert_int_equal(atomic_load(&l.told.good), good);
    assert_int_equal(atomic_load(&l.told.lost), taken - good);
    end(&l);
    return happened;
}

/* Every call of the runs loses the device once. */
static void each_loss(void **state)
{
    (void)state;
    for (size_t w = 0; w < n_settings; w++)
        for (size_t n = 0; n < n_networks; n++) {
            if (!is_tried(&settings[w], n)) continue;
            for (int in_flight = 1; in_flight <= IN_FLIGHT; in_flight += 2)
                for (int call = 0; call < LOSSY_CALLS; call++) {
                    int number = 0;
                    while (number < MOST_CALLS &&
                           one_loss(&settings[w], networks[n], in_flight, (lossy_call)call, number))
                        number++;
                    assert_true(number > 0);
                }
        }
}

/* Cancelled or destroyed with nobody waiting. */
static void nobody_waits(void **state)
{
    (void)state;
    static life l;
    for (size_t w = 0; w < n_settings; w++)
        for (size_t n = 0; n < n_networks; n++)
            for (int cancel = 0; cancel < 2; cancel++) {
                if (!is_tried(&settings[w], n)) continue;
                uint64_t tickets[IN_FLIGHT];
                begin(&l, &settings[w], networks[n], IN_FLIGHT);
                write_inputs(l.s, 0);
                lose_at(LOST_AT_WAIT, 1);
                int taken = submit_all(&l, IN_FLIGHT, tickets);
                for (int i = 0; i < taken && cancel; i++)
                    SESSION_OK(vki_session_cancel(l.s, tickets[i], why));
                vki_session_destroy(&l.s);
                assert_int_equal(atomic_load(&l.told.calls), taken);
                end(&l);
            }
}

/* What the texts ask for. */
static void a_new_context(void **state)
{
    (void)state;
    static life old, new;
    if (!gpu_run_device()) skip();
    uint64_t tickets[1];
    begin(&old, &settings[1], net_cnn, 1);
    lose_at(LOST_AT_SUBMIT, 0);
    write_inputs(old.s, 0);
    if (submit_all(&old, 1, tickets)) assert_false(check_end(&old, tickets[0]));
    end(&old);
    begin(&new, &settings[1], net_cnn, 1);
    assert_memory_equal(&new.wanted, &old.wanted, sizeof old.wanted);
    end(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_loss),
        cmocka_unit_test(nobody_waits),
        cmocka_unit_test(a_new_context),
    };
    if (!gpu_run_device()) {
        print_message("no Vulkan device\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
