/* SPDX-License-Identifier: Apache-2.0
 * LayerNormalization over the last dimension, as exporters spell it out:
 *   d = x - ReduceMean(x);  y = d / Sqrt(ReduceMean(d^2) + epsilon) [* scale [+ bias]]
 * and, not centred, RMSNormalization: the same of x itself, for d. The quotient may be a product with the
 * reciprocal, which is Reciprocal(Sqrt(v)), 1 / Sqrt(v) or v^(-1/2). */
#include <math.h>

#include "graph/passes/rewrite.h"

typedef struct match {
    gr_node *inner[7]; /* what goes; the node that is visited, the quotient, is not among them */
    int count;
    gr_id x;
    float epsilon;
    bool centred;
} match;

/* The maker of t, if it is of the kind and only one node reads t; noted. */
static gr_node *inner_of(const rewrite *rw, match *m, gr_id t, op_kind op)
{
    gr_node *n = rw_single(rw, t) ? rw_maker(rw, t, op) : NULL;
    if (n) m->inner[m->count++] = n;
    return n;
}

static bool same_rows(const gr_graph *g, const gr_node *reduce, gr_id x)
{
    bool mask[GR_MAX_RANK];
    const op_reduce_attrs *a = reduce->attrs;
    const gr_tensor *t = &g->tensors[x];
    if (!gr_is_concrete(t) || t->rank < 1 || !a->keepdims || !op_reduce_mask(g, reduce, mask)) return false;
    for (int d = 0; d < t->rank; d++)
        if (mask[d] != (d == t->rank - 1)) return false;
    return true;
}

/* node is d^2 or d * d. */
static bool is_square_of(const gr_graph *g, const gr_node *n, gr_id d)
{
    float exponent;
    if (n->op == OP_Mul) return n->in[0] == d && n->in[1] == d;
    return n->op == OP_Pow && n->in[0] == d && gr_const_f32(g, n->in[1], &exponent) && exponent == 2;
}

/* v is ReduceMean(d^2) + epsilon. */
static bool is_mean_square(const rewrite *rw, match *m, gr_id v, gr_id d)
{
    const gr_graph *g = rw->g;
    gr_id squares;
    const gr_node *add = inner_of(rw, m, v, OP_Add);
    if (!add || !rw_scalar(rw, add, &squares, &m->epsilon)) return false;
    const gr_node *mean = inner_of(rw, m, squares, OP_ReduceMean);
    const gr_node *square = mean ? inner_of(rw, m, mean->in[0], OP_NONE) : NULL;
    if (!square || !rw_plain(square) || !is_square_of(g, square, d)) return false;
    return same_rows(g, mean, d) && m->epsilon >= 0 && isfinite(m->epsilon) && g->tensors[d].dtype == VKI_F32;
}

/* t is 1 / Sqrt(*v) or *v ^ (-1/2); or, as it is divided by, Sqrt(*v). */
static bool is_factor(const rewrite *rw, match *m, gr_id t, bool divided, gr_id *v)
{
    float number;
    const gr_node *n = inner_of(rw, m, t, OP_NONE);
    if (!n || !rw_plain(n)) return false;
    if (!divided && n->op == OP_Pow) {
        *v = n->in[0];
        return gr_const_f32(rw->g, n->in[1], &number) && number == -0.5f;
    }
    if (!divided) {
        bool inverse = n->op == OP_Reciprocal ||
                       (n->op == OP_Div && gr_const_f32(rw->g, n->in[0], &number) && number == 1);
        n = inverse ? inner_of(rw, m, n->in[n->op == OP_Div ? 1 : 0], OP_Sqrt) : NULL;
    }
    *v = n ? n->in[0] : GR_NONE;
    return n && n->op == OP_Sqrt;
}

/* d, which is read by n and the square only, is x - ReduceMean(x). */
static void find_centre(const rewrite *rw, match *m, gr_id d)
{
    const gr_graph *g = rw->g;
    const gr_node *square = m->inner[m->count - 1];
    gr_node *sub = rw_maker(rw, d, OP_Sub);
    gr_node *mean = sub && rw_single(rw, sub->in[1]) ? rw_maker(rw, sub->in[1], OP_ReduceMean) : NULL;
    m->x = d;
    m->centred = mean && mean->in[0] == sub->in[0] && same_rows(g, mean, sub->in[0]) &&
                 !(g->tensors[d].flags & GR_OUTPUT) && rw->uses.count[d] == (square->op == OP_Mul ? 3 : 2);
    if (!m->centred) return;
    m->x = sub->in[0];
    m->inner[m->count++] = mean;
    m->inner[m->count++] = sub;
}

/* n is d divided by the root of its mean square. That its shape is d's tells that no number widens it. */
static bool find(const rewrite *rw, const gr_node *n, match *m)
{
    gr_id v;
    for (int side = n->op == OP_Mul ? 0 : 1; side < 2; side++) {
        gr_id d = n->in[1 - side];
        m->count = 0;
        if (!is_factor(rw, m, n->in[side], n->op == OP_Div, &v) || !is_mean_square(rw, m, v, d) ||
            !gr_same_shape(&rw->g->tensors[n->out[0]], &rw->g->tensors[d]))
            continue;
        find_centre(rw, m, d);
        return true;
    }
    return false;
}

/* The single reader of t, if it is of the kind and its other operand is a float32 constant of n elements in
 * the last dimension. */
static gr_node *affine_reader(const rewrite *rw, gr_id t, op_kind op, int64_t n, gr_id *constant)
{
    const gr_graph *g = rw->g;
    if (!rw_single(rw, t)) return NULL;
    gr_node *reader = &g->nodes[rw->uses.reader[t]];
    if (reader->dead || reader->op != op) return NULL;
    *constant = reader->in[reader->in[0] == t ? 1 : 0];
    if (!gr_is_const(g, *constant)) return NULL;
    const gr_tensor *c = &g->tensors[*constant];
    bool fits = c->dtype == VKI_F32 && c->rank == 1 && c->dims[0] == n;
    return fits ? reader : NULL;
}

static vki_status rewrite_match(rewrite *rw, gr_node *n, const match *m, vki_error *err)
{
    const gr_tensor *x = &rw->g->tensors[m->x];
    int64_t size = x->dims[x->rank - 1];
    gr_id scale = GR_NONE, bias = GR_NONE;
    gr_node *last = n;
    gr_node *mul = affine_reader(rw, n->out[0], OP_Mul, size, &scale);
    if (mul && rw_plain(mul)) {
        gr_node *add = affine_reader(rw, mul->out[0], OP_Add, size, &bias);
        last = add && rw_plain(add) ? add : mul;
        if (last == mul) bias = GR_NONE;
    } else {
        mul = NULL;
        scale = rw_vector(rw->g, size, NULL, 1);
        if (scale == GR_NONE) return vkb_nomem(err, (uint64_t)size * sizeof(float));
    }
    const gr_id in[3] = {m->x, scale, bias};
    VKB_TRY(rw_become(rw, last, OP_LayerNormalization, bias == GR_NONE ? 2 : 3, in, err));
    op_norm_attrs *a = last->attrs;
    a->axis = -1;
    a->epsilon = m->epsilon;
    a->centred = m->centred;
    for (int i = 0; i < m->count; i++) VKB_TRY(rw_drop(rw, last, m->inner[i], err));
    if (last != n) VKB_TRY(rw_drop(rw, last, n, err));
    return mul && mul != last ? rw_drop(rw, last, mul, err) : VKI_OK;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    match m;
    bool found = (n->op == OP_Div || n->op == OP_Mul) && rw_plain(n) && find(rw, n, &m);
    return found ? rewrite_match(rw, n, &m, err) : VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_layer_normalization = {
    "layer_normalization", "layer and RMS normalization spelled out in primitives become one node", run,
    true};
