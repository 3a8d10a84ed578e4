/* SPDX-License-Identifier: Apache-2.0
 * Tensors of every float type are stored alike on the device (fp32, or fp16 where the plan stores half), so
 * that a cast between them is a view: the value keeps the precision that the storage gives. */
#include "gpu/gpu.h"

static bool fits_cast(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "only casts between float types run on the GPU";
    return gpu_is_float(b->g->tensors[n->in[0]].dtype) && gpu_is_float(b->g->tensors[n->out[0]].dtype);
}

static const gpu_kernel kernels[] = {{"cast_view", fits_cast, gpu_alias, GPU_FLOATS}, {0}};
const gpu_op gpu_op_cast = {kernels};
