/* SPDX-License-Identifier: Apache-2.0
 * Where: element by element one of two tensors, all three broadcast to a common shape. */
#include "graph/ops/schema.h"

static vki_status infer_where(op_infer *c)
{
    const gr_tensor *x = op_in(c, 1), *y = op_in(c, 2);
    VKB_TRY(op_want_type(c, 0, OP_BIT(VKI_BOOL)));
    if (x->dtype != y->dtype)
        return op_fail(c, VKI_E_SHAPE, "input 2 is %s but input 1 is %s", vki_dtype_name(y->dtype),
                       vki_dtype_name(x->dtype));
    gr_tensor both = *x, all = *x;
    VKB_TRY(op_broadcast(c, x, y, &both.rank, both.dims));
    VKB_TRY(op_broadcast(c, op_in(c, 0), &both, &all.rank, all.dims));
    return op_out_like(c, 0, &all);
}

const op_info op_info_Where = {
    .name = "Where",
    .doc = "x where the condition holds, else y; broadcast as in numpy",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_where,
};
