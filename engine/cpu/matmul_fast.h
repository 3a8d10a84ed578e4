/* SPDX-License-Identifier: Apache-2.0
 * What the fast kernels of Gemm and MatMul share (matmul_gemm.c). */
#ifndef CPU_MATMUL_FAST_H
#define CPU_MATMUL_FAST_H

#include "cpu/cpu.h"
#include "graph/ops/attrs.h"

typedef enum cpu_matmul_bias { CPU_BIAS_NONE = 0, CPU_BIAS_ROW, CPU_BIAS_COL } cpu_matmul_bias;

/* Batches that share B are rows of one product. false: a product or a bias that the kernels do not take. */
bool cpu_matmul_of(const gr_graph *g, const gr_node *n, op_matmul_dims *d, cpu_matmul_bias *bias);
/* Why the node is not one product by a constant matrix, of such a form; NULL: it is. */
const char *cpu_matmul_refusal(const gr_graph *g, const gr_node *n, op_matmul_dims *d);
float cpu_matmul_alpha(const gr_node *n); /* 1 but for Gemm's */
/* cpu_prep.pack_key of a form in which the matrix is kept, times alpha; storage: of several the form has. */
uint64_t cpu_matmul_key(const char *form, const op_matmul_dims *d, float alpha, int64_t storage);

/* y[i] = epilogue(alpha (x . row i) + bias[i bias_step]) of n rows of k elements, `step` apart. */
typedef struct cpu_rows {
    const float *x, *rows;
    int64_t step, k, n;
    float alpha;
    const float *bias; /* NULL: 0 */
    int bias_step;
    const float *residual; /* NULL unless the epilogue has one */
    float *y;
    const gr_epilogue *epilogue;
} cpu_rows;
void cpu_rows_run(cpu_rows *s, vkb_pool *pool);

#endif
