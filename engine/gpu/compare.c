/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/words.h"

static const gpu_kernel kernels[] = {{"compare_words", gpu_words_fit, gpu_words_emit, GPU_ANY}, {0}};
const gpu_op gpu_op_compare = {kernels};
