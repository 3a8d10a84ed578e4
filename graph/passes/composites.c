/* SPDX-License-Identifier: Apache-2.0
 * Activations that exporters spell out in primitive operators:
 *   HardSigmoid  Clip(x + 3, 0, 6) / 6 and Clip(x, 0, 1) after a scale and a shift
 *   HardSwish    x HardSigmoid(x), x Clip(x + 3, 0, 6) / 6 in any order
 *   Silu         x Sigmoid(x)
 *   Mish         x Tanh(Softplus(x))
 *   Gelu         x/2 (1 + Erf(x / sqrt 2)) in any order, and x/2 (1 + Tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
#include <math.h>

#include "graph/passes/rewrite.h"

/* A binary node of floats with one constant number. */
static bool float_scalar(const rewrite *rw, const gr_node *n, gr_id *x, float *value)
{
    return rw_plain(n) && rw_scalar(rw, n, x, value) && rw_is_float(rw->g, n->in[n->in[0] == *x ? 1 : 0]);
}

/* n is x / 6 or x * (1/6). */
static bool sixth_of(const rewrite *rw, const gr_node *n, gr_id *x)
{
    float c;
    if ((n->op != OP_Div && n->op != OP_Mul) || !float_scalar(rw, n, x, &c)) return false;
    return rw_near(c, n->op == OP_Div ? 6 : 1.0 / 6);
}

/* t is Clip(x + 3, 0, 6), its nodes read by nobody else. */
static bool relu6_of_shifted(const rewrite *rw, gr_id t, gr_id *x, gr_node **clip, gr_node **add)
{
    float c, low, high;
    *clip = rw_maker(rw, t, OP_Clip);
    if (!*clip || !rw_single(rw, t) || !op_clip_range(rw->g, *clip, &low, &high)) return false;
    if (low != 0 || !rw_near(high, 6)) return false;
    *add = rw_maker(rw, (*clip)->in[0], OP_Add);
    return *add && rw_single(rw, (*clip)->in[0]) && float_scalar(rw, *add, x, &c) && rw_near(c, 3);
}

static vki_status become_unary(rewrite *rw, gr_node *n, op_kind op, gr_id x, gr_node *const *inner, int count,
                               vki_error *err)
{
    VKB_TRY(rw_become(rw, n, op, 1, &x, err));
    for (int i = 0; i < count; i++)
        if (inner[i]) VKB_TRY(rw_drop(rw, n, inner[i], err));
    return VKI_OK;
}

/* Clip(x + 3, 0, 6) / 6. It becomes HardSwish when x is what it is multiplied with. */
static vki_status match_hard_sigmoid(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_id t, x;
    gr_node *clip, *add;
    if (!sixth_of(rw, n, &t) || !relu6_of_shifted(rw, t, &x, &clip, &add)) return VKI_OK;
    VKB_TRY(become_unary(rw, n, OP_HardSigmoid, x, (gr_node *[]){clip, add}, 2, err));
    op_unary_attrs *a = n->attrs;
    a->alpha = 1.0f / 6;
    a->beta = 0.5f;
    return VKI_OK;
}

/* (x * Clip(x + 3, 0, 6)) / 6 */
static vki_status match_hard_swish_outer(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_id t, x;
    gr_node *clip, *add;
    if (!sixth_of(rw, n, &t) || !rw_single(rw, t)) return VKI_OK;
    gr_node *mul = rw_maker(rw, t, OP_Mul);
    for (int side = 0; mul && side < 2; side++) {
        if (!relu6_of_shifted(rw, mul->in[side], &x, &clip, &add) || mul->in[1 - side] != x) continue;
        return become_unary(rw, n, OP_HardSwish, x, (gr_node *[]){mul, clip, add}, 3, err);
    }
    return VKI_OK;
}

/* x * HardSigmoid(x, 1/6, 1/2); x * Sigmoid(x); (x / 6) * Clip(x + 3, 0, 6) */
static vki_status match_product(rewrite *rw, gr_node *n, vki_error *err)
{
    if (n->op != OP_Mul || !rw_plain(n)) return VKI_OK;
    for (int side = 0; side < 2; side++) {
        gr_id gate = n->in[side], x = n->in[1 - side], y;
        gr_node *clip, *add;
        if (!rw_single(rw, gate)) continue;
        gr_node *sigmoid = rw_maker(rw, gate, OP_Sigmoid), *hard = rw_maker(rw, gate, OP_HardSigmoid);
        if (sigmoid && sigmoid->in[0] == x)
            return become_unary(rw, n, OP_Silu, x, (gr_node *[]){sigmoid}, 1, err);
        if (hard && hard->in[0] == x) {
            const op_unary_attrs *a = hard->attrs;
            if (!rw_near(a->alpha, 1.0 / 6) || !rw_near(a->beta, 0.5)) continue;
            return become_unary(rw, n, OP_HardSwish, x, (gr_node *[]){hard}, 1, err);
        }
        gr_node *sixth = rw_maker(rw, x, OP_NONE);
        if (sixth && rw_single(rw, x) && sixth_of(rw, sixth, &x) &&
            relu6_of_shifted(rw, gate, &y, &clip, &add) && x == y)
            return become_unary(rw, n, OP_HardSwish, x, (gr_node *[]){sixth, clip, add}, 3, err);
    }
    return VKI_OK;
}

/* Clip(a x + b, 0, 1) */
static vki_status match_clipped_line(rewrite *rw, gr_node *n, vki_error *err)
{
    float low, high, a = 1, b;
    gr_id x;
    if (n->op != OP_Clip || !op_clip_range(rw->g, n, &low, &high) || low != 0 || high != 1) return VKI_OK;
    gr_node *add = rw_maker(rw, n->in[0], OP_Add);
    if (!add || !rw_single(rw, n->in[0]) || !float_scalar(rw, add, &x, &b)) return VKI_OK;
    gr_node *mul = rw_single(rw, x) ? rw_maker(rw, x, OP_Mul) : NULL;
    gr_id inner;
    if (!mul || !float_scalar(rw, mul, &inner, &a) || !isfinite(a) || !isfinite(b)) return VKI_OK;
    VKB_TRY(become_unary(rw, n, OP_HardSigmoid, inner, (gr_node *[]){add, mul}, 2, err));
    op_unary_attrs *attrs = n->attrs;
    attrs->alpha = a;
    attrs->beta = b;
    return VKI_OK;
}

/* n is x / 2 or x * 0.5. */
static bool half_of(const rewrite *rw, const gr_node *n, gr_id *x)
{
    float c;
    if (!n || (n->op != OP_Div && n->op != OP_Mul) || !float_scalar(rw, n, x, &c)) return false;
    return c == (n->op == OP_Div ? 2.0f : 0.5f);
}

typedef struct gelu { /* 1 + Erf(x / sqrt 2), or its approximation by Tanh, whose nodes nobody else reads */
    gr_id x;
    bool approximate;
    gr_node *inner[8];
    int count;
} gelu;

/* The maker of t, if it is of the kind and only one node reads t; noted. */
static gr_node *inner_of(const rewrite *rw, gelu *m, gr_id t, op_kind op)
{
    gr_node *n = rw_single(rw, t) ? rw_maker(rw, t, op) : NULL;
    if (n) m->inner[m->count++] = n;
    return n;
}

/* t is m->x cubed. */
static bool is_cube(const rewrite *rw, gelu *m, gr_id t)
{
    float exponent;
    gr_id x;
    gr_node *n = inner_of(rw, m, t, OP_Pow);
    if (n) return rw_scalar(rw, n, &x, &exponent) && exponent == 3 && x == m->x;
    n = inner_of(rw, m, t, OP_Mul);
    for (int side = 0; n && side < 2; side++) {
        if (n->in[side] != m->x) continue;
        const gr_node *square = inner_of(rw, m, n->in[1 - side], OP_Mul);
        return square && square->in[0] == m->x && square->in[1] == m->x;
    }
    return false;
}

/* t is sqrt(2/pi) (x + 0.044715 x^3). */
static bool is_cubic(const rewrite *rw, gelu *m, gr_id t)
{
    float c;
    gr_id sum, cube;
    gr_node *scale = inner_of(rw, m, t, OP_Mul);
    if (!scale || !float_scalar(rw, scale, &sum, &c) || !rw_near(c, 0.7978845608028654)) return false;
    gr_node *add = inner_of(rw, m, sum, OP_Add);
    int count = m->count;
    for (int side = 0; add && side < 2; side++) {
        m->count = count;
        m->x = add->in[side];
        gr_node *part = inner_of(rw, m, add->in[1 - side], OP_Mul);
        if (part && float_scalar(rw, part, &cube, &c) && rw_near(c, 0.044715) && is_cube(rw, m, cube))
            return true;
    }
    return false;
}

/* t is the factor of x/2 in Gelu(x). */
static bool gelu_gate(const rewrite *rw, gr_id t, gelu *m)
{
    const double root = 1.4142135623730951;
    float one, c;
    gr_id f;
    m->count = 0;
    gr_node *add = inner_of(rw, m, t, OP_Add);
    if (!add || !float_scalar(rw, add, &f, &one) || one != 1) return false;
    gr_node *curve = inner_of(rw, m, f, OP_Tanh);
    m->approximate = curve != NULL;
    if (curve) return is_cubic(rw, m, curve->in[0]);
    curve = inner_of(rw, m, f, OP_Erf);
    gr_node *scale = curve ? inner_of(rw, m, curve->in[0], OP_NONE) : NULL;
    if (!scale || (scale->op != OP_Div && scale->op != OP_Mul) || !float_scalar(rw, scale, &m->x, &c))
        return false;
    return rw_near(c, scale->op == OP_Div ? root : 1 / root);
}

/* n becomes Gelu(m->x); `last` is dropped too. */
static vki_status become_gelu(rewrite *rw, gr_node *n, gelu *m, gr_node *last, vki_error *err)
{
    m->inner[m->count++] = last;
    VKB_TRY(become_unary(rw, n, OP_Gelu, m->x, m->inner, m->count, err));
    ((op_unary_attrs *)n->attrs)->approximate = m->approximate;
    return VKI_OK;
}

static vki_status match_gelu(rewrite *rw, gr_node *n, vki_error *err)
{
    gelu m;
    gr_id t, y;
    if (n->op == OP_NONE || !rw_plain(n)) return VKI_OK;
    gr_node *mul = half_of(rw, n, &t) && rw_single(rw, t) ? rw_maker(rw, t, OP_Mul) : NULL;
    for (int side = 0; mul && side < 2; side++) /* (x gate) / 2 */
        if (gelu_gate(rw, mul->in[side], &m) && mul->in[1 - side] == m.x)
            return become_gelu(rw, n, &m, mul, err);
    for (int side = 0; n->op == OP_Mul && side < 2; side++) {
        gr_id gate = n->in[side], other = n->in[1 - side];
        gr_node *half = rw_single(rw, other) ? rw_maker(rw, other, OP_NONE) : NULL; /* (x / 2) gate */
        if (half_of(rw, half, &y) && gelu_gate(rw, gate, &m) && m.x == y)
            return become_gelu(rw, n, &m, half, err);
        half = rw_single(rw, gate) ? rw_maker(rw, gate, OP_NONE) : NULL; /* x (gate / 2) */
        if (half_of(rw, half, &t) && gelu_gate(rw, t, &m) && m.x == other)
            return become_gelu(rw, n, &m, half, err);
    }
    return VKI_OK;
}

/* x Tanh(Softplus(x)) */
static vki_status match_mish(rewrite *rw, gr_node *n, vki_error *err)
{
    for (int side = 0; n->op == OP_Mul && rw_plain(n) && side < 2; side++) {
        gr_node *curve = rw_single(rw, n->in[side]) ? rw_maker(rw, n->in[side], OP_Tanh) : NULL;
        gr_node *soft = curve && rw_single(rw, curve->in[0]) ? rw_maker(rw, curve->in[0], OP_Softplus) : NULL;
        if (soft && soft->in[0] == n->in[1 - side])
            return become_unary(rw, n, OP_Mish, soft->in[0], (gr_node *[]){curve, soft}, 2, err);
    }
    return VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    static vki_status (*const matchers[])(rewrite *, gr_node *, vki_error *) = {
        match_hard_swish_outer, match_hard_sigmoid, match_product,
        match_clipped_line,     match_gelu,         match_mish};
    (void)ev;
    rewrite rw;
    VKB_TRY(rw_begin(&rw, g, changed, err));
    vki_status status = VKI_OK;
    for (int i = 0; i < g->n_nodes && status == VKI_OK; i++)
        for (size_t m = 0; m < VKB_COUNT(matchers) && status == VKI_OK; m++)
            if (!g->nodes[i].dead) status = matchers[m](&rw, &g->nodes[i], err);
    rw_end(&rw);
    return status;
}

const gr_pass pass_composites = {"composites", "activations spelled out in primitives become one node", run,
                                 true};
