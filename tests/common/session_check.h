/* SPDX-License-Identifier: Apache-2.0
 * Graphs run through the public API, one session against another. Every failure ends the test. */
#ifndef TESTS_COMMON_SESSION_CHECK_H
#define TESTS_COMMON_SESSION_CHECK_H

#include <vkinfer/vkinfer.h>

#include "graph/graph.h"

#define SESSION_OK(call)                                                                                     \
    do {                                                                                                     \
        vki_error why[1] = {0};                                                                              \
        if ((call) != VKI_OK) fail_msg("%s: %s", #call, why->text);                                          \
    } while (0)

/* The graph as a model on the CPU or on the first Vulkan device; allocator NULL: the C library's. */
vki_model *session_load(const gr_graph *g, bool vulkan, bool staging, const vki_allocator *a);
size_t session_elements(const vki_tensor_info *info);
void session_write_inputs(vki_session *s, int count); /* fixed values in [-4, 6.1) */
/* Runs `tested` twice, since the second run finds what the first left in the memory, and compares all outputs
 * with those of the last run of `reference`. */
/* `tolerance`: of float32, relative to 1 and the value */
void session_compare_within(const gr_graph *g, vki_session *reference, vki_session *tested, float tolerance);
void session_compare(const gr_graph *g, vki_session *reference, vki_session *tested);
/* A session of the graph against the reference of the same model, on the CPU or on the first device. */
vki_session_stats session_check_options(const gr_graph *g, bool vulkan, bool staging,
                                        const vki_session_options *o);
/* A session with inputs that has run once, in which so many nodes go by the kernel. */
vki_session *session_with(const gr_graph *g, vki_model *m, const vki_session_options *o, const char *kernel,
                          int nodes);
/* Compares a graph on the device with the reference, and checks how many dispatches there are (-1: any); then
 * the same with these passes left out, and with fp16 storage within `half` (0: not tried). Frees the graph.
 */
void session_check_merge(gr_graph *g, int dispatches, const char *passes, float half);

#endif
