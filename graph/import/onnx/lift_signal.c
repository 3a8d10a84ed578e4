/* SPDX-License-Identifier: Apache-2.0
 * Signals and images: parameters that became inputs, modes that were renamed, and CenterCropPad as Pad. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

vki_status lift_window(onnx_node *n) /* its output's type */
{
    int64_t dtype = VKI_F32;
    VKB_TRY(onnx_attr_int(n, "output_datatype", &dtype));
    return lift_cast_to(n, "output_datatype", dtype);
}

vki_status lift_dft(onnx_node *n) /* the axis was an attribute, and another by default */
{
    int64_t axis = 1;
    VKB_TRY(onnx_require_inputs(n, 1));
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    gr_id id = onnx_const_ints(n, "axis", &axis, 1);
    if (id == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, 2, id);
    return VKI_OK;
}

vki_status lift_grid_sample(onnx_node *n) /* modes of opset 16 to 19 */
{
    static const char *const old[] = {"bilinear", "nearest", "bicubic"};
    char mode[16] = "bilinear";
    VKB_TRY(onnx_attr_text(n, "mode", mode, sizeof mode));
    for (int i = 0; i < (int)VKB_COUNT(old); i++) {
        if (strcmp(mode, old[i]) != 0) continue;
        onnx_set_attr(n, "mode", i);
        return VKI_OK;
    }
    return onnx_refuse(n, "mode = '%s'", mode);
}

vki_status lift_roi_align(onnx_node *n) /* before opset 16 without a choice */
{
    onnx_set_attr(n, "coordinate_transformation_mode", 1);
    return VKI_OK;
}

/* Pad with (target - size) elements, half of them in front; removing where that is negative. */
vki_status lift_center_crop_pad(onnx_node *n)
{
    const int64_t *given;
    int count;
    VKB_TRY(onnx_require_inputs(n, 2));
    VKB_TRY(onnx_attr_ints(n, "axes", &given, &count));
    gr_id x = n->in[0], target = n->in[1], size = onnx_unary(n, OP_Shape, "shape", x);
    if (n->c->g->tensors[target].dtype == VKI_I32)
        target = onnx_helper(n, OP_Cast, "target", 1, &target, (onnx_set[]){{"to", VKI_I64}, {NULL, 0}});
    gr_id axes = count > 0 ? onnx_const_ints(n, "axes", given, count) : GR_NONE;
    if (count > 0) size = onnx_binary(n, OP_Gather, "sizes", size, axes);
    gr_id more = onnx_binary(n, OP_Sub, "more", target, size);
    gr_id front = onnx_binary(n, OP_Div, "front", more, onnx_const_ints(n, "two", (int64_t[]){2}, 1));
    gr_id pads[2] = {front, onnx_binary(n, OP_Sub, "back", more, front)};
    gr_id amounts = onnx_helper(n, OP_Concat, "pads", 2, pads, (onnx_set[]){{"axis", 0}, {NULL, 0}});
    VKB_TRY(onnx_finish(n, OP_Pad, 2, (gr_id[]){x, amounts}));
    if (count > 0) onnx_set_input(n, 3, axes);
    return VKI_OK;
}
