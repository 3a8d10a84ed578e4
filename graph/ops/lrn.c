/* SPDX-License-Identifier: Apache-2.0
 * Local response normalization across channels: of `size` channels around, (size - 1) / 2 come before. */
#include "graph/ops/schema.h"

static const op_attr attrs[] = {
    OP_ROW_FLOAT(op_lrn_attrs, alpha, 1e-4f, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_FLOAT(op_lrn_attrs, beta, 0.75f, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_FLOAT(op_lrn_attrs, bias, 1, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_INT(op_lrn_attrs, size, 1, 1, OP_INT_MAX),
};

static vki_status infer(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    if (x->rank < 2)
        return op_fail(c, VKI_E_SHAPE, "input 0 has rank %d; batch and channels are needed", x->rank);
    return op_out_like(c, 0, x);
}

const op_info op_info_LRN = {
    .name = "LRN",
    .doc = "x / (bias + alpha / size * sum of x^2 over `size` channels around)^beta",
    OP_ATTR_TABLE(attrs),
    .attrs_size = sizeof(op_lrn_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
};
