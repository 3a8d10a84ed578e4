/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/strided.h"

const gpu_op gpu_op_depth_space = {gpu_strided_kernels};
