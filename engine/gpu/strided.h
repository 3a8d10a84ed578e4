/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GPU_STRIDED_H
#define GPU_STRIDED_H

#include "gpu/gpu.h"
#include "graph/ops/strided.h"

/* Kernels of every operator that graph/ops/strided.h describes: copies in channel slices, copies in rows. */
extern const gpu_kernel gpu_strided_kernels[];

/* Whether an operator that can run in either layout should run in channel slices: where its inputs lie on
 * the device (a conversion costs a pass over the tensor); images if that leaves it open. */
bool gpu_prefers_c4(const gpu_builder *b, const gr_node *n);

/* One copy of elements between two bindings in rows, as a part of another operator's work. */
void gpu_copy_strided(gpu_builder *b, const op_strided *s, gpu_bind in, gpu_bind out);

#endif
