/* SPDX-License-Identifier: Apache-2.0
 * A Pad with zeros around the spatial dimensions becomes the padding of the Conv or AveragePool after it. */
#include "graph/passes/rewrite.h"

typedef struct padding {
    int spatial; /* dimensions */
    int64_t begin[GR_MAX_RANK], end[GR_MAX_RANK];
} padding;

/* What the Pad adds to the spatial dimensions, if it does nothing else. */
static bool zero_padding(const gr_graph *g, const gr_node *pad, padding *p)
{
    float value;
    const gr_tensor *x = &g->tensors[pad->in[0]];
    if (((const op_pad_attrs *)pad->attrs)->mode != OP_PADDING_CONSTANT || !gr_is_concrete(x)) return false;
    if (!op_pad_amounts(g, pad, p->begin, p->end, &value) || value != 0 || x->rank < 3) return false;
    p->spatial = x->rank - 2;
    for (int d = 0; d < x->rank; d++) {
        if (p->begin[d] < 0 || p->end[d] < 0) return false;
        if (d < 2 && (p->begin[d] || p->end[d])) return false;
    }
    return true;
}

/* Adds the padding to a window operator's; false if that would not mean the same. */
static bool add_pads(op_ints *pads, int64_t *auto_pad, const padding *p)
{
    if (*auto_pad == OP_PAD_SAME_UPPER || *auto_pad == OP_PAD_SAME_LOWER) return false;
    if (*auto_pad == OP_PAD_VALID || pads->count == 0) {
        *pads = (op_ints){.count = 2 * p->spatial};
    } else if (pads->count != 2 * p->spatial) {
        return false;
    }
    *auto_pad = OP_PAD_NOTSET;
    for (int d = 0; d < p->spatial; d++) {
        pads->v[d] += p->begin[2 + d];
        pads->v[p->spatial + d] += p->end[2 + d];
    }
    return true;
}

static bool has_pads(const op_pool_attrs *a)
{
    if (a->auto_pad == OP_PAD_VALID) return false;
    for (int i = 0; i < a->pads.count; i++)
        if (a->pads.v[i]) return true;
    return a->auto_pad != OP_PAD_NOTSET;
}

/* The zeros counted as elements before; they must go on being counted, and no others. */
static bool pad_pool(op_pool_attrs *a, const padding *p)
{
    if (a->ceil_mode || (has_pads(a) && !a->count_include_pad)) return false;
    if (a->kernel_shape.count != p->spatial) return false;
    for (int d = 0; d < p->spatial; d++) /* a window of nothing but padding is not portable */
        if (p->begin[2 + d] >= a->kernel_shape.v[d] || p->end[2 + d] >= a->kernel_shape.v[d]) return false;
    if (!add_pads(&a->pads, &a->auto_pad, p)) return false;
    a->count_include_pad = 1;
    return true;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    if (n->op != OP_Conv && n->op != OP_AveragePool) return VKI_OK;
    gr_node *pad = rw_maker(rw, n->in[0], OP_Pad);
    padding p;
    if (!pad || !zero_padding(rw->g, pad, &p)) return VKI_OK;
    if (n->op == OP_Conv) {
        op_conv_attrs *a = n->attrs;
        if (!add_pads(&a->pads, &a->auto_pad, &p)) return VKI_OK;
    } else if (!pad_pool(n->attrs, &p)) {
        return VKI_OK;
    }
    bool last = rw_single(rw, n->in[0]);
    n->in[0] = pad->in[0];
    *rw->changed = true;
    if (last) return rw_drop(rw, n, pad, err);
    return gr_note_fused(rw->g, n, pad) ? VKI_OK : vkb_nomem(err, 0);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_fold_pad = {"fold_pad", "zero padding becomes that of the convolution or average after it",
                               run, true};
