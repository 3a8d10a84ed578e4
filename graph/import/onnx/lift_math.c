/* SPDX-License-Identifier: Apache-2.0
 * Operators whose meaning changed, and those that the graph composes of others. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

vki_status onnx_require_inputs(const onnx_node *n, int low)
{
    for (int i = 0; i < low; i++)
        if (i >= n->n_in || n->in[i] == GR_NONE) return onnx_fail(n, "input %d is missing", i);
    return VKI_OK;
}

static gr_id scalar(onnx_node *n, const char *suffix, float value)
{
    return onnx_const_floats(n, suffix, 0, &value, 1);
}

/* ---- changed meaning ---- */

/* fp16 and bf16 models are computed in fp32, so casts to those types cast to fp32. */
vki_status lift_cast_to(onnx_node *n, const char *name, int64_t to)
{
    vki_dtype dtype;
    if (to == VKI_F16 || to == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16) to = VKI_F32;
    if (to <= 0 || to > INT32_MAX) return onnx_fail(n, "the attribute '%s' is missing or invalid", name);
    if (!onnx_dtype((int32_t)to, &dtype)) return onnx_refuse(n, "to type %s", onnx_type_name((int32_t)to));
    onnx_set_attr(n, name, (double)to);
    return VKI_OK;
}

vki_status lift_cast(onnx_node *n)
{
    int64_t to = 0;
    VKB_TRY(onnx_attr_int(n, "to", &to));
    return lift_cast_to(n, "to", to);
}

vki_status lift_cast_like(onnx_node *n)
{
    VKB_TRY(onnx_require_inputs(n, 2));
    vki_dtype dtype = n->c->g->tensors[n->in[1]].dtype;
    n->op = OP_Cast;
    if (dtype != VKI_DT_NONE) n->n_in = 1;
    onnx_set_attr(n, "to", (double)dtype);
    return VKI_OK;
}

vki_status lift_eye_like(onnx_node *n)
{
    int64_t dtype = 0;
    if (!onnx_attr(n, "dtype")) return VKI_OK;
    VKB_TRY(onnx_attr_int(n, "dtype", &dtype));
    return lift_cast_to(n, "dtype", dtype);
}

vki_status lift_scatter(onnx_node *n) /* the name until opset 10 */
{
    n->op = OP_ScatterElements;
    return VKI_OK;
}

/* Whether a scalar of any type, of an optional input, is there, constant and zero. */
static bool is_zero(const onnx_node *n, int i)
{
    float value;
    if (i >= n->n_in || n->in[i] == GR_NONE) return false;
    const gr_tensor *t = &n->c->g->tensors[n->in[i]];
    if (t->data && t->dtype == VKI_BOOL && gr_elements(t) == 1) return *(const uint8_t *)t->data == 0;
    return gr_const_f32(n->c->g, n->in[i], &value) && value == 0;
}

/* Before opset 12 there is no mode: networks are run, not trained. */
static bool dropout_is_identity(onnx_node *n)
{
    float ratio = 0.5f;
    onnx_attr(n, "seed");
    if (n->c->opset < 7) onnx_attr(n, "is_test");
    if (n->c->opset < 12) return onnx_attr_float(n, "ratio", &ratio) == VKI_OK;
    return n->n_in < 3 || n->in[2] == GR_NONE || is_zero(n, 2) || is_zero(n, 1);
}

vki_status lift_dropout(onnx_node *n)
{
    VKB_TRY(onnx_require_inputs(n, 1));
    if (!dropout_is_identity(n)) return onnx_refuse(n, "in training mode: it draws random numbers");
    if (n->n_out > 1 && n->out_used[1]) {
        if (n->c->opset < 10) return onnx_refuse(n, "its mask is used");
        gr_id all = gr_add_const(n->c->g, NULL, VKI_BOOL, 0, NULL, &(uint8_t){1}, true);
        gr_id shape = onnx_unary(n, OP_Shape, "shape", n->in[0]);
        VKB_TRY(onnx_output(n, 1, OP_ConstantOfShape, 2, (gr_id[]){shape, all}, NULL));
    }
    n->n_in = 1;
    n->op = OP_Identity;
    return VKI_OK;
}

/* spatial = 0: scale, bias, mean and variance are those of every element of a sample, not of a channel. */
static vki_status batch_norm_by_element(onnx_node *n)
{
    float epsilon = 1e-5f;
    VKB_TRY(onnx_require_inputs(n, 5));
    VKB_TRY(onnx_attr_float(n, "epsilon", &epsilon));
    onnx_attr(n, "momentum");
    gr_id centred = onnx_binary(n, OP_Sub, "centred", n->in[0], n->in[3]);
    gr_id above = onnx_binary(n, OP_Add, "above", n->in[4], scalar(n, "epsilon", epsilon));
    gr_id factor = onnx_binary(n, OP_Div, "factor", n->in[1], onnx_unary(n, OP_Sqrt, "deviation", above));
    gr_id scaled = onnx_binary(n, OP_Mul, "scaled", centred, factor);
    return onnx_finish(n, OP_Add, 2, (gr_id[]){scaled, n->in[2]});
}

/* Outputs behind the first one mean training. */
vki_status lift_batch_norm(onnx_node *n)
{
    int64_t spatial = 1;
    VKB_TRY(onnx_attr_int(n, "spatial", &spatial));
    if (n->c->opset < 7) onnx_attr(n, "is_test");
    for (int i = 1; i < n->n_out; i++)
        if (n->out_used[i]) return onnx_refuse(n, "in training mode: output %d is used", i);
    n->n_out = n->n_out ? 1 : 0;
    return spatial ? VKI_OK : batch_norm_by_element(n);
}

/* Whether softmax over the dimensions from `axis` on is a softmax along `axis` alone. */
static bool is_one_axis(const gr_tensor *t, int64_t axis)
{
    if (axis == -1) return true;
    if (t->rank < 0) return false;
    if (axis < 0) axis += t->rank;
    for (int64_t d = axis < 0 ? 0 : axis + 1; d < t->rank; d++)
        if (t->dims[d] != 1) return false;
    return true;
}

/* Before opset 13: over all dimensions from `axis` on, as if flattened to a matrix. */
vki_status lift_softmax(onnx_node *n)
{
    int64_t axis = 1;
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    VKB_TRY(onnx_require_inputs(n, 1));
    if (is_one_axis(&n->c->g->tensors[n->in[0]], axis)) {
        onnx_set_attr(n, "axis", (double)axis);
        return VKI_OK;
    }
    gr_id x = n->in[0];
    gr_id shape = onnx_unary(n, OP_Shape, "shape", x);
    gr_id flat = onnx_helper(n, OP_Flatten, "flat", 1, &x, (onnx_set[]){{"axis", (double)axis}, {NULL, 0}});
    gr_id y = onnx_helper(n, n->op, "rows", 1, &flat, (onnx_set[]){{"axis", -1}, {NULL, 0}});
    return onnx_finish(n, OP_Reshape, 2, (gr_id[]){y, shape});
}

/* 1 at the largest value along an axis, else 0. Before opset 13 as lift_softmax. */
vki_status lift_hardmax(onnx_node *n)
{
    int64_t axis = n->c->opset < 13 ? 1 : -1;
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    VKB_TRY(onnx_require_inputs(n, 1));
    const gr_tensor *t = &n->c->g->tensors[n->in[0]];
    bool rows = n->c->opset < 13 && !is_one_axis(t, axis), floats = t->dtype == VKI_F32;
    gr_id x = n->in[0], shape = onnx_unary(n, OP_Shape, "shape", x), y = x;
    if (rows) y = onnx_helper(n, OP_Flatten, "flat", 1, &x, (onnx_set[]){{"axis", (double)axis}, {NULL, 0}});
    if (rows) axis = 1;
    gr_id sizes = rows ? onnx_unary(n, OP_Shape, "rows", y) : shape;
    gr_id size = onnx_binary(n, OP_Gather, "size", sizes, onnx_const_ints(n, "axis", &axis, 1));
    onnx_set set[] = {{"axis", (double)axis}, {"keepdims", 0}, {NULL, 0}};
    gr_id largest = onnx_helper(n, OP_ArgMax, "largest", 1, &y, set);
    gr_id in[3] = {largest, size, onnx_const_floats(n, "values", 1, (float[]){0, 1}, 2)};
    y = onnx_helper(n, OP_OneHot, "ones", 3, in, (onnx_set[]){{"axis", (double)axis}, {NULL, 0}});
    if (rows) y = onnx_binary(n, OP_Reshape, "back", y, shape);
    if (floats) return onnx_finish(n, OP_Identity, 1, &y);
    onnx_set_attr(n, "to", 0);
    return onnx_finish(n, OP_Cast, 2, (gr_id[]){y, x});
}

/* ---- compositions ---- */

/* Max, Min, Sum and Mean of any number of inputs, as a chain of two at a time. */
vki_status lift_variadic(onnx_node *n)
{
    int count = n->n_in;
    VKB_TRY(onnx_require_inputs(n, count ? count : 1));
    op_kind op = n->op == OP_Max || n->op == OP_Min ? n->op : OP_Add;
    bool mean = strcmp(n->type, "Mean") == 0;
    if (count == 1) {
        n->op = OP_Identity;
        return VKI_OK;
    }
    gr_id sum = n->in[0];
    for (int i = 1; i < count - !mean; i++) sum = onnx_binary(n, op, "partial", sum, n->in[i]);
    if (!mean) return onnx_finish(n, op, 2, (gr_id[]){sum, n->in[count - 1]});
    return onnx_finish(n, OP_Mul, 2, (gr_id[]){sum, scalar(n, "1/count", 1.0f / (float)count)});
}

typedef struct reduction { /* the source node's attributes and axes, for helper nodes */
    int64_t keep, noop;
    gr_id axes;
} reduction;

static gr_id reduce(onnx_node *n, const reduction *r, op_kind op, const char *suffix, gr_id x, int64_t keep)
{
    onnx_set set[] = {{"keepdims", (double)keep}, {"noop_with_empty_axes", (double)r->noop}, {NULL, 0}};
    return onnx_helper(n, op, suffix, r->axes == GR_NONE ? 1 : 2, (gr_id[]){x, r->axes}, set);
}

/* log sum exp x = m + log sum exp(x - m), with the largest x for m: nothing overflows. */
vki_status lift_log_sum_exp(onnx_node *n)
{
    reduction r = {.keep = 1};
    VKB_TRY(onnx_require_inputs(n, 1));
    if (n->c->opset < 18) VKB_TRY(lift_axes_input(n));
    VKB_TRY(onnx_attr_int(n, "keepdims", &r.keep));
    VKB_TRY(onnx_attr_int(n, "noop_with_empty_axes", &r.noop));
    r.axes = n->n_in > 1 ? n->in[1] : GR_NONE;
    gr_id x = n->in[0], kept = reduce(n, &r, OP_ReduceMax, "max", x, 1);
    gr_id largest = r.keep ? kept : reduce(n, &r, OP_ReduceMax, "largest", x, 0);
    gr_id e = onnx_unary(n, OP_Exp, "exp", onnx_binary(n, OP_Sub, "shifted", x, kept));
    gr_id sum = reduce(n, &r, OP_ReduceLogSum, "log", e, r.keep);
    return onnx_finish(n, OP_Add, 2, (gr_id[]){sum, largest});
}

vki_status lift_swish(onnx_node *n) /* x sigmoid(alpha x) */
{
    float alpha = 1;
    VKB_TRY(onnx_require_inputs(n, 1));
    VKB_TRY(onnx_attr_float(n, "alpha", &alpha));
    gr_id x = n->in[0];
    if (alpha == 1) return onnx_finish(n, OP_Silu, 1, &x);
    gr_id scaled = onnx_binary(n, OP_Mul, "scaled", x, scalar(n, "alpha", alpha));
    return onnx_finish(n, OP_Mul, 2, (gr_id[]){x, onnx_unary(n, OP_Sigmoid, "gate", scaled)});
}
