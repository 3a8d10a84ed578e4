/* SPDX-License-Identifier: Apache-2.0
 * Upsample (opsets 7 to 9) and Resize before opset 11 map coordinates as `asymmetric`. Nearest takes the
 * floor; where Resize-10 shrinks, onnxruntime takes the ceiling, and so does this. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

/* Source inputs X, scales become X, roi, scales. */
static vki_status as_asymmetric(onnx_node *n, gr_id scales, op_resize_nearest nearest)
{
    onnx_set_input(n, 1, GR_NONE);
    onnx_set_input(n, 2, scales);
    onnx_set_attr(n, "coordinate_transformation_mode", OP_COORD_ASYMMETRIC);
    onnx_set_attr(n, "nearest_mode", nearest);
    n->op = OP_Resize;
    return VKI_OK;
}

/* Before opset 9 files also say "bilinear" and "trilinear". */
static vki_status resize_mode(onnx_node *n)
{
    char mode[32] = "nearest";
    VKB_TRY(onnx_attr_text(n, "mode", mode, sizeof mode));
    if (strcmp(mode, "linear") == 0 || strcmp(mode, "bilinear") == 0 || strcmp(mode, "trilinear") == 0)
        onnx_set_attr(n, "mode", OP_RESIZE_LINEAR);
    else if (strcmp(mode, "nearest") == 0)
        onnx_set_attr(n, "mode", OP_RESIZE_NEAREST);
    else
        return onnx_refuse(n, "mode = '%s'", mode);
    return VKI_OK;
}

vki_status lift_upsample(onnx_node *n)
{
    const float *scales;
    int count;
    VKB_TRY(onnx_attr_floats(n, "scales", &scales, &count));
    if (n->n_in != 1 || count < 1) return onnx_fail(n, "needs one input and the attribute 'scales'");
    gr_id id = onnx_const_floats(n, "scales", 1, scales, count);
    if (id == GR_NONE) return onnx_nomem(n->c);
    VKB_TRY(as_asymmetric(n, id, OP_NEAREST_FLOOR));
    return resize_mode(n);
}

vki_status lift_upsample_input(onnx_node *n)
{
    if (n->n_in != 2 || n->in[1] == GR_NONE) return onnx_fail(n, "needs the inputs X and scales");
    VKB_TRY(as_asymmetric(n, n->in[1], OP_NEAREST_FLOOR));
    return resize_mode(n);
}

vki_status lift_resize_10(onnx_node *n)
{
    if (n->n_in != 2 || n->in[1] == GR_NONE) return onnx_fail(n, "needs the inputs X and scales");
    bool grows = false, shrinks = false;
    const gr_tensor *scales = &n->c->g->tensors[n->in[1]];
    if (scales->data && scales->dtype == VKI_F32) {
        const float *v = scales->data;
        for (int64_t i = 0; i < gr_elements(scales); i++) {
            grows |= v[i] > 1;
            shrinks |= v[i] < 1;
        }
    }
    VKB_TRY(as_asymmetric(n, n->in[1], shrinks ? OP_NEAREST_CEIL : OP_NEAREST_FLOOR));
    VKB_TRY(resize_mode(n));
    bool nearest = n->n_set && n->set[n->n_set - 1].value == OP_RESIZE_NEAREST;
    if (n->op != OP_NONE && nearest && grows && shrinks)
        return onnx_refuse(n, "nearest resampling of opset 10 that grows one axis and shrinks another");
    return VKI_OK;
}

/* An empty constant stands for an absent roi, scales or sizes. */
vki_status lift_resize(onnx_node *n)
{
    for (int i = 1; i < n->n_in; i++) {
        const gr_tensor *t = n->in[i] == GR_NONE ? NULL : &n->c->g->tensors[n->in[i]];
        if (t && t->data && gr_elements(t) == 0) n->in[i] = GR_NONE;
    }
    return VKI_OK;
}
