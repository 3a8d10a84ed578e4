/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static vki_status infer(op_infer *c)
{
    gr_tensor y = *op_in(c, 0);
    int64_t axis = ((const op_unique_attrs *)c->n->attrs)->axis, slices = gr_elements(&y);
    int place = 0;
    VKB_TRY(op_want_type(c, 0, OP_NUMBERS | OP_BIT(VKI_BOOL)));
    if (axis == OP_FLATTENED) {
        y.rank = 1;
        y.dims[0] = slices;
    } else {
        VKB_TRY(op_axis(c, axis, y.rank, &place));
        slices = y.dims[place];
    }
    VKB_TRY(op_out_like(c, 0, &y));
    for (int i = 1; i < 4; i++) VKB_TRY(op_out(c, i, VKI_I64, 1, &slices));
    return VKI_OK;
}

static const op_attr unique_attrs[] = {
    OP_ROW_INT(op_unique_attrs, axis, OP_FLATTENED, -GR_MAX_RANK, OP_FLATTENED),
    OP_ROW_INT(op_unique_attrs, sorted, 1, 0, 1),
};

const op_info op_info_Unique = {
    .name = "Unique",
    .doc = "The different slices along one axis (by default: elements), sorted or in their order; where each "
           "came first, which one each was, and how many there were",
    OP_ATTR_TABLE(unique_attrs),
    .attrs_size = sizeof(op_unique_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 4,
    .flags = OP_DATA_SHAPED | OP_ANY_OUTPUT,
    .infer = infer,
};
