/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static vki_status infer_tile(op_infer *c)
{
    gr_tensor y = *op_in(c, 0);
    int64_t repeats[GR_MAX_RANK];
    int count, dims = 0;
    VKB_TRY(op_const_ints(c, 1, repeats, GR_MAX_RANK, &count));
    if (count != y.rank)
        return op_fail(c, VKI_E_SHAPE, "%d repeats are given for %d dimensions", count, y.rank);
    for (int d = 0; d < y.rank; d++) {
        dims += (y.dims[d] != 1) + (repeats[d] != 1); /* of the copy that makes it */
        if (repeats[d] < 0 || (y.dims[d] && repeats[d] > INT64_MAX / y.dims[d]))
            return op_fail(c, VKI_E_SHAPE, "dimension %d cannot be repeated %lld times", d,
                           (long long)repeats[d]);
        y.dims[d] *= repeats[d];
    }
    if (dims > GR_MAX_RANK)
        return op_fail(c, VKI_E_UNSUPPORTED,
                       "too many repeated dimensions; tile some of them by another node");
    return op_out_like(c, 0, &y);
}

const op_info op_info_Tile = {
    .name = "Tile",
    .doc = "Repeats the input along each dimension as often as input 1 says",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_tile,
};
