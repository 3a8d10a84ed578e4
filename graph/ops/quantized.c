/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/quantized.h"

enum { EIGHT_BITS = OP_BIT(VKI_U8) | OP_BIT(VKI_I8) };

op_quantized op_quantized_of(op_kind op)
{
    if (!op_requantizes(op)) return (op_quantized){0, -1, 2, 1, -1, 3, -1, -1, -1};
    return (op_quantized){0, 1, 2, 3, 4, 5, 6, 7, op == OP_QLinearConv ? 8 : -1};
}

static bool has(const gr_node *n, int i)
{
    return i >= 0 && op_has_own(n, i);
}

op_spread op_spread_of(const gr_graph *g, const gr_node *n, int i, int of, int line)
{
    if (!has(n, i)) return OP_SPREAD_ONE;
    const gr_tensor *t = &g->tensors[n->in[i]], *factor = &g->tensors[n->in[of]];
    if (t->rank <= 1 && gr_elements(t) == 1) return OP_SPREAD_ONE;
    if (line < 0 || line >= factor->rank) return OP_SPREAD_BAD;
    if (t->rank == 1) return t->dims[0] == factor->dims[line] ? OP_SPREAD_LINE : OP_SPREAD_BAD;
    if (t->rank != factor->rank || line < t->rank - 2) return OP_SPREAD_BAD;
    for (int d = 0; d < t->rank; d++) /* of a matrix only the dimension along the sum is gone */
        if (t->dims[d] != (d < t->rank - 2 || d == line ? factor->dims[d] : 1)) return OP_SPREAD_BAD;
    return OP_SPREAD_BATCH_LINE;
}

/* Scale and zero point of one factor. */
static vki_status check_factor(op_infer *c, int of, int scale, int zero, int line)
{
    op_spread s = op_spread_of(c->g, c->n, scale, of, line), z = op_spread_of(c->g, c->n, zero, of, line);
    if (s == OP_SPREAD_BAD || z == OP_SPREAD_BAD)
        return op_fail(c, VKI_E_SHAPE,
                       "the %s of input %d must have one value, or one for each line of that input",
                       s == OP_SPREAD_BAD ? "scale" : "zero point", of);
    if (has(c->n, zero) && op_in(c, zero)->dtype != op_in(c, of)->dtype)
        return op_fail(c, VKI_E_SHAPE, "the zero point of input %d is %s but the input is %s", of,
                       vki_dtype_name(op_in(c, zero)->dtype), vki_dtype_name(op_in(c, of)->dtype));
    if (has(c->n, scale) && !op_dtype_in(op_in(c, scale)->dtype, OP_FLOATS))
        return op_fail(c, VKI_E_SHAPE, "input %d, a scale, is %s", scale,
                       vki_dtype_name(op_in(c, scale)->dtype));
    return op_want_type(c, of, EIGHT_BITS);
}

vki_status op_check_quantized(op_infer *c, int a_line, int b_line)
{
    const op_quantized q = op_quantized_of(c->n->op);
    VKB_TRY(check_factor(c, q.a, q.a_scale, q.a_zero, a_line));
    VKB_TRY(check_factor(c, q.b, q.b_scale, q.b_zero, b_line));
    if (has(c->n, q.bias)) VKB_TRY(op_want_type(c, q.bias, OP_BIT(VKI_I32)));
    if (!op_requantizes(c->n->op)) return VKI_OK;
    VKB_TRY(op_want_type(c, q.y_scale, OP_FLOATS));
    VKB_TRY(op_want_type(c, q.y_zero, EIGHT_BITS));
    if (gr_elements(op_in(c, q.y_scale)) != 1 || gr_elements(op_in(c, q.y_zero)) != 1)
        return op_fail(c, VKI_E_SHAPE, "the output has one scale and one zero point");
    return VKI_OK;
}

vki_dtype op_quantized_type(const op_infer *c)
{
    return op_requantizes(c->n->op) ? op_in(c, op_quantized_of(c->n->op).y_zero)->dtype : VKI_I32;
}
