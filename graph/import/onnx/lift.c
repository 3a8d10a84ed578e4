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
    /* opsets 1 to 6 */
    {"Add", 1, 6, lift_broadcast_axis},
    {"Sub", 1, 6, lift_broadcast_axis},
    {"Mul", 1, 6, lift_broadcast_axis},
    {"Div", 1, 6, lift_broadcast_axis},
    {"Pow", 1, 6, lift_broadcast_axis},
    {"And", 1, 6, lift_broadcast_axis},
    {"Or", 1, 6, lift_broadcast_axis},
    {"Xor", 1, 6, lift_broadcast_axis},
    {"Equal", 1, 6, lift_broadcast_axis},
    {"Greater", 1, 6, lift_broadcast_axis},
    {"Less", 1, 6, lift_broadcast_axis},
    {"PRelu", 1, 6, lift_prelu},
    {"Gemm", 1, 6, lift_gemm},
    {"LSTM", 1, 6, lift_recurrent},
    {"GRU", 1, 6, lift_recurrent},
    {"RNN", 1, 6, lift_recurrent},
    {"Tile", 1, 5, lift_tile},
    {"Cast", 1, 5, lift_cast_name},
    {"Selu", 1, 5, lift_selu},
    {"Reshape", 1, 4, lift_reshape},
    {"Concat", 1, 3, lift_concat},
    {"Upsample", 1, 6, lift_upsample_1},
    {"LpPool", 1, 1, lift_lp_pool},
    {"GlobalLpPool", 1, 1, lift_lp_pool},
    /* attributes that became inputs */
    {"Slice", 1, 9, lift_slice},
    {"Pad", 1, 10, lift_pad},
    {"Clip", 1, 10, lift_clip},
    {"Split", 1, 12, lift_split},
    {"Split", 13, ONNX_OPSET_MAX, lift_split_input},
    {"Squeeze", 1, 12, lift_axes_input},
    {"Unsqueeze", 1, 12, lift_axes_input},
    {"ReduceSum", 1, 12, lift_axes_input},
    {"ReduceMean", 1, 17, lift_axes_input},
    {"ReduceMax", 1, 17, lift_axes_input},
    {"ReduceMin", 1, 17, lift_axes_input},
    {"ReduceProd", 1, 17, lift_axes_input},
    {"ReduceL1", 1, 17, lift_axes_input},
    {"ReduceL2", 1, 17, lift_axes_input},
    {"ReduceSumSquare", 1, 17, lift_axes_input},
    {"ReduceLogSum", 1, 17, lift_axes_input},
    {"TopK", 1, 9, lift_topk},
    {"TopK", 10, ONNX_OPSET_MAX, lift_outputs},
    {"TfIdfVectorizer", 9, ONNX_OPSET_MAX, lift_tfidf},
    {"ConstantOfShape", 9, ONNX_OPSET_MAX, lift_constant_of_shape},
    /* resampling */
    {"Upsample", 7, 8, lift_upsample},
    {"Upsample", 9, 9, lift_upsample_input},
    {"Resize", 10, 10, lift_resize_10},
    {"Resize", 11, ONNX_OPSET_MAX, lift_resize},
    /* meaning that changed */
    {"Softmax", 1, 12, lift_softmax},
    {"LogSoftmax", 1, 12, lift_softmax},
    {"BatchNormalization", 1, 8, lift_batch_norm},
    {"Cast", 6, ONNX_OPSET_MAX, lift_cast},
    {"CastLike", 15, ONNX_OPSET_MAX, lift_cast_like},
    {"EyeLike", 9, ONNX_OPSET_MAX, lift_eye_like},
    {"Scatter", 9, 10, lift_scatter},
    {"HannWindow", 17, ONNX_OPSET_MAX, lift_window},
    {"HammingWindow", 17, ONNX_OPSET_MAX, lift_window},
    {"BlackmanWindow", 17, ONNX_OPSET_MAX, lift_window},
    {"MelWeightMatrix", 17, ONNX_OPSET_MAX, lift_window},
    {"DFT", 17, 19, lift_dft},
    {"RoiAlign", 10, 15, lift_roi_align},
    {"GridSample", 16, 19, lift_grid_sample},
    {"Dropout", 1, ONNX_OPSET_MAX, lift_dropout},
    /* sequences and optionals */
    {"Identity", 1, ONNX_OPSET_MAX, lift_identity},
    {"SequenceEmpty", 11, ONNX_OPSET_MAX, lift_sequence},
    {"SequenceConstruct", 11, ONNX_OPSET_MAX, lift_sequence},
    {"SequenceInsert", 11, ONNX_OPSET_MAX, lift_sequence},
    {"SequenceErase", 11, ONNX_OPSET_MAX, lift_sequence},
    {"SequenceAt", 11, ONNX_OPSET_MAX, lift_sequence},
    {"SequenceLength", 11, ONNX_OPSET_MAX, lift_sequence},
    {"SplitToSequence", 11, ONNX_OPSET_MAX, lift_sequence},
    {"ConcatFromSequence", 11, ONNX_OPSET_MAX, lift_sequence},
    {"SequenceMap", 17, ONNX_OPSET_MAX, lift_sequence},
    {"Optional", 15, ONNX_OPSET_MAX, lift_sequence},
    {"OptionalHasElement", 15, ONNX_OPSET_MAX, lift_sequence},
    {"OptionalGetElement", 15, ONNX_OPSET_MAX, lift_sequence},
    /* subgraphs */
    {"If", 1, ONNX_OPSET_MAX, lift_if},
    {"Loop", 1, ONNX_OPSET_MAX, lift_loop},
    {"Scan", 8, 8, lift_scan_8},
    {"Scan", 9, ONNX_OPSET_MAX, lift_scan},
    /* operators made of others */
    {"Max", 1, ONNX_OPSET_MAX, lift_variadic},
    {"Min", 1, ONNX_OPSET_MAX, lift_variadic},
    {"Sum", 1, ONNX_OPSET_MAX, lift_variadic},
    {"Mean", 1, ONNX_OPSET_MAX, lift_variadic},
    {"NegativeLogLikelihoodLoss", 12, ONNX_OPSET_MAX, lift_nll_loss},
    {"SoftmaxCrossEntropyLoss", 12, ONNX_OPSET_MAX, lift_softmax_loss},
    {"Einsum", 12, ONNX_OPSET_MAX, lift_einsum},
    {"Hardmax", 1, ONNX_OPSET_MAX, lift_hardmax},
    {"LpNormalization", 1, ONNX_OPSET_MAX, lift_lp_normalization},
    {"MeanVarianceNormalization", 9, ONNX_OPSET_MAX, lift_mean_variance},
    {"Attention", 23, ONNX_OPSET_MAX, lift_attention},
    {"RMSNormalization", 23, ONNX_OPSET_MAX, lift_rms_norm},
    {"Swish", 24, ONNX_OPSET_MAX, lift_swish},
    {"GroupNormalization", 18, 20, lift_group_norm},
    {"CenterCropPad", 18, ONNX_OPSET_MAX, lift_center_crop_pad},
    {"ReduceLogSumExp", 1, ONNX_OPSET_MAX, lift_log_sum_exp},
};

vki_status onnx_lift(onnx_node *n)
{
    n->op = op_find(n->type);
    if (n->c->opset < 6) onnx_attr(n, "consumed_inputs"); /* which inputs may be overwritten */
    for (size_t i = 0; i < VKB_COUNT(lifts); i++) {
        if (strcmp(lifts[i].type, n->type) != 0) continue;
        if (n->c->opset >= lifts[i].first && n->c->opset <= lifts[i].last) return lifts[i].lift(n);
    }
    if (n->op == OP_NONE) return onnx_refuse(n, "operator not supported");
    return VKI_OK;
}
