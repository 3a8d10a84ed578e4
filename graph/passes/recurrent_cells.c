/* SPDX-License-Identifier: Apache-2.0
 * A step of an LSTM or of a GRU that an exporter spelled out becomes that operator, of one step:
 *   LSTM:  i, f, g, o = parts of (x W + h R + b);  c' = s(f) c + s(i) tanh(g);  h' = s(o) tanh(c')
 *   GRU:   r, z, n = parts of (x W + b), u, v, m of (h R + d);  k = tanh(n + s(r + u) m);
 *          h' = (h - k) s(z + v) + k,  or  (1 - s(z + v)) k + s(z + v) h
 * s is Sigmoid. The parts may come in any order, by a Split or by Slices. Weights and biases are constant;
 * they are packed anew, in the order of gates that ONNX has, once for all steps that share them. */
#include <string.h>

#include "graph/passes/rewrite.h"

enum { MAX_GATES = 4, MAX_INNER = 32, MAX_WEIGHTS = 8 };

typedef struct weights { /* of a cell, as found: 0 for x, 1 for h */
    gr_id matrix[2], bias[2];
    bool transposed[2];             /* [gates hidden, k], not [k, gates hidden] */
    int gates, order[2][MAX_GATES]; /* which part of the columns is gate i of ONNX */
} weights;

typedef struct cell {
    weights from;
    gr_id x, h, c, new_h, new_c; /* c, new_c: GR_NONE if there is none */
    int64_t batch, input, hidden;
    gr_id inner[MAX_INNER]; /* nodes */
    int count;
} cell;

typedef struct packed { /* inputs 1 to 3 of the operator */
    weights from;
    gr_id wrb[3];
} packed;

typedef struct pass_state {
    rewrite rw;
    packed known[MAX_WEIGHTS]; /* the latest */
    int n_packed;
} pass_state;

static bool keep(cell *m, const rewrite *rw, const gr_node *n)
{
    if (m->count == MAX_INNER) return false;
    m->inner[m->count++] = (gr_id)(n - rw->g->nodes);
    return true;
}

static bool is_matrix(const gr_graph *g, gr_id t, int64_t rows, int64_t cols)
{
    const gr_tensor *x = &g->tensors[t];
    return x->dtype == VKI_F32 && x->rank == 2 && x->dims[0] == rows && x->dims[1] == cols;
}

/* ---- the parts of a product ---- */

typedef struct part {
    gr_id of, node;
    int index;
} part;

/* t is one of `parts` equal parts of the columns of a matrix, and read once. */
static bool find_part(const rewrite *rw, gr_id t, int parts, part *p)
{
    const gr_graph *g = rw->g;
    const gr_tensor *y = &g->tensors[t];
    if (!rw_single(rw, t) || rw->uses.producer[t] == GR_NONE || y->rank != 2) return false;
    if (y->dims[0] < 1 || y->dims[1] < 1) return false; /* known, too */
    const gr_node *n = &g->nodes[rw->uses.producer[t]];
    int64_t start[GR_MAX_RANK] = {0}, step[GR_MAX_RANK];
    if (n->dead || !rw_plain(n) || (n->op != OP_Split && n->op != OP_Slice)) return false;
    if (!is_matrix(g, n->in[0], y->dims[0], parts * y->dims[1])) return false;
    if (n->op == OP_Split) {
        int64_t axis = ((const op_axis_attrs *)n->attrs)->axis;
        if (n->n_out != parts || (axis != 1 && axis != -1)) return false;
        for (int i = 0; n->out[i] != t; i++) start[1] += g->tensors[n->out[i]].dims[1];
    } else if (!op_slice_of(g, n, start, step) || start[0] != 0 || step[1] != 1) {
        return false;
    }
    *p = (part){n->in[0], rw->uses.producer[t], (int)(start[1] / y->dims[1])};
    return start[1] % y->dims[1] == 0;
}

/* The parts are all there is of one matrix, and nothing else reads it. */
static bool all_parts(const rewrite *rw, const part *p, int count, int order[MAX_GATES], cell *m)
{
    unsigned seen = 0;
    int nodes = 0;
    for (int i = 0; i < count; i++) {
        if (p[i].of != p[0].of || seen & 1u << p[i].index) return false;
        seen |= 1u << p[i].index;
        order[i] = p[i].index;
        bool again = false;
        for (int k = 0; k < i; k++) again = again || p[k].node == p[i].node;
        if (again) continue;
        nodes++;
        if (!keep(m, rw, &rw->g->nodes[p[i].node])) return false;
    }
    return rw->uses.count[p[0].of] == nodes;
}

/* ---- the products ---- */

typedef struct sum { /* of products with constant matrices, and of constant rows */
    int64_t rows, cols;
    gr_id left[2], matrix[2], bias[2];
    bool transposed[2];
    int products, biases;
} sum;

static bool add_bias(const gr_graph *g, gr_id t, sum *s)
{
    const gr_tensor *b = &g->tensors[t];
    if (!gr_is_const(g, t) || b->dtype != VKI_F32 || b->rank < 1 || b->rank > 2) return false;
    if (gr_elements(b) != s->cols || b->dims[b->rank - 1] != s->cols || s->biases == 2) return false;
    s->bias[s->biases++] = t;
    return true;
}

static bool add_product(const gr_graph *g, const gr_node *n, sum *s)
{
    if ((n->op != OP_Gemm && n->op != OP_MatMul) || s->products == 2 || !gr_is_const(g, n->in[1]))
        return false;
    const op_gemm_attrs *a = n->op == OP_Gemm ? n->attrs : NULL;
    bool biased = n->n_in > 2 && n->in[2] != GR_NONE, transposed = a && a->transB;
    if (a && (a->transA || a->alpha != 1 || (biased && a->beta != 1))) return false;
    const gr_tensor *w = &g->tensors[n->in[1]];
    if (w->dtype != VKI_F32 || w->rank != 2 || w->dims[transposed ? 0 : 1] != s->cols) return false;
    int64_t k = w->dims[transposed ? 1 : 0];
    if (k < 1 || !is_matrix(g, n->in[0], s->rows, k)) return false;
    s->left[s->products] = n->in[0];
    s->matrix[s->products] = n->in[1];
    s->transposed[s->products++] = transposed;
    return !biased || add_bias(g, n->in[2], s);
}

static bool add_term(const rewrite *rw, gr_id t, int depth, sum *s, cell *m)
{
    if (add_bias(rw->g, t, s)) return true;
    const gr_node *n = rw_maker(rw, t, OP_NONE);
    if (!n || !rw_plain(n) || (depth && !rw_single(rw, t)) || !keep(m, rw, n)) return false;
    enum { DEPTH = 3 };
    if (n->op != OP_Add) return add_product(rw->g, n, s);
    return depth < DEPTH && add_term(rw, n->in[0], depth + 1, s, m) &&
           add_term(rw, n->in[1], depth + 1, s, m);
}

static bool find_sum(const rewrite *rw, gr_id t, sum *s, cell *m)
{
    const gr_tensor *y = &rw->g->tensors[t];
    *s = (sum){.rows = y->dims[0], .cols = y->dims[1], .bias = {GR_NONE, GR_NONE}};
    return add_term(rw, t, 0, s, m);
}

/* Product `which` of the sum is that of x (0) or of h (1). */
static void take(cell *m, const sum *s, int which, int as)
{
    *(as ? &m->h : &m->x) = s->left[which];
    m->from.matrix[as] = s->matrix[which];
    m->from.transposed[as] = s->transposed[which];
}

static int64_t inner_size(const gr_graph *g, gr_id t)
{
    return g->tensors[t].dims[1];
}

/* act(a + b), which is read `readers` times: the Add. */
static const gr_node *find_curve(const rewrite *rw, gr_id t, op_kind op, int readers, cell *m)
{
    if (t >= rw->n_known || rw->uses.count[t] != readers) return NULL;
    const gr_node *n = rw_maker(rw, t, OP_NONE);
    if (n && n->op == OP_Add) { /* without known shapes the activation has been fused already */
        gr_act act = op == OP_Tanh ? GR_ACT_TANH : GR_ACT_SIGMOID;
        bool fused = n->epilogue.act == act && n->epilogue.residual == GR_RESIDUAL_NONE;
        return fused && keep(m, rw, n) ? n : NULL;
    }
    const gr_node *add = n && n->op == op && rw_plain(n) ? rw_maker(rw, n->in[0], OP_Add) : NULL;
    return add && keep(m, rw, n) && keep(m, rw, add) ? add : NULL;
}

/* ---- LSTM ---- */

/* op(part of the sum) */
static const gr_node *find_gate(const rewrite *rw, gr_id t, op_kind op, part *p)
{
    const gr_node *n = rw_single(rw, t) ? rw_maker(rw, t, op) : NULL;
    return n && find_part(rw, n->in[0], 4, p) ? n : NULL;
}

enum { GATE_I = 0, GATE_O, GATE_F, GATE_C }; /* in ONNX's order */

/* Inputs in one order or the other: s(i) tanh(g). */
static bool find_update(const rewrite *rw, const gr_node *mul, part p[4], cell *m)
{
    for (int side = 0; side < 2; side++) {
        const gr_node *i = find_gate(rw, mul->in[side], OP_Sigmoid, &p[GATE_I]);
        const gr_node *g = find_gate(rw, mul->in[1 - side], OP_Tanh, &p[GATE_C]);
        if (i && g) return keep(m, rw, mul) && keep(m, rw, i) && keep(m, rw, g);
    }
    return false;
}

static bool find_memory(const rewrite *rw, const gr_node *mul, part p[4], cell *m)
{
    for (int side = 0; side < 2; side++) {
        const gr_node *f = find_gate(rw, mul->in[side], OP_Sigmoid, &p[GATE_F]);
        if (!f) continue;
        m->c = mul->in[1 - side];
        return keep(m, rw, mul) && keep(m, rw, f);
    }
    return false;
}

static bool find_state(const rewrite *rw, const gr_node *add, part p[4], cell *m)
{
    const gr_node *mul[2];
    for (int i = 0; i < 2; i++) {
        mul[i] = rw_single(rw, add->in[i]) ? rw_maker(rw, add->in[i], OP_Mul) : NULL;
        if (!mul[i]) return false;
    }
    for (int i = 0; i < 2; i++)
        if (find_update(rw, mul[i], p, m)) return find_memory(rw, mul[1 - i], p, m);
    return false;
}

static bool find_lstm(const rewrite *rw, const gr_node *mul, int side, cell *m)
{
    part p[4];
    sum s;
    const gr_graph *g = rw->g;
    const gr_node *o = find_gate(rw, mul->in[side], OP_Sigmoid, &p[GATE_O]);
    const gr_node *add = o ? find_curve(rw, mul->in[1 - side], OP_Tanh, 1, m) : NULL;
    if (!add || !keep(m, rw, o) || !find_state(rw, add, p, m)) return false;
    m->from.gates = 4;
    if (!all_parts(rw, p, 4, m->from.order[0], m) || !find_sum(rw, p[0].of, &s, m) || s.products != 2)
        return false;
    memcpy(m->from.order[1], m->from.order[0], sizeof m->from.order[0]);
    m->batch = s.rows;
    m->hidden = s.cols / 4;
    int h = inner_size(g, s.left[1]) == m->hidden ? 1 : 0; /* if both fit, either will do */
    take(m, &s, 1 - h, 0);
    take(m, &s, h, 1);
    memcpy(m->from.bias, s.bias, sizeof s.bias); /* they are added */
    /* c' that is read by its Tanh alone, or has that in it, is not wanted */
    m->new_c = rw_single(rw, add->out[0]) ? GR_NONE : add->out[0];
    return is_matrix(g, m->c, m->batch, m->hidden);
}

/* ---- GRU ---- */

enum { GATE_Z = 0, GATE_R, GATE_H };

typedef struct gru_parts {
    part of_x[3], of_h[3];
} gru_parts;

/* find_curve, where nothing else reads the sum. */
static const gr_node *find_inner_curve(const rewrite *rw, gr_id t, op_kind op, int readers, cell *m)
{
    const gr_node *add = find_curve(rw, t, op, readers, m);
    return add && (add->out[0] == t || rw_single(rw, add->out[0])) ? add : NULL;
}

/* s(a + b) of a part of either product; those of the new state tell which is which. */
static bool find_gru_gate(const rewrite *rw, const gr_node *add, int gate, gru_parts *p)
{
    for (int side = 0; side < 2; side++) {
        if (!find_part(rw, add->in[side], 3, &p->of_x[gate]) ||
            !find_part(rw, add->in[1 - side], 3, &p->of_h[gate]))
            return false;
        if (p->of_x[gate].of == p->of_x[GATE_H].of && p->of_h[gate].of == p->of_h[GATE_H].of) return true;
    }
    return false;
}

/* n + s(r + u) m */
static bool find_candidate(const rewrite *rw, const gr_node *add, gru_parts *p, cell *m)
{
    for (int i = 0; i < 4; i++) {
        gr_id product = add->in[i % 2], of_x = add->in[1 - i % 2];
        const gr_node *mul = rw_single(rw, product) ? rw_maker(rw, product, OP_Mul) : NULL;
        if (!mul || !find_part(rw, of_x, 3, &p->of_x[GATE_H]) ||
            !find_part(rw, mul->in[i / 2], 3, &p->of_h[GATE_H]))
            continue;
        const gr_node *reset = find_inner_curve(rw, mul->in[1 - i / 2], OP_Sigmoid, 1, m);
        return reset && keep(m, rw, mul) && find_gru_gate(rw, reset, GATE_R, p);
    }
    return false;
}

static bool find_gru_products(const rewrite *rw, const gru_parts *p, cell *m)
{
    sum s[2];
    gr_id h = m->h;
    m->from.gates = 3;
    if (!all_parts(rw, p->of_x, 3, m->from.order[0], m) || !all_parts(rw, p->of_h, 3, m->from.order[1], m))
        return false;
    const gr_id of[2] = {p->of_x[0].of, p->of_h[0].of};
    if (of[0] == of[1]) return false;
    for (int i = 0; i < 2; i++) {
        if (!find_sum(rw, of[i], &s[i], m) || s[i].products != 1 || s[i].biases > 1) return false;
        take(m, &s[i], 0, i);
        m->from.bias[i] = s[i].bias[0];
    }
    m->batch = s[0].rows;
    m->hidden = s[0].cols / 3;
    return m->h == h && s[1].cols == s[0].cols && s[1].rows == s[0].rows;
}

/* k and z are made as they should be, and read that often. */
static bool find_gru_gates(const rewrite *rw, gr_id k, int k_readers, gr_id z, int z_readers, cell *m)
{
    gru_parts p;
    const gr_node *candidate = find_inner_curve(rw, k, OP_Tanh, k_readers, m);
    const gr_node *update = candidate ? find_inner_curve(rw, z, OP_Sigmoid, z_readers, m) : NULL;
    return update && find_candidate(rw, candidate, &p, m) && find_gru_gate(rw, update, GATE_Z, &p) &&
           find_gru_products(rw, &p, m);
}

/* (h - k) z + k; `way` tells the order of the operands of the sum and of the product. */
static bool find_gru_by_difference(const rewrite *rw, const gr_node *add, int way, cell *m)
{
    gr_id product = add->in[way % 2], k = add->in[1 - way % 2];
    const gr_node *mul = rw_single(rw, product) ? rw_maker(rw, product, OP_Mul) : NULL;
    if (!mul || !rw_single(rw, mul->in[way / 2])) return false;
    const gr_node *sub = rw_maker(rw, mul->in[way / 2], OP_Sub);
    if (!sub || sub->in[1] != k || !keep(m, rw, mul) || !keep(m, rw, sub)) return false;
    m->h = sub->in[0];
    return find_gru_gates(rw, k, 2, mul->in[1 - way / 2], 1, m);
}

/* (1 - z) k + z h */
static bool find_gru_by_weights(const rewrite *rw, const gr_node *add, int way, cell *m)
{
    const gr_graph *g = rw->g;
    const gr_node *mul[2];
    for (int i = 0; i < 2; i++) {
        gr_id t = add->in[i ? 1 - way % 2 : way % 2];
        mul[i] = rw_single(rw, t) ? rw_maker(rw, t, OP_Mul) : NULL;
        if (!mul[i] || !keep(m, rw, mul[i])) return false;
    }
    gr_id rest = mul[0]->in[way / 2], k = mul[0]->in[1 - way / 2];
    const gr_node *sub = rw_single(rw, rest) ? rw_maker(rw, rest, OP_Sub) : NULL;
    float one;
    if (!sub || !gr_const_f32(g, sub->in[0], &one) || one != 1 || g->tensors[sub->in[0]].rank > 2)
        return false;
    gr_id z = sub->in[1];
    if (!keep(m, rw, sub) || (mul[1]->in[0] != z && mul[1]->in[1] != z)) return false;
    m->h = mul[1]->in[mul[1]->in[0] == z];
    return find_gru_gates(rw, k, 1, z, 2, m);
}

/* ---- the operator ---- */

/* Rows of gates, [1, gates hidden, k], in ONNX's order. */
static gr_id pack_matrix(gr_graph *g, const weights *from, int which)
{
    const gr_tensor *t = &g->tensors[from->matrix[which]];
    bool transposed = from->transposed[which];
    int64_t rows = t->dims[transposed ? 0 : 1], k = t->dims[transposed ? 1 : 0], size = rows / from->gates;
    const float *src = t->data;
    float *dst = gr_const_alloc(g, gr_bytes(t));
    if (!dst) return GR_NONE;
    for (int64_t row = 0; row < rows; row++) {
        int64_t col = from->order[which][row / size] * size + row % size;
        for (int64_t i = 0; i < k; i++)
            dst[row * k + i] = transposed ? src[col * k + i] : src[i * rows + col];
    }
    return gr_add_const(g, NULL, VKI_F32, 3, (const int64_t[]){1, rows, k}, dst, false);
}

static gr_id pack_biases(gr_graph *g, const weights *from, int64_t hidden)
{
    int64_t rows = from->gates * hidden;
    float *dst = gr_const_alloc(g, (uint64_t)rows * 2 * sizeof *dst);
    if (!dst) return GR_NONE;
    for (int which = 0; which < 2; which++) {
        if (from->bias[which] == GR_NONE) continue; /* zeros */
        const float *src = g->tensors[from->bias[which]].data;
        for (int gate = 0; gate < from->gates; gate++)
            memcpy(dst + which * rows + gate * hidden, src + from->order[which][gate] * hidden,
                   (size_t)hidden * sizeof *dst);
    }
    return gr_add_const(g, NULL, VKI_F32, 2, (const int64_t[]){1, 2 * rows}, dst, false);
}

/* Steps of one layer share what is packed. NULL if memory is exhausted. */
static const packed *pack(pass_state *s, const cell *m)
{
    for (int i = 0; i < s->n_packed && i < MAX_WEIGHTS; i++)
        if (!memcmp(&s->known[i].from, &m->from, sizeof m->from)) return &s->known[i];
    gr_graph *g = s->rw.g;
    packed *p = &s->known[s->n_packed++ % MAX_WEIGHTS];
    memcpy(&p->from, &m->from, sizeof p->from); /* with its padding, which is compared */
    p->wrb[0] = pack_matrix(g, &m->from, 0);
    p->wrb[1] = pack_matrix(g, &m->from, 1);
    p->wrb[2] = pack_biases(g, &m->from, m->hidden);
    bool done = p->wrb[0] != GR_NONE && p->wrb[1] != GR_NONE && p->wrb[2] != GR_NONE;
    return done ? p : NULL;
}

static gr_id add_state(gr_graph *g, int64_t batch, int64_t size)
{
    return gr_add_tensor(g, NULL, VKI_F32, 3, (const int64_t[]){1, batch, size});
}

/* y = x in y's shape */
static bool reshape(gr_graph *g, gr_id x, gr_id y)
{
    if (y == GR_NONE) return false;
    const gr_tensor like = g->tensors[y]; /* adding a tensor may move them */
    const int64_t rank = like.rank;
    gr_id shape = gr_add_const(g, NULL, VKI_I64, 1, &rank, like.dims, true);
    return shape != GR_NONE && gr_add_node(g, OP_Reshape, like.name, 2, (const gr_id[]){x, shape}, 1, &y);
}

/* [batch, size] as one step or one direction; GR_NONE if memory is exhausted */
static gr_id raise(gr_graph *g, gr_id x, int64_t batch, int64_t size)
{
    gr_id y = add_state(g, batch, size);
    return reshape(g, x, y) ? y : GR_NONE;
}

static vki_status rewrite_cell(pass_state *s, const cell *m, vki_error *err)
{
    gr_graph *g = s->rw.g;
    const int64_t b = m->batch, h = m->hidden;
    bool lstm = m->c != GR_NONE;
    const packed *p = pack(s, m);
    if (!p) return vkb_nomem(err, 0);
    const gr_id in[7] = {
        raise(g, m->x, b, m->input),          p->wrb[0], p->wrb[1], p->wrb[2], GR_NONE, raise(g, m->h, b, h),
        lstm ? raise(g, m->c, b, h) : GR_NONE};
    const gr_id out[3] = {GR_NONE, add_state(g, b, h), m->new_c != GR_NONE ? add_state(g, b, h) : GR_NONE};
    bool made = in[0] != GR_NONE && in[5] != GR_NONE && (!lstm || in[6] != GR_NONE) &&
                reshape(g, out[1], m->new_h) && (m->new_c == GR_NONE || reshape(g, out[2], m->new_c));
    gr_node *n = made ? gr_add_node(g, lstm ? OP_LSTM : OP_GRU, g->tensors[m->new_h].name, lstm ? 7 : 6, in,
                                    m->new_c != GR_NONE ? 3 : 2, out)
                      : NULL;
    if (!n) return vkb_nomem(err, 0);
    op_recurrent_attrs *a = n->attrs;
    a->hidden_size = h;
    a->linear_before_reset = !lstm;
    for (int i = 0; i < m->count; i++) VKB_TRY(rw_drop(&s->rw, n, &g->nodes[m->inner[i]], err));
    return VKI_OK;
}

/* The node that makes h' is n. */
static bool find_cell(const rewrite *rw, const gr_node *n, cell *m)
{
    enum { WAYS = 4 }; /* orders of operands, and forms of GRU */
    if ((n->op != OP_Mul && n->op != OP_Add) || !rw_plain(n)) return false;
    for (int way = 0; way < (n->op == OP_Mul ? 2 : 2 * WAYS); way++) {
        memset(m, 0, sizeof *m);
        m->c = m->new_c = GR_NONE;
        m->new_h = n->out[0];
        bool found = n->op == OP_Mul ? find_lstm(rw, n, way, m)
                     : way < WAYS    ? find_gru_by_difference(rw, n, way, m)
                                     : find_gru_by_weights(rw, n, way - WAYS, m);
        if (!found || !is_matrix(rw->g, m->h, m->batch, m->hidden) || !keep(m, rw, n)) continue;
        m->input = inner_size(rw->g, m->x);
        return true;
    }
    return false;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    pass_state s = {.n_packed = 0};
    cell m;
    int nodes = g->n_nodes;
    VKB_TRY(rw_begin(&s.rw, g, changed, err));
    vki_status status = VKI_OK;
    for (int i = 0; i < nodes && status == VKI_OK; i++)
        if (!g->nodes[i].dead && find_cell(&s.rw, &g->nodes[i], &m)) status = rewrite_cell(&s, &m, err);
    rw_end(&s.rw);
    if (status != VKI_OK) return status;
    return g->n_nodes == nodes ? VKI_OK : gr_sort(g, err); /* what was added stands at the end */
}

const gr_pass pass_recurrent_cells = {
    "recurrent_cells", "a step of an LSTM or a GRU spelled out in primitives becomes one node", run, true};
