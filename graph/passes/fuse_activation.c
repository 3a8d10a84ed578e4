/* SPDX-License-Identifier: Apache-2.0
 * An activation that alone reads what a node makes becomes that node's epilogue. */
#include <math.h>

#include "graph/passes/rewrite.h"

/* The epilogue that does what n does; act GR_ACT_NONE if there is none. */
static gr_epilogue epilogue_of(const gr_graph *g, const gr_node *n)
{
    gr_epilogue e = {GR_ACT_NONE, GR_RESIDUAL_NONE, 0, 0};
    const op_unary_attrs *a = n->attrs;
    switch (n->op) {
    case OP_Relu:
        e.act = GR_ACT_RELU;
        break;
    case OP_LeakyRelu:
        e.act = GR_ACT_LEAKY;
        e.alpha = a->alpha;
        break;
    case OP_Clip:
        if (!op_clip_range(g, n, &e.alpha, &e.beta) || isnan(e.alpha) || isnan(e.beta)) break;
        e.act = GR_ACT_CLIP;
        if (e.alpha == 0 && e.beta == INFINITY) e = (gr_epilogue){GR_ACT_RELU, GR_RESIDUAL_NONE, 0, 0};
        break;
    case OP_Sigmoid:
        e.act = GR_ACT_SIGMOID;
        break;
    case OP_Tanh:
        e.act = GR_ACT_TANH;
        break;
    case OP_HardSigmoid:
        e.act = GR_ACT_HARDSIGMOID;
        e.alpha = a->alpha;
        e.beta = a->beta;
        break;
    case OP_HardSwish:
        e.act = GR_ACT_HARDSWISH;
        break;
    case OP_Silu:
        e.act = GR_ACT_SILU;
        break;
    case OP_FakeQuantize:
        e.act = GR_ACT_FAKE_QUANTIZE;
        e.alpha = a->alpha;
        e.beta = op_levels(a->low, a->high);
        break;
    default:
        break;
    }
    return e;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    if (n->n_in < 1 || n->in[0] == GR_NONE || !rw_is_float(g, n->in[0])) return VKI_OK;
    gr_epilogue e = epilogue_of(g, n);
    if (e.act == GR_ACT_NONE || !rw_single(rw, n->in[0])) return VKI_OK;
    gr_node *maker = rw_maker(rw, n->in[0], OP_NONE);
    if (!maker || !(op_get(maker->op)->flags & OP_CAN_ACT) || maker->epilogue.act != GR_ACT_NONE ||
        maker->epilogue.residual == GR_RESIDUAL_AFTER)
        return VKI_OK;
    e.residual = maker->epilogue.residual;
    maker->epilogue = e;
    return rw_absorb(rw, maker, n, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_fuse_activation = {"fuse_activation", "activations become part of the node before them",
                                      run, true};
