/* SPDX-License-Identifier: Apache-2.0
 * Opsets 1 to 6: broadcasting along an axis, arguments that were attributes or of another type, state that
 * training needed. Source: the operators' versions in ONNX's changelog. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

enum { NO_AXIS = -1000 };

/* The rank of an input, -1 if it is not known. */
static int rank_of(const onnx_node *n, int i)
{
    return n->c->g->tensors[n->in[i]].rank;
}

/* Input i with `count` dimensions of size 1 behind its own. */
static vki_status widen_behind(onnx_node *n, int i, int count)
{
    int64_t axes[GR_MAX_RANK];
    int rank = rank_of(n, i);
    if (rank + count > GR_MAX_RANK)
        return onnx_refuse(n, "input %d with %d dimensions, at most %d can be taken", i, rank + count,
                           GR_MAX_RANK);
    for (int k = 0; k < count; k++) axes[k] = rank + k;
    if (count == 0) return VKI_OK;
    gr_id wide = onnx_binary(n, OP_Unsqueeze, "aligned", n->in[i], onnx_const_ints(n, "behind", axes, count));
    if (wide == GR_NONE) return onnx_nomem(n->c);
    n->in[i] = wide;
    return VKI_OK;
}

/* broadcast = 1: B's dimensions stand at A's from `axis` on; without an axis at the last ones, as now. */
vki_status lift_broadcast_axis(onnx_node *n)
{
    int64_t broadcast = 0, axis = NO_AXIS;
    VKB_TRY(onnx_require_inputs(n, 2));
    VKB_TRY(onnx_attr_int(n, "broadcast", &broadcast));
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    if (!broadcast || axis == NO_AXIS) return VKI_OK;
    int a = rank_of(n, 0), b = rank_of(n, 1);
    if (a < 0 || b < 0)
        return onnx_refuse(n, "broadcasting along an axis of inputs whose dimensions are not known");
    if (axis < 0) axis += a;
    if (axis < 0 || axis > a - b)
        return onnx_fail(n, "an input with %d dimensions cannot stand at axis %lld of one with %d", b,
                         (long long)axis, a);
    return widen_behind(n, 1, a - (int)axis - b);
}

/* A slope a channel has one dimension; channels are dimension 1. */
vki_status lift_prelu(onnx_node *n)
{
    VKB_TRY(onnx_require_inputs(n, 2));
    const gr_tensor *slope = &n->c->g->tensors[n->in[1]];
    int rank = rank_of(n, 0);
    if (slope->rank == 0 || (slope->rank == 1 && slope->dims[0] == 1)) return VKI_OK;
    if (rank < 0 || slope->rank < 0)
        return onnx_refuse(n, "with inputs whose number of dimensions is not known");
    return slope->rank == 1 && rank > 2 ? widen_behind(n, 1, rank - 2) : VKI_OK;
}

vki_status lift_gemm(onnx_node *n) /* C is always broadcast now */
{
    onnx_attr(n, "broadcast");
    return VKI_OK;
}

vki_status lift_concat(onnx_node *n) /* axis had a default until opset 3 */
{
    if (!onnx_has_attr(n, "axis")) onnx_set_attr(n, "axis", 1);
    return VKI_OK;
}

vki_status lift_selu(onnx_node *n) /* the defaults had fewer digits until opset 5 */
{
    if (!onnx_has_attr(n, "alpha")) onnx_set_attr(n, "alpha", 1.6732);
    if (!onnx_has_attr(n, "gamma")) onnx_set_attr(n, "gamma", 1.0507);
    return VKI_OK;
}

/* Y and the states are there where the node names them, whatever output_sequence says. GRU-1's default
 * direction, "foward", stands in files. */
vki_status lift_recurrent(onnx_node *n)
{
    char direction[16] = "";
    onnx_attr(n, "output_sequence");
    if (!onnx_has_attr(n, "direction")) return VKI_OK;
    VKB_TRY(onnx_attr_text(n, "direction", direction, sizeof direction));
    static const char *const names[] = {"forward", "reverse", "bidirectional", "foward"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(direction, names[i]) != 0) continue;
        onnx_set_attr(n, "direction", i % 3);
        return VKI_OK;
    }
    return onnx_refuse(n, "direction = '%s'", direction);
}

/* The shape was an attribute until opset 4. */
vki_status lift_reshape(onnx_node *n)
{
    const int64_t *shape;
    int count;
    VKB_TRY(onnx_attr_ints(n, "shape", &shape, &count));
    if (count < 0) return onnx_fail(n, "the attribute 'shape' is missing");
    gr_id id = onnx_const_ints(n, "shape", shape, count);
    if (id == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, 1, id);
    return VKI_OK;
}

/* Until opset 5: X, how often, along which axis. */
vki_status lift_tile(onnx_node *n)
{
    int64_t axis, repeats[GR_MAX_RANK];
    float tiles, at;
    VKB_TRY(onnx_require_inputs(n, 3));
    int rank = rank_of(n, 0);
    if (rank < 0 || !gr_const_f32(n->c->g, n->in[1], &tiles) || !gr_const_f32(n->c->g, n->in[2], &at))
        return onnx_refuse(n, "tiles or axis that are not constant, or an unknown number of dimensions");
    if (!(at >= (float)-rank && at < (float)rank) || !(tiles >= 0 && tiles <= (float)(1 << 24)))
        return onnx_fail(n, "%g tiles along axis %g of %d dimensions", (double)tiles, (double)at, rank);
    axis = (int64_t)at + (at < 0 ? rank : 0);
    for (int d = 0; d < rank; d++) repeats[d] = d == axis ? (int64_t)tiles : 1;
    n->in[1] = onnx_const_ints(n, "repeats", repeats, rank);
    n->n_in = 2;
    return n->in[1] == GR_NONE ? onnx_nomem(n->c) : VKI_OK;
}

/* The type was given by its name until opset 5. */
vki_status lift_cast_name(onnx_node *n)
{
    static const char *const names[] = {"UNDEFINED", "FLOAT",  "UINT8",     "INT8",      "UINT16",  "INT16",
                                        "INT32",     "INT64",  "STRING",    "BOOL",      "FLOAT16", "DOUBLE",
                                        "UINT32",    "UINT64", "COMPLEX64", "COMPLEX128"};
    const Onnx__AttributeProto *a = onnx_attr(n, "to");
    if (a && a->has_i && !a->has_s) return lift_cast(n); /* files that mix the two */
    char text[32] = "";
    VKB_TRY(onnx_attr_text(n, "to", text, sizeof text));
    for (int i = 1; i < (int)VKB_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) return lift_cast_to(n, "to", i);
    return onnx_fail(n, "the attribute 'to' is '%s', which is no type", text);
}

/* Opset 1: two scales, of images. */
vki_status lift_upsample_1(onnx_node *n)
{
    float height = 0, width = 0;
    VKB_TRY(onnx_require_inputs(n, 1));
    VKB_TRY(onnx_attr_float(n, "height_scale", &height));
    VKB_TRY(onnx_attr_float(n, "width_scale", &width));
    if (!(height > 0) || !(width > 0))
        return onnx_fail(n, "the attributes 'height_scale' and 'width_scale' must be above 0");
    gr_id scales = onnx_const_floats(n, "scales", 1, (float[]){1, 1, height, width}, 4);
    if (scales == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, 1, scales);
    return lift_upsample_input(n);
}

/* p was a float in opset 1. */
vki_status lift_lp_pool(onnx_node *n)
{
    float p = 2;
    VKB_TRY(onnx_attr_float(n, "p", &p));
    if (!(p >= 1 && p <= 1024) || p != (float)(int)p) return onnx_refuse(n, "p = %g", (double)p);
    onnx_set_attr(n, "p", (double)p);
    return n->op == OP_NONE ? onnx_refuse(n, "operator not supported") : VKI_OK;
}
