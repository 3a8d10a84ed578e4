/* SPDX-License-Identifier: Apache-2.0
 * Kernels that scale their packed weights by cpu_call.gate. */
#ifndef CPU_CONV_GATE_H
#define CPU_CONV_GATE_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

typedef struct cpu_gated { /* packed weights: [panel][k][lanes of the panel] */
    const cpu_micro *micro;
    int64_t panels, k;
    int64_t (*first)(const void *user,
                     int64_t panel); /* lane, the first of a panel; of panel `panels`: all */
    const void *user;
} cpu_gated;

static inline uint64_t cpu_gated_bytes(int64_t floats) /* of scratch, in front of the kernel's own */
{
    return vkb_round_up((uint64_t)floats * sizeof(float), 64);
}

/* The call with weights scaled in the scratch, and the rest of that; as it is if there is no gate. */
cpu_call cpu_gate_weights(const cpu_call *c, const cpu_gated *a);

#endif
