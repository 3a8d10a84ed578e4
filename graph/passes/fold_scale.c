/* SPDX-License-Identifier: Apache-2.0
 * A number that HardSwish in an epilogue is multiplied by, and one that is added, go into the epilogue (the
 * learnable affine blocks of PP-LCNet). Unlike weights of the next convolution that is right at padded
 * borders and for any number of readers. */
#include <math.h>

#include "graph/passes/rewrite.h"

/* n as scale x + shift. */
static bool line_of(const rewrite *rw, const gr_node *n, gr_id *x, float *scale, float *shift)
{
    float c;
    *scale = 1;
    *shift = 0;
    if (!rw_plain(n) || !rw_is_float(rw->g, n->out[0]) || !rw_scalar(rw, n, x, &c)) return false;
    if (n->op == OP_Mul || n->op == OP_Div) *scale = n->op == OP_Mul ? c : 1 / c;
    if (n->op == OP_Add || n->op == OP_Sub) *shift = n->op == OP_Add ? c : -c;
    return isfinite(*scale) && isfinite(*shift);
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_id x;
    float scale, shift;
    if (n->op != OP_Mul && n->op != OP_Div && n->op != OP_Add && n->op != OP_Sub) return VKI_OK;
    if (!line_of(rw, n, &x, &scale, &shift) || !rw_single(rw, x)) return VKI_OK;
    gr_node *maker = rw_maker(rw, x, OP_NONE);
    if (!maker || maker->epilogue.residual == GR_RESIDUAL_AFTER) return VKI_OK;
    gr_epilogue *e = &maker->epilogue;
    if (e->act != GR_ACT_HARDSWISH && e->act != GR_ACT_HARDSWISH_AFFINE) return VKI_OK;
    if (e->act == GR_ACT_HARDSWISH) e->alpha = 1, e->beta = 0;
    e->act = GR_ACT_HARDSWISH_AFFINE;
    e->alpha *= scale;
    e->beta = e->beta * scale + shift;
    return rw_absorb(rw, maker, n, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_fold_scale = {"fold_scale", "a scale and a shift after HardSwish join its epilogue", run,
                                 true};
