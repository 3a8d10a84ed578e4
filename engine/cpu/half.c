/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/half.h"

#include <string.h>

bool cpu_has_half(cpu_half half)
{
    return cpu_micro_get()->half[half].gemm != NULL;
}

bool cpu_is_half(const cpu_kernel *k)
{
    return k == &cpu_conv2d_half || k == &cpu_matmul_half;
}

const cpu_kernel *cpu_half_kernel(const gr_graph *g, const gr_node *n, const char **why)
{
    *why = NULL;
    switch (n->op) {
    case OP_Conv:
        *why = cpu_conv2d_half_refusal(g, n);
        return *why ? NULL : &cpu_conv2d_half;
    case OP_Gemm:
    case OP_MatMul:
        *why = cpu_matmul_half_refusal(g, n);
        return *why ? NULL : &cpu_matmul_half;
    default:
        return NULL;
    }
}

void cpu_pack_halves(float *dst, int64_t step, const float *src, int64_t stride, int64_t count, int64_t pairs,
                     float scale, const cpu_half_math *math)
{
    enum { CHUNK = 64 };
    float values[2][CHUNK];
    int32_t packed[CHUNK];
    for (int64_t p = 0; p < pairs; p += CHUNK) {
        const int64_t n = vkb_min(CHUNK, pairs - p);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < 2; j++) {
                const int64_t at = 2 * (p + i) + j;
                values[j][i] = at < count ? src[at * stride] * scale : 0;
            }
        math->pair(packed, values[0], values[1], n);
        for (int64_t i = 0; i < n; i++) memcpy(dst + (p + i) * step, packed + i, sizeof *dst);
    }
}
