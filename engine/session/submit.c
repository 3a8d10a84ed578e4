/* SPDX-License-Identifier: Apache-2.0
 * The public calls on runs in flight. */
#include <string.h>

#include "session/flight.h"

static vki_status read_options(const vki_submit_options *given, vki_submit_options *o, vki_error *err)
{
    memset(o, 0, sizeof *o);
    if (!given) return VKI_OK;
    if (given->size != sizeof *o)
        return vkb_fail(err, VKI_E_ARG,
                        "vki_submit_options.size is %zu, this library expects %zu: set it to "
                        "sizeof(vki_submit_options) and build against this library's header",
                        given->size, sizeof *o);
    *o = *given;
    return VKI_OK;
}

static void prepare(ses_flight *flight, const vki_submit_options *o)
{
    flight->ticket = 0; /* its outputs are gone */
    flight->done = o->done;
    flight->user = o->user;
    flight->start_ms = vkb_now_ms();
    flight->watch.deadline_ms = o->timeout_ns ? flight->start_ms + (double)o->timeout_ns * 1e-6 : 0;
    atomic_store(&flight->cancelled, false);
}

static vki_status submit_to_device(vki_session *s, vki_error *err)
{
    const int slot = ses_slot_of(s->flights, s->flights->next);
    const ses_watch *watch = &s->flights->slots[slot].watch;
    return vkr_plan_submit(s->plan->device, slot, ses_watch_ns(watch), err);
}

/* The device has the run's commands; what they make will be the root's outputs. */
static void note_results(vki_session *s)
{
    ses_let_go(s);
    s->root->run = ++s->run;
    for (int i = 0; i < s->root->links.n_yields; i++)
        s->results[s->root->links.yields[i]] = (ses_result){s->root, i};
    s->last = s->root;
    s->root->busy++;
}

vki_status ses_submit(vki_session *s, const vki_submit_options *o, const char *what, uint64_t *ticket,
                      vki_error *err)
{
    ses_flights *f = s->flights;
    VKB_TRY(ses_check_slot(s, what, err));
    VKB_TRY(ses_check_written(s, err));
    ses_slot_complete(s);
    prepare(&f->slots[ses_slot_of(f, f->next)], o);
    VKB_TRY(ses_thread_start(s, err));
    if (ses_slots_direct(s)) {
        VKB_TRY(submit_to_device(s, err));
        note_results(s);
    }
    *ticket = ses_flight_launch(s, ses_slots_direct(s)); /* its callback may use the session from now on */
    return VKI_OK;
}

vki_status vki_session_submit(vki_session *s, const vki_submit_options *options, uint64_t *ticket,
                              vki_error *err)
{
    if (!s || !ticket)
        return vkb_fail(err, VKI_E_ARG, "vki_session_submit needs a session and a place for the ticket");
    *ticket = 0;
    vki_submit_options o;
    VKB_TRY(read_options(options, &o, err));
    return ses_submit(s, &o, "vki_session_submit", ticket, err);
}

static vki_status find(const vki_session *s, uint64_t ticket, ses_flight **out, vki_error *err)
{
    if (!s) return vkb_fail(err, VKI_E_ARG, "the session is NULL");
    ses_flights *f = s->flights;
    *out = ticket ? &f->slots[ses_slot_of(f, ticket)] : NULL;
    if (*out && (*out)->ticket == ticket) return VKI_OK;
    return vkb_fail(
        err, VKI_E_ARG,
        "ticket %llu is not one of the last %d; the next one will be %llu (a session remembers as "
        "many runs as it may have in flight, up to a reshape)",
        (unsigned long long)ticket, f->count, (unsigned long long)f->next);
}

static ses_phase phase_of(vki_session *s, const ses_flight *flight)
{
    pthread_mutex_lock(&s->flights->lock);
    ses_phase phase = flight->phase;
    pthread_mutex_unlock(&s->flights->lock);
    return phase;
}

vki_status vki_session_poll(vki_session *s, uint64_t ticket, bool *ended, vki_error *err)
{
    ses_flight *flight;
    if (!ended) return vkb_fail(err, VKI_E_ARG, "vki_session_poll: `ended` is NULL");
    *ended = false;
    VKB_TRY(find(s, ticket, &flight, err));
    *ended = phase_of(s, flight) == SES_ENDED;
    return VKI_OK;
}

vki_status vki_session_cancel(vki_session *s, uint64_t ticket, vki_error *err)
{
    ses_flight *flight;
    VKB_TRY(find(s, ticket, &flight, err));
    atomic_store(&flight->cancelled, true);
    return VKI_OK;
}

/* On the clock of pthread_cond_timedwait. */
static struct timespec time_after(uint64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const uint64_t most = (uint64_t)1000000000 * 365 * 24 * 3600; /* time_t may have 32 bits */
    if (ns > most) ns = most;
    ns += (uint64_t)t.tv_nsec;
    t.tv_sec += (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

static bool wait_for_end(ses_flights *f, const ses_flight *flight, uint64_t timeout_ns)
{
    int code = 0;
    const struct timespec until = time_after(timeout_ns);
    pthread_mutex_lock(&f->lock);
    while (flight->phase != SES_ENDED && !code)
        code = timeout_ns ? pthread_cond_timedwait(&f->changed, &f->lock, &until)
                          : pthread_cond_wait(&f->changed, &f->lock);
    bool ended = flight->phase == SES_ENDED;
    pthread_mutex_unlock(&f->lock);
    return ended;
}

vki_status vki_session_wait(vki_session *s, uint64_t ticket, uint64_t timeout_ns, vki_error *err)
{
    ses_flight *flight;
    VKB_TRY(find(s, ticket, &flight, err));
    if (phase_of(s, flight) != SES_ENDED && pthread_equal(s->flights->thread, pthread_self()))
        return vkb_fail(
            err, VKI_E_STATE,
            "ticket %llu has not ended, and the thread that runs it is the one that waits: do not "
            "wait for other runs in the callback of one",
            (unsigned long long)ticket);
    if (!wait_for_end(s->flights, flight, timeout_ns))
        return vkb_fail(err, VKI_E_TIMEOUT, "ticket %llu did not end within %.3f ms; the run goes on",
                        (unsigned long long)ticket, (double)timeout_ns * 1e-6);
    s->flights->seen = ticket;
    if (flight->status != VKI_OK && err) *err = flight->error;
    return flight->status;
}

vki_status ses_run_result(vki_session *s, uint64_t ticket, const ses_flight **out, vki_error *err)
{
    ses_flight *flight;
    VKB_TRY(find(s, ticket, &flight, err));
    *out = flight;
    if (phase_of(s, flight) == SES_ENDED && flight->status == VKI_OK) return VKI_OK;
    return vkb_fail(err, VKI_E_STATE, "there are no results: the run with ticket %llu %s",
                    (unsigned long long)ticket,
                    phase_of(s, flight) == SES_ENDED ? "failed" : "has not ended; call vki_session_wait");
}

vki_status vki_session_read_run(vki_session *s, uint64_t ticket, int index, vki_tensor_info *info, void *data,
                                size_t bytes, vki_error *err)
{
    const ses_flight *flight;
    gr_tensor t;
    VKB_TRY(ses_run_result(s, ticket, &flight, err));
    VKB_TRY(ses_check_output(s, index, err));
    VKB_TRY(ses_slot_read(s, flight, index, &t, NULL, err));
    if (info) {
        ses_describe(&s->model->source, s->model->source.outputs[index], info);
        info->dtype = t.dtype;
        info->rank = t.rank;
        memcpy(info->dims, t.dims, sizeof info->dims);
    }
    if (!data) return VKI_OK;
    VKB_TRY(ses_check_bytes(&t, bytes, data, err));
    return ses_slot_read(s, flight, index, &t, data, err);
}
