/* SPDX-License-Identifier: Apache-2.0
 * Generators: convolutions, pools, resizing, normalizations, recurrent layers. */
#include "common/random_graph.h"
#include "graph/ops/schema.h"

enum { F32 = OP_BIT(VKI_F32), BYTES = OP_BIT(VKI_U8) | OP_BIT(VKI_I8) };

static void append(op_ints *list, int64_t v)
{
    list->v[list->count++] = v;
}

/* A divisor of n. */
static int64_t some_divisor(random_graph *r, int64_t n)
{
    int64_t d = rg_chance(r, 30) ? n : rg_pick(r, 1, n);
    while (n % d) d--;
    return d;
}

/* Strides, dilations and pads of a kernel that fits into the padded input. */
static void window_attrs(random_graph *r, op_conv_attrs *a, const gr_tensor *x, const int64_t *kernel)
{
    const int rank = x->rank - 2;
    const bool wide = rg_chance(r, 20);
    for (int i = 0; i < rank; i++) {
        append(&a->strides, rg_chance(r, 65) ? 1 : rg_pick(r, 1, 3));
        append(&a->dilations, wide ? rg_pick(r, 1, 2) : 1);
    }
    for (int i = 0; i < 2 * rank; i++) {
        const int64_t extent = (kernel[i % rank] - 1) * a->dilations.v[i % rank] + 1;
        const int64_t lacking = vkb_max(0, extent - x->dims[2 + i % rank]);
        append(&a->pads, vkb_max(rg_pick(r, 0, kernel[i % rank] / 2), lacking));
    }
}

static bool has_values(const gr_tensor *x)
{
    for (int d = 0; d < x->rank; d++)
        if (x->dims[d] < 1 || x->dims[d] > 64) return false;
    return true;
}

static int64_t some_kernel(random_graph *r)
{
    return rg_chance(r, 40) ? 3 : rg_pick(r, 1, 5);
}

static gr_node *conv(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 3, 5);
    if (x == GR_NONE || !has_values(rg_tensor(r, x))) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t group = rg_chance(r, 60) ? 1 : some_divisor(r, t.dims[1]);
    int64_t dims[5] = {group * rg_pick(r, 1, group > 1 ? 3 : 12), t.dims[1] / group};
    const bool pointwise = rg_chance(r, 25);
    for (int d = 2; d < t.rank; d++) dims[d] = pointwise ? 1 : some_kernel(r);
    const gr_id w = rg_chance(r, 90) ? rg_const(r, VKI_F32, t.rank, dims, -0.4, 0.4)
                                     : rg_operand(r, VKI_F32, t.rank, dims, -0.4, 0.4);
    const gr_id bias = rg_chance(r, 60) ? rg_const(r, VKI_F32, 1, dims, -1, 1) : GR_NONE;
    gr_node *n = rg_node(r, OP_Conv, 3, (gr_id[]){x, w, bias}, 1);
    op_conv_attrs *a = n->attrs;
    a->group = group;
    window_attrs(r, a, &t, dims + 2);
    return n;
}

static gr_node *deconv(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 3, 5);
    if (x == GR_NONE || !has_values(rg_tensor(r, x))) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t group = rg_chance(r, 70) ? 1 : some_divisor(r, t.dims[1]), out = rg_pick(r, 1, 6);
    int64_t dims[5] = {t.dims[1], out};
    for (int d = 2; d < t.rank; d++) dims[d] = rg_pick(r, 2, 4);
    const gr_id w = rg_const(r, VKI_F32, t.rank, dims, -0.4, 0.4);
    const gr_id bias = rg_chance(r, 60) ? rg_const(r, VKI_F32, 1, (int64_t[]){out * group}, -1, 1) : GR_NONE;
    gr_node *n = rg_node(r, OP_ConvTranspose, 3, (gr_id[]){x, w, bias}, 1);
    op_conv_attrs *a = n->attrs;
    a->group = group;
    for (int i = 0; i < t.rank - 2; i++) append(&a->strides, rg_pick(r, 1, 3));
    for (int i = 0; i < 2 * (t.rank - 2); i++) append(&a->pads, rg_chance(r, 50) ? 0 : 1);
    for (int i = 0; i < t.rank - 2; i++) append(&a->output_padding, rg_pick(r, 0, a->strides.v[i] - 1));
    /* the output must not be empty */
    for (int i = 0; i < t.rank - 2; i++)
        if (a->strides.v[i] * (t.dims[2 + i] - 1) + dims[2 + i] < 3) a->pads.count = 0;
    return n;
}

static gr_node *pool(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 3, 5);
    if (x == GR_NONE || !has_values(rg_tensor(r, x))) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    static const op_kind global[] = {OP_GlobalMaxPool, OP_GlobalAveragePool, OP_GlobalLpPool};
    static const op_kind windows[] = {OP_MaxPool, OP_MaxPool, OP_AveragePool, OP_AveragePool, OP_LpPool};
    if (rg_chance(r, 20)) return rg_node(r, global[rg_pick(r, 0, 2)], 1, &x, 1);
    gr_node *n = rg_node(r, windows[rg_pick(r, 0, 4)], 1, &x, 1);
    op_pool_attrs *a = n->attrs;
    for (int i = 0; i < t.rank - 2; i++) {
        append(&a->kernel_shape, rg_pick(r, 1, vkb_min(3, t.dims[2 + i])));
        append(&a->strides, rg_pick(r, 1, 2));
    }
    for (int i = 0; i < 2 * (t.rank - 2); i++)
        append(&a->pads, rg_pick(r, 0, a->kernel_shape.v[i % (t.rank - 2)] - 1));
    a->ceil_mode = rg_chance(r, 25);
    if (n->op == OP_AveragePool) a->count_include_pad = rg_chance(r, 50);
    return n;
}

static gr_node *resize(random_graph *r)
{
    static const int64_t coords[] = {OP_COORD_HALF_PIXEL, OP_COORD_PYTORCH_HALF_PIXEL, OP_COORD_ALIGN_CORNERS,
                                     OP_COORD_ASYMMETRIC};
    const gr_id x = rg_any(r, F32, 3, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    int64_t sizes[4] = {t.dims[0], t.dims[1]};
    const int64_t mode = rg_pick(r, 0, 2);
    const bool nearest = mode == OP_RESIZE_NEAREST, twice = nearest || rg_chance(r, 50);
    for (int d = 2; d < t.rank; d++)
        sizes[d] = twice ? 2 * t.dims[d] : rg_pick(r, vkb_max(1, t.dims[d] / 2), 2 * t.dims[d] + 1);
    gr_node *n = rg_node(r, OP_Resize, 4, (gr_id[]){x, GR_NONE, GR_NONE, rg_ints(r, t.rank, sizes)}, 1);
    op_resize_attrs *a = n->attrs;
    a->mode = mode;
    /* coordinates that may land on a tie, or nearly so, are rounded either way: none of those for nearest */
    a->coordinate_transformation_mode = nearest ? OP_COORD_ASYMMETRIC : coords[rg_pick(r, 0, 3)];
    if (nearest) a->nearest_mode = OP_NEAREST_FLOOR;
    return n;
}

/* The fp32 coordinates are off by some units; sampling with neighbours is continuous in them. */
static gr_node *grid_sample(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 4, 4);
    if (x == GR_NONE) return NULL;
    const int64_t dims[] = {rg_tensor(r, x)->dims[0], rg_pick(r, 1, 6), rg_pick(r, 1, 6), 2};
    gr_node *n = rg_node(r, OP_GridSample, 2, (gr_id[]){x, rg_operand(r, VKI_F32, 4, dims, -1.2, 1.2)}, 1);
    op_grid_attrs *a = n->attrs;
    a->mode = OP_GRID_LINEAR;
    a->padding_mode = rg_pick(r, OP_GRID_ZEROS, OP_GRID_BORDER);
    a->align_corners = rg_pick(r, 0, 1);
    return n;
}

static gr_node *response_norm(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 3, 4);
    if (x == GR_NONE) return NULL;
    gr_node *n = rg_node(r, OP_LRN, 1, &x, 1);
    op_lrn_attrs *a = n->attrs;
    a->size = rg_pick(r, 1, 5);
    a->alpha = 0.1f;
    return n;
}

static gr_node *batch_norm(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 2, 5);
    if (x == GR_NONE) return NULL;
    const int64_t c = rg_tensor(r, x)->dims[1];
    const gr_id in[] = {x, rg_const(r, VKI_F32, 1, &c, 0.5, 1.5), rg_const(r, VKI_F32, 1, &c, -1, 1),
                        rg_const(r, VKI_F32, 1, &c, -1, 1), rg_const(r, VKI_F32, 1, &c, 0.5, 1.5)};
    return rg_node(r, OP_BatchNormalization, 5, in, 1);
}

static gr_node *instance_norm(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 3, 5);
    if (x == GR_NONE ||
        gr_elements(rg_tensor(r, x)) < 8 * rg_tensor(r, x)->dims[0] * rg_tensor(r, x)->dims[1])
        return NULL;
    const int64_t c = rg_tensor(r, x)->dims[1];
    return rg_node(r, OP_InstanceNormalization, 3,
                   (gr_id[]){x, rg_const(r, VKI_F32, 1, &c, 0.5, 1.5), rg_const(r, VKI_F32, 1, &c, -1, 1)},
                   1);
}

static gr_node *layer_norm(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 1, 5);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int axis = (int)rg_pick(r, 0, t.rank - 1);
    int64_t size = 1;
    for (int d = axis; d < t.rank; d++) size *= t.dims[d];
    if (size < 4) return NULL;
    const gr_id scale = rg_const(r, VKI_F32, t.rank - axis, t.dims + axis, 0.5, 1.5);
    const gr_id bias = rg_chance(r, 60) ? rg_const(r, VKI_F32, t.rank - axis, t.dims + axis, -1, 1) : GR_NONE;
    gr_node *n = rg_node(r, OP_LayerNormalization, 3, (gr_id[]){x, scale, bias}, 1);
    ((op_norm_attrs *)n->attrs)->axis = axis;
    return n;
}

static gr_node *recurrent(random_graph *r)
{
    static const struct {
        op_kind op;
        int64_t gates;
    } kinds[] = {{OP_LSTM, 4}, {OP_GRU, 3}, {OP_RNN, 1}};
    const gr_id x = rg_any(r, F32, 3, 3);
    if (x == GR_NONE) return NULL;
    const int k = (int)rg_pick(r, 0, 2);
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t direction = rg_pick(r, 0, 2), d = direction == 2 ? 2 : 1, h = rg_pick(r, 1, 20);
    const int64_t rows = kinds[k].gates * h;
    gr_id in[7] = {x,
                   rg_const(r, VKI_F32, 3, (int64_t[]){d, rows, t.dims[2]}, -0.3, 0.3),
                   rg_const(r, VKI_F32, 3, (int64_t[]){d, rows, h}, -0.3, 0.3),
                   GR_NONE,
                   GR_NONE,
                   GR_NONE,
                   GR_NONE};
    if (rg_chance(r, 60)) in[3] = rg_const(r, VKI_F32, 2, (int64_t[]){d, 2 * rows}, -0.3, 0.3);
    if (rg_chance(r, 40)) in[5] = rg_operand(r, VKI_F32, 3, (int64_t[]){d, t.dims[1], h}, -1, 1);
    if (k == 0 && rg_chance(r, 40)) in[6] = rg_operand(r, VKI_F32, 3, (int64_t[]){d, t.dims[1], h}, -1, 1);
    gr_node *n = rg_node(r, kinds[k].op, k == 0 ? 7 : 6, in, k == 0 ? 3 : 2);
    op_recurrent_attrs *a = n->attrs;
    a->hidden_size = h;
    a->direction = direction;
    if (k == 1) a->linear_before_reset = rg_pick(r, 0, 1);
    return n;
}

static gr_node *quantized_conv(random_graph *r)
{
    const gr_id x = rg_any(r, BYTES, 3, 5);
    if (x == GR_NONE || !has_values(rg_tensor(r, x))) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t group = rg_chance(r, 60) ? 1 : some_divisor(r, t.dims[1]);
    int64_t dims[5] = {group * rg_pick(r, 1, group > 1 ? 3 : 12), t.dims[1] / group};
    for (int d = 2; d < t.rank; d++) dims[d] = some_kernel(r);
    const gr_id w = rg_const(r, VKI_I8, t.rank, dims, -127, 127);
    const gr_id x_zero = rg_const(r, t.dtype, 0, NULL, 0, 100), w_zero = rg_const(r, VKI_I8, 1, dims, -5, 5);
    gr_node *n;
    if (rg_chance(r, 50)) {
        n = rg_node(r, OP_ConvInteger, 4, (gr_id[]){x, w, x_zero, w_zero}, 1);
    } else {
        const gr_id in[] = {x,
                            rg_operand(r, VKI_F32, 0, NULL, 0.01, 0.05),
                            x_zero,
                            w,
                            rg_const(r, VKI_F32, 1, dims, 0.01, 0.05),
                            w_zero,
                            rg_const(r, VKI_F32, 0, NULL, 0.1, 0.9),
                            rg_const(r, VKI_U8, 0, NULL, 100, 140),
                            rg_chance(r, 60) ? rg_const(r, VKI_I32, 1, dims, -3000, 3000) : GR_NONE};
        n = rg_node(r, OP_QLinearConv, 9, in, 1);
    }
    op_conv_attrs *a = n->attrs;
    a->group = group;
    window_attrs(r, a, &t, dims + 2);
    return n;
}

const rg_generator rg_layers[] = {
    conv,       conv,          conv,       conv,      deconv,         pool,        pool,          resize,
    batch_norm, instance_norm, layer_norm, recurrent, quantized_conv, grid_sample, response_norm, NULL};

static gr_node *activation(random_graph *r)
{
    static const op_kind ops[] = {OP_Relu,        OP_LeakyRelu, OP_Sigmoid, OP_Tanh,
                                  OP_HardSigmoid, OP_HardSwish, OP_Silu};
    const gr_id x = rg_any(r, F32, 1, GR_MAX_RANK);
    return x == GR_NONE ? NULL : rg_node(r, ops[rg_pick(r, 0, (int)VKB_COUNT(ops) - 1)], 1, &x, 1);
}

static gr_node *relu6(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    return rg_node(r, OP_Clip, 3, (gr_id[]){x, rg_scalar(r, VKI_F32, 0), rg_scalar(r, VKI_F32, 6)}, 1);
}

/* y + something of its shape, either way round. */
static gr_node *residual(random_graph *r)
{
    const gr_id y = rg_any(r, F32, 1, GR_MAX_RANK);
    if (y == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, y);
    gr_id other = rg_any(r, F32, t.rank, t.rank);
    if (!gr_same_shape(rg_tensor(r, other), &t)) other = rg_input(r, VKI_F32, t.rank, t.dims, -1, 1);
    const bool swap = rg_chance(r, 50);
    return rg_node(r, OP_Add, 2, (gr_id[]){swap ? other : y, swap ? y : other}, 1);
}

/* A factor or a summand a channel. */
static gr_node *channel_arithmetic(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 2, 5);
    if (x == GR_NONE) return NULL;
    const gr_tensor *t = rg_tensor(r, x);
    int64_t dims[5];
    const int rank = rg_chance(r, 50) ? t->rank : t->rank - 1;
    for (int d = 0; d < rank; d++) dims[d] = d == rank - t->rank + 1 ? t->dims[1] : 1;
    static const op_kind ops[] = {OP_Mul, OP_Add, OP_Sub};
    const gr_id c = rg_const(r, VKI_F32, rank, dims, 0.5, 1.5);
    return rg_node(r, ops[rg_pick(r, 0, 2)], 2, (gr_id[]){x, c}, 1);
}

const rg_generator rg_followers[] = {activation,         activation, relu6,      residual, residual,
                                     channel_arithmetic, batch_norm, batch_norm, pool,     rg_unary,
                                     rg_binary,          conv,       NULL};
