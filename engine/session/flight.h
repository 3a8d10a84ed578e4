/* SPDX-License-Identifier: Apache-2.0
 * Runs in flight: tickets, the thread that runs them, and what each run has for itself.
 *
 * A run takes the slot (ticket - 1) modulo the number of slots. Where the plan is one stretch of commands on
 * the device, a slot is a set of inputs and outputs in the plan's staging memory: the caller's thread
 * submits, and the session's thread waits for the device, run by run. Everywhere else (CPU, mixed plans,
 * stages, states) a slot is a copy of inputs and outputs on the host, and the session's thread runs one run
 * after the other. With one slot there are no copies: the run has the plan to itself.
 *
 * Who may touch what: the caller's thread everything while nothing is in flight. While something is, the
 * session's thread has the plans, stages and states, and the slots whose runs have not ended; the caller has
 * the other slots, and what `lock` guards with the lock held. */
#ifndef SESSION_FLIGHT_H
#define SESSION_FLIGHT_H

#include <pthread.h>
#include <time.h>

#include "session/stage.h"

enum { SES_FLIGHTS_MAX = 4 };

typedef enum ses_phase { SES_ENDED = 0, SES_QUEUED, SES_RUNNING } ses_phase;

typedef struct ses_flight {
    uint64_t ticket; /* 0: none yet, or its results are gone */
    ses_phase phase; /* guarded by the lock */
    vki_status status;
    vki_error error;
    double start_ms;
    ses_watch watch;
    atomic_bool cancelled;
    vki_done_fn done;
    void *user;
    uint64_t *version;           /* by input: of the value that it has here; 0: none */
    bool *given;                 /* by input: written for this run, which matters for states */
    ses_value *inputs, *outputs; /* copies; outputs by output of the model, without data: the run made none */
} ses_flight;

struct ses_flights {
    ses_flight slots[SES_FLIGHTS_MAX];
    int count;
    uint64_t next;     /* ticket of the next submit */
    uint64_t seen;     /* ticket that the caller last waited for; 0: none */
    uint64_t versions; /* values written so far */
    uint64_t *version; /* by input: the newest value */
    uint64_t *loaded;  /* by input: of the value that the plan has, where runs have copies */
    int *holder;       /* by input: slot of the newest value */
    uint64_t bytes;    /* of all copies */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a run was queued or has ended, or the thread is to end */
    pthread_t thread;
    bool started, stop, orphan; /* orphan: the session was destroyed by its own thread, which frees it */
};

/* ---- flight.c: the thread ---- */
vki_status ses_flights_create(vki_session *s, vki_error *err);
/* Cancels and waits. False: called by the session's own thread, which goes on to free the session. */
bool ses_flights_stop(vki_session *s);
void ses_flights_free(vki_session *s);
bool ses_in_flight(const vki_session *s); /* a run has not ended */
/* VKI_E_STATE if a run has not ended; `what` is the public call. */
vki_status ses_check_idle(const vki_session *s, const char *what, vki_error *err);
/* VKI_E_STATE if the slot of the next run is taken by one that has not ended. */
vki_status ses_check_slot(const vki_session *s, const char *what, vki_error *err);
vki_status ses_thread_start(vki_session *s, vki_error *err); /* if it is not there */
/* Gives the next slot's run its ticket; it is queued, or runs already on the device. */
uint64_t ses_flight_launch(vki_session *s, bool running);

/* ---- submit.c ---- */
/* vki_session_submit; `what` is the public call. */
vki_status ses_submit(vki_session *s, const vki_submit_options *o, const char *what, uint64_t *ticket,
                      vki_error *err);
/* The run, if it has ended well. */
vki_status ses_run_result(vki_session *s, uint64_t ticket, const ses_flight **out, vki_error *err);

/* ---- session.c ---- */
void ses_session_free(vki_session *s);
vki_status ses_check_written(const vki_session *s, vki_error *err); /* there is a plan that can run now */
vki_status ses_check_output(const vki_session *s, int index, vki_error *err);
vki_status ses_check_bytes(const gr_tensor *t, size_t bytes, const void *data, vki_error *err);

/* ---- slots.c: inputs and outputs of the runs ---- */
bool ses_slots_direct(const vki_session *s); /* slots are in the plan */
static inline int ses_slot_of(const ses_flights *f, uint64_t ticket)
{
    return (int)((ticket - 1) % (uint64_t)f->count);
}
/* A new plan: makes room for its inputs and outputs; then forgets all values and results. */
vki_status ses_slots_reserve(vki_session *s, const ses_stage *root, vki_error *err);
void ses_slots_clear(vki_session *s);
void ses_slots_forget_given(vki_session *s);
void ses_slots_free(vki_session *s);
/* Into the slot of the next run. */
vki_status ses_slot_write(vki_session *s, int input, const void *data, vki_error *err);
/* What was not written for the next run since the one before keeps its value. */
void ses_slot_complete(vki_session *s);
/* A run of the session with the slot's copies, on the session's thread. */
vki_status ses_slot_run(vki_session *s, ses_flight *flight, vki_error *err);
/* The output of a run that has ended well, and its data if `data` is not NULL. */
vki_status ses_slot_read(vki_session *s, const ses_flight *flight, int output, gr_tensor *t, void *data,
                         vki_error *err);

#endif
