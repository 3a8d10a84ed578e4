/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static vki_status infer_reverse(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *lengths = op_in(c, 1);
    const op_reverse_attrs *a = c->n->attrs;
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I64)));
    if (x->rank < 2 || a->batch_axis == a->time_axis)
        return op_fail(c, VKI_E_SHAPE, "batch and time must be different dimensions, 0 and 1");
    if (lengths->rank != 1 || lengths->dims[0] != x->dims[a->batch_axis])
        return op_fail(c, VKI_E_SHAPE, "there must be one length for each of the %lld sequences",
                       (long long)x->dims[a->batch_axis]);
    return op_out_like(c, 0, x);
}

static const op_attr reverse_attrs[] = {
    OP_ROW_INT(op_reverse_attrs, batch_axis, 1, 0, 1),
    OP_ROW_INT(op_reverse_attrs, time_axis, 0, 0, 1),
};

const op_info op_info_ReverseSequence = {
    .name = "ReverseSequence",
    .doc = "The first elements of each sequence, as many as input 1 says, in reverse order",
    OP_ATTR_TABLE(reverse_attrs),
    .attrs_size = sizeof(op_reverse_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_reverse,
};
