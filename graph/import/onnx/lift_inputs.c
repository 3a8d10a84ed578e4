/* SPDX-License-Identifier: Apache-2.0
 * Attributes that later opsets turned into inputs. */
#include "graph/import/onnx/onnx_internal.h"

#include <math.h>

static vki_status require_inputs(const onnx_node *n, int low, int high)
{
    if (n->n_in >= low && n->n_in <= high) return VKI_OK;
    return onnx_fail(n, "has %d inputs, but takes %d to %d in opset %lld", n->n_in, low, high,
                     (long long)n->c->opset);
}

/* Input i becomes the constant of the INTS attribute, if it is there. */
static vki_status ints_to_input(onnx_node *n, const char *name, int i, bool required)
{
    const int64_t *values;
    int count;
    VKB_TRY(onnx_attr_ints(n, name, &values, &count));
    if (count < 0) return required ? onnx_fail(n, "the attribute '%s' is missing", name) : VKI_OK;
    gr_id id = onnx_const_ints(n, name, values, count);
    if (id == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, i, id);
    return VKI_OK;
}

static vki_status float_to_input(onnx_node *n, const char *name, int i, float def, float absent)
{
    float value = def;
    VKB_TRY(onnx_attr_float(n, name, &value));
    if (value == absent) return VKI_OK;
    gr_id id = onnx_const_floats(n, name, 0, &value, 1);
    if (id == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, i, id);
    return VKI_OK;
}

vki_status lift_slice(onnx_node *n)
{
    VKB_TRY(require_inputs(n, 1, 1));
    VKB_TRY(ints_to_input(n, "starts", 1, true));
    VKB_TRY(ints_to_input(n, "ends", 2, true));
    return ints_to_input(n, "axes", 3, false);
}

vki_status lift_axes_input(onnx_node *n)
{
    VKB_TRY(require_inputs(n, 1, 1));
    return ints_to_input(n, "axes", 1, n->op == OP_Unsqueeze);
}

vki_status lift_outputs(onnx_node *n)
{
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] != GR_NONE) continue;
        n->out[i] = gr_add_tensor(n->c->g, NULL, VKI_DT_NONE, -1, NULL);
        if (n->out[i] == GR_NONE) return onnx_nomem(n->c);
    }
    return VKI_OK;
}

vki_status lift_split_input(onnx_node *n)
{
    bool sizes = n->n_in > 1 && n->in[1] != GR_NONE;
    int64_t parts = n->n_out;
    VKB_TRY(onnx_attr_int(n, "num_outputs", &parts));
    if (parts != n->n_out)
        return onnx_fail(n, "num_outputs is %lld, but there are %d outputs", (long long)parts, n->n_out);
    if (!sizes) onnx_set_attr(n, "num_outputs", n->n_out);
    return lift_outputs(n);
}

vki_status lift_split(onnx_node *n)
{
    VKB_TRY(require_inputs(n, 1, 1));
    VKB_TRY(ints_to_input(n, "split", 1, false));
    return lift_split_input(n);
}

vki_status lift_topk(onnx_node *n)
{
    int64_t k = -1;
    VKB_TRY(onnx_attr_int(n, "k", &k));
    if (n->n_in != 1 || k < 0) return onnx_fail(n, "needs one input and the attribute 'k'");
    gr_id id = onnx_const_ints(n, "k", &k, 1);
    if (id == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, 1, id);
    return lift_outputs(n);
}

vki_status lift_pad(onnx_node *n)
{
    VKB_TRY(require_inputs(n, 1, 1));
    VKB_TRY(ints_to_input(n, n->c->opset == 1 ? "paddings" : "pads", 1, true));
    return float_to_input(n, "value", 2, 0, 0);
}

vki_status lift_clip(onnx_node *n)
{
    VKB_TRY(require_inputs(n, 1, 1));
    VKB_TRY(float_to_input(n, "min", 1, -INFINITY, -INFINITY));
    return float_to_input(n, "max", 2, INFINITY, INFINITY);
}

vki_status lift_constant_of_shape(onnx_node *n)
{
    VKB_TRY(require_inputs(n, 1, 1));
    const Onnx__TensorProto *t;
    VKB_TRY(onnx_attr_tensor(n, "value", &t));
    gr_id id = GR_NONE;
    if (t) {
        vki_status status = onnx_tensor(n->c, t, NULL, true, &id);
        if (status == VKI_E_UNSUPPORTED) return onnx_refuse(n, "its value is a %s", n->c->err->text);
        VKB_TRY(status);
        if (gr_elements(&n->c->g->tensors[id]) != 1) return onnx_fail(n, "its value must be one element");
    } else {
        id = onnx_const_floats(n, "value", 1, (float[]){0}, 1);
        if (id == GR_NONE) return onnx_nomem(n->c);
    }
    onnx_set_input(n, 1, id);
    return VKI_OK;
}
