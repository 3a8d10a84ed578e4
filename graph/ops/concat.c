/* SPDX-License-Identifier: Apache-2.0
 * Concat: tensors of one type that agree in all dimensions but one, laid end to end along that one. */
#include "graph/ops/schema.h"

static vki_status infer_concat(op_infer *c)
{
    const gr_tensor *first = op_in(c, 0);
    int64_t dims[GR_MAX_RANK] = {0};
    int axis;
    VKB_TRY(op_axis(c, ((const op_axis_attrs *)c->n->attrs)->axis, first->rank, &axis));
    for (int d = 0; d < first->rank; d++) dims[d] = first->dims[d];
    for (int i = 1; i < c->n->n_in; i++) {
        const gr_tensor *t = op_in(c, i);
        if (!t) return op_fail(c, VKI_E_SHAPE, "input %d is absent", i);
        VKB_TRY(op_want_same_type(c, i));
        if (t->rank != first->rank)
            return op_fail(c, VKI_E_SHAPE, "input %d has %d dimensions, input 0 has %d", i, t->rank,
                           first->rank);
        for (int d = 0; d < t->rank; d++)
            if (d != axis && t->dims[d] != first->dims[d])
                return op_fail(c, VKI_E_SHAPE, "dimension %d of input %d is %lld, that of input 0 %lld", d, i,
                               (long long)t->dims[d], (long long)first->dims[d]);
        if (dims[axis] > INT64_MAX - t->dims[axis])
            return op_fail(c, VKI_E_SHAPE, "the output's dimension %d does not fit into 63 bits", axis);
        dims[axis] += t->dims[axis];
    }
    return op_out(c, 0, first->dtype, first->rank, dims);
}

static const op_attr concat_attrs[] = {
    OP_ROW_INT(op_axis_attrs, axis, 1, -GR_MAX_RANK, GR_MAX_RANK - 1),
};

const op_info op_info_Concat = {
    .name = "Concat",
    .doc = "Lays tensors end to end along one axis",
    OP_ATTR_TABLE(concat_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 1,
    .max_in = OP_MANY,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_concat,
};
