/* SPDX-License-Identifier: Apache-2.0
 * LSTM, GRU and RNN: the products of all inputs through the GEMM, then step by step the product of the state
 * by packed panels of R, added where the products of the input lie: that is where the gates are computed.
 * Some sequences of a direction share a GEMM tile, one alone goes by panels. These groups are independent and
 * go to the threads whole; of a single one each step's
 * product is split, where it is large. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/narrow.h"
#include "graph/ops/schema.h"

#include <string.h>

enum { X = 0, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P };
enum { STATES = 4 }; /* vectors of `hidden` that a sequence needs: h, cell, one to work with, packed h */
enum { LINE = 16 };  /* floats a cache line: parts of weights and scratch start at multiples */

typedef struct recurrent_state {
    op_recurrent r;
    op_kind op;
    bool linear, couple; /* attributes linear_before_reset and input_forget */
    float clip;
    gr_epilogue act[2][3];
    cpu_gemm gemm;
    int64_t rows;                    /* of R in a direction */
    int64_t padded;                  /* hidden, to whole lines */
    bool standard;                   /* LSTM or GRU as most networks have them: one pass over the gates */
    int64_t first_rows;              /* rows of R that are multiplied first: of GRU the gates z and r */
    int64_t rest_at, r_floats;       /* where packed R's other rows begin in a direction; all of it */
    int64_t r_at, bias_at, apart_at; /* parts of the packed weights; W is first */
    int64_t states_at, gemm_at;      /* parts of the scratch; the products of the input are first */
    int64_t groups, group_floats;    /* of sequences in a direction; scratch of one */
    vki_weights w_storage, r_storage;
} recurrent_state;

static int64_t lines(int64_t floats)
{
    return vkb_ceil_div(floats, LINE) * LINE;
}

/* Floats that a packed matrix takes, to whole lines. */
static int64_t packed_floats(vki_weights storage, int64_t n, int64_t k)
{
    if (storage == VKI_WEIGHTS_FP32) return lines((int64_t)cpu_packed_b_floats(n, k));
    return (int64_t)(cpu_narrow_bytes(storage, n, k) / sizeof(float));
}

/* Of columns of k dense elements. */
static void pack_matrix(float *to, vki_weights storage, const float *from, int64_t k, int64_t n)
{
    if (storage == VKI_WEIGHTS_FP32)
        cpu_pack_b(to, from, 1, k, k, n, 1);
    else
        cpu_narrow_pack(to, storage, from, 1, k, k, n, 1);
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
    const int64_t hidden = s->r.hidden, input = s->r.input, first = s->first_rows;
    float *to = dst;
    const float *r = g->tensors[n->in[R]].data;
    memset(dst, 0, (size_t)(s->apart_at + s->r.directions * hidden) * sizeof(float));
    pack_matrix(to, s->w_storage, g->tensors[n->in[W]].data, input, s->r.directions * s->rows);
    for (int64_t d = 0; d < s->r.directions; d++, r += s->rows * hidden) {
        float *packed = to + s->r_at + d * s->r_floats;
        pack_matrix(packed, s->r_storage, r, hidden, first);
        if (first < s->rows)
            pack_matrix(packed + s->rest_at, s->r_storage, r + first * hidden, hidden, s->rows - first);
    }
    if (op_has_in(n, B)) pack_biases(s, to + s->bias_at, to + s->apart_at, g->tensors[n->in[B]].data);
}

/* Sigmoid and tanh, no clip: what the fused passes over the gates compute. */
static bool is_standard(const recurrent_state *s, const gr_node *n)
{
    bool all = s->clip == 0 && !s->couple && !op_has_in(n, P) && (s->op == OP_LSTM || s->linear);
    for (int64_t d = 0; d < s->r.directions; d++)
        for (int i = 0; i < (s->op == OP_LSTM ? 3 : 2); i++)
            all = all && s->act[d][i].act == (i ? GR_ACT_TANH : GR_ACT_SIGMOID);
    return all;
}

static const char *storage_text(const recurrent_state *s)
{
    const bool half = s->w_storage == VKI_WEIGHTS_FP16 || s->r_storage == VKI_WEIGHTS_FP16;
    if (s->w_storage == s->r_storage) return s->r_storage == VKI_WEIGHTS_FP32 ? NULL : half ? "fp16" : "int8";
    if (s->r_storage != VKI_WEIGHTS_FP32)
        return half ? "fp16 for the state, fp32 for the inputs of many steps"
                    : "int8 for the state, fp32 for the inputs of many steps";
    return half ? "fp16 for the inputs, fp32 for the states of several sequences"
                : "int8 for the inputs, fp32 for the states of several sequences";
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
    s->standard = is_standard(s, p->n);
    s->first_rows = s->op == OP_GRU ? 2 * r->hidden : s->rows;
    const int64_t columns = r->directions * s->rows, count = r->steps * r->batch;
    s->w_storage = count <= CPU_NARROW_ROWS ? p->storage : VKI_WEIGHTS_FP32;
    s->r_storage =
        r->batch == 1 ? p->storage : VKI_WEIGHTS_FP32; /* several share what is read, see recur() */
    p->stored = storage_text(s);
    s->rest_at = packed_floats(s->r_storage, s->first_rows, r->hidden);
    s->r_floats = s->rest_at + packed_floats(s->r_storage, s->rows - s->first_rows, r->hidden);
    s->r_at = packed_floats(s->w_storage, columns, r->input);
    s->bias_at = s->r_at + r->directions * s->r_floats;
    s->apart_at = s->bias_at + lines(columns);
    s->states_at = lines(count * columns);
    s->groups = cpu_panels(r->batch, cpu_micro_get()->mr);
    s->group_floats = STATES * cpu_micro_get()->mr * s->padded;
    s->gemm_at = s->states_at + r->directions * s->groups * s->group_floats;
    cpu_gemm_plan(&s->gemm, count, columns, r->input, 1, p->threads, true, false);
    p->state = s;
    p->scratch_bytes = (uint64_t)s->gemm_at * sizeof(float) + cpu_gemm_scratch(&s->gemm, p->threads);
    p->weight_bytes = (uint64_t)(s->apart_at + r->directions * r->hidden) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[W]];
    p->spent[1] = &p->g->tensors[p->n->in[R]];
    p->pack_key = cpu_pack_key("recurrent",
                               (int64_t[]){r->directions, r->gates, r->hidden, r->input, s->linear,
                                           op_has_in(p->n, B), s->w_storage, s->r_storage},
                               8);
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

/* Of few rows, with the weights kept narrow: some columns. */
static void on_columns(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const recurrent_state *s = c->state;
    const int64_t columns = s->r.directions * s->rows, input = s->r.input;
    const float *bias = (const float *)c->weights + s->bias_at;
    (void)thread;
    for (int64_t panel = begin; panel < end; panel++)
        for (int64_t row = 0; row < s->r.steps * s->r.batch; row++) {
            const int64_t col = panel * CPU_NR;
            float *sums = (float *)c->scratch + row * columns + col;
            memcpy(sums, bias + col, (size_t)vkb_min(CPU_NR, columns - col) * sizeof *sums);
            cpu_narrow_row(s->gemm.micro, s->w_storage, sums, (const float *)c->in[X] + row * input,
                           c->weights, columns, input, panel);
        }
}

static void multiply_inputs(const cpu_call *c)
{
    const recurrent_state *s = c->state;
    const gr_epilogue none = {.act = GR_ACT_NONE};
    const cpu_gemm_source source = {.user = c, .epilogue = &none, .job = job, .pack_a = pack_a};
    cpu_call call = *c;
    if (s->w_storage == VKI_WEIGHTS_FP32)
        cpu_gemm_run(&s->gemm, &source, (float *)c->scratch + s->gemm_at, c->pool);
    else
        vkb_parallel_for(c->pool, vkb_ceil_div(s->r.directions * s->rows, CPU_NR),
                         vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->r.input * CPU_NR), on_columns, &call);
}

/* ---- the steps ---- */

typedef struct group { /* some sequences of one direction; row r of what follows is of the r-th of them */
    const cpu_call *c;
    const recurrent_state *s;
    int64_t direction, batch; /* the first sequence */
    int rows;
    const float *r, *apart, *p;     /* of the direction; p NULL: no peepholes */
    float *h, *cell, *own, *turned; /* rows `padded` apart; turned: [hidden][rows] */
    float *gates;                   /* of the step: W x + b, to which R h is added; rows gates_step apart */
    int64_t gates_step;
    bool back;      /* every other step: what the one before read last is still in the cache */
    vkb_pool *pool; /* where this group is all there is to do: its products are split. Else NULL */
} group;

typedef struct recurrence { /* of one step */
    const group *q;
    const float *h, *r;
    int64_t columns, step;
    float *sums;
} recurrence;

/* Panels begin..end of R, forth or back. */
static void recur_panels(void *arg, int64_t begin, int64_t end, int thread)
{
    const recurrence *a = arg;
    const group *q = a->q;
    const cpu_micro *m = q->s->gemm.micro;
    const int64_t hidden = q->s->r.hidden;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t j = (q->back ? begin + end - 1 - i : i) * CPU_NR;
        const int cols = (int)vkb_min(CPU_NR, a->columns - j);
        if (q->s->r_storage != VKI_WEIGHTS_FP32) {
            cpu_narrow_row(m, q->s->r_storage, a->sums + j, a->h, a->r, a->columns, hidden, j / CPU_NR);
            continue;
        }
        if (q->rows == 1) {
            m->row_panel(a->sums + j, a->h, a->r + j * hidden, hidden, cols);
            continue;
        }
        const cpu_tile t = {.a = q->turned,
                            .b = a->r + j * hidden,
                            .k = hidden,
                            .b_stride = cpu_panel_width(cols),
                            .c = a->sums + j,
                            .c_stride = a->step,
                            .rows = q->rows,
                            .cols = cols,
                            .accumulate = true};
        m->gemm(&t);
    }
}

/* Adds R h to sums: h's rows `padded` apart, R's part `r` of `columns` rows. */
static void recur(const group *q, const float *h, const float *r, int64_t columns, float *sums, int64_t step)
{
    const int64_t hidden = q->s->r.hidden;
    for (int64_t j = 0; q->rows > 1 && j < hidden; j++)
        for (int i = 0; i < q->rows; i++) q->turned[j * q->rows + i] = h[i * q->s->padded + j];
    recurrence a = {q, h, r, columns, step, sums};
    vkb_parallel_for(q->pool, vkb_ceil_div(columns, CPU_NR),
                     vkb_ceil_div(CPU_GRAIN_MACS, hidden * CPU_NR * q->rows), recur_panels, &a);
}

static void add(const group *q, float *y, const float *x)
{
    q->s->gemm.micro->binary(y, y, 1, x, 1, q->s->r.hidden, CPU_ADD);
}

static void multiply(const group *q, float *y, const float *x)
{
    q->s->gemm.micro->binary(y, y, 1, x, 1, q->s->r.hidden, CPU_MUL);
}

static void activate(const group *q, float *y, const float *x, int which)
{
    const recurrent_state *s = q->s;
    s->gemm.micro->epilogue(y, x, NULL, s->r.hidden, &s->act[q->direction][which]);
}

static void finish_gate(const group *q, float *gate, int which)
{
    const gr_epilogue clip = {.act = GR_ACT_CLIP, .alpha = -q->s->clip, .beta = q->s->clip};
    if (q->s->clip > 0) q->s->gemm.micro->epilogue(gate, gate, NULL, q->s->r.hidden, &clip);
    activate(q, gate, gate, which);
}

static void peephole(const group *q, float *gate, const float *cell, int which)
{
    const int64_t hidden = q->s->r.hidden;
    if (!q->p) return;
    q->s->gemm.micro->binary(q->own, cell, 1, q->p + which * hidden, 1, hidden, CPU_MUL);
    add(q, gate, q->own);
}

static void lstm_gates(const group *q, float *gates, float *h, float *cell)
{
    const int64_t hidden = q->s->r.hidden;
    float *i = gates, *o = i + hidden, *f = o + hidden, *n = f + hidden;
    peephole(q, i, cell, 0);
    finish_gate(q, i, 0);
    if (q->s->couple) {
        q->s->gemm.micro->scale_shift(f, i, hidden, -1, 1);
    } else {
        peephole(q, f, cell, 2);
        finish_gate(q, f, 0);
    }
    finish_gate(q, n, 1);
    multiply(q, cell, f);
    multiply(q, n, i);
    add(q, cell, n);
    peephole(q, o, cell, 1);
    finish_gate(q, o, 0);
    activate(q, h, cell, 2);
    multiply(q, h, o);
}

static void lstm_step(const group *q)
{
    const recurrent_state *s = q->s;
    recur(q, q->h, q->r, s->rows, q->gates, q->gates_step);
    for (int i = 0; i < q->rows; i++) {
        float *gates = q->gates + i * q->gates_step, *h = q->h + i * s->padded,
              *cell = q->cell + i * s->padded;
        if (s->standard)
            s->gemm.micro->lstm_gates(h, cell, gates, s->r.hidden);
        else
            lstm_gates(q, gates, h, cell);
    }
}

/* h = (1 - z) n + z h */
static void gru_blend(const group *q, float *h, float *z, float *n)
{
    multiply(q, h, z);
    q->s->gemm.micro->scale_shift(z, z, q->s->r.hidden, -1, 1);
    multiply(q, n, z);
    add(q, h, n);
}

/* The reset gate multiplies R h + b, held in own. */
static void gru_linear_step(const group *q)
{
    const recurrent_state *s = q->s;
    const int64_t hidden = s->r.hidden;
    for (int i = 0; i < q->rows; i++)
        memcpy(q->own + i * s->padded, q->apart, (size_t)hidden * sizeof(float));
    recur(q, q->h, q->r + s->rest_at, hidden, q->own, s->padded);
    for (int i = 0; i < q->rows; i++) {
        float *z = q->gates + i * q->gates_step, *reset = z + hidden, *n = reset + hidden;
        float *h = q->h + i * s->padded, *own = q->own + i * s->padded;
        if (s->standard) {
            s->gemm.micro->gru_gates(h, z, own, hidden);
            continue;
        }
        finish_gate(q, z, 0);
        finish_gate(q, reset, 0);
        multiply(q, own, reset);
        add(q, n, own);
        finish_gate(q, n, 1);
        gru_blend(q, h, z, n);
    }
}

static void gru_step(const group *q)
{
    const recurrent_state *s = q->s;
    const int64_t hidden = s->r.hidden;
    recur(q, q->h, q->r, s->first_rows, q->gates, q->gates_step);
    if (s->linear) {
        gru_linear_step(q);
        return;
    }
    for (int i = 0; i < q->rows; i++) {
        float *z = q->gates + i * q->gates_step, *reset = z + hidden;
        finish_gate(q, z, 0);
        finish_gate(q, reset, 0);
        s->gemm.micro->binary(q->own + i * s->padded, reset, 1, q->h + i * s->padded, 1, hidden, CPU_MUL);
    }
    recur(q, q->own, q->r + s->rest_at, hidden, q->gates + 2 * hidden, q->gates_step);
    for (int i = 0; i < q->rows; i++) {
        float *z = q->gates + i * q->gates_step, *n = z + 2 * hidden;
        finish_gate(q, n, 1);
        gru_blend(q, q->h + i * s->padded, z, n);
    }
}

static void rnn_step(const group *q)
{
    const int64_t hidden = q->s->r.hidden;
    recur(q, q->h, q->r, hidden, q->gates, q->gates_step);
    for (int i = 0; i < q->rows; i++) {
        float *gate = q->gates + i * q->gates_step;
        finish_gate(q, gate, 0);
        memcpy(q->h + i * q->s->padded, gate, (size_t)hidden * sizeof(float));
    }
}

static const float *input(const cpu_call *c, int i)
{
    return op_has_in(c->n, i) ? c->in[i] : NULL;
}

static void load_states(const group *q, float *to, int i)
{
    const op_recurrent *r = &q->s->r;
    const float *from = input(q->c, i);
    const size_t bytes = (size_t)r->hidden * sizeof(float);
    for (int row = 0; row < q->rows; row++, to += q->s->padded)
        if (from)
            memcpy(to, from + q->direction * r->h_direction + (q->batch + row) * r->h_batch, bytes);
        else
            memset(to, 0, bytes);
}

/* Rows to an output, from element `at` on, `step` apart. */
static void put(const group *q, int output, int64_t at, int64_t step, const float *from)
{
    if (output >= q->c->n->n_out || !q->c->out[output]) return;
    for (int row = 0; row < q->rows; row++)
        memcpy((float *)q->c->out[output] + at + row * step, from + row * q->s->padded,
               (size_t)q->s->r.hidden * sizeof(float));
}

static void run_group(const group *given)
{
    group q = *given;
    const recurrent_state *s = q.s;
    const op_recurrent *r = &s->r;
    load_states(&q, q.h, INITIAL_H);
    if (s->op == OP_LSTM) load_states(&q, q.cell, INITIAL_C);
    for (int64_t i = 0; i < r->steps; i++) {
        const int64_t t = op_recurrent_reverse(r, q.direction) ? r->steps - 1 - i : i;
        const int64_t row = (t * r->x_step + q.batch * r->x_batch) / r->input; /* of the products */
        q.back = i & 1;
        q.gates = (float *)q.c->scratch + (row * r->directions + q.direction) * s->rows;
        (s->op == OP_LSTM ? lstm_step : s->op == OP_GRU ? gru_step : rnn_step)(&q);
        put(&q, 0, t * r->y_step + q.direction * r->y_direction + q.batch * r->y_batch, r->y_batch, q.h);
    }
    const int64_t state = q.direction * r->h_direction + q.batch * r->h_batch;
    put(&q, 1, state, r->h_batch, q.h);
    put(&q, 2, state, r->h_batch, q.cell);
}

static void on_groups(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const recurrent_state *s = c->state;
    const int mr = s->gemm.micro->mr;
    const float *weights = c->weights, *p = input(c, P);
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int64_t direction = i / s->groups, batch = cpu_panel_row(s->r.batch, mr, i % s->groups);
        float *own = (float *)c->scratch + s->states_at + i * s->group_floats;
        const group q = {.c = c,
                         .s = s,
                         .direction = direction,
                         .batch = batch,
                         .rows = (int)(cpu_panel_row(s->r.batch, mr, i % s->groups + 1) - batch),
                         .r = weights + s->r_at + direction * s->r_floats,
                         .apart = weights + s->apart_at + direction * s->r.hidden,
                         .p = p ? p + direction * 3 * s->r.hidden : NULL,
                         .h = own,
                         .cell = own + mr * s->padded,
                         .own = own + 2 * mr * s->padded,
                         .turned = own + 3 * mr * s->padded,
                         .gates_step = s->r.x_batch / s->r.input * s->r.directions * s->rows,
                         .pool = s->r.directions * s->groups == 1 ? c->pool : NULL};
        run_group(&q);
    }
}

void cpu_recurrent_steps_run(const cpu_call *c)
{
    const recurrent_state *s = c->state;
    const op_recurrent *r = &s->r;
    cpu_call call = *c;
    multiply_inputs(c);
    const int64_t groups = r->directions * s->groups;
    vkb_parallel_for(groups > 1 ? c->pool : NULL, groups,
                     vkb_ceil_div(CPU_GRAIN_MACS, r->steps * s->rows * r->hidden), on_groups, &call);
}
