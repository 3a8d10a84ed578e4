/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_STRIDED_H
#define CPU_STRIDED_H

#include "cpu/cpu.h"
#include "graph/ops/strided.h"

/* Runs one copy over elements of any size vki_dtype_size() gives. Source and destination do not overlap. */
void cpu_strided_copy(void *dst, const void *src, size_t element, const op_strided *s);

/* Reference of every operator that graph/ops/strided.h describes. */
void cpu_strided_reference(const cpu_call *c);

/* The same on all threads. */
extern const cpu_kernel cpu_strided_kernels[];

#endif
