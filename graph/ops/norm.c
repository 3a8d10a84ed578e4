/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

static const op_attr batch_attrs[] = {
    OP_ROW_FLOAT(op_norm_attrs, epsilon, 1e-5f, 0, OP_FLT_MAX),
    OP_ROW_FLOAT(op_norm_attrs, momentum, 0.9f, 0, 1), OP_ROW_INT(op_norm_attrs, training_mode, 0, 0, 1),
    OP_ROW_INT(op_norm_attrs, spatial, 1, 1, 1), /* before opset 9: one value a channel is what is left */
};
static const op_attr instance_attrs[] = {OP_ROW_FLOAT(op_norm_attrs, epsilon, 1e-5f, 0, OP_FLT_MAX)};
static const op_attr group_attrs[] = {OP_ROW_FLOAT(op_norm_attrs, epsilon, 1e-5f, 0, OP_FLT_MAX),
                                      OP_ROW_INT(op_norm_attrs, num_groups, 1, 1, OP_INT_MAX),
                                      OP_ROW_INT(op_norm_attrs, stash_type, 1, 1, 1)};
static const op_attr layer_attrs[] = {
    OP_ROW_INT(op_norm_attrs, axis, -1, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_FLOAT(op_norm_attrs, epsilon, 1e-5f, 0, OP_FLT_MAX),
    OP_ROW_INT(op_norm_attrs, stash_type, 1, 1, 1),
    OP_ROW_INT(op_norm_attrs, centred, 1, 0, 1), /* 0: RMSNormalization */
};

static vki_status check_per_channel(op_infer *c, int i, int64_t channels)
{
    const gr_tensor *t = op_in(c, i);
    VKB_TRY(op_want_type(c, i, OP_FLOATS));
    if (t->rank == 1 && t->dims[0] == channels) return VKI_OK;
    return op_fail(c, VKI_E_SHAPE, "input %d must have one value for each of the %lld channels", i,
                   (long long)channels);
}

static vki_status infer_batch(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const op_norm_attrs *a = c->n->attrs;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    if (x->rank < 1) return op_fail(c, VKI_E_SHAPE, "input 0 has no dimensions");
    int64_t channels = x->rank > 1 ? x->dims[1] : 1;
    for (int i = 1; i < 5; i++) VKB_TRY(check_per_channel(c, i, channels));
    for (int i = 1; i < c->n->n_out; i++) {
        if (c->n->out[i] == GR_NONE) continue;
        if (!a->training_mode)
            return op_fail(c, VKI_E_SHAPE, "output %d exists only with training_mode = 1", i);
        VKB_TRY(op_out_like(c, i, op_in(c, i + 2)));
    }
    return op_out_like(c, 0, op_in(c, 0));
}

static vki_status infer_instance(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    if (x->rank < 2)
        return op_fail(c, VKI_E_SHAPE, "input 0 has rank %d; batch and channels are needed", x->rank);
    VKB_TRY(check_per_channel(c, 1, x->dims[1]));
    VKB_TRY(check_per_channel(c, 2, x->dims[1]));
    return op_out_like(c, 0, x);
}

static vki_status infer_group(op_infer *c)
{
    const op_norm_attrs *a = c->n->attrs;
    VKB_TRY(infer_instance(c));
    const int64_t channels = op_in(c, 0)->dims[1];
    if (channels % a->num_groups == 0) return VKI_OK;
    return op_fail(c, VKI_E_SHAPE, "%lld channels do not make %lld groups", (long long)channels,
                   (long long)a->num_groups);
}

int64_t op_norm_groups(const gr_graph *g, const gr_node *n)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    if (n->op == OP_GroupNormalization) return ((const op_norm_attrs *)n->attrs)->num_groups;
    return x->rank > 1 ? x->dims[1] : 1;
}

static vki_status infer_layer(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0);
    const op_norm_attrs *a = c->n->attrs;
    int axis;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    VKB_TRY(op_axis(c, a->axis, x->rank, &axis));
    for (int i = 1; i <= 2; i++) {
        if (!op_has_own(c->n, i)) continue;
        const gr_tensor *t = op_in(c, i);
        bool fits = t->rank <= x->rank;
        for (int d = 1; fits && d <= t->rank; d++)
            fits = t->dims[t->rank - d] == 1 || t->dims[t->rank - d] == x->dims[x->rank - d];
        VKB_TRY(op_want_type(c, i, OP_FLOATS));
        if (!fits) return op_fail(c, VKI_E_SHAPE, "input %d cannot be broadcast to the shape of input 0", i);
    }
    gr_tensor stat = *x; /* mean and 1/deviation of each row */
    for (int d = axis; d < stat.rank; d++) stat.dims[d] = 1;
    for (int i = 1; i < c->n->n_out; i++) VKB_TRY(op_out(c, i, VKI_F32, stat.rank, stat.dims));
    return op_out_like(c, 0, op_in(c, 0));
}

const op_info op_info_BatchNormalization = {
    .name = "BatchNormalization",
    .doc = "scale (x - mean) / sqrt(variance + epsilon) + bias, by channel",
    OP_ATTR_TABLE(batch_attrs),
    .attrs_size = sizeof(op_norm_attrs),
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 3,
    .flags = OP_CAN_ACT,
    .infer = infer_batch,
};

const op_info op_info_InstanceNormalization = {
    .name = "InstanceNormalization",
    .doc = "Each channel of each sample brought to mean 0 and variance 1, then scaled and shifted",
    OP_ATTR_TABLE(instance_attrs),
    .attrs_size = sizeof(op_norm_attrs),
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT,
    .infer = infer_instance,
};

const op_info op_info_GroupNormalization = {
    .name = "GroupNormalization",
    .doc =
        "Each group of channels of each sample brought to mean 0 and variance 1, then scaled and shifted by "
        "channel",
    OP_ATTR_TABLE(group_attrs),
    .attrs_size = sizeof(op_norm_attrs),
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT,
    .infer = infer_group,
};

const op_info op_info_LayerNormalization = {
    .name = "LayerNormalization",
    .doc = "The dimensions from axis on brought to mean 0 and variance 1 (not centred: to mean square 1), "
           "then scaled and shifted",
    OP_ATTR_TABLE(layer_attrs),
    .attrs_size = sizeof(op_norm_attrs),
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 3,
    .infer = infer_layer,
};
