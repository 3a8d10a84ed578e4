/* SPDX-License-Identifier: Apache-2.0
 * Trilu and EyeLike: what lies at, above or below a diagonal of matrices. */
#include "graph/ops/schema.h"

static vki_status infer_trilu(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *k = op_in(c, 1);
    VKB_TRY(op_want_type(c, 1, OP_BIT(VKI_I64)));
    if (x->rank < 2) return op_fail(c, VKI_E_SHAPE, "the input has %d dimensions; 2 are needed", x->rank);
    if (k && gr_elements(k) != 1) return op_fail(c, VKI_E_SHAPE, "the diagonal must be one number");
    return op_out_like(c, 0, x);
}

static vki_status infer_eye(op_infer *c)
{
    gr_tensor y = *op_in(c, 0);
    int64_t dtype = ((const op_eye_attrs *)c->n->attrs)->dtype;
    if (y.rank != 2) return op_fail(c, VKI_E_SHAPE, "the input has %d dimensions, not 2", y.rank);
    if (dtype) y.dtype = (vki_dtype)dtype;
    if (vki_dtype_size(y.dtype) == 0)
        return op_fail(c, VKI_E_UNSUPPORTED, "element type %lld (ONNX's numbering) is not supported",
                       (long long)dtype);
    return op_out_like(c, 0, &y);
}

static const op_attr trilu_attrs[] = {OP_ROW_INT(op_trilu_attrs, upper, 1, 0, 1)};
static const op_attr eye_attrs[] = {OP_ROW_INT(op_eye_attrs, dtype, 0, 0, 255),
                                    OP_ROW_INT(op_eye_attrs, k, 0, -OP_INT_MAX, OP_INT_MAX)};

const op_info op_info_Trilu = {
    .name = "Trilu",
    .doc = "Matrices with zeros below diagonal k (upper), or above it",
    OP_ATTR_TABLE(trilu_attrs),
    .attrs_size = sizeof(op_trilu_attrs),
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_trilu,
};

const op_info op_info_EyeLike = {
    .name = "EyeLike",
    .doc = "A matrix of the input's shape with ones on diagonal k",
    OP_ATTR_TABLE(eye_attrs),
    .attrs_size = sizeof(op_eye_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_SHAPE_ONLY,
    .infer = infer_eye,
};
