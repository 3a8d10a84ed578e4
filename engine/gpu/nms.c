/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

const gpu_op gpu_op_nms = {NULL}; /* one choice follows from the others */
