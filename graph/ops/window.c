/* SPDX-License-Identifier: Apache-2.0
 * Sizes follow the formulas of ONNX's Conv, ConvTranspose, MaxPool and AveragePool (opset 21). */
#include "graph/ops/window.h"

#include <string.h>

typedef struct window_attrs { /* what convolutions and pools have in common */
    const op_ints *kernel_shape, *strides, *pads, *dilations;
    int64_t auto_pad;
    bool ceil_mode;
} window_attrs;

#define FAIL(...) vkb_fail_node(err, VKI_E_SHAPE, n->name, op_get(n->op)->name, __VA_ARGS__)

static bool is_global(const gr_node *n)
{
    return op_pool_is_global(n->op);
}

static bool is_pool(const gr_node *n)
{
    return is_global(n) || n->op == OP_MaxPool || n->op == OP_AveragePool || n->op == OP_LpPool;
}

static window_attrs common_attrs(const gr_node *n)
{
    if (is_pool(n)) {
        const op_pool_attrs *a = n->attrs;
        return (window_attrs){&a->kernel_shape, &a->strides, &a->pads,
                              &a->dilations,    a->auto_pad, a->ceil_mode != 0};
    }
    const op_conv_attrs *a = n->attrs;
    return (window_attrs){&a->kernel_shape, &a->strides, &a->pads, &a->dilations, a->auto_pad, false};
}

static vki_status check_count(const gr_node *n, const op_ints *list, int count, const char *name,
                              vki_error *err)
{
    if (list->count == 0 || list->count == count) return VKI_OK;
    return FAIL("%s has %d values but %d are needed", name, (int)list->count, count);
}

/* Input sizes, channels and kernel; what does not depend on padding. */
static vki_status resolve_sizes(const gr_graph *g, const gr_node *n, op_window_nd *w, vki_error *err)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    if (x->rank < (is_global(n) ? 2 : 3) || (!is_global(n) && x->rank > 5))
        return FAIL("input 0 has rank %d; supported are batch, channels and %s", x->rank,
                    is_global(n) ? "any dimensions" : "1 to 3 spatial dimensions");
    w->rank = x->rank - 2;
    w->batch = x->dims[0];
    w->in_c = w->out_c = x->dims[1];
    w->group = 1;
    for (int i = 0; i < w->rank; i++) {
        if (x->dims[i + 2] > INT32_MAX)
            return FAIL("input 0 has a dimension of %lld, the limit is %d", (long long)x->dims[i + 2],
                        INT32_MAX);
        w->in[i] = w->kernel[i] = x->dims[i + 2];
        w->stride[i] = w->dilation[i] = 1;
    }
    return VKI_OK;
}

static vki_status resolve_weights(const gr_graph *g, const gr_node *n, op_window_nd *w, vki_error *err)
{
    const gr_tensor *weights = &g->tensors[n->in[n->op == OP_QLinearConv ? 3 : 1]];
    const op_conv_attrs *a = n->attrs;
    bool transposed = n->op == OP_ConvTranspose;
    if (weights->rank != w->rank + 2)
        return FAIL("the weights have rank %d, the input has rank %d; they must agree", weights->rank,
                    w->rank + 2);
    w->group = a->group;
    int64_t per_group = w->group > 0 && w->in_c % w->group == 0 ? w->in_c / w->group : -1;
    if (weights->dims[transposed ? 0 : 1] != (transposed ? w->in_c : per_group) || per_group < 0)
        return FAIL("weights of %lld x %lld channels do not fit %lld input channels in %lld groups",
                    (long long)weights->dims[0], (long long)weights->dims[1], (long long)w->in_c,
                    (long long)w->group);
    if (!transposed && weights->dims[0] % w->group)
        return FAIL("%lld output channels cannot be split into %lld groups", (long long)weights->dims[0],
                    (long long)w->group);
    if (transposed && w->group && weights->dims[1] > INT64_MAX / w->group)
        return FAIL("too many output channels");
    w->out_c = transposed ? weights->dims[1] * w->group : weights->dims[0];
    for (int i = 0; i < w->rank; i++) {
        w->kernel[i] = weights->dims[i + 2];
        if (w->kernel[i] < 1 || w->kernel[i] > INT32_MAX)
            return FAIL("the kernel has a dimension of %lld", (long long)w->kernel[i]);
        if (a->kernel_shape.count == w->rank && a->kernel_shape.v[i] != w->kernel[i])
            return FAIL("kernel_shape says %lld where the weights have %lld", (long long)a->kernel_shape.v[i],
                        (long long)w->kernel[i]);
    }
    const int at = n->op == OP_QLinearConv ? 8 : n->op == OP_ConvInteger ? -1 : 2;
    if (at >= 0 && op_has_own(n, at)) {
        const gr_tensor *bias = &g->tensors[n->in[at]];
        if (bias->rank != 1 || bias->dims[0] != w->out_c)
            return FAIL("the bias must have one value for each of the %lld output channels",
                        (long long)w->out_c);
    }
    return VKI_OK;
}

static int64_t extent(const op_window_nd *w, int i) /* of the dilated kernel */
{
    return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

static void split_padding(op_window_nd *w, int i, int64_t total, bool more_at_end)
{
    if (total < 0) total = 0;
    int64_t small = total / 2, large = total - small;
    w->pad_begin[i] = more_at_end ? small : large;
    w->pad_end[i] = more_at_end ? large : small;
}

static vki_status resolve_out(const gr_node *n, const window_attrs *a, op_window_nd *w, vki_error *err)
{
    for (int i = 0; i < w->rank; i++) {
        if (a->auto_pad == OP_PAD_SAME_UPPER || a->auto_pad == OP_PAD_SAME_LOWER) {
            w->out[i] = vkb_ceil_div(w->in[i], w->stride[i]);
            split_padding(w, i, (w->out[i] - 1) * w->stride[i] + extent(w, i) - w->in[i],
                          a->auto_pad == OP_PAD_SAME_UPPER);
            continue;
        }
        int64_t room = w->in[i] + w->pad_begin[i] + w->pad_end[i] - extent(w, i);
        bool up = a->ceil_mode && a->auto_pad == OP_PAD_NOTSET;
        if (up && room < 0 && -room < w->stride[i]) room = 0; /* one window, which reaches beyond the end */
        if (room < 0)
            return FAIL("a window of %lld does not fit into an input of %lld with padding %lld and %lld",
                        (long long)extent(w, i), (long long)w->in[i], (long long)w->pad_begin[i],
                        (long long)w->pad_end[i]);
        w->out[i] = (up ? vkb_ceil_div(room, w->stride[i]) : room / w->stride[i]) + 1;
        if (up && (w->out[i] - 1) * w->stride[i] >= w->in[i] + w->pad_begin[i])
            w->out[i]--; /* a window that starts in the padding at the end is ignored */
    }
    return VKI_OK;
}

static vki_status resolve_out_transposed(const gr_node *n, op_window_nd *w, vki_error *err)
{
    const op_conv_attrs *a = n->attrs;
    VKB_TRY(check_count(n, &a->output_padding, w->rank, "output_padding", err));
    const op_ints *shape = &a->output_shape; /* spatial dimensions; some exporters give all of them */
    if (shape->count && shape->count != w->rank && shape->count != w->rank + 2)
        return FAIL("output_shape has %d values but %d are needed", (int)shape->count, w->rank);
    bool same = a->auto_pad == OP_PAD_SAME_UPPER || a->auto_pad == OP_PAD_SAME_LOWER;
    for (int i = 0; i < w->rank; i++) {
        int64_t more = a->output_padding.count ? a->output_padding.v[i] : 0;
        if (w->in[i] < 1) return FAIL("input 0 is empty");
        if (w->in[i] - 1 > (INT64_MAX / 4) / w->stride[i]) return FAIL("the output is too large");
        int64_t full = w->stride[i] * (w->in[i] - 1) + more + extent(w, i);
        if (shape->count || same) {
            w->out[i] = shape->count ? shape->v[shape->count - w->rank + i] : w->in[i] * w->stride[i];
            split_padding(w, i, full - w->out[i], a->auto_pad == OP_PAD_SAME_UPPER);
        } else {
            w->out[i] = full - w->pad_begin[i] - w->pad_end[i];
        }
        if (w->out[i] < 1)
            return FAIL("the padding of %lld and %lld leaves nothing of an output of %lld",
                        (long long)w->pad_begin[i], (long long)w->pad_end[i], (long long)full);
    }
    return VKI_OK;
}

vki_status op_window_resolve(const gr_graph *g, const gr_node *n, op_window_nd *w, vki_error *err)
{
    memset(w, 0, sizeof *w);
    VKB_TRY(resolve_sizes(g, n, w, err));
    if (is_global(n)) {
        for (int i = 0; i < w->rank; i++) w->out[i] = 1;
        return VKI_OK;
    }
    window_attrs a = common_attrs(n);
    VKB_TRY(check_count(n, a.kernel_shape, w->rank, "kernel_shape", err));
    VKB_TRY(check_count(n, a.strides, w->rank, "strides", err));
    VKB_TRY(check_count(n, a.dilations, w->rank, "dilations", err));
    VKB_TRY(check_count(n, a.pads, 2 * w->rank, "pads", err));
    if (is_pool(n) && a.kernel_shape->count == 0) return FAIL("kernel_shape is missing");
    for (int i = 0; i < w->rank; i++) {
        if (a.kernel_shape->count) w->kernel[i] = a.kernel_shape->v[i];
        if (a.strides->count) w->stride[i] = a.strides->v[i];
        if (a.dilations->count) w->dilation[i] = a.dilations->v[i];
        if (a.pads->count && a.auto_pad == OP_PAD_NOTSET) {
            w->pad_begin[i] = a.pads->v[i];
            w->pad_end[i] = a.pads->v[w->rank + i];
        }
    }
    if (!is_pool(n)) VKB_TRY(resolve_weights(g, n, w, err));
    return n->op == OP_ConvTranspose ? resolve_out_transposed(n, w, err) : resolve_out(n, &a, w, err);
}

vki_status op_conv_pool_resolve(const gr_graph *g, const gr_node *n, op_window_nd *conv, op_window_nd *pool,
                                vki_error *err)
{
    const op_conv_pool_attrs *a = n->attrs;
    const window_attrs w = {&a->pool_kernel, &a->pool_strides, &a->pool_pads, NULL,
                            OP_PAD_NOTSET,   a->pool_ceil != 0};
    VKB_TRY(op_window_resolve(g, n, conv, err));
    *pool = (op_window_nd){
        .rank = conv->rank, .batch = conv->batch, .in_c = conv->out_c, .out_c = conv->out_c, .group = 1};
    VKB_TRY(check_count(n, w.kernel_shape, pool->rank, "pool_kernel", err));
    VKB_TRY(check_count(n, w.strides, pool->rank, "pool_strides", err));
    VKB_TRY(check_count(n, w.pads, 2 * pool->rank, "pool_pads", err));
    for (int i = 0; i < pool->rank; i++) {
        pool->in[i] = pool->kernel[i] = conv->out[i];
        pool->out[i] = pool->stride[i] = pool->dilation[i] = 1;
        if (w.kernel_shape->count) pool->kernel[i] = w.kernel_shape->v[i];
        if (w.strides->count) pool->stride[i] = w.strides->v[i];
        if (!w.pads->count) continue;
        pool->pad_begin[i] = w.pads->v[i];
        pool->pad_end[i] = w.pads->v[pool->rank + i];
    }
    return w.kernel_shape->count ? resolve_out(n, &w, pool, err) : VKI_OK;
}

void op_window_extend(op_window_nd *w, int rank)
{
    for (; w->rank < rank; w->rank++) {
        int64_t *const lists[] = {w->in, w->out, w->kernel, w->stride, w->dilation, w->pad_begin, w->pad_end};
        for (size_t k = 0; k < VKB_COUNT(lists); k++) {
            memmove(lists[k] + 1, lists[k], (size_t)w->rank * sizeof *lists[k]);
            lists[k][0] = lists[k] == w->pad_begin || lists[k] == w->pad_end ? 0 : 1;
        }
    }
}

vki_status op_window_out(op_infer *c, int i, vki_dtype dtype, const op_window_nd *w)
{
    int64_t dims[GR_MAX_RANK] = {w->batch, w->out_c};
    for (int d = 0; d < w->rank; d++) dims[d + 2] = w->out[d];
    return op_out(c, i, dtype, w->rank + 2, dims);
}

/* The global pools take any number of dimensions: one row of all positions. */
static bool flatten(op_window_nd *w)
{
    int64_t size = 1;
    for (int i = 0; i < w->rank; i++) {
        if (w->in[i] && size > INT32_MAX / w->in[i]) return false;
        size *= w->in[i];
    }
    op_window_nd flat = {.rank = 1, .batch = w->batch, .in_c = w->in_c, .out_c = w->out_c, .group = 1};
    flat.in[0] = flat.kernel[0] = size;
    flat.out[0] = flat.stride[0] = flat.dilation[0] = 1;
    *w = flat;
    return true;
}

/* In three dimensions; false if that is too few, or a window has too many positions. */
static bool brought(op_window_nd *w, op_window *out)
{
    if (w->rank > 3) return false;
    op_window_extend(w, 3);
    if (w->kernel[0] > INT32_MAX / w->kernel[1] ||
        (w->kernel[2] && w->kernel[0] * w->kernel[1] > INT32_MAX / w->kernel[2]))
        return false;
    if (w->in[0] == 1 && w->out[0] == 1 && w->kernel[0] == 1)
        w->stride[0] = w->dilation[0] = 1; /* they do not matter */
    *out = (op_window){.batch = w->batch,
                       .in_c = w->in_c,
                       .out_c = w->out_c,
                       .group = w->group,
                       .in_d = w->in[0],
                       .in_h = w->in[1],
                       .in_w = w->in[2],
                       .out_d = w->out[0],
                       .out_h = w->out[1],
                       .out_w = w->out[2],
                       .kernel_d = w->kernel[0],
                       .kernel_h = w->kernel[1],
                       .kernel_w = w->kernel[2],
                       .stride_d = w->stride[0],
                       .stride_h = w->stride[1],
                       .stride_w = w->stride[2],
                       .dilation_d = w->dilation[0],
                       .dilation_h = w->dilation[1],
                       .dilation_w = w->dilation[2],
                       .pad_front = w->pad_begin[0],
                       .pad_top = w->pad_begin[1],
                       .pad_left = w->pad_begin[2],
                       .pad_back = w->pad_end[0],
                       .pad_bottom = w->pad_end[1],
                       .pad_right = w->pad_end[2]};
    return true;
}

bool op_window_of(const gr_graph *g, const gr_node *n, op_window *out)
{
    op_window_nd w;
    if (!gr_is_concrete(&g->tensors[n->in[0]]) || op_window_resolve(g, n, &w, NULL) != VKI_OK) return false;
    if (is_global(n) && !flatten(&w)) return false;
    return brought(&w, out);
}

bool op_conv_pool_of(const gr_graph *g, const gr_node *n, op_window *conv, op_window *pool)
{
    op_window_nd c, p;
    return gr_is_concrete(&g->tensors[n->in[0]]) && op_conv_pool_resolve(g, n, &c, &p, NULL) == VKI_OK &&
           brought(&c, conv) && brought(&p, pool);
}
