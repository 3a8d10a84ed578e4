/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

#include <string.h>

#define ACTIVATIONS                                                                                          \
    "Relu,Tanh,Sigmoid,Affine,LeakyRelu,ThresholdedRelu,ScaledTanh,HardSigmoid,Elu,Softsign,Softplus"

/* What all three have. */
#define COMMON_ROWS                                                                                          \
    OP_ROW_ENUMS(op_recurrent_attrs, activations, ACTIVATIONS),                                              \
        OP_ROW_FLOATS(op_recurrent_attrs, activation_alpha, -OP_FLT_MAX, OP_FLT_MAX),                        \
        OP_ROW_FLOATS(op_recurrent_attrs, activation_beta, -OP_FLT_MAX, OP_FLT_MAX),                         \
        OP_ROW_FLOAT(op_recurrent_attrs, clip, 0, 0, OP_FLT_MAX),                                            \
        OP_ROW_ENUM(op_recurrent_attrs, direction, 0, "forward,reverse,bidirectional"),                      \
        OP_ROW_INT(op_recurrent_attrs, hidden_size, 0, 0, OP_INT_MAX), /* 0: as R says */                    \
        OP_ROW_INT(op_recurrent_attrs, layout, 0, 0, 1)

static const op_attr lstm_attrs[] = {COMMON_ROWS, OP_ROW_INT(op_recurrent_attrs, input_forget, 0, 0, 1)};
static const op_attr gru_attrs[] = {COMMON_ROWS,
                                    OP_ROW_INT(op_recurrent_attrs, linear_before_reset, 0, 0, 1)};
static const op_attr rnn_attrs[] = {COMMON_ROWS};

enum { X = 0, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P };
enum { BIDIRECTIONAL = 2 };

static int64_t gates_of(op_kind op)
{
    return op == OP_LSTM ? 4 : op == OP_GRU ? 3 : 1;
}

static int acts_of(op_kind op) /* activations of a direction */
{
    return op == OP_LSTM ? 3 : op == OP_GRU ? 2 : 1;
}

/* ---- activations ---- */

typedef struct act_defaults { /* and which of the two the function has */
    bool alpha, beta;
    float alpha_value, beta_value;
} act_defaults;

static act_defaults defaults_of(op_rnn_act kind)
{
    switch (kind) {
    case OP_RNN_AFFINE:
        return (act_defaults){true, true, 1, 0};
    case OP_RNN_LEAKY_RELU:
        return (act_defaults){true, false, 0.01f, 0};
    case OP_RNN_THRESHOLDED_RELU:
    case OP_RNN_ELU:
        return (act_defaults){true, false, 1, 0};
    case OP_RNN_SCALED_TANH:
        return (act_defaults){true, true, 1, 1};
    case OP_RNN_HARD_SIGMOID:
        return (act_defaults){true, true, 0.2f, 0.5f};
    default:
        return (act_defaults){false, false, 0, 0};
    }
}

/* Values of alpha and beta are consumed in the order of the functions that have one. */
static void resolve_acts(op_kind op, const op_recurrent_attrs *a, op_recurrent *r)
{
    static const op_rnn_act lstm[] = {OP_RNN_SIGMOID, OP_RNN_TANH, OP_RNN_TANH};
    int alphas = 0, betas = 0, count = acts_of(op);
    for (int i = 0; i < count * (int)r->directions; i++) {
        op_recurrent_act *act = &r->act[i / count][i % count];
        if (a->activations.count)
            act->kind = (op_rnn_act)a->activations.v[i];
        else
            act->kind = op == OP_RNN ? OP_RNN_TANH : lstm[i % count];
        act_defaults d = defaults_of(act->kind);
        act->alpha = d.alpha_value;
        act->beta = d.beta_value;
        if (d.alpha && alphas < a->activation_alpha.count) act->alpha = a->activation_alpha.v[alphas++];
        if (d.beta && betas < a->activation_beta.count) act->beta = a->activation_beta.v[betas++];
    }
}

/* ---- shapes ---- */

static bool shaped(const gr_graph *g, const gr_node *n, int i, int rank, const int64_t *dims)
{
    if (!op_has_in(n, i)) return true;
    const gr_tensor *t = &g->tensors[n->in[i]];
    return t->rank == rank && !memcmp(t->dims, dims, (size_t)rank * sizeof *dims);
}

static void strides(const op_recurrent_attrs *a, op_recurrent *r)
{
    const int64_t h = r->hidden, d = r->directions, b = r->batch;
    bool batch_first = a->layout != 0;
    r->x_step = batch_first ? r->input : b * r->input;
    r->x_batch = batch_first ? r->steps * r->input : r->input;
    r->y_step = d * b * h; /* [T, D, B, H] */
    r->y_direction = b * h;
    r->y_batch = h;
    r->h_direction = b * h;
    r->h_batch = h;
    if (!batch_first) return;
    r->y_step = d * h; /* [B, T, D, H] */
    r->y_direction = h;
    r->y_batch = r->steps * d * h;
    r->h_direction = h;
    r->h_batch = d * h;
}

/* Index of the first input whose shape does not fit, or -1. */
static int resolve(const gr_graph *g, const gr_node *n, op_recurrent *r)
{
    const op_recurrent_attrs *a = n->attrs;
    const gr_tensor *x = &g->tensors[n->in[X]], *w = &g->tensors[n->in[R]];
    memset(r, 0, sizeof *r);
    if (x->rank != 3) return X;
    if (w->rank != 3 || w->dims[2] < 1 || (a->hidden_size && a->hidden_size != w->dims[2])) return R;
    r->steps = x->dims[a->layout ? 1 : 0];
    r->batch = x->dims[a->layout ? 0 : 1];
    r->input = x->dims[2];
    r->hidden = w->dims[2];
    r->gates = gates_of(n->op);
    r->directions = a->direction == BIDIRECTIONAL ? 2 : 1;
    r->reverse = a->direction == 1;
    if (r->hidden > INT32_MAX / 8) return R;
    const int64_t d = r->directions, h = r->hidden, rows = r->gates * h;
    const int64_t *state = a->layout ? (int64_t[]){r->batch, d, h} : (int64_t[]){d, r->batch, h};
    if (!shaped(g, n, R, 3, (int64_t[]){d, rows, h})) return R;
    if (!shaped(g, n, W, 3, (int64_t[]){d, rows, r->input})) return W;
    if (!shaped(g, n, B, 2, (int64_t[]){d, 2 * rows})) return B;
    if (!shaped(g, n, LENGTHS, 1, &r->batch)) return LENGTHS;
    if (!shaped(g, n, INITIAL_H, 3, state)) return INITIAL_H;
    if (!shaped(g, n, INITIAL_C, 3, state)) return INITIAL_C;
    if (!shaped(g, n, P, 2, (int64_t[]){d, 3 * h})) return P;
    strides(a, r);
    return -1;
}

bool op_recurrent_of(const gr_graph *g, const gr_node *n, op_recurrent *r)
{
    if (resolve(g, n, r) >= 0) return false;
    resolve_acts(n->op, n->attrs, r);
    return true;
}

static vki_status infer_recurrent(op_infer *c)
{
    static const char *const names[] = {"X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"};
    const op_recurrent_attrs *a = c->n->attrs;
    op_recurrent r;
    VKB_TRY(op_want_type(c, X, OP_FLOATS));
    for (int i = W; i <= P; i++)
        if (i != LENGTHS) VKB_TRY(op_want_same_type(c, i));
    VKB_TRY(op_want_type(c, LENGTHS, OP_BIT(VKI_I32)));
    int wrong = resolve(c->g, c->n, &r);
    if (wrong >= 0) {
        char text[96];
        return op_fail(
            c, VKI_E_SHAPE,
            "input %s is %s, which does not fit the other inputs, direction, layout and hidden_size",
            names[wrong], gr_shape_text(c->g, op_in(c, wrong), text, sizeof text));
    }
    int64_t acts = acts_of(c->n->op) * r.directions;
    if (a->activations.count && a->activations.count != acts)
        return op_fail(c, VKI_E_SHAPE, "%d activations are given; %lld are needed", a->activations.count,
                       (long long)acts);
    vki_dtype dtype = op_in(c, X)->dtype;
    int64_t d = r.directions, h = r.hidden, b = r.batch, t = r.steps;
    VKB_TRY(op_out(c, 0, dtype, 4, a->layout ? (int64_t[]){b, t, d, h} : (int64_t[]){t, d, b, h}));
    for (int i = 1; i < c->n->n_out; i++)
        VKB_TRY(op_out(c, i, dtype, 3, a->layout ? (int64_t[]){b, d, h} : (int64_t[]){d, b, h}));
    return VKI_OK;
}

static void cost_recurrent(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    op_recurrent r;
    if (op_recurrent_of(g, n, &r))
        cost->macs += (uint64_t)r.steps * (uint64_t)r.batch * (uint64_t)(r.directions * r.gates * r.hidden) *
                      (uint64_t)(r.input + r.hidden);
}

const op_info op_info_LSTM = {
    .name = "LSTM",
    .doc = "Long short-term memory layer, one or both directions",
    OP_ATTR_TABLE(lstm_attrs),
    .attrs_size = sizeof(op_recurrent_attrs),
    .min_in = 3,
    .max_in = 8,
    .min_out = 1,
    .max_out = 3,
    .flags = OP_ANY_OUTPUT,
    .infer = infer_recurrent,
    .cost = cost_recurrent,
};

const op_info op_info_GRU = {
    .name = "GRU",
    .doc = "Layer of gated recurrent units, one or both directions",
    OP_ATTR_TABLE(gru_attrs),
    .attrs_size = sizeof(op_recurrent_attrs),
    .min_in = 3,
    .max_in = 6,
    .min_out = 1,
    .max_out = 2,
    .flags = OP_ANY_OUTPUT,
    .infer = infer_recurrent,
    .cost = cost_recurrent,
};

const op_info op_info_RNN = {
    .name = "RNN",
    .doc = "Elman's recurrent layer, one or both directions",
    OP_ATTR_TABLE(rnn_attrs),
    .attrs_size = sizeof(op_recurrent_attrs),
    .min_in = 3,
    .max_in = 6,
    .min_out = 1,
    .max_out = 2,
    .flags = OP_ANY_OUTPUT,
    .infer = infer_recurrent,
    .cost = cost_recurrent,
};
