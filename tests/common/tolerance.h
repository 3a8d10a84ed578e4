/* SPDX-License-Identifier: Apache-2.0
 * How far a kernel in fp32 (or with fp16 storage) may be from the reference, which computes in double. */
#ifndef TESTS_COMMON_TOLERANCE_H
#define TESTS_COMMON_TOLERANCE_H

#include "common/cases.h"

/* An element r may be off by absolute + relative |r|. */
typedef struct tolerance {
    double absolute, relative;
} tolerance;

/* For outputs of floats; integers must be equal. `half`: with fp16 storage of values that fp16 holds exactly
 * on the way in. */
tolerance tolerance_of(const case_graph *c, bool half);

/* The first element of output `k` that is off: its index, or -1. NaN matches NaN. */
int64_t tolerance_check(const case_graph *c, int k, const void *expected, const void *got, tolerance t);

#endif
