/* SPDX-License-Identifier: Apache-2.0
 * Pad: adds elements before and after each dimension, or removes them where the amount is negative. Removing
 * comes first; reflect, edge and wrap then take from what is left (ONNX Runtime's reading). */
#include "graph/ops/schema.h"

#define PAD_LIMIT (INT64_C(1) << 40) /* larger amounts cannot be meant, and sums below cannot overflow */

typedef struct pad_params { /* as given */
    int64_t amount[2 * GR_MAX_RANK], axis[GR_MAX_RANK];
    int count; /* of axes; amounts are twice as many */
} pad_params;

/* Spreads the amounts over the dimensions. NULL, or what is wrong with them. */
static const char *spread(const gr_tensor *x, const pad_params *p, int64_t begin[GR_MAX_RANK],
                          int64_t end[GR_MAX_RANK])
{
    bool seen[GR_MAX_RANK] = {false};
    for (int d = 0; d < GR_MAX_RANK; d++) begin[d] = end[d] = 0;
    for (int i = 0; i < p->count; i++) {
        int64_t axis = p->axis[i] < 0 ? p->axis[i] + x->rank : p->axis[i];
        int64_t b = p->amount[i], e = p->amount[p->count + i];
        if (axis < 0 || axis >= x->rank) return "an axis is outside of the input's dimensions";
        if (seen[axis]) return "an axis is given twice";
        if (b > PAD_LIMIT || b < -PAD_LIMIT || e > PAD_LIMIT || e < -PAD_LIMIT)
            return "an amount is beyond all measure";
        seen[axis] = true;
        begin[axis] = b;
        end[axis] = e;
    }
    return NULL;
}

static vki_status read_params(op_infer *c, pad_params *p)
{
    int count, rank = op_in(c, 0)->rank;
    VKB_TRY(op_const_ints(c, 1, p->amount, 2 * GR_MAX_RANK, &count));
    p->count = rank;
    for (int d = 0; d < rank; d++) p->axis[d] = d;
    if (op_has_in(c->n, 3)) VKB_TRY(op_const_ints(c, 3, p->axis, GR_MAX_RANK, &p->count));
    if (count != 2 * p->count)
        return op_fail(c, VKI_E_SHAPE, "%d amounts are given for %d axes; there must be two for each", count,
                       p->count);
    return VKI_OK;
}

static vki_status infer_pad(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const op_pad_attrs *a = c->n->attrs;
    pad_params p;
    int64_t begin[GR_MAX_RANK], end[GR_MAX_RANK], dims[GR_MAX_RANK] = {0};
    VKB_TRY(read_params(c, &p));
    const char *wrong = spread(x, &p, begin, end);
    if (wrong) return op_fail(c, VKI_E_SHAPE, "%s", wrong);
    if (op_has_in(c->n, 2)) {
        VKB_TRY(op_want_same_type(c, 2));
        if (gr_elements(op_in(c, 2)) != 1)
            return op_fail(c, VKI_E_SHAPE, "the fill (input 2) must be one element");
    }
    for (int d = 0; d < x->rank; d++) {
        int64_t left = x->dims[d] + vkb_min(begin[d], 0) + vkb_min(end[d], 0);
        int64_t added = vkb_max(begin[d], 0) + vkb_max(end[d], 0);
        if (left < 0)
            return op_fail(c, VKI_E_SHAPE,
                           "%lld elements are to be removed from dimension %d, which has %lld",
                           (long long)(x->dims[d] - left), d, (long long)x->dims[d]);
        if (left == 0 && added && a->mode != OP_PADDING_CONSTANT)
            return op_fail(c, VKI_E_SHAPE, "dimension %d has no elements to repeat", d);
        dims[d] = left + added;
    }
    return op_out(c, 0, x->dtype, x->rank, dims);
}

bool op_pad_amounts(const gr_graph *g, const gr_node *n, int64_t begin[GR_MAX_RANK], int64_t end[GR_MAX_RANK],
                    float *value)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    pad_params p;
    int count;
    if (!gr_const_i64(g, n->in[1], p.amount, 2 * GR_MAX_RANK, &count)) return false;
    p.count = x->rank;
    for (int d = 0; d < x->rank; d++) p.axis[d] = d;
    if (op_has_in(n, 3) && !gr_const_i64(g, n->in[3], p.axis, GR_MAX_RANK, &p.count)) return false;
    if (count != 2 * p.count || spread(x, &p, begin, end)) return false;
    if (!value) return true;
    *value = 0;
    return !op_has_in(n, 2) || gr_const_f32(g, n->in[2], value);
}

static const op_attr pad_attrs[] = {
    OP_ROW_ENUM(op_pad_attrs, mode, OP_PADDING_CONSTANT, "constant,reflect,edge,wrap"),
};

const op_info op_info_Pad = {
    .name = "Pad",
    .doc =
        "Adds elements around the input (a fill, a reflection, the edge, or the other side) or removes them",
    OP_ATTR_TABLE(pad_attrs),
    .attrs_size = sizeof(op_pad_attrs),
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_pad,
};
