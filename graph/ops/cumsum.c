/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static vki_status infer_cumsum(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    int64_t value;
    int axis, count;
    VKB_TRY(op_want_type(c, 0,
                         OP_FLOATS | OP_BIT(VKI_I32) | OP_BIT(VKI_I64) | OP_BIT(VKI_U32) | OP_BIT(VKI_U64)));
    VKB_TRY(op_const_ints(c, 1, &value, 1, &count));
    if (count != 1) return op_fail(c, VKI_E_SHAPE, "the axis must be one number");
    VKB_TRY(op_axis(c, value, x->rank, &axis));
    return op_out_like(c, 0, x);
}

static const op_attr cumsum_attrs[] = {
    OP_ROW_INT(op_cumsum_attrs, exclusive, 0, 0, 1),
    OP_ROW_INT(op_cumsum_attrs, reverse, 0, 0, 1),
};

const op_info op_info_CumSum = {
    .name = "CumSum",
    .doc =
        "Sum of all elements up to each one along one axis; with exclusive without itself, with reverse from "
        "the end",
    OP_ATTR_TABLE(cumsum_attrs),
    .attrs_size = sizeof(op_cumsum_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_cumsum,
};
