/* SPDX-License-Identifier: Apache-2.0
 * What the quantized products (families qconv and qmatmul) have in common: sums over
 * (a - a_zero) (b - b_zero) in int32, which wrap around, and in the QLinear forms
 * y = saturate(round(sum * (a_scale b_scale / y_scale)) + y_zero), all in fp32, halves to even. */
#ifndef GRAPH_OPS_QUANTIZED_H
#define GRAPH_OPS_QUANTIZED_H

#include "graph/ops/schema.h"

/* Which input is what; -1: the operator has no such input. a is the left factor (of a convolution its input),
 * b the right one (its weights). */
typedef struct op_quantized {
    int a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias;
} op_quantized;
op_quantized op_quantized_of(op_kind op);
static inline bool op_requantizes(op_kind op) /* else output 0 is the int32 sums */
{
    return op == OP_QLinearConv || op == OP_QLinearMatMul;
}

/* How scales or zero points lie over a factor: one for all; one a line (row of A, column of B, output channel
 * of a convolution's weights), the same in all matrices of a batch; one a line of each matrix. */
typedef enum op_spread { OP_SPREAD_BAD = -1, OP_SPREAD_ONE, OP_SPREAD_LINE, OP_SPREAD_BATCH_LINE } op_spread;
/* Of input `i` over input `of`, whose lines are dimension `line`. An absent input is OP_SPREAD_ONE. */
op_spread op_spread_of(const gr_graph *g, const gr_node *n, int i, int of, int line);
/* Its element for line `line` of `lines` in matrix `matrix` (counted in the factor's own batch). */
static inline int64_t op_spread_at(op_spread s, int64_t matrix, int64_t lines, int64_t line)
{
    return s == OP_SPREAD_ONE ? 0 : s == OP_SPREAD_LINE ? line : matrix * lines + line;
}

/* Types and scales of a node; `a_line`, `b_line` as in op_spread_of, -1: one value only. */
vki_status op_check_quantized(op_infer *c, int a_line, int b_line);
/* The type of output 0. */
vki_dtype op_quantized_type(const op_infer *c);

#endif
