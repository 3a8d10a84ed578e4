/* SPDX-License-Identifier: Apache-2.0
 * Expand: broadcasting to a shape (in both directions: dimensions of 1 in the shape keep the input's). */
#include "graph/ops/schema.h"

static vki_status infer_expand(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    gr_tensor target = {.dtype = x->dtype};
    int64_t dims[GR_MAX_RANK];
    int rank;
    VKB_TRY(op_const_ints(c, 1, target.dims, GR_MAX_RANK, &target.rank));
    for (int i = 0; i < target.rank; i++)
        if (target.dims[i] < 0)
            return op_fail(c, VKI_E_SHAPE, "dimension %d of the target shape is %lld", i,
                           (long long)target.dims[i]);
    VKB_TRY(op_broadcast(c, x, &target, &rank, dims));
    return op_out(c, 0, x->dtype, rank, dims);
}

const op_info op_info_Expand = {
    .name = "Expand",
    .doc = "Repeats the input along its dimensions of 1 until it has the shape of input 1",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_expand,
};
