/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/cast.h"
#include "gpu/chain.h"
#include "gpu/words.h"

static const gpu_kernel kernels[] = {
    {"chain_map", gpu_chain_fits, gpu_chain_emit, GPU_FLOATS},
    {"unary_words", gpu_words_fit, gpu_words_emit, GPU_INTEGERS},
    {"unary_test", gpu_tests_fit, gpu_tests_emit, GPU_FLOATS | OP_BIT(VKI_BOOL)},
    {0},
};
const gpu_op gpu_op_unary = {kernels};
