/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/quantized.h"

static vki_status infer(op_infer *c)
{
    const op_quantized q = op_quantized_of(c->n->op);
    const int a_rank = op_in(c, q.a)->rank, b_rank = op_in(c, q.b)->rank;
    VKB_TRY(op_check_quantized(c, a_rank - 2, b_rank > 1 ? b_rank - 1 : -1));
    return op_matmul_out(c, op_quantized_type(c));
}

#define QMATMUL(op, text, least, most)                                                                       \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  .min_in = least,                                                           \
                                  .max_in = most,                                                            \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = infer,                                                            \
                                  .cost = op_matmul_cost}

QMATMUL(QLinearMatMul, "Matrix product of 8-bit integers with scales and zero points, requantized to 8 bits",
        8, 8);
QMATMUL(MatMulInteger, "Matrix product of 8-bit integers with zero points, to int32", 2, 4);
