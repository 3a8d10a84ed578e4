/* SPDX-License-Identifier: Apache-2.0
 * Operands that are broadcast to the shape of the output, read and written in rows. */
#ifndef GPU_BROADCAST_H
#define GPU_BROADCAST_H

#include "gpu/gpu.h"

enum { GPU_ROW_DIMS = 6, GPU_ROW_OPERANDS = 3 };

typedef struct gpu_rows { /* innermost dimension first; neighbours that all operands walk as one are one */
    int rank;
    int64_t dims[GR_MAX_RANK], strides[GPU_ROW_OPERANDS][GR_MAX_RANK]; /* 0 where an operand repeats */
} gpu_rows;

gpu_rows gpu_rows_of(const gr_tensor *const *x, int count, const gr_tensor *y);
/* The same for inputs [0, count) of the node; false, with the reason, if more than GPU_ROW_DIMS are left. */
bool gpu_rows_fit(const gpu_builder *b, const gr_node *n, int count, gpu_rows *rows, const char **why);
/* GPU_ROW_DIMS sizes, then as many strides of each operand; as shaders/lib/rows.glsl declares them. */
void gpu_push_rows(gpu_dispatch *d, const gpu_rows *rows, int count);
/* Access of an operand: GPU_READ, and GPU_SAME where none of its dimensions repeats. */
uint8_t gpu_row_access(const gpu_rows *rows, int operand);

#endif
