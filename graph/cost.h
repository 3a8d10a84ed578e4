/* SPDX-License-Identifier: Apache-2.0
 * What work costs: multiply-accumulates and bytes to microseconds, by class of device. A roofline: the slower
 * of arithmetic and memory, and the launch. Estimates that plans decide by before anything has run; what is
 * measured later replaces them. */
#ifndef GRAPH_COST_H
#define GRAPH_COST_H

#include "base/base.h"

typedef struct cost_rates { /* of a class of device */
    const char *name;       /* "mali", "cpu avx2" */
    double macs, bytes;     /* a microsecond, of kernels that have enough to do */
    double launch_us;       /* of a dispatch with its barrier, of a CPU kernel with its fork and join */
    double submit_us;       /* of a command buffer with the wait for it; 0 on the CPU */
    double copy_bytes;      /* a microsecond, of transfers between host and device */
    uint32_t lanes;         /* invocations that fill the device: fewer run at that share of the rates */
} cost_rates;

typedef struct cost_work {  /* of one launch */
    uint64_t macs;          /* multiply-accumulates */
    uint64_t read, written; /* bytes: each tensor and weight once */
    uint64_t weights;       /* of those read */
    uint64_t lanes;         /* invocations; 0: as many as fill the device */
} cost_work;

/* The class of that name; NULL if there is none. On the CPU the rates are those of one thread. */
const cost_rates *cost_rates_of(const char *name);
double cost_us(const cost_rates *r, const cost_work *w);

#endif
