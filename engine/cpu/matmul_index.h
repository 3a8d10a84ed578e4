/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_MATMUL_INDEX_H
#define CPU_MATMUL_INDEX_H

#include "graph/ops/attrs.h"

/* First element of the matrix that batch `index` uses; `strides` is a_batch or b_batch. */
static inline int64_t cpu_matrix_at(const op_matmul_dims *d, const int64_t *strides, int64_t index)
{
    int64_t offset = 0;
    for (int64_t i = d->batch_rank - 1; i >= 0; i--) {
        offset += index % d->batch_dims[i] * strides[i];
        index /= d->batch_dims[i];
    }
    return offset;
}

#endif
