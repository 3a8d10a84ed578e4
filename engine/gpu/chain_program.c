/* SPDX-License-Identifier: Apache-2.0
 * The program of a chain. Every tensor in it is seen through the result: dimension d of the tensor is
 * dimension map[d] of the result, so that broadcasts and views within the chain end up in the strides of its
 * inputs. */
#include "gpu/chain.h"

#include <float.h>
#include <string.h>

#include "graph/ops/schema.h"

/* The order is that of the cases in shaders/lib/chain.glsl. Gelu has two entries: by erf and by tanh. */
static const op_kind ops[] = {
    OP_Relu,         OP_LeakyRelu,   OP_Clip,
    OP_Sigmoid,      OP_Tanh,        OP_HardSigmoid,
    OP_HardSwish,    OP_Silu,        OP_Elu,
    OP_Softplus,     OP_Exp,         OP_Log,
    OP_Sqrt,         OP_Reciprocal,  OP_Abs,
    OP_Neg,          OP_Floor,       OP_Ceil,
    OP_Round,        OP_Erf,         OP_Sin,
    OP_Cos,          OP_Gelu,        OP_Gelu,
    OP_Selu,         OP_Celu,        OP_ThresholdedRelu,
    OP_Softsign,     OP_Mish,        OP_Shrink,
    OP_Sign,         OP_Add,         OP_Sub,
    OP_Mul,          OP_Div,         OP_Pow,
    OP_Max,          OP_Min,         OP_PRelu,
    OP_Equal,        OP_Greater,     OP_GreaterOrEqual,
    OP_Less,         OP_LessOrEqual, OP_Where,
    OP_FakeQuantize, OP_Tan,         OP_Asin,
    OP_Acos,         OP_Atan,        OP_Sinh,
    OP_Cosh,         OP_Asinh,       OP_Acosh,
    OP_Atanh,        OP_Mod,
};

static int code_of(op_kind op)
{
    for (int i = 0; i < (int)VKB_COUNT(ops); i++)
        if (ops[i] == op) return i;
    return -1;
}

static bool is_compare(op_kind op)
{
    return op >= OP_Equal && op <= OP_LessOrEqual;
}

static bool is_unary(op_kind op)
{
    int code = code_of(op);
    return code >= 0 && (code < code_of(OP_Add) || code > code_of(OP_Where)) && op != OP_Mod;
}

bool chain_is_name(const gr_graph *g, const gr_node *n)
{
    vki_dtype from = n->n_in > 0 && n->in[0] != GR_NONE ? g->tensors[n->in[0]].dtype : VKI_DT_NONE;
    if (n->op == OP_Cast)
        return gpu_is_float(g->tensors[n->out[0]].dtype) && (gpu_is_float(from) || from == VKI_BOOL);
    return op_get(n->op)->flags & OP_VIEW && gpu_is_float(from);
}

bool chain_is_cheap(const gr_node *n)
{
    static const op_kind costly[] = {OP_Sigmoid, OP_Tanh, OP_Silu, OP_Elu,  OP_Softplus, OP_Erf, OP_Sin,
                                     OP_Cos,     OP_Gelu, OP_Selu, OP_Celu, OP_Mish,     OP_Pow};
    for (size_t i = 0; i < VKB_COUNT(costly); i++)
        if (n->op == costly[i]) return false;
    if (code_of(n->op) > code_of(OP_FakeQuantize)) return false;
    return n->epilogue.act < GR_ACT_SIGMOID;
}

/* Truth is a number only within a chain: what compares gives it, Where and Cast take it. */
static bool reads_truth(const gr_node *n, int i)
{
    return i == 0 && (n->op == OP_Where || n->op == OP_Cast);
}

/* Limits that are computed at run time: Max, then Min, so that the upper one wins as ONNX wants it. */
static bool has_limits(const gr_graph *g, const gr_node *n)
{
    float low, high;
    return n->op == OP_Clip && !op_clip_range(g, n, &low, &high);
}

static int inputs_of(const gr_graph *g, const gr_node *n) /* that are operands: constant limits are none */
{
    return chain_is_name(g, n) || (is_unary(n->op) && !has_limits(g, n)) ? 1 : n->n_in;
}

bool chain_takes(const gr_graph *g, const gr_node *n)
{
    if (n->n_out != 1 || n->out[0] == GR_NONE) return false;
    if (chain_is_name(g, n)) return true;
    if (code_of(n->op) < 0) return false;
    if (!gpu_is_float(g->tensors[n->out[0]].dtype) && !is_compare(n->op)) return false;
    for (int i = 0; i < inputs_of(g, n); i++) {
        if (n->in[i] == GR_NONE && n->op == OP_Clip && i > 0) continue; /* no limit */
        if (n->in[i] == GR_NONE) return false;
        const gr_tensor *x = &g->tensors[n->in[i]];
        float value;
        bool number = gpu_is_float(x->dtype) || (n->op == OP_Pow && gr_const_f32(g, n->in[i], &value));
        if (!number && !(reads_truth(n, i) && x->dtype == VKI_BOOL && !x->data)) return false;
    }
    return true;
}

/* ---- how tensors lie in the result ---- */

typedef struct value { /* of a node of the chain */
    bool mapped;
    int8_t map[GR_MAX_RANK]; /* -1 where the tensor has one element along the dimension */
    int uses;
    uint8_t at; /* where it is once it is there: a register, or as a name of an input that */
} value;

typedef struct compiler {
    chain *c;
    value values[CHAIN_NODES];
    int left[CHAIN_REGISTERS]; /* reads to come of what the register holds */
    bool failed;
} compiler;

static int member_of(const chain *c, gr_id t)
{
    for (int i = 0; i < c->n_nodes; i++)
        if (c->g->nodes[c->nodes[i]].out[0] == t) return i;
    return -1;
}

/* A view's input: its dimensions other than 1 are those of the output, in order. */
static bool map_view(const gr_tensor *y, const int8_t *map, const gr_tensor *x, int8_t *out)
{
    int d = 0;
    for (int e = 0; e < x->rank; e++) {
        out[e] = -1;
        if (x->dims[e] == 1) continue;
        while (d < y->rank && y->dims[d] == 1) d++;
        if (d == y->rank || y->dims[d] != x->dims[e]) return false;
        out[e] = map[d++];
    }
    return true;
}

static bool map_operand(const compiler *k, int node, int i, int8_t *out)
{
    const gr_graph *g = k->c->g;
    const gr_node *n = &g->nodes[k->c->nodes[node]];
    const gr_tensor *x = &g->tensors[n->in[i]], *y = &g->tensors[n->out[0]];
    const int8_t *map = k->values[node].map;
    if (op_get(n->op)->flags & OP_VIEW) return map_view(y, map, x, out);
    for (int e = 0; e < x->rank; e++) {
        int d = e + y->rank - x->rank;
        if (d < 0) return false;
        out[e] = x->dims[e] == 1 ? -1 : map[d];
    }
    return true;
}

/* Gives every node its map, from the result on. A value that is seen in two ways would be two values. */
static bool map_all(compiler *k)
{
    const chain *c = k->c;
    const gr_graph *g = c->g;
    value *last = &k->values[c->n_nodes - 1];
    const gr_tensor *y = &g->tensors[g->nodes[c->nodes[c->n_nodes - 1]].out[0]];
    last->mapped = true;
    for (int d = 0; d < y->rank; d++) last->map[d] = (int8_t)(y->dims[d] == 1 ? -1 : d);
    for (int i = c->n_nodes - 1; i >= 0; i--) {
        const gr_node *n = &g->nodes[c->nodes[i]];
        if (!k->values[i].mapped) return false;
        for (int in = 0; in < inputs_of(g, n); in++) {
            int8_t map[GR_MAX_RANK] = {0};
            int made = member_of(c, n->in[in]);
            if (made < 0) continue;
            value *v = &k->values[made];
            int rank = g->tensors[n->in[in]].rank;
            if (!map_operand(k, i, in, map)) return false;
            if (v->mapped && memcmp(v->map, map, (size_t)rank * sizeof *map)) return false;
            memcpy(v->map, map, sizeof map);
            v->mapped = true;
            v->uses++;
        }
    }
    return true;
}

/* ---- steps ---- */

static uint8_t param_of(compiler *k, float v)
{
    chain *c = k->c;
    for (int i = 0; i < c->n_params; i++)
        if (!memcmp(&c->params[i], &v, sizeof v)) return (uint8_t)i;
    if (c->n_params == CHAIN_PARAMS) {
        k->failed = true;
        return 0;
    }
    c->params[c->n_params] = v;
    return (uint8_t)c->n_params++;
}

static uint8_t params_of(compiler *k, float alpha, float beta) /* side by side */
{
    chain *c = k->c;
    for (int i = 0; i + 1 < c->n_params; i++)
        if (!memcmp(&c->params[i], &alpha, sizeof alpha) && !memcmp(&c->params[i + 1], &beta, sizeof beta))
            return (uint8_t)i;
    if (c->n_params + 2 > CHAIN_PARAMS) {
        k->failed = true;
        return 0;
    }
    c->params[c->n_params++] = alpha;
    c->params[c->n_params++] = beta;
    return (uint8_t)(c->n_params - 2);
}

static uint8_t input_of(compiler *k, int node, int i)
{
    chain *c = k->c;
    chain_input in = {.tensor = c->g->nodes[c->nodes[node]].in[i]};
    const gr_tensor *x = &c->g->tensors[in.tensor];
    int8_t map[GR_MAX_RANK] = {0};
    if (!map_operand(k, node, i, map) || !gpu_is_float(x->dtype)) {
        k->failed = true;
        return 0;
    }
    int64_t dense = 1;
    for (int e = x->rank - 1; e >= 0; e--) {
        if (map[e] >= 0) in.stride[map[e]] = dense;
        dense *= x->dims[e];
    }
    for (int j = 0; j < c->n_inputs; j++)
        if (c->inputs[j].tensor == in.tensor && !memcmp(c->inputs[j].stride, in.stride, sizeof in.stride))
            return (uint8_t)(CHAIN_FROM_INPUT + j);
    if (c->n_inputs == CHAIN_INPUTS) {
        k->failed = true;
        return 0;
    }
    c->inputs[c->n_inputs] = in;
    return (uint8_t)(CHAIN_FROM_INPUT + c->n_inputs++);
}

static uint8_t operand(compiler *k, int node, int i)
{
    const gr_graph *g = k->c->g;
    gr_id t = g->nodes[k->c->nodes[node]].in[i];
    int made = member_of(k->c, t);
    float v;
    if (made >= 0) return k->values[made].at;
    if (gr_const_f32(g, t, &v)) return (uint8_t)(CHAIN_FROM_PARAM + param_of(k, v));
    return input_of(k, node, i);
}

static void add_step(compiler *k, int code, uint8_t a, uint8_t b, uint8_t third, int to, uint8_t param)
{
    chain *c = k->c;
    if (c->n_steps == CHAIN_STEPS) {
        k->failed = true;
        return;
    }
    c->steps[c->n_steps++] = (chain_step){(uint8_t)code, {a, b, third}, (uint8_t)to, param};
}

static void own_params(compiler *k, const gr_node *n, float *alpha, float *beta)
{
    const op_unary_attrs *a = n->attrs;
    *alpha = *beta = 0;
    if (n->op == OP_FakeQuantize) {
        *alpha = a->alpha;
        *beta = op_levels(a->low, a->high);
    } else if (n->op == OP_Clip && op_clip_range(k->c->g, n, alpha, beta)) {
        *alpha = *alpha < -FLT_MAX ? -FLT_MAX : *alpha; /* infinities are not to be relied on in shaders */
        *beta = *beta > FLT_MAX ? FLT_MAX : *beta;
    } else if (a && is_unary(n->op)) {
        *alpha = a->alpha;
        *beta = a->beta;
    }
}

static bool has_params(op_kind op)
{
    static const op_kind with[] = {OP_LeakyRelu,       OP_Clip,   OP_HardSigmoid, OP_Elu, OP_Selu, OP_Celu,
                                   OP_ThresholdedRelu, OP_Shrink, OP_FakeQuantize};
    for (size_t i = 0; i < VKB_COUNT(with); i++)
        if (with[i] == op) return true;
    return false;
}

/* What an activation in an epilogue is as an operator; those of GR_ACT_HARDSWISH_AFFINE come apart. */
static op_kind op_of_act(gr_act act)
{
    static const op_kind kinds[GR_ACT_COUNT] = {[GR_ACT_RELU] = OP_Relu,
                                                [GR_ACT_LEAKY] = OP_LeakyRelu,
                                                [GR_ACT_CLIP] = OP_Clip,
                                                [GR_ACT_SIGMOID] = OP_Sigmoid,
                                                [GR_ACT_TANH] = OP_Tanh,
                                                [GR_ACT_HARDSIGMOID] = OP_HardSigmoid,
                                                [GR_ACT_HARDSWISH] = OP_HardSwish,
                                                [GR_ACT_SILU] = OP_Silu,
                                                [GR_ACT_HARDSWISH_AFFINE] = OP_HardSwish,
                                                [GR_ACT_FAKE_QUANTIZE] = OP_FakeQuantize};
    return kinds[act];
}

static void add_epilogue(compiler *k, const gr_node *n, uint8_t residual, int to)
{
    const gr_epilogue *e = &n->epilogue;
    uint8_t v = (uint8_t)to;
    if (e->residual == GR_RESIDUAL_BEFORE) add_step(k, code_of(OP_Add), v, residual, 0, to, 0);
    if (e->act != GR_ACT_NONE) {
        op_kind op = op_of_act(e->act);
        uint8_t param = has_params(op) ? params_of(k, e->alpha, e->beta) : 0;
        add_step(k, code_of(op), v, 0, 0, to, param);
    }
    if (e->act == GR_ACT_HARDSWISH_AFFINE) {
        uint8_t scale = (uint8_t)(CHAIN_FROM_PARAM + param_of(k, e->alpha));
        uint8_t shift = (uint8_t)(CHAIN_FROM_PARAM + param_of(k, e->beta));
        add_step(k, code_of(OP_Mul), v, scale, 0, to, 0);
        add_step(k, code_of(OP_Add), v, shift, 0, to, 0);
    }
    if (e->residual == GR_RESIDUAL_AFTER) add_step(k, code_of(OP_Add), v, residual, 0, to, 0);
}

/* The operator itself, into register `to`. */
static void add_operator(compiler *k, const gr_node *n, const uint8_t *from, int count, int to)
{
    int code = code_of(n->op);
    float alpha, beta, exponent;
    own_params(k, n, &alpha, &beta);
    bool limits = has_limits(k->c->g, n);
    uint8_t param = has_params(n->op) && !limits ? params_of(k, alpha, beta) : 0;
    if (n->op == OP_Gelu && ((const op_unary_attrs *)n->attrs)->approximate) code++;
    if (limits) {
        static const op_kind steps[] = {OP_Max, OP_Min};
        uint8_t so_far = from[0];
        for (int i = 1; i < count; i++) {
            if (!op_has_in(n, i)) continue;
            add_step(k, code_of(steps[i - 1]), so_far, from[i], 0, to, 0);
            so_far = (uint8_t)to;
        }
    } else if (n->op == OP_Where) {
        add_step(k, code, from[0], from[1], from[2], to, 0);
    } else if (n->op == OP_Pow && gr_const_f32(k->c->g, n->in[1], &exponent) && exponent == 2) {
        add_step(k, code_of(OP_Mul), from[0], from[0], 0, to, 0);
    } else if (is_unary(n->op)) {
        add_step(k, code, from[0], 0, 0, to, param);
    } else {
        uint8_t so_far = from[0];
        for (int i = count > 1 ? 1 : 0; i < count; i++, so_far = (uint8_t)to)
            add_step(k, code, so_far, from[i], 0, to, 0);
    }
}

/* A register that nothing will read any more, for a value of so many reads. */
static int register_for(compiler *k, int uses)
{
    for (int r = 0; r < CHAIN_REGISTERS; r++)
        if (k->left[r] == 0) {
            k->left[r] = uses;
            return r;
        }
    k->failed = true;
    return 0;
}

static void compile_node(compiler *k, int i)
{
    enum { MOST = 6 };
    const gr_graph *g = k->c->g;
    const gr_node *n = &g->nodes[k->c->nodes[i]];
    const value *v = &k->values[i];
    uint8_t from[MOST] = {0};
    int count = inputs_of(g, n), to = -1;
    k->failed = k->failed || count > MOST;
    for (int o = 0; o < count && !k->failed; o++)
        if (n->in[o] != GR_NONE) from[o] = operand(k, i, o);
    if (k->failed) return;
    if (chain_is_name(g, n)) {
        k->values[i].at = from[0];
        if (from[0] < CHAIN_REGISTERS) k->left[from[0]] += v->uses - 1;
        return;
    }
    bool residual = n->epilogue.residual != GR_RESIDUAL_NONE;
    bool writes_early = residual || (count > 2 && n->op != OP_Where); /* before the last operand is read */
    if (writes_early) to = register_for(k, v->uses);
    for (int o = 0; o < count; o++)
        if (n->in[o] != GR_NONE && from[o] < CHAIN_REGISTERS) k->left[from[o]]--;
    if (!writes_early) to = register_for(k, v->uses);
    k->values[i].at = (uint8_t)to;
    add_operator(k, n, from, count - residual, to);
    add_epilogue(k, n, residual ? from[count - 1] : 0, to);
}

bool chain_compile(chain *c)
{
    compiler k = {.c = c};
    c->n_steps = c->n_inputs = c->n_params = 0;
    if (!map_all(&k)) return false;
    for (int i = 0; i < c->n_nodes && !k.failed; i++) compile_node(&k, i);
    return !k.failed && c->n_inputs > 0;
}
