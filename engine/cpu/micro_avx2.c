/* SPDX-License-Identifier: Apache-2.0
 * The micro-kernels for AVX2 with FMA. */
#include <stdbool.h>

#include "cpu/vec_avx2.h"
#include "cpu/vec_i16_avx2.h"

#define CPU_MICRO_TABLE cpu_micro_avx2
#define CPU_MICRO_ISA   "avx2"
#include "cpu/micro_tmpl.h"
