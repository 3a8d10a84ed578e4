/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the micro-kernels share: random numbers, inputs of exactly the size that may be read, at
 * any alignment, and outputs with guards. c_table is the specification. */
#ifndef COMMON_KERNEL_CHECKS_H
#define COMMON_KERNEL_CHECKS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cpu/gemm.h"

enum { GUARD = 32, ROUNDS = 300 };

extern const cpu_micro *const c_table;
extern const vki_allocator *const heap;

int64_t pick(int64_t low, int64_t high);
float *input(int64_t n, float low, float high);
int32_t *input_bytes(int64_t n); /* of any value, four an element */
int32_t *input_pairs(int64_t n); /* two int16 an element, between -255 and 255 */

/* Outputs of the two tables, equal at the start, with guards. */
typedef struct outputs {
    float *c, *v; /* by the C table; by the vector table */
    int64_t n;
} outputs;
outputs outputs_make(int64_t n);
/* Everything within `tolerance` of the larger of 1 and the value; the guards, and what neither table was to
 * write, are equal in both since they were at the start. Frees them. */
void outputs_check(outputs *o, double tolerance, const char *what);
void outputs_check_bits(outputs *o); /* equal, guards included */

gr_epilogue random_epilogue(void);

/* ---- kernel_tiles.c ---- */
void gemm_tiles(const cpu_micro *m);
void line_tiles(const cpu_micro *m);
void lines_are_tiles(void);
void pixel_tiles(const cpu_micro *m);
void pixels_are_tiles(void);
void integer_tiles(const cpu_micro *m);
void byte_tiles(const cpu_micro *m);
void half_tiles(const cpu_micro *m);
void winograd_tiles(const cpu_micro *m);

/* ---- kernel_rows.c ---- */
void rows_of_dots(const cpu_micro *m);
void sums_of_rows(const cpu_micro *m);
void row_panels(const cpu_micro *m);
void narrow_panels(const cpu_micro *m);

/* ---- kernel_windows.c ---- */
void folds(const cpu_micro *m);
void karatsuba(const cpu_micro *m);
void pools(const cpu_micro *m);

/* ---- kernel_bench.c: nanoseconds of every entry of every table, and the ratio to the C table ---- */
int kernel_bench(const char *filter);

#endif
