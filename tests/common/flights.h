/* SPDX-License-Identifier: Apache-2.0
 * What the tests of runs in flight share: places to run, networks, inputs by number of the run. */
#ifndef TESTS_COMMON_FLIGHTS_H
#define TESTS_COMMON_FLIGHTS_H

#include "common/session_check.h"
#include "graph/graph.h"
#include "session/flight.h"

typedef struct setting { /* where a network runs */
    const char *name;
    vki_backend backend;
    bool staging, profile;
} setting;
extern const setting settings[];
extern const size_t n_settings;
bool available(const setting *w);

typedef void (*network)(gr_graph *g);
extern const network networks[];
extern const size_t n_networks;
void net_cnn(gr_graph *g);  /* one stretch on the device, and so is a loop of known rounds: */
void net_loop(gr_graph *g); /* it becomes part of the graph */

vki_model *load(const setting *w, gr_graph *g, const vki_allocator *a);
vki_session *open_session(vki_model *m, const setting *w, int in_flight, const vki_tie *tie);
void shape_inputs(vki_session *s); /* where the session has no plan yet */
void write_input(vki_session *s, int input, uint32_t seed);
/* What run number `run` gets anew: the first input each time, the others every third time. */
void write_inputs(vki_session *s, int run);

enum { OUTPUTS_MOST = 4 };
typedef struct outputs {
    float data[OUTPUTS_MOST][1024];
    size_t bytes[OUTPUTS_MOST];
} outputs;
/* Of the run, or of the last one for ticket 0. */
void read_run(vki_session *s, uint64_t ticket, outputs *out);

#endif
