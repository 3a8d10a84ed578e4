/* SPDX-License-Identifier: Apache-2.0
 * Which operator needs which lift in which opsets. A node without a row is taken as it is: its operator means
 * the same in all opsets from ONNX_OPSET_MIN to ONNX_OPSET_MAX. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

static const struct {
    const char *type;
    int first, last; /* opsets */
    onnx_lift_fn lift;
} lifts[] = {
    /* attributes that became inputs */
    {"Slice", 7, 9, lift_slice},
    {"Pad", 7, 10, lift_pad},
    {"Clip", 7, 10, lift_clip},
    {"Split", 7, 12, lift_split},
    {"Split", 13, 21, lift_split_input},
    {"Squeeze", 7, 12, lift_axes_input},
    {"Unsqueeze", 7, 12, lift_axes_input},
    {"ReduceSum", 7, 12, lift_axes_input},
    {"ReduceMean", 7, 17, lift_axes_input},
    {"ReduceMax", 7, 17, lift_axes_input},
    {"ReduceMin", 7, 17, lift_axes_input},
    {"ReduceProd", 7, 17, lift_axes_input},
    {"ReduceL1", 7, 17, lift_axes_input},
    {"ReduceL2", 7, 17, lift_axes_input},
    {"ReduceSumSquare", 7, 17, lift_axes_input},
    {"ReduceLogSum", 7, 17, lift_axes_input},
    {"TopK", 7, 9, lift_topk},
    {"TopK", 10, 21, lift_outputs},
    {"ConstantOfShape", 9, 21, lift_constant_of_shape},
    /* resampling */
    {"Upsample", 7, 8, lift_upsample},
    {"Upsample", 9, 9, lift_upsample_input},
    {"Resize", 10, 10, lift_resize_10},
    {"Resize", 11, 21, lift_resize},
    /* meaning that changed */
    {"Softmax", 7, 12, lift_softmax},
    {"LogSoftmax", 7, 12, lift_softmax},
    {"BatchNormalization", 7, 8, lift_batch_norm},
    {"Cast", 7, 21, lift_cast},
    {"CastLike", 15, 21, lift_cast_like},
    {"EyeLike", 9, 21, lift_eye_like},
    {"Scatter", 9, 10, lift_scatter},
    {"Dropout", 7, 21, lift_dropout},
    /* operators made of others */
    {"Max", 7, 21, lift_variadic},
    {"Min", 7, 21, lift_variadic},
    {"Sum", 7, 21, lift_variadic},
    {"Mean", 7, 21, lift_variadic},
    {"Einsum", 12, 21, lift_einsum},
    {"Hardmax", 7, 21, lift_hardmax},
    {"LRN", 7, 21, lift_lrn},
    {"LpNormalization", 7, 21, lift_lp_normalization},
    {"GlobalLpPool", 7, 21, lift_global_lp_pool},
    {"MeanVarianceNormalization", 9, 21, lift_mean_variance},
    {"GroupNormalization", 18, 21, lift_group_norm},
    {"ReduceLogSumExp", 7, 21, lift_log_sum_exp},
};

vki_status onnx_lift(onnx_node *n)
{
    n->op = op_find(n->type);
    for (size_t i = 0; i < VKB_COUNT(lifts); i++) {
        if (strcmp(lifts[i].type, n->type) != 0) continue;
        if (n->c->opset >= lifts[i].first && n->c->opset <= lifts[i].last) return lifts[i].lift(n);
    }
    if (n->op == OP_NONE) return onnx_refuse(n, "operator not supported");
    return VKI_OK;
}
