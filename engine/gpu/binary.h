/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GPU_BINARY_H
#define GPU_BINARY_H

#include "gpu/gpu.h"

/* Output 0 = op(x, the one element of input i), where x has output 0's shape and lies in `layout`; as a part
 * of another operator's work. x may be output 0 itself. */
void gpu_emit_with_scalar(gpu_builder *b, const gr_node *n, op_kind op, gpu_bind x, int i, gpu_layout layout);

#endif
