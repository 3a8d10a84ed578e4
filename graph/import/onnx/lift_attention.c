/* SPDX-License-Identifier: Apache-2.0
 * Attention, as far as the graph's operator of that name goes: without keys of former calls. */
#include "graph/import/onnx/onnx_internal.h"

static bool is_given(const onnx_node *n, int i)
{
    return i < n->n_in && n->in[i] != GR_NONE;
}

vki_status lift_attention(onnx_node *n)
{
    float softcap = 0;
    int64_t causal = 0;
    VKB_TRY(onnx_require_inputs(n, 3));
    for (int i = 4; i < n->n_in; i++)
        if (is_given(n, i)) return onnx_refuse(n, "keys of former calls");
    for (int i = 1; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) return onnx_refuse(n, "more outputs than the first");
    VKB_TRY(onnx_attr_float(n, "softcap", &softcap));
    VKB_TRY(onnx_attr_int(n, "is_causal", &causal));
    onnx_set_attr(n, "softcap", (double)softcap);
    onnx_set_attr(n, "is_causal", (double)causal);
    /* before opset 24 the cap comes behind the mask and undoes it */
    if (n->c->opset < 24 && softcap > 0 && (causal || is_given(n, 3)))
        return onnx_refuse(n, "softcap over a mask, as before opset 24");
    n->n_in = is_given(n, 3) ? 4 : 3;
    n->n_out = 1;
    return VKI_OK;
}
