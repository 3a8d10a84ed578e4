/* SPDX-License-Identifier: Apache-2.0
 * Graph passes: each a file of its own, switchable by name. A pass leaves the graph valid (gr_check) and
 * equal in meaning. */
#ifndef GRAPH_PASSES_PASS_H
#define GRAPH_PASSES_PASS_H

#include "graph/ops/attrs.h"

/* Computes one node of constants; given by the engine, so that graph/ needs no back end. */
typedef struct gr_evaluator {
    vki_status (*run)(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                      vki_error *err);
    bool (*can)(const gr_graph *g, const gr_node *n);
    /* Nodes of OP_DATA_SHAPED operators, with the dimensions that come out (cpu_evaluate_dims). NULL: they
     * are not computed. */
    vki_status (*run_dims)(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                           int64_t (*dims)[GR_MAX_RANK], vki_error *err);
} gr_evaluator;

typedef struct gr_pass {
    const char *name, *doc;
    /* *changed is set to true if anything was changed. VKI_E_NOMEM, VKI_E_SHAPE. NULL: the planners of the
     * back ends do it, and ask gr_pass_is_on. */
    vki_status (*run)(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err);
    bool fusion; /* left out in reference sessions */
} gr_pass;

extern const gr_pass *const gr_passes[]; /* in order, ended by NULL */
/* Done by the planners, channel_shuffle for devices: */
extern const gr_pass pass_separable, pass_channel_shuffle, pass_squeeze, pass_chains, pass_input_slices,
    pass_output_slices, pass_views, pass_in_place, pass_intervals, pass_memory_order, pass_expansion;
bool gr_pass_is_on(const gr_pass *pass, const char *disable); /* not in that list of names (NULL: none) */

typedef struct gr_pass_options {
    const gr_evaluator *evaluator;
    const char *disable; /* names separated by commas, "all" among them; NULL: none. VKI_E_ARG on an unknown
                            name */
    bool no_fusion;
    bool for_devices; /* a device may run the graph: the passes that only the CPU gains from are left out, qdq
                         and channel_shuffle */
} gr_pass_options;
/* Runs all passes until nothing changes, inferring shapes as they become known, and compacts the graph (ids
 * change). Works with unknown shapes (when a file is imported) as well as with concrete ones (when a session
 * is planned). */
vki_status gr_optimize(gr_graph *g, const gr_pass_options *options, vki_error *err);

#endif
