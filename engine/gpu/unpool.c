/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

const gpu_op gpu_op_unpool = {0};
