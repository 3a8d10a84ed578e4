/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_STRIDED_H
#define CPU_STRIDED_H

#include "cpu/cpu.h"
#include "graph/ops/strided.h"

/* Reference of every operator that graph/ops/strided.h describes. Source and destination do not overlap. */
void cpu_strided_reference(const cpu_call *c);

/* The same on all threads. */
extern const cpu_kernel cpu_strided_kernels[];

#endif
