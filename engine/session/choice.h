/* SPDX-License-Identifier: Apache-2.0
 * The choice between the device and the CPU for a whole network: both are tried once, and the verdict is kept
 * in the context and in a file beside the pipeline cache. */
#ifndef SESSION_CHOICE_H
#define SESSION_CHOICE_H

#include "session/session.h"

enum { SES_TUNE_MS = 200 }; /* what running both may take if the caller does not say */

/* ---- verdicts.c: what was measured; thread safe ---- */
typedef struct ses_verdict {
    uint64_t key;          /* of model, shapes, device, driver, library, CPU and threads */
    double gpu_ms, cpu_ms; /* of a run; SES_LATE, SES_FAILED */
} ses_verdict;
#define SES_LATE   (-1.0) /* not done within the time that there was */
#define SES_FAILED (-2.0)

/* path: of the pipeline cache, the file lies beside it; NULL: in memory alone. VKI_E_NOMEM. */
vki_status ses_verdicts_create(const vki_context *c, const char *path, ses_verdicts **out, vki_error *err);
void ses_verdicts_destroy(ses_verdicts **v);
bool ses_verdicts_find(ses_verdicts *v, uint64_t key, ses_verdict *out);
/* Replaces the one with that key. What cannot be kept is measured again another time: no error. */
void ses_verdicts_add(ses_verdicts *v, const ses_verdict *verdict);

/* ---- choice.c ---- */
/* Whether the options leave the choice open, and with how much time. */
void ses_choice_init(ses_choice *choice, const vki_session_options *o, const vki_context *c);
/* Before a plan is made: settles s->options.placement. `shapes`: by input, all known. Without a verdict the
 * first plan of a session is tried on both; later ones go where the last one went. */
void ses_choose(vki_session *s, const vki_shape *shapes);
/* vki_session_create for one trial: nothing is left to choose. */
vki_status ses_trial_create(vki_model *model, const vki_session_options *options, vki_session **out,
                            vki_error *err);

#endif
