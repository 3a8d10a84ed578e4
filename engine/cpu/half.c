/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/half.h"

#include "cpu/micro.h"

#include <string.h>

bool cpu_has_half(void)
{
    return cpu_micro_get()->gemm_f16 != NULL;
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
                     float scale)
{
    enum { CHUNK = 64 };
    float values[2 * CHUNK];
    uint16_t halves[2 * CHUNK];
    for (int64_t p = 0; p < pairs; p += CHUNK) {
        const int64_t n = vkb_min(CHUNK, pairs - p);
        for (int64_t i = 0; i < 2 * n; i++)
            values[i] = 2 * p + i < count ? src[(2 * p + i) * stride] * scale : 0;
        cpu_micro_get()->to_f16(halves, values, 2 * n);
        for (int64_t i = 0; i < n; i++) memcpy(dst + (p + i) * step, halves + 2 * i, sizeof *dst);
    }
}
