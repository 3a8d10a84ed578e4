/* SPDX-License-Identifier: Apache-2.0
 * Shape, Size, Range, ConstantOfShape: what shape arithmetic is made of. Mostly folded away. */
#include <math.h>
#include <string.h>

#include "graph/ops/schema.h"

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return vkb_min(vkb_max(v, low), high);
}

static vki_status infer_shape(op_infer *c)
{
    const op_shape_attrs *a = c->n->attrs;
    int64_t rank = op_in(c, 0)->rank;
    int64_t start = clamp(a->start < 0 ? a->start + rank : a->start, 0, rank);
    int64_t end = clamp(a->end < 0 ? a->end + rank : a->end, 0, rank);
    int64_t count = vkb_max(end - start, 0);
    return op_out(c, 0, VKI_I64, 1, &count);
}

static vki_status infer_size(op_infer *c)
{
    int64_t none = 0;
    return op_out(c, 0, VKI_I64, 0, &none);
}

static double scalar_f64(const gr_tensor *t)
{
    double d;
    float f;
    if (t->dtype == VKI_F64) {
        memcpy(&d, t->data, sizeof d);
        return d;
    }
    memcpy(&f, t->data, sizeof f);
    return (double)f;
}

static vki_status count_floats(op_infer *c, int64_t *count)
{
    double start = scalar_f64(op_in(c, 0)), limit = scalar_f64(op_in(c, 1)), delta = scalar_f64(op_in(c, 2));
    double n = ceil((limit - start) / delta);
    if (!isfinite(n) || n > 0x1p40)
        return op_fail(c, VKI_E_SHAPE, "a range from %g to %g by %g has no usable length", start, limit,
                       delta);
    *count = n > 0 ? (int64_t)n : 0;
    return VKI_OK;
}

static vki_status count_ints(op_infer *c, int64_t *count)
{
    int64_t v[3];
    for (int i = 0; i < 3; i++) {
        int n;
        VKB_TRY(op_const_ints(c, i, &v[i], 1, &n));
    }
    int64_t start = v[0], limit = v[1], delta = v[2];
    if (delta == 0) return op_fail(c, VKI_E_SHAPE, "the step of the range is 0");
    uint64_t distance = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    bool empty = delta > 0 ? limit <= start : limit >= start;
    uint64_t n = empty ? 0 : (distance - 1) / step + 1;
    if (n > (UINT64_C(1) << 40))
        return op_fail(c, VKI_E_SHAPE, "a range from %lld to %lld by %lld is too long", (long long)start,
                       (long long)limit, (long long)delta);
    *count = (int64_t)n;
    return VKI_OK;
}

static vki_status infer_range(op_infer *c)
{
    vki_dtype dtype = op_in(c, 0)->dtype;
    VKB_TRY(op_want_type(
        c, 0, OP_BIT(VKI_F32) | OP_BIT(VKI_F64) | OP_BIT(VKI_I16) | OP_BIT(VKI_I32) | OP_BIT(VKI_I64)));
    for (int i = 0; i < 3; i++) {
        VKB_TRY(op_want_same_type(c, i));
        if (gr_elements(op_in(c, i)) != 1)
            return op_fail(c, VKI_E_SHAPE, "start, limit and delta must each be one number; input %d is not",
                           i);
        if (!gr_is_const(c->g, c->n->in[i])) return op_later(c, i);
    }
    int64_t count;
    VKB_TRY(op_dtype_in(dtype, OP_FLOATS) ? count_floats(c, &count) : count_ints(c, &count));
    return op_out(c, 0, dtype, 1, &count);
}

static vki_status infer_constant_of_shape(op_infer *c)
{
    int64_t dims[GR_MAX_RANK];
    int rank;
    VKB_TRY(op_const_ints(c, 0, dims, GR_MAX_RANK, &rank));
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0)
            return op_fail(c, VKI_E_SHAPE, "dimension %d of the shape is %lld", i, (long long)dims[i]);
    if (gr_elements(op_in(c, 1)) != 1) return op_fail(c, VKI_E_SHAPE, "the fill must be one element");
    return op_out(c, 0, op_in(c, 1)->dtype, rank, dims);
}

static const op_attr shape_attrs[] = {
    OP_ROW_INT(op_shape_attrs, start, 0, -0x1p63, 0x1p63),
    OP_ROW_INT(op_shape_attrs, end, OP_INT_MAX, -0x1p63, 0x1p63), /* default: to the last dimension */
};

const op_info op_info_Shape = {
    .name = "Shape",
    .doc = "The input's dimensions from start up to end, as int64",
    OP_ATTR_TABLE(shape_attrs),
    .attrs_size = sizeof(op_shape_attrs),
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_SHAPE_ONLY,
    .infer = infer_shape,
};
const op_info op_info_Size = {
    .name = "Size",
    .doc = "The number of the input's elements, as int64",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_SHAPE_ONLY,
    .infer = infer_size,
};
const op_info op_info_Range = {
    .name = "Range",
    .doc = "start, start + delta, ... below limit; the three must be constants",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_range,
};
const op_info op_info_ConstantOfShape = {
    .name = "ConstantOfShape",
    .doc = "A tensor of the shape in input 0, filled with the one element of input 1",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_constant_of_shape,
};
