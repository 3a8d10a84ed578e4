/* SPDX-License-Identifier: Apache-2.0
 * LSTM, GRU and RNN: the products of all inputs through the GEMM, then step by step the state by packed
 * panels of R. Sequences and directions are independent and go to the threads whole. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "graph/ops/schema.h"

#include <string.h>

enum { X = 0, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P };
enum { LINE = 16 }; /* floats a cache line: parts of weights and scratch start at multiples */

typedef struct recurrent_state {
    op_recurrent r;
    op_kind op;
    bool linear, couple; /* attributes linear_before_reset and input_forget */
    float clip;
    gr_epilogue act[2][3];
    cpu_gemm gemm;
    int64_t rows;                    /* of R in a direction */
    int64_t padded;                  /* hidden, to whole lines */
    int64_t gate_floats;             /* packed R of a gate */
    int64_t r_at, bias_at, apart_at; /* parts of the packed weights; W is first */
    int64_t sums_at, gemm_at;        /* parts of the scratch; the products of the input are first */
    int64_t sequence_floats;         /* scratch of a sequence in a direction */
} recurrent_state;

static int64_t lines(int64_t floats)
{
    return vkb_ceil_div(floats, LINE) * LINE;
}

static bool epilogue_of(const op_recurrent_act *a, gr_epilogue *e)
{
    *e = (gr_epilogue){.alpha = a->alpha, .beta = a->beta};
    switch (a->kind) {
    case OP_RNN_RELU:
        e->act = GR_ACT_RELU;
        return true;
    case OP_RNN_TANH:
        e->act = GR_ACT_TANH;
        return true;
    case OP_RNN_SIGMOID:
        e->act = GR_ACT_SIGMOID;
        return true;
    case OP_RNN_LEAKY_RELU:
        e->act = GR_ACT_LEAKY;
        return true;
    case OP_RNN_HARD_SIGMOID:
        e->act = GR_ACT_HARDSIGMOID;
        return true;
    default:
        return false;
    }
}

static bool epilogues_of(const op_recurrent *r, gr_epilogue act[2][3])
{
    for (int i = 0; i < r->directions * 3; i++)
        if (!epilogue_of(&r->act[i / 3][i % 3], &act[i / 3][i % 3])) return false;
    return true;
}

bool cpu_recurrent_steps_fits(const gr_graph *g, const gr_node *n)
{
    op_recurrent r;
    gr_epilogue act[2][3];
    if (op_has_in(n, LENGTHS) || !cpu_all_f32(g, n) || !op_recurrent_of(g, n, &r)) return false;
    const int64_t most = INT64_C(1) << 31;
    return gr_is_const(g, n->in[W]) && gr_is_const(g, n->in[R]) &&
           (!op_has_in(n, B) || gr_is_const(g, n->in[B])) && epilogues_of(&r, act) && r.input < most / 16 &&
           r.directions * r.gates * r.hidden < most / 16 && r.steps < most && r.batch < most &&
           r.steps * r.batch < most / (r.directions * r.gates * r.hidden);
}

/* ---- weights: W, R gate by gate, Wb + Rb, and the part of Rb that GRU's reset gate multiplies ---- */

static void pack_biases(const recurrent_state *s, float *bias, float *apart, const float *b)
{
    const int64_t rows = s->rows, whole = s->linear ? 2 * s->r.hidden : rows;
    for (int64_t d = 0; d < s->r.directions; d++) {
        const float *own = b + d * 2 * rows, *recurrent = own + rows;
        for (int64_t i = 0; i < rows; i++) bias[d * rows + i] = own[i] + (i < whole ? recurrent[i] : 0);
        for (int64_t i = whole; i < rows; i++) apart[d * s->r.hidden + i - whole] = recurrent[i];
    }
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const recurrent_state *s = state;
    const int64_t hidden = s->r.hidden, input = s->r.input, gates = s->r.directions * s->r.gates;
    float *to = dst;
    const float *r = g->tensors[n->in[R]].data;
    memset(dst, 0, (size_t)(s->apart_at + s->r.directions * hidden) * sizeof(float));
    cpu_pack_b(to, g->tensors[n->in[W]].data, 1, input, input, s->r.directions * s->rows, 1);
    for (int64_t i = 0; i < gates; i++)
        cpu_pack_b(to + s->r_at + i * s->gate_floats, r + i * hidden * hidden, 1, hidden, hidden, hidden, 1);
    if (op_has_in(n, B)) pack_biases(s, to + s->bias_at, to + s->apart_at, g->tensors[n->in[B]].data);
}

vki_status cpu_recurrent_steps_prepare(cpu_prep *p, vki_error *err)
{
    recurrent_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    const op_recurrent_attrs *a = p->n->attrs;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_recurrent_of(p->g, p->n, &s->r) || !epilogues_of(&s->r, s->act))
        return vkb_fail(err, VKI_E_INTERNAL, "a recurrent layer lost its shape");
    const op_recurrent *r = &s->r;
    s->op = p->n->op;
    s->linear = s->op == OP_GRU && a->linear_before_reset;
    s->couple = s->op == OP_LSTM && a->input_forget;
    s->clip = a->clip;
    s->rows = r->gates * r->hidden;
    s->padded = lines(r->hidden);
    s->gate_floats = lines((int64_t)cpu_packed_b_floats(r->hidden, r->hidden));
    const int64_t columns = r->directions * s->rows, count = r->steps * r->batch;
    s->r_at = lines((int64_t)cpu_packed_b_floats(columns, r->input));
    s->bias_at = s->r_at + r->directions * r->gates * s->gate_floats;
    s->apart_at = s->bias_at + lines(columns);
    s->sums_at = lines(count * columns);
    s->sequence_floats = (r->gates + 3) * s->padded;
    s->gemm_at = s->sums_at + r->batch * r->directions * s->sequence_floats;
    cpu_gemm_plan(&s->gemm, count, columns, r->input, 1, p->threads, true, false);
    p->state = s;
    p->scratch_bytes = (uint64_t)s->gemm_at * sizeof(float) + cpu_gemm_scratch(&s->gemm, p->threads);
    p->weight_bytes = (uint64_t)(s->apart_at + r->directions * r->hidden) * sizeof(float);
    p->pack = pack;
    p->pack_key = cpu_pack_key(
        "recurrent", (int64_t[]){r->directions, r->gates, r->hidden, r->input, s->linear, op_has_in(p->n, B)},
        6);
    return VKI_OK;
}

/* ---- the products of the input ---- */

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const cpu_call *c = user;
    const recurrent_state *s = c->state;
    (void)index;
    j->b = c->weights;
    j->c = c->scratch;
    j->bias_col = (const float *)c->weights + s->bias_at;
}

static void pack_a(const void *user, int64_t index, float *dst, int64_t k0, int64_t kc, int64_t row, int rows)
{
    const cpu_call *c = user;
    const int64_t input = ((const recurrent_state *)c->state)->r.input;
    (void)index;
    cpu_pack_a_panel(dst, (const float *)c->in[X] + row * input + k0, input, 1, kc, rows);
}

/* ---- the steps ---- */

typedef struct sequence { /* one sequence in one direction */
    const cpu_call *c;
    const recurrent_state *s;
    int64_t direction;
    const float *x;                   /* W x + b of the step */
    const float *r, *apart, *p;       /* of the direction; p NULL: no peepholes */
    float *h, *cell, *product, *gate; /* gate g at gate + g * padded */
} sequence;

static void add(const sequence *q, float *y, const float *x)
{
    q->s->gemm.micro->binary(y, y, 1, x, 1, q->s->r.hidden, CPU_ADD);
}

static void multiply(const sequence *q, float *y, const float *x)
{
    q->s->gemm.micro->binary(y, y, 1, x, 1, q->s->r.hidden, CPU_MUL);
}

static float *gate_of(const sequence *q, int g)
{
    return q->gate + g * q->s->padded;
}

/* gate g = R h */
static void recur(const sequence *q, int g, const float *h)
{
    const int64_t hidden = q->s->r.hidden;
    const float *r = q->r + g * q->s->gate_floats;
    for (int64_t j = 0; j < hidden; j += CPU_NR)
        q->s->gemm.micro->row_panel(gate_of(q, g) + j, h, r + j * hidden, hidden,
                                    (int)vkb_min(CPU_NR, hidden - j));
}

static void activate(const sequence *q, float *y, const float *x, int which)
{
    const recurrent_state *s = q->s;
    s->gemm.micro->epilogue(y, x, NULL, s->r.hidden, &s->act[q->direction][which]);
}

static void finish_gate(const sequence *q, int g, int which)
{
    const gr_epilogue clip = {.act = GR_ACT_CLIP, .alpha = -q->s->clip, .beta = q->s->clip};
    float *y = gate_of(q, g);
    if (q->s->clip > 0) q->s->gemm.micro->epilogue(y, y, NULL, q->s->r.hidden, &clip);
    activate(q, y, y, which);
}

static void peephole(const sequence *q, int g, int which)
{
    const int64_t hidden = q->s->r.hidden;
    if (!q->p) return;
    q->s->gemm.micro->binary(q->product, q->cell, 1, q->p + which * hidden, 1, hidden, CPU_MUL);
    add(q, gate_of(q, g), q->product);
}

static void lstm_step(const sequence *q)
{
    enum { I, O, F, C };
    const int64_t hidden = q->s->r.hidden;
    float *i = gate_of(q, I), *o = gate_of(q, O), *f = gate_of(q, F), *n = gate_of(q, C);
    for (int g = 0; g < 4; g++) {
        recur(q, g, q->h);
        add(q, gate_of(q, g), q->x + g * hidden);
    }
    peephole(q, I, 0);
    finish_gate(q, I, 0);
    if (q->s->couple) {
        q->s->gemm.micro->scale_shift(f, i, hidden, -1, 1);
    } else {
        peephole(q, F, 2);
        finish_gate(q, F, 0);
    }
    finish_gate(q, C, 1);
    multiply(q, q->cell, f);
    multiply(q, n, i);
    add(q, q->cell, n);
    peephole(q, O, 1);
    finish_gate(q, O, 0);
    activate(q, q->h, q->cell, 2);
    multiply(q, q->h, o);
}

static void gru_step(const sequence *q)
{
    enum { Z, RESET, H };
    const int64_t hidden = q->s->r.hidden;
    float *z = gate_of(q, Z), *reset = gate_of(q, RESET), *n = gate_of(q, H);
    for (int g = 0; g < 2; g++) {
        recur(q, g, q->h);
        add(q, gate_of(q, g), q->x + g * hidden);
        finish_gate(q, g, 0);
    }
    if (q->s->linear) {
        recur(q, H, q->h);
        add(q, n, q->apart);
        multiply(q, n, reset);
    } else {
        multiply(q, reset, q->h);
        recur(q, H, reset);
    }
    add(q, n, q->x + 2 * hidden);
    finish_gate(q, H, 1);
    multiply(q, q->h, z); /* h = (1 - z) n + z h */
    q->s->gemm.micro->scale_shift(z, z, hidden, -1, 1);
    multiply(q, n, z);
    add(q, q->h, n);
}

static void rnn_step(const sequence *q)
{
    recur(q, 0, q->h);
    add(q, q->gate, q->x);
    finish_gate(q, 0, 0);
    memcpy(q->h, q->gate, (size_t)q->s->r.hidden * sizeof(float));
}

static const float *input(const cpu_call *c, int i)
{
    return op_has_in(c->n, i) ? c->in[i] : NULL;
}

static void load_state(const sequence *q, float *to, int i, int64_t at)
{
    const float *from = input(q->c, i);
    const size_t bytes = (size_t)q->s->r.hidden * sizeof(float);
    if (from)
        memcpy(to, from + at, bytes);
    else
        memset(to, 0, bytes);
}

static void put(const sequence *q, int output, int64_t at, const float *from)
{
    if (output < q->c->n->n_out && q->c->out[output])
        memcpy((float *)q->c->out[output] + at, from, (size_t)q->s->r.hidden * sizeof(float));
}

static void run_sequence(const cpu_call *c, int64_t direction, int64_t batch)
{
    const recurrent_state *s = c->state;
    const op_recurrent *r = &s->r;
    const float *weights = c->weights, *x = c->scratch, *p = input(c, P);
    float *own = (float *)c->scratch + s->sums_at + (direction * r->batch + batch) * s->sequence_floats;
    sequence q = {.c = c,
                  .s = s,
                  .direction = direction,
                  .r = weights + s->r_at + direction * r->gates * s->gate_floats,
                  .apart = weights + s->apart_at + direction * r->hidden,
                  .p = p ? p + direction * 3 * r->hidden : NULL,
                  .h = own,
                  .cell = own + s->padded,
                  .product = own + 2 * s->padded,
                  .gate = own + 3 * s->padded};
    const int64_t state = direction * r->h_direction + batch * r->h_batch;
    load_state(&q, q.h, INITIAL_H, state);
    if (s->op == OP_LSTM) load_state(&q, q.cell, INITIAL_C, state);
    for (int64_t i = 0; i < r->steps; i++) {
        const int64_t t = op_recurrent_reverse(r, direction) ? r->steps - 1 - i : i;
        const int64_t row = (t * r->x_step + batch * r->x_batch) / r->input; /* of the products */
        q.x = x + (row * r->directions + direction) * s->rows;
        (s->op == OP_LSTM ? lstm_step : s->op == OP_GRU ? gru_step : rnn_step)(&q);
        put(&q, 0, t * r->y_step + direction * r->y_direction + batch * r->y_batch, q.h);
    }
    put(&q, 1, state, q.h);
    put(&q, 2, state, q.cell);
}

static void on_sequences(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const int64_t batch = ((const recurrent_state *)c->state)->r.batch;
    (void)thread;
    for (int64_t i = begin; i < end; i++) run_sequence(c, i / batch, i % batch);
}

void cpu_recurrent_steps_run(const cpu_call *c)
{
    const recurrent_state *s = c->state;
    const op_recurrent *r = &s->r;
    cpu_call call = *c;
    const gr_epilogue none = {.act = GR_ACT_NONE};
    const cpu_gemm_source source = {.user = &call, .epilogue = &none, .job = job, .pack_a = pack_a};
    cpu_gemm_run(&s->gemm, &source, (float *)c->scratch + s->gemm_at, c->pool);
    vkb_parallel_for(c->pool, r->directions * r->batch,
                     vkb_ceil_div(CPU_GRAIN_MACS, r->steps * s->rows * r->hidden), on_sequences, &call);
}
