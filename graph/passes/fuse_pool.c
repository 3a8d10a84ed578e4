/* SPDX-License-Identifier: Apache-2.0
 * A pool that alone reads what a convolution makes becomes part of it, where that makes less work: what lies
 * between is neither stored nor loaded, but where windows overlap the GPU computes some of it twice. */
#include "graph/passes/rewrite.h"

enum {
    /* Multiply-accumulates that an element stored and loaded is worth: about half as many as on devices whose
     * arithmetic outruns their memory most. */
    WORTH_MACS = 48,
    PATCH = 8,           /* pooled outputs, along each dimension, that the GPU computes together */
    MOST_TAPS = 16,      /* of the pool: larger windows leave too few outputs to fill a device */
    LEAST_CHANNELS = 256 /* outputs of a pool over all positions; so too */
};

/* The activation does not change which element is the largest. */
static bool keeps_order(const gr_epilogue *e)
{
    switch (e->act) {
    case GR_ACT_RELU:
    case GR_ACT_CLIP:
    case GR_ACT_SIGMOID:
    case GR_ACT_TANH:
        return true;
    case GR_ACT_LEAKY:
    case GR_ACT_HARDSIGMOID:
        return e->alpha >= 0;
    default:
        return false;
    }
}

static bool is_max(const gr_node *pool)
{
    return pool->op == OP_MaxPool || pool->op == OP_GlobalMaxPool;
}

/* One of the pool's own activation and the convolution's, if the other does nothing. */
static bool activation_of(const gr_node *conv, const gr_node *pool, gr_epilogue *e)
{
    *e = conv->epilogue;
    if (pool->epilogue.act == GR_ACT_NONE) return true;
    *e = pool->epilogue;
    return conv->epilogue.act == GR_ACT_NONE && is_max(pool) && keeps_order(e);
}

static bool takes_all(const op_window *w, const gr_node *pool)
{
    if (op_pool_is_global(pool->op)) return true;
    return w->kernel_h == w->in_h && w->kernel_w == w->in_w && w->out_h * w->out_w == 1 &&
           !(w->pad_top | w->pad_left | w->pad_bottom | w->pad_right);
}

static bool pays(const op_window *conv, const op_window *pool, bool all)
{
    const int64_t macs = conv->in_c * conv->kernel_h * conv->kernel_w; /* of an element in between */
    const int64_t made = conv->out_h * conv->out_w;
    if (all) return conv->kernel_h * conv->kernel_w == 1 && conv->out_c >= LEAST_CHANNELS && made > 1;
    const int64_t taps = pool->kernel_h * pool->kernel_w;
    if (taps < 2 || taps > MOST_TAPS) return false;
    const double high =
        (double)((PATCH - 1) * pool->stride_h + pool->kernel_h) / (double)(PATCH * pool->stride_h);
    const double wide =
        (double)((PATCH - 1) * pool->stride_w + pool->kernel_w) / (double)(PATCH * pool->stride_w);
    return (double)macs * (high * wide - 1) <= WORTH_MACS;
}

static bool fusable(const gr_graph *g, const gr_node *conv, const gr_node *pool, bool *all)
{
    op_window c, p;
    if (pool->n_out > 1 || conv->epilogue.residual != GR_RESIDUAL_NONE || !gr_is_const(g, conv->in[1]))
        return false;
    if (!op_window_2d_of(g, conv, &c) || !op_window_2d_of(g, pool, &p) || c.group != 1) return false;
    if (g->tensors[pool->in[0]].rank != 4 || p.dilation_h != 1 || p.dilation_w != 1) return false;
    *all = takes_all(&p, pool);
    if (!*all && pool->op == OP_AveragePool && ((const op_pool_attrs *)pool->attrs)->count_include_pad &&
        (p.pad_top | p.pad_left | p.pad_bottom | p.pad_right))
        return false;
    return pays(&c, &p, *all);
}

static void set_pool(op_conv_pool_attrs *a, const gr_graph *g, const gr_node *pool, bool all)
{
    op_window w;
    a->pool = is_max(pool) ? OP_CONV_POOL_MAX : OP_CONV_POOL_AVERAGE;
    if (all || !op_window_of(g, pool, &w)) return;
    a->pool_kernel = (op_ints){2, {w.kernel_h, w.kernel_w}};
    a->pool_strides = (op_ints){2, {w.stride_h, w.stride_w}};
    a->pool_pads = (op_ints){4, {w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}};
    a->pool_ceil = ((const op_pool_attrs *)pool->attrs)->ceil_mode;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    bool pools = n->op == OP_MaxPool || n->op == OP_AveragePool || n->op == OP_GlobalMaxPool ||
                 n->op == OP_GlobalAveragePool;
    bool all;
    gr_epilogue act;
    if (!pools || !rw_is_float(rw->g, n->in[0]) || !rw_single(rw, n->in[0])) return VKI_OK;
    gr_node *conv = rw_maker(rw, n->in[0], OP_NONE);
    if (!conv || conv->op != OP_Conv || !activation_of(conv, n, &act) || !fusable(rw->g, conv, n, &all))
        return VKI_OK;
    op_conv_pool_attrs a;
    op_set_defaults(OP_ConvPool, &a);
    a.conv = *(const op_conv_attrs *)conv->attrs;
    a.activation = act.act;
    a.alpha = act.alpha;
    a.beta = act.beta;
    set_pool(&a, rw->g, n, all);
    VKB_TRY(rw_become(rw, conv, OP_ConvPool, conv->n_in, conv->in, err));
    *(op_conv_pool_attrs *)conv->attrs = a;
    conv->epilogue = (gr_epilogue){.act = GR_ACT_NONE};
    return rw_absorb(rw, conv, n, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_fuse_pool = {"fuse_pool", "pools become part of the convolution before them", run, true};
