/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

/* The depth may be of any number type. */
static vki_status read_depth(op_infer *c, int64_t *depth)
{
    float value = 0;
    int count = 0;
    const gr_tensor *t = op_in(c, 1);
    if (!t->data) return op_later(c, 1);
    if (op_dtype_in(t->dtype, OP_INTEGERS) && gr_const_i64(c->g, c->n->in[1], depth, 1, &count) && count == 1)
        return VKI_OK;
    if (!gr_const_f32(c->g, c->n->in[1], &value) || !(value >= 0 && value < 0x1p31f))
        return op_fail(c, VKI_E_SHAPE, "the depth must be one number from 1 on");
    *depth = (int64_t)value;
    return VKI_OK;
}

static vki_status infer_onehot(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *values = op_in(c, 2);
    int64_t dims[GR_MAX_RANK + 1], depth = 0;
    int axis;
    VKB_TRY(op_want_type(c, 0, OP_NUMBERS));
    VKB_TRY(op_axis(c, ((const op_axis_attrs *)c->n->attrs)->axis, x->rank + 1, &axis));
    VKB_TRY(read_depth(c, &depth));
    if (depth < 1)
        return op_fail(c, VKI_E_SHAPE, "the depth is %lld, but must be 1 at least", (long long)depth);
    if (values->rank != 1 || values->dims[0] != 2)
        return op_fail(c, VKI_E_SHAPE, "the values must be two, off and on");
    for (int d = 0; d <= x->rank; d++) dims[d] = d == axis ? depth : x->dims[d < axis ? d : d - 1];
    return op_out(c, 0, values->dtype, x->rank + 1, dims);
}

static const op_attr onehot_attrs[] = {
    OP_ROW_INT(op_axis_attrs, axis, -1, -GR_MAX_RANK, GR_MAX_RANK - 1),
};

const op_info op_info_OneHot = {
    .name = "OneHot",
    .doc =
        "A new dimension, `on` at the given index and `off` elsewhere; all is off for an index out of range",
    OP_ATTR_TABLE(onehot_attrs),
    .attrs_size = sizeof(op_axis_attrs),
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_onehot,
};
