/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static vki_status infer_arg(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const op_arg_attrs *a = c->n->attrs;
    int axis, rank = 0;
    int64_t dims[GR_MAX_RANK];
    VKB_TRY(op_want_type(c, 0, OP_NUMBERS));
    VKB_TRY(op_axis(c, a->axis, x->rank, &axis));
    if (x->dims[axis] == 0)
        return op_fail(c, VKI_E_SHAPE, "dimension %d has no elements to choose from", axis);
    for (int d = 0; d < x->rank; d++) {
        if (d != axis)
            dims[rank++] = x->dims[d];
        else if (a->keepdims)
            dims[rank++] = 1;
    }
    return op_out(c, 0, VKI_I64, rank, dims);
}

static const op_attr arg_attrs[] = {
    OP_ROW_INT(op_arg_attrs, axis, 0, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_INT(op_arg_attrs, keepdims, 1, 0, 1),
    OP_ROW_INT(op_arg_attrs, select_last_index, 0, 0, 1),
};

#define ARG(op, text)                                                                                        \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = "Position of the " text                                             \
                                         " value along one axis; of equal ones the first, or the last",      \
                                  OP_ATTR_TABLE(arg_attrs),                                                  \
                                  .attrs_size = sizeof(op_arg_attrs),                                        \
                                  .min_in = 1,                                                               \
                                  .max_in = 1,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = infer_arg}

ARG(ArgMax, "largest");
ARG(ArgMin, "smallest");
