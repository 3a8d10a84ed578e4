/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

const gpu_op gpu_op_tfidf = {NULL}; /* of integers, at the start of a network */
