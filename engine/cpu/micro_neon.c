/* SPDX-License-Identifier: Apache-2.0
 * The micro-kernels for 64-bit ARM. */
#include <stdbool.h>

#include "cpu/vec_neon.h"
#include "cpu/vec_i16_neon.h"

#define CPU_MICRO_TABLE cpu_micro_neon
#define CPU_MICRO_ISA   "neon"
#include "cpu/micro_tmpl.h"
