/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

const gpu_op gpu_op_control = {NULL}; /* the host decides; the nodes of the bodies are placed as all others */
