/* SPDX-License-Identifier: Apache-2.0
 * The micro-kernels in plain C. */
#include "cpu/vec_c.h"
#include "cpu/vec_i16_c.h"

#define CPU_MICRO_TABLE cpu_micro_c
#define CPU_MICRO_ISA   "c"
#include "cpu/micro_tmpl.h"
