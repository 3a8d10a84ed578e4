/* SPDX-License-Identifier: Apache-2.0
 * LSTM, GRU and RNN as ONNX defines them, step by step in double. Where ONNX is silent this does what
 * onnxruntime does: the clip is of the gates' sums only, not of the cell; an empty sequence ends in zeros. */
#include <math.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"

enum { X = 0, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P };

typedef struct run { /* one sequence in one direction */
    const cpu_call *c;
    const op_recurrent_attrs *a;
    op_recurrent r;
    vki_dtype type;
    int64_t direction, batch;
} run;

static double load(const run *s, int input, int64_t i)
{
    return cpu_load(s->c->in[input], s->type, i);
}

static bool has(const run *s, int input)
{
    return cpu_in(s->c, input) != NULL;
}

static double activate(double x, const op_recurrent_act *act)
{
    const double alpha = (double)act->alpha, beta = (double)act->beta;
    switch (act->kind) {
    case OP_RNN_RELU:
        return x < 0 ? 0 : x;
    case OP_RNN_TANH:
        return tanh(x);
    case OP_RNN_SIGMOID:
        return 1 / (1 + exp(-x));
    case OP_RNN_AFFINE:
        return alpha * x + beta;
    case OP_RNN_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case OP_RNN_THRESHOLDED_RELU:
        return x < alpha ? 0 : x;
    case OP_RNN_SCALED_TANH:
        return alpha * tanh(beta * x);
    case OP_RNN_HARD_SIGMOID:
        return fmax(0, fmin(1, alpha * x + beta));
    case OP_RNN_ELU:
        return x < 0 ? alpha * expm1(x) : x;
    case OP_RNN_SOFTSIGN:
        return x / (1 + fabs(x));
    case OP_RNN_SOFTPLUS:
        return fmax(x, 0) + log1p(exp(-fabs(x)));
    }
    return x;
}

/* act number `which` of the direction, of the clipped sum */
static double gate(const run *s, double sum, int which)
{
    double clip = (double)s->a->clip;
    if (clip > 0) sum = fmax(-clip, fmin(clip, sum));
    return activate(sum, &s->r.act[s->direction][which]);
}

/* W x + Wb of unit j and gate g, at element `x` of X */
static double from_input(const run *s, int g, int64_t j, int64_t x)
{
    const op_recurrent *r = &s->r;
    int64_t row = (s->direction * r->gates + g) * r->hidden + j;
    double sum = has(s, B) ? load(s, B, s->direction * 2 * r->gates * r->hidden + g * r->hidden + j) : 0;
    for (int64_t k = 0; k < r->input; k++) sum += load(s, W, row * r->input + k) * load(s, X, x + k);
    return sum;
}

/* R h + Rb; `scale` multiplies h, NULL: 1 */
static double from_state(const run *s, int g, int64_t j, const double *h, const double *scale)
{
    const op_recurrent *r = &s->r;
    int64_t row = (s->direction * r->gates + g) * r->hidden + j;
    double sum = has(s, B) ? load(s, B, (s->direction * 2 * r->gates + r->gates + g) * r->hidden + j) : 0;
    for (int64_t k = 0; k < r->hidden; k++)
        sum += load(s, R, row * r->hidden + k) * h[k] * (scale ? scale[k] : 1);
    return sum;
}

static double peephole(const run *s, int which, int64_t j, double c)
{
    return has(s, P) ? load(s, P, (s->direction * 3 + which) * s->r.hidden + j) * c : 0;
}

static void lstm_step(const run *s, int64_t x, const double *h, double *c, double *next)
{
    enum { I, O, F, C };
    for (int64_t j = 0; j < s->r.hidden; j++) {
        double sum[4];
        for (int g = 0; g < 4; g++) sum[g] = from_input(s, g, j, x) + from_state(s, g, j, h, NULL);
        double i = gate(s, sum[I] + peephole(s, 0, j, c[j]), 0);
        double f = s->a->input_forget ? 1 - i : gate(s, sum[F] + peephole(s, 2, j, c[j]), 0);
        c[j] = f * c[j] + i * gate(s, sum[C], 1);
        double o = gate(s, sum[O] + peephole(s, 1, j, c[j]), 0);
        next[j] = o * activate(c[j], &s->r.act[s->direction][2]);
    }
}

/* `reset` has room for the reset gate. */
static void gru_step(const run *s, int64_t x, const double *h, double *reset, double *next)
{
    enum { Z, RESET, H };
    for (int64_t j = 0; j < s->r.hidden; j++)
        reset[j] = gate(s, from_input(s, RESET, j, x) + from_state(s, RESET, j, h, NULL), 0);
    for (int64_t j = 0; j < s->r.hidden; j++) {
        double z = gate(s, from_input(s, Z, j, x) + from_state(s, Z, j, h, NULL), 0);
        double own = s->a->linear_before_reset ? reset[j] * from_state(s, H, j, h, NULL)
                                               : from_state(s, H, j, h, reset);
        next[j] = (1 - z) * gate(s, from_input(s, H, j, x) + own, 1) + z * h[j];
    }
}

static void rnn_step(const run *s, int64_t x, const double *h, double *next)
{
    for (int64_t j = 0; j < s->r.hidden; j++)
        next[j] = gate(s, from_input(s, 0, j, x) + from_state(s, 0, j, h, NULL), 0);
}

static void put(const run *s, int output, int64_t at, const double *v)
{
    if (!cpu_out(s->c, output)) return;
    for (int64_t j = 0; j < s->r.hidden; j++) cpu_store(s->c->out[output], s->type, at + j, v ? v[j] : 0);
}

static int64_t length(const run *s)
{
    if (!has(s, LENGTHS)) return s->r.steps;
    int64_t n = ((const int32_t *)s->c->in[LENGTHS])[s->batch];
    return vkb_max(0, vkb_min(n, s->r.steps));
}

/* h, c, next: of `hidden` elements */
static void sequence(const run *s, double *h, double *c, double *next)
{
    const op_recurrent *r = &s->r;
    const int64_t n = length(s), hidden = r->hidden;
    const int64_t y = s->direction * r->y_direction + s->batch * r->y_batch;
    const int64_t state = s->direction * r->h_direction + s->batch * r->h_batch;
    for (int64_t j = 0; j < hidden; j++) {
        h[j] = has(s, INITIAL_H) && n ? load(s, INITIAL_H, state + j) : 0;
        c[j] = has(s, INITIAL_C) && n ? load(s, INITIAL_C, state + j) : 0;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t t = op_recurrent_reverse(r, s->direction) ? n - 1 - i : i;
        int64_t x = t * r->x_step + s->batch * r->x_batch;
        if (s->c->n->op == OP_LSTM)
            lstm_step(s, x, h, c, next);
        else if (s->c->n->op == OP_GRU)
            gru_step(s, x, h, c, next);
        else
            rnn_step(s, x, h, next);
        memcpy(h, next, (size_t)hidden * sizeof *h);
        put(s, 0, y + t * r->y_step, h);
    }
    for (int64_t t = n; t < r->steps; t++) put(s, 0, y + t * r->y_step, NULL);
    put(s, 1, state, h);
    put(s, 2, state, c);
}

enum { MOST_HIDDEN = 4096 }; /* the reference has no scratch memory; its states take 96 KiB of the stack */

static bool supports(const gr_graph *g, const gr_node *n, const char **why)
{
    op_recurrent r;
    *why = "a hidden state of more than 4096 elements";
    return op_recurrent_of(g, n, &r) && r.hidden <= MOST_HIDDEN;
}

static void reference(const cpu_call *c)
{
    double h[MOST_HIDDEN], cell[MOST_HIDDEN], next[MOST_HIDDEN];
    run s = {.c = c, .a = c->n->attrs, .type = cpu_in(c, X)->dtype};
    if (!op_recurrent_of(c->g, c->n, &s.r)) return; /* inference has accepted the node */
    for (s.direction = 0; s.direction < s.r.directions; s.direction++)
        for (s.batch = 0; s.batch < s.r.batch; s.batch++) sequence(&s, h, cell, next);
}

const cpu_op cpu_op_recurrent = {
    .supports = supports, .reference = reference, .kernels = cpu_recurrent_kernels};
