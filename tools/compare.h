/* SPDX-License-Identifier: Apache-2.0
 * How far one tensor is from another. */
#ifndef COMPARE_H
#define COMPARE_H

#include "base/base.h"

typedef struct compare_result {
    double max_abs;   /* largest difference; INFINITY where only one side is finite, or a number */
    double scale;     /* largest finite |expected value|; 1 if all are zero */
    double rel;       /* max_abs / scale */
    bool exact;       /* not floats: every element must be equal */
    uint64_t worst;   /* index of the element with the largest difference */
    uint64_t unequal; /* elements that differ at all */
} compare_result;

/* Either side of any type; `count` elements each. Two NaNs are equal. */
compare_result compare_tensors(const void *got, vki_dtype got_dtype, const void *want, vki_dtype want_dtype,
                               uint64_t count);
bool compare_passes(const compare_result *r, double rtol);

bool compare_is_float(vki_dtype dtype);
double compare_element(const void *data, vki_dtype dtype, uint64_t i);
/* `count` elements from one float type to another; false if the pair cannot be converted. */
bool compare_convert(void *dst, vki_dtype dst_dtype, const void *src, vki_dtype src_dtype, uint64_t count);

#endif
