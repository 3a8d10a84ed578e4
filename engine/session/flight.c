/* SPDX-License-Identifier: Apache-2.0 */
#include "session/flight.h"

#include <string.h>

/* ---- the session's thread ---- */

static ses_flight *oldest(ses_flights *f)
{
    ses_flight *found = NULL;
    for (int i = 0; i < f->count; i++) {
        ses_flight *flight = &f->slots[i];
        if (flight->phase != SES_ENDED && (!found || flight->ticket < found->ticket)) found = flight;
    }
    return found;
}

static vki_status finish_on_device(vki_session *s, ses_flight *flight)
{
    int slot = (int)(flight - s->flights->slots);
    VKB_TRY(vkr_plan_wait(s->plan->device, slot, ses_watch_ns(&flight->watch), &flight->error));
    VKB_TRY(ses_watch_check(&flight->watch, &flight->error));
    if (s->first_run_ms < 0) s->first_run_ms = vkb_now_ms() - flight->start_ms;
    return VKI_OK;
}

static vki_status fly(vki_session *s, ses_flight *flight, ses_phase phase)
{
    if (phase == SES_RUNNING) return finish_on_device(s, flight);
    VKB_TRY(ses_watch_check(&flight->watch, &flight->error));
    return ses_slot_run(s, flight, &flight->error);
}

/* Called with the lock, which it gives up meanwhile. */
static void end(ses_flights *f, ses_flight *flight, vki_status status)
{
    const vki_done_fn done = flight->done;
    void *user = flight->user;
    const uint64_t ticket = flight->ticket;
    flight->status = status;
    flight->phase = SES_ENDED;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    if (done) done(user, ticket, status);
    pthread_mutex_lock(&f->lock);
}

static void *thread_main(void *arg)
{
    vki_session *s = arg;
    ses_flights *f = s->flights;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        ses_flight *flight = oldest(f);
        if (flight) {
            ses_phase phase = flight->phase;
            flight->phase = SES_RUNNING;
            pthread_mutex_unlock(&f->lock);
            vki_status status = fly(s, flight, phase);
            pthread_mutex_lock(&f->lock);
            end(f, flight, status);
        } else if (f->stop) {
            break;
        } else {
            pthread_cond_wait(&f->changed, &f->lock);
        }
    }
    bool orphan = f->orphan;
    pthread_mutex_unlock(&f->lock);
    if (orphan) ses_session_free(s);
    return NULL;
}

/* ---- its life ---- */

vki_status ses_flights_create(vki_session *s, vki_error *err)
{
    ses_flights *f = vkb_calloc(&s->model->context->allocator, 1, sizeof *f);
    pthread_condattr_t monotonic;
    if (!f) return vkb_nomem(err, sizeof *f);
    s->flights = f;
    f->count = s->options.in_flight;
    f->next = 1;
    for (int i = 0; i < f->count; i++) f->slots[i].watch.cancelled = &f->slots[i].cancelled;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&f->lock, NULL);
    return VKI_OK;
}

vki_status ses_thread_start(vki_session *s, vki_error *err)
{
    ses_flights *f = s->flights;
    if (f->started) return VKI_OK;
    int code = pthread_create(&f->thread, NULL, thread_main, s);
    if (code)
        return vkb_fail(err, VKI_E_NOMEM, "cannot start the session's thread: %s; use vki_session_run",
                        strerror(code));
    f->started = true;
    return VKI_OK;
}

bool ses_flights_stop(vki_session *s)
{
    ses_flights *f = s->flights;
    if (!f || !f->started) return true;
    bool own = pthread_equal(f->thread, pthread_self());
    pthread_mutex_lock(&f->lock);
    for (int i = 0; i < f->count; i++) atomic_store(&f->slots[i].cancelled, true);
    f->stop = true;
    f->orphan = own;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    if (own)
        pthread_detach(f->thread);
    else
        pthread_join(f->thread, NULL);
    return !own;
}

void ses_flights_free(vki_session *s)
{
    if (!s->flights) return;
    ses_slots_free(s);
    pthread_cond_destroy(&s->flights->changed);
    pthread_mutex_destroy(&s->flights->lock);
    vkb_free(&s->model->context->allocator, s->flights);
    s->flights = NULL;
}

/* ---- what is in flight ---- */

static ses_phase phase_of(ses_flights *f, const ses_flight *flight)
{
    if (!f->started) return SES_ENDED;
    pthread_mutex_lock(&f->lock);
    ses_phase phase = flight->phase;
    pthread_mutex_unlock(&f->lock);
    return phase;
}

bool ses_in_flight(const vki_session *s)
{
    bool any = false;
    for (int i = 0; i < s->flights->count; i++)
        any = any || phase_of(s->flights, &s->flights->slots[i]) != SES_ENDED;
    return any;
}

vki_status ses_check_idle(const vki_session *s, const char *what, vki_error *err)
{
    if (!ses_in_flight(s)) return VKI_OK;
    return vkb_fail(err, VKI_E_STATE, "%s: runs are in flight; wait for ticket %llu first", what,
                    (unsigned long long)(s->flights->next - 1));
}

vki_status ses_check_slot(const vki_session *s, const char *what, vki_error *err)
{
    ses_flights *f = s->flights;
    const ses_flight *flight = &f->slots[ses_slot_of(f, f->next)];
    if (phase_of(f, flight) == SES_ENDED) return VKI_OK;
    return vkb_fail(err, VKI_E_STATE,
                    "%s: %d run%s in flight, as many as the session's runs_in_flight; wait for ticket %llu "
                    "first",
                    what, f->count, f->count == 1 ? " is" : "s are", (unsigned long long)flight->ticket);
}

uint64_t ses_flight_launch(vki_session *s, bool running)
{
    ses_flights *f = s->flights;
    pthread_mutex_lock(&f->lock);
    const uint64_t ticket = f->next++;
    ses_flight *flight = &f->slots[ses_slot_of(f, ticket)];
    flight->ticket = ticket;
    flight->phase = running ? SES_RUNNING : SES_QUEUED;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return ticket;
}
