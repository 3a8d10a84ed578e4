/* SPDX-License-Identifier: Apache-2.0
 * Networks quantized in the QDQ form (Jacob et al., "Quantization and Training of Neural Networks for
 * Efficient Integer-Arithmetic-Only Inference", 2018): DequantizeLinear -> Conv or MatMul -> QuantizeLinear
 * becomes QLinearConv or QLinearMatMul, and what only moves elements moves the integers. It comes first of
 * all passes, since folding would make floats of the weights. Activations between the two that the range of
 * the integers implies go.
 *
 * Only what gains: sums over LEAST channels and more. int16 products on AVX2 (Zen 3, Nov 2026) took 0.88 of
 * the time of fp32 ones with the two conversions from 32 channels on, as much at 16, 2.1 of it at 3 and more
 * in depthwise layers. On devices the floats are faster (lavapipe: 20 times): sessions with one leave this
 * out. */
#include <math.h>

#include "graph/passes/grid.h"

enum { LEAST = 32 };

static bool one_byte(vki_dtype dtype)
{
    return dtype == VKI_U8 || dtype == VKI_I8;
}

static gr_id zero_of(const gr_node *n)
{
    return n->n_in > 2 ? n->in[2] : GR_NONE;
}

bool grid_of(const gr_graph *g, const gr_node *n, grid *q)
{
    float step;
    int count = 0;
    *q = (grid){.scale = n->in[1], .zero = zero_of(n)};
    if (!gr_const_f32(g, n->in[1], &step) || g->tensors[n->in[1]].dtype != VKI_F32 || !(step > 0))
        return false;
    if (q->zero != GR_NONE && (!gr_const_i64(g, q->zero, &q->offset, 1, &count) || count != 1)) return false;
    q->step = (double)step;
    q->dtype = g->tensors[n->op == OP_QuantizeLinear ? n->out[0] : n->in[0]].dtype;
    return isfinite(step) && one_byte(q->dtype);
}

/* The DequantizeLinear by one scale that makes t. */
static gr_node *dequantized(const rewrite *rw, gr_id t, grid *q)
{
    gr_node *n = rw_maker(rw, t, OP_DequantizeLinear);
    return n && grid_of(rw->g, n, q) ? n : NULL;
}

/* Whether the integers hold only what lies in low..high. */
static bool implied(const grid *q, double low, double high)
{
    const double least = (double)grid_least(q), slack = q->step * 1e-3;
    return (least - (double)q->offset) * q->step >= low - slack &&
           (least + 255 - (double)q->offset) * q->step <= high + slack;
}

/* What makes t, beyond activations that the integers imply, whose nodes are noted. Nobody else reads them. */
static gr_node *maker_of(const rewrite *rw, gr_id t, const grid *q, gr_node *inner[4], int *count)
{
    float low = 0, high = INFINITY;
    *count = 0;
    while (rw_single(rw, t)) {
        gr_node *n = rw_maker(rw, t, OP_NONE);
        if (!n || !rw_plain(n)) return NULL;
        const bool act = n->op == OP_Relu || (n->op == OP_Clip && op_clip_range(rw->g, n, &low, &high));
        if (!act) return n;
        if (n->op == OP_Relu) {
            low = 0;
            high = INFINITY;
        }
        if (*count == 4 || !implied(q, (double)low, (double)high)) return NULL;
        inner[(*count)++] = n;
        t = n->in[0];
    }
    return NULL;
}

/* A zero point as an input of its own. */
static gr_id zero_point(rewrite *rw, gr_id zero, vki_dtype dtype)
{
    static const uint8_t none = 0;
    return zero != GR_NONE ? zero : gr_add_const(rw->g, NULL, dtype, 0, NULL, &none, true);
}

typedef struct weights { /* constant, of one byte, with one scale or one along `axis` */
    gr_node *node;
    gr_id zero;
    const float *scales;
    int64_t count;
} weights;

static bool weights_of(const rewrite *rw, gr_id t, int64_t axis, weights *w)
{
    const gr_graph *g = rw->g;
    op_quantize_dims d;
    w->node = rw_maker(rw, t, OP_DequantizeLinear);
    if (!w->node || !gr_is_const(g, w->node->in[0]) || !one_byte(g->tensors[w->node->in[0]].dtype))
        return false;
    const gr_tensor *q = &g->tensors[w->node->in[0]], *s = &g->tensors[w->node->in[1]];
    const int64_t own = ((const op_quantize_attrs *)w->node->attrs)->axis;
    w->zero = zero_of(w->node);
    if (!s->data || s->dtype != VKI_F32 || !op_quantize_of(g, w->node, &d) || d.blocked) return false;
    if (d.scales > 1 && (axis < 0 || (own < 0 ? own + q->rank : own) != axis)) return false;
    w->scales = s->data;
    w->count = gr_elements(s);
    for (int64_t i = 0; i < w->count; i++)
        if (!(w->scales[i] > 0) || !isfinite(w->scales[i])) return false;
    return w->zero == GR_NONE || gr_is_const(g, w->zero);
}

typedef struct bias_values { /* of a constant vector, float32 or dequantized int32 */
    const float *floats, *scales;
    const int32_t *integers;
    int64_t count, scale_count;
} bias_values;

static bool all_zero(const gr_graph *g, gr_id t)
{
    const uint8_t *bytes = t == GR_NONE ? NULL : g->tensors[t].data;
    for (uint64_t i = 0; bytes && i < gr_bytes(&g->tensors[t]); i++)
        if (bytes[i]) return false;
    return t == GR_NONE || bytes;
}

static bool bias_of(const rewrite *rw, gr_id bias, bias_values *v)
{
    const gr_graph *g = rw->g;
    const gr_node *n = rw_maker(rw, bias, OP_DequantizeLinear);
    const gr_tensor *t = &g->tensors[n ? n->in[0] : bias];
    *v = (bias_values){0};
    if (!t->data || t->rank != 1 || t->dtype != (n ? VKI_I32 : VKI_F32)) return false;
    v->count = t->dims[0];
    if (!n) {
        v->floats = t->data;
        return true;
    }
    const gr_tensor *s = &g->tensors[n->in[1]];
    v->integers = t->data;
    v->scales = s->data;
    v->scale_count = gr_elements(s);
    return s->data && s->dtype == VKI_F32 && s->rank <= 1 && all_zero(g, zero_of(n)) &&
           (v->scale_count == 1 || v->scale_count == v->count);
}

/* The bias in units of the sums, step * scale of the weights, as int32 in the graph's memory; NULL if it does
 * not fit. */
static int32_t *whole_bias(gr_graph *g, const bias_values *v, double step, const weights *w)
{
    int32_t *out = gr_const_alloc(g, (uint64_t)v->count * sizeof *out);
    for (int64_t i = 0; out && i < v->count; i++) {
        double value = v->floats ? (double)v->floats[i]
                                 : (double)v->integers[i] * (double)v->scales[v->scale_count == 1 ? 0 : i];
        value = nearbyint(value / (step * (double)w->scales[w->count == 1 ? 0 : i]));
        if (!(fabs(value) < 2147483647.0)) return NULL;
        out[i] = (int32_t)value;
    }
    return out;
}

/* ---- products ---- */

/* n, QuantizeLinear, becomes the integer operator of `product`, which it and activations between go into. */
static vki_status become_integer(rewrite *rw, gr_node *n, gr_node *product, op_kind op, const gr_id in[9],
                                 int n_in, gr_node *const *inner, int count, vki_error *err)
{
    for (int i = 0; i < n_in; i++)
        if (in[i] == GR_NONE) return vkb_nomem(err, 0);
    const void *attrs = product->attrs;
    VKB_TRY(rw_become(rw, n, op, n_in, in, err));
    if (op == OP_QLinearConv) *(op_conv_attrs *)n->attrs = *(const op_conv_attrs *)attrs;
    for (int i = 0; i < count; i++) VKB_TRY(rw_drop(rw, n, inner[i], err));
    return rw_drop(rw, n, product, err);
}

/* Whether enough is summed up: [out, in of a group, ...] of a convolution, rows of a matrix. */
static bool pays(const gr_graph *g, const gr_node *product)
{
    const gr_tensor *w = &g->tensors[product->in[1]];
    if (!gr_is_concrete(w) || w->rank < 2) return false;
    return w->dims[product->op == OP_Conv ? 1 : w->rank - 2] >= LEAST;
}

static vki_status match_product(rewrite *rw, gr_node *n, const grid *y, gr_node *product,
                                gr_node *const *inner, int count, vki_error *err)
{
    gr_graph *g = rw->g;
    const bool conv = product->op == OP_Conv;
    grid a, b;
    weights w = {0};
    bias_values bias;
    const gr_node *left = dequantized(rw, product->in[0], &a);
    const bool has_bias = conv && product->n_in > 2 && product->in[2] != GR_NONE;
    if (!left || !pays(g, product)) return VKI_OK;
    const bool constant = weights_of(rw, product->in[1], conv ? 0 : -1, &w);
    const gr_node *right = constant ? w.node : conv ? NULL : dequantized(rw, product->in[1], &b);
    if (!right || (has_bias && !bias_of(rw, product->in[2], &bias))) return VKI_OK;
    gr_id whole = GR_NONE;
    if (has_bias) {
        if (w.count != 1 && w.count != bias.count) return VKI_OK;
        const int32_t *data = whole_bias(g, &bias, a.step, &w);
        if (!data) return VKI_OK;
        whole = gr_add_const(g, NULL, VKI_I32, 1, &bias.count, data, false);
        if (whole == GR_NONE) return vkb_nomem(err, 0);
    }
    const gr_id in[9] = {left->in[0],
                         a.scale,
                         zero_point(rw, a.zero, a.dtype),
                         right->in[0],
                         right->in[1],
                         zero_point(rw, zero_of(right), g->tensors[right->in[0]].dtype),
                         y->scale,
                         zero_point(rw, y->zero, y->dtype),
                         whole};
    return become_integer(rw, n, product, conv ? OP_QLinearConv : OP_QLinearMatMul, in, has_bias ? 9 : 8,
                          inner, count, err);
}

/* ---- what only moves elements ---- */

/* Its output becomes integers: those that n makes, which are the same. */
static vki_status match_move(rewrite *rw, gr_node *n, const grid *y, gr_node *move, vki_error *err)
{
    grid x;
    const gr_node *from = dequantized(rw, move->in[0], &x);
    if (!from || x.dtype != y->dtype || x.step != y->step || x.offset != y->offset) return VKI_OK;
    rw->uses.count[from->in[0]]++;
    rw->uses.reader[from->in[0]] = GR_NONE;
    move->in[0] = from->in[0];
    return rw_absorb(rw, move, n, err);
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    grid y;
    gr_node *inner[4];
    int count;
    if (n->op != OP_QuantizeLinear || !grid_of(rw->g, n, &y)) return VKI_OK;
    gr_node *maker = maker_of(rw, n->in[0], &y, inner, &count);
    if (!maker) return VKI_OK;
    if (maker->op == OP_Conv || maker->op == OP_MatMul)
        return match_product(rw, n, &y, maker, inner, count, err);
    return count == 0 && maker->n_out == 1 && grid_moves(maker->op) ? match_move(rw, n, &y, maker, err)
                                                                    : VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_qdq = {"qdq", "products between DequantizeLinear and QuantizeLinear work on the integers",
                          run, true};
