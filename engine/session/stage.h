/* SPDX-License-Identifier: Apache-2.0
 * Networks whose shapes do not all follow from those of their inputs run in stages. A stage is all that can
 * be planned with what is known when it begins: the shapes of its inputs, and the values of those that shapes
 * depend on. When it has run, more is known, and the next is made of what is left of the graph.
 *
 * Stages are kept for later runs as a tree: the children of a stage continue it, each for other shapes and
 * values, or run a body of its loop. The root of a network with fixed shapes is all there is to it. */
#ifndef SESSION_STAGE_H
#define SESSION_STAGE_H

#include "session/session.h"

/* How many stages a session keeps, and how many bytes of those that its last run did not need. */
enum { SES_STAGES_MAX = 16, SES_IDLE_BYTES = 256 << 20 };
enum { SES_WANTED_MAX = 4096 }; /* elements of a value that shapes may depend on */

typedef struct ses_value { /* of a tensor between stages, on the host */
    vki_dtype dtype;
    int rank;
    int64_t dims[GR_MAX_RANK];
    const void *data; /* in `own`, in a plan's memory or in another value's; NULL: only the shape is known */
    void *own;
    uint64_t capacity; /* of own */
} ses_value;

typedef struct ses_wanted { /* the value of an input of the source that the stage was planned for */
    int input;
    size_t bytes;
    void *data;
} ses_wanted;

/* What a stage hands on, and where: found when its graph is cut (cut.c). */
typedef struct ses_links {
    int *feed;    /* by input of the stage's graph: the input of the source it is; has room for all inputs */
    int n_yields; /* the first outputs of the stage's graph are outputs of the network, */
    int *yields;  /* these */
    int *next;    /* by input of the rest: an output of the stage's graph, or ~i: input i of the source */
    int *rest_outputs; /* by output of the rest: the output of the network */
} ses_links;

struct ses_stage {
    ses_stage *parent;      /* NULL: the root */
    const gr_graph *source; /* the model's graph, the parent's rest or a body of its loop */
    int n_children, busy;   /* busy: runs now, or one of its descendants does */
    uint64_t used, run;     /* order of use; the session's run that used it last */

    ses_value *shapes;  /* the key: by input of the source, without data, */
    ses_wanted *wanted; /* and these values */
    int n_wanted, cap_wanted;

    ses_plan *plan; /* NULL: a loop, alone in `loop` */
    gr_graph loop;
    ses_links links;
    bool last;               /* nothing is left */
    gr_graph rest;           /* shares names and constants with the graph above */
    ses_value *made;         /* by output of the stage's graph */
    const ses_value **frame; /* by input of the rest */
};

typedef struct ses_run_context { /* of one run of a session */
    vki_session *s;
    const ses_watch *watch;
    vki_error *err;
} ses_run_context;

/* ---- cut.c ---- */
/* Cuts a bound and optimized graph: *g keeps what can run now, *rest (not initialized before) gets the
 * others. `feed` says which inputs of the source g's inputs are; `outputs` which outputs of the network its
 * outputs are. root: g keeps all its inputs. *last: there is no rest; *loop: g is one loop with known inputs,
 * to be run by ses_loop_run. Lists of `links` lie in g's arena. VKI_E_UNSUPPORTED: nothing can run. */
vki_status ses_cut(gr_graph *g, bool root, const int *feed, const int *outputs, ses_links *links,
                   gr_graph *rest, bool *last, bool *loop, vki_error *err);

/* ---- stage.c ---- */
/* The stage that goes on from `parent` (NULL: the root) with the source's inputs, made if it is new. */
vki_status ses_stage_get(vki_session *s, ses_stage *parent, const gr_graph *source,
                         const ses_value *const *inputs, ses_stage **out, vki_error *err);
/* Drops what is kept for later, oldest first, until all bounds hold. VKI_E_NOMEM: memory_limit cannot. */
vki_status ses_stages_trim(vki_session *s, vki_error *err);
/* The root for these shapes, by input of the model. */
vki_status ses_root_get(vki_session *s, const vki_shape *shapes, ses_stage **out, vki_error *err);
void ses_stages_free(vki_session *s);
void ses_stages_forget(vki_session *s); /* all that are not in use */
/* The stages of the session's last run (before the first: the root alone), in order; depth counts the loops
 * around. */
typedef void (*ses_stage_fn)(void *user, ses_stage *stage);
void ses_stages_each(const vki_session *s, ses_stage_fn fn, void *user);

/* ---- stage_run.c ---- */
/* Runs `first` and what follows it up to *last. results: by output of the network, where it can be read until
 * a stage is run or made again. */
vki_status ses_chain_run(ses_run_context *r, ses_stage *first, const ses_value *const *inputs,
                         ses_result *results, ses_stage **last);
/* A whole run of the session on this thread, its inputs written. A run that fails leaves nothing to read. */
vki_status ses_session_run(vki_session *s, const ses_watch *watch, vki_error *err);
void ses_let_go(vki_session *s); /* the stages of the last run may go; there is nothing to read then */
/* Fills stage->made[output]; the data stay as results do. */
vki_status ses_value_of(ses_run_context *r, ses_stage *stage, int output, const ses_value **out);

uint64_t ses_value_bytes(const ses_value *v);
vki_status ses_value_reserve(const vki_allocator *a, ses_value *v, uint64_t bytes, vki_error *err);

/* ---- loop.c ---- */
/* Runs a stage that is a loop: its outputs are in stage->made. */
vki_status ses_loop_run(ses_run_context *r, ses_stage *stage, const ses_value *const *inputs);

#endif
