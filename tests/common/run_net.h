/* SPDX-License-Identifier: Apache-2.0
 * Networks made in code, run through the public API on each place, with bodies for loops and branches. Every
 * failure ends the test. */
#ifndef TESTS_COMMON_RUN_NET_H
#define TESTS_COMMON_RUN_NET_H

#include "common/counting.h"
#include "common/net.h"

#define F32(...)  ((const float[]){__VA_ARGS__})
#define I64S(...) ((const int64_t[]){__VA_ARGS__})

typedef struct run_net {
    vki_model *model;
    vki_session *session;
    vki_error err; /* of the last call that failed */
} run_net;

typedef struct run_options { /* all zero: fast kernels on the CPU */
    bool vulkan, gpu_only, reference;
    const char *disable_passes;
    uint64_t memory_limit;
    const vki_allocator *allocator;
    const vki_shape *shapes;
    int shape_count;
} run_options;

/* The network goes through a .vkm file. */
run_net run_open(const gr_graph *g, const run_options *o);
vki_status run_try_open(run_net *r, const gr_graph *g, const run_options *o);
void run_close(run_net *r);
void run_write(run_net *r, int input, const void *data);
vki_status run_once(run_net *r, uint64_t timeout_ns); /* fills r->err */
/* Runs, and fails unless the output is that; floats within 1e-5. */
void run_expect(run_net *r, int output, vki_dtype dtype, int rank, const int64_t *dims, const void *want);

/* A graph that a node runs, with `n` inputs of unknown shape; its index is that of g's next body. */
gr_graph *run_body(gr_graph *g, int n, gr_id *in);
gr_id run_input(gr_graph *g, const char *name, vki_dtype dtype, int rank, const int64_t *dims);
gr_id run_scalar(gr_graph *g, vki_dtype dtype, int64_t value); /* a constant */
/* A node with `n_out` outputs. */
void run_node(gr_graph *g, op_kind op, int n_in, const gr_id *in, int n_out, gr_id *out);

#endif
