/* SPDX-License-Identifier: Apache-2.0
 * Normalizations that the graph composes of other operators. None needs to know the input's rank. */
#include "graph/import/onnx/onnx_internal.h"

#include <float.h>

static gr_id scalar(onnx_node *n, const char *suffix, float value)
{
    return onnx_const_floats(n, suffix, 0, &value, 1);
}

/* OP_NONE if it refuses the node. */
static vki_status norm_operator(onnx_node *n, op_kind *op)
{
    int64_t p = 2;
    VKB_TRY(onnx_require_inputs(n, 1));
    VKB_TRY(onnx_attr_int(n, "p", &p));
    *op = p == 1 ? OP_ReduceL1 : p == 2 ? OP_ReduceL2 : OP_NONE;
    return *op == OP_NONE ? onnx_refuse(n, "p = %lld", (long long)p) : VKI_OK;
}

vki_status lift_lp_normalization(onnx_node *n) /* x / its norm along one axis */
{
    op_kind op;
    int64_t axis = -1;
    VKB_TRY(norm_operator(n, &op));
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    if (op == OP_NONE) return VKI_OK;
    gr_id norm = onnx_binary(n, op, "norm", n->in[0], onnx_const_ints(n, "axis", &axis, 1));
    if (n->c->g->tensors[n->in[0]].dtype != VKI_F64) /* zeros stay zeros */
        norm = onnx_binary(n, OP_Max, "above", norm, scalar(n, "least", FLT_MIN));
    return onnx_finish(n, OP_Div, 2, (gr_id[]){n->in[0], norm});
}

/* (x - mean) / (deviation + 1e-9) */
vki_status lift_mean_variance(onnx_node *n)
{
    const int64_t *given, usual[] = {0, 2, 3};
    int count;
    VKB_TRY(onnx_require_inputs(n, 1));
    VKB_TRY(onnx_attr_ints(n, "axes", &given, &count));
    gr_id axes = onnx_const_ints(n, "axes", count < 0 ? usual : given, count < 0 ? 3 : count);
    gr_id mean = onnx_binary(n, OP_ReduceMean, "mean", n->in[0], axes);
    gr_id centred = onnx_binary(n, OP_Sub, "centred", n->in[0], mean);
    gr_id square = onnx_binary(n, OP_Mul, "square", centred, centred);
    gr_id deviation =
        onnx_unary(n, OP_Sqrt, "deviation", onnx_binary(n, OP_ReduceMean, "variance", square, axes));
    gr_id below = onnx_binary(n, OP_Add, "below", deviation, scalar(n, "1e-9", 1e-9f));
    return onnx_finish(n, OP_Div, 2, (gr_id[]){centred, below});
}

/* Before opset 21 scale and bias are one a group: instance normalization of [N][groups][rest]. */
vki_status lift_group_norm(onnx_node *n)
{
    int64_t groups = 0;
    float epsilon = 1e-5f;
    VKB_TRY(onnx_require_inputs(n, 3));
    VKB_TRY(onnx_attr_int(n, "num_groups", &groups));
    VKB_TRY(onnx_attr_float(n, "epsilon", &epsilon));
    if (groups < 1 || groups > 1 << 20)
        return onnx_fail(n, "the attribute 'num_groups' is missing or invalid");
    gr_id x = n->in[0], shape = onnx_unary(n, OP_Shape, "shape", x);
    gr_id parts = onnx_const_ints(n, "groups", (int64_t[]){0, groups, -1}, 3);
    gr_id in[3] = {onnx_binary(n, OP_Reshape, "grouped", x, parts), n->in[1], n->in[2]};
    gr_id y = onnx_helper(n, OP_InstanceNormalization, "normal", 3, in,
                          (onnx_set[]){{"epsilon", (double)epsilon}, {NULL, 0}});
    return onnx_finish(n, OP_Reshape, 2, (gr_id[]){y, shape});
}

/* scale x / sqrt(mean of x^2 + epsilon) over the dimensions from `axis` on. */
vki_status lift_rms_norm(onnx_node *n)
{
    int64_t axis = -1, axes[GR_MAX_RANK];
    float epsilon = 1e-5f;
    VKB_TRY(onnx_require_inputs(n, 2));
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    VKB_TRY(onnx_attr_float(n, "epsilon", &epsilon));
    onnx_attr(n, "stash_type"); /* sums are fp32 at least */
    int rank = n->c->g->tensors[n->in[0]].rank, count = 0;
    if (axis >= 0 && rank < 0) return onnx_refuse(n, "an input whose number of dimensions is not known");
    if (axis < (rank < 0 ? -GR_MAX_RANK : -rank) || (axis >= 0 && axis >= rank))
        return onnx_fail(n, "axis %lld of %d dimensions", (long long)axis, rank);
    for (int64_t d = axis < 0 ? axis : axis - rank; d < 0; d++) axes[count++] = d;
    gr_id x = n->in[0], square = onnx_binary(n, OP_Mul, "square", x, x);
    gr_id mean = onnx_binary(n, OP_ReduceMean, "mean", square, onnx_const_ints(n, "axes", axes, count));
    gr_id above = onnx_binary(n, OP_Add, "above", mean, scalar(n, "epsilon", epsilon));
    gr_id normal = onnx_binary(n, OP_Div, "normal", x, onnx_unary(n, OP_Sqrt, "root", above));
    return onnx_finish(n, OP_Mul, 2, (gr_id[]){normal, n->in[1]});
}
