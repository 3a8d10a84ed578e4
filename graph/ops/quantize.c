/* SPDX-License-Identifier: Apache-2.0
 * QuantizeLinear and DequantizeLinear: one scale for the tensor, one along an axis, or one a block of it.
 * DynamicQuantizeLinear: scale and zero point follow from the values. */
#include "graph/ops/schema.h"

enum { QUANTIZED = OP_BIT(VKI_U8) | OP_BIT(VKI_I8) | OP_BIT(VKI_U16) | OP_BIT(VKI_I16) };

/* How the scales lie over x: op_quantize_dims. */
static vki_status check_scales(op_infer *c)
{
    op_quantize_dims d;
    VKB_TRY(op_want_type(c, 1, OP_FLOATS));
    if (!op_quantize_of(c->g, c->n, &d))
        return op_fail(c, VKI_E_SHAPE, "the scales fit neither the tensor nor an axis of it nor its blocks");
    if (op_has_own(c->n, 2) && gr_elements(op_in(c, 2)) != gr_elements(op_in(c, 1)))
        return op_fail(c, VKI_E_SHAPE, "there must be as many zero points as scales");
    return VKI_OK;
}

bool op_quantize_of(const gr_graph *g, const gr_node *n, op_quantize_dims *d)
{
    const op_quantize_attrs *a = n->attrs;
    const gr_tensor *x = &g->tensors[n->in[0]], *s = &g->tensors[n->in[1]];
    int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis, scales = gr_elements(s);
    *d = (op_quantize_dims){.inner = 1, .dim = 1, .scales = 1, .block = 1};
    if (scales == 1 && s->rank <= 1) {
        d->block = 1;
        return true;
    }
    if (axis < 0 || axis >= x->rank) return false;
    for (int64_t i = axis + 1; i < x->rank; i++) d->inner *= x->dims[i];
    d->dim = x->dims[axis];
    if (s->rank == 1) { /* the same for all outer indices */
        d->scales = s->dims[0];
        return s->dims[0] == d->dim && a->block_size == 0;
    }
    if (s->rank != x->rank || a->block_size < 1) return false;
    for (int i = 0; i < x->rank; i++)
        if (s->dims[i] != (i == axis ? vkb_ceil_div(x->dims[i], a->block_size) : x->dims[i])) return false;
    d->scales = s->dims[axis];
    d->block = a->block_size;
    d->blocked = true;
    return true;
}

static vki_status infer_quantize(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *zero = op_has_own(c->n, 2) ? op_in(c, 2) : NULL;
    int64_t wanted = ((const op_quantize_attrs *)c->n->attrs)->output_dtype;
    vki_dtype dtype = zero ? zero->dtype : wanted ? (vki_dtype)wanted : VKI_U8;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS | OP_BIT(VKI_I32)));
    VKB_TRY(check_scales(c));
    if (!op_dtype_in(dtype, QUANTIZED) || (wanted && wanted != (int64_t)dtype))
        return op_fail(c, VKI_E_UNSUPPORTED, "to type %lld (ONNX's numbering)",
                       (long long)(wanted ? wanted : dtype));
    return op_out(c, 0, dtype, x->rank, x->dims);
}

static vki_status infer_dequantize(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *scale = op_in(c, 1);
    VKB_TRY(op_want_type(c, 0, QUANTIZED | OP_BIT(VKI_I32)));
    VKB_TRY(op_want_same_type(c, 2));
    VKB_TRY(check_scales(c));
    return op_out(c, 0, scale->dtype, x->rank, x->dims);
}

static vki_status infer_dynamic(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    VKB_TRY(op_want_type(c, 0, OP_BIT(VKI_F32)));
    VKB_TRY(op_out(c, 0, VKI_U8, x->rank, x->dims));
    VKB_TRY(op_out(c, 1, VKI_F32, 0, NULL));
    return op_out(c, 2, VKI_U8, 0, NULL);
}

static const op_attr quantize_attrs[] = {
    OP_ROW_INT(op_quantize_attrs, axis, 1, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_INT(op_quantize_attrs, block_size, 0, 0, OP_INT_MAX),
    OP_ROW_INT(op_quantize_attrs, saturate, 1, 0, 1),
    OP_ROW_INT(op_quantize_attrs, output_dtype, 0, 0, 255),
};
static const op_attr dequantize_attrs[] = {
    OP_ROW_INT(op_quantize_attrs, axis, 1, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_INT(op_quantize_attrs, block_size, 0, 0, OP_INT_MAX),
};

#define QUANTIZE(op, text, table, function)                                                                  \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  OP_ATTR_TABLE(table),                                                      \
                                  .attrs_size = sizeof(op_quantize_attrs),                                   \
                                  .min_in = 2,                                                               \
                                  .max_in = 3,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = function}

QUANTIZE(QuantizeLinear, "x / scale + zero point, rounded to the nearest (halves to the even) and saturated",
         quantize_attrs, infer_quantize);
QUANTIZE(DequantizeLinear, "(x - zero point) scale", dequantize_attrs, infer_dequantize);

const op_info op_info_DynamicQuantizeLinear = {
    .name = "DynamicQuantizeLinear",
    .doc = "To uint8 with the scale and zero point that the smallest and largest value, and 0, need",
    .min_in = 1,
    .max_in = 1,
    .min_out = 3,
    .max_out = 3,
    .infer = infer_dynamic,
};
