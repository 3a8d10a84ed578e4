/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GPU_STRIDED_H
#define GPU_STRIDED_H

#include "gpu/gpu.h"

/* Kernels of every operator that graph/ops/strided.h describes: copies in channel slices, copies in rows. */
extern const gpu_kernel gpu_strided_kernels[];

/* Whether an operator that can run in either layout should run in channel slices: where its inputs lie on
 * the device (a conversion costs a pass over the tensor); images if that leaves it open. */
bool gpu_prefers_c4(const gpu_builder *b, const gr_node *n);

#endif
