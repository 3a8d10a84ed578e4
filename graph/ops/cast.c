/* SPDX-License-Identifier: Apache-2.0
 * Cast: another element type. Floats become integers by dropping the fraction; what does not fit goes to the
 * nearest end of the range and NaN to 0 (ONNX leaves both open). Integers wrap. */
#include "graph/ops/schema.h"

static vki_status infer_cast(op_infer *c)
{
    op_cast_attrs *a = c->n->attrs;
    const gr_tensor *x = op_in(c, 0), *like = op_in(c, 1);
    if (like) { /* has said all it can */
        a->to = like->dtype;
        c->n->n_in = 1;
    }
    if (vki_dtype_size((vki_dtype)a->to) == 0)
        return op_fail(c, VKI_E_UNSUPPORTED, "element type %lld (ONNX's numbering) is not supported",
                       (long long)a->to);
    return op_out(c, 0, (vki_dtype)a->to, x->rank, x->dims);
}

static const op_attr cast_attrs[] = {
    OP_ROW_INT(op_cast_attrs, to, VKI_F32, 0, 255),
    OP_ROW_INT(op_cast_attrs, saturate, 1, 0, 1),
};

const op_info op_info_Cast = {
    .name = "Cast",
    .doc = "Another element type; floats are cut towards zero and held within an integer's range (NaN: 0). "
           "`to` 0: the type of input 1",
    OP_ATTR_TABLE(cast_attrs),
    .attrs_size = sizeof(op_cast_attrs),
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_cast,
};
