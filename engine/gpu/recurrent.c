/* SPDX-License-Identifier: Apache-2.0
 * LSTM, GRU and RNN: the products of all inputs as one matrix product, then all steps of all sequences in one
 * dispatch, a workgroup a sequence and direction; or, where a workgroup cannot hold the state, a dispatch or
 * two a step. */
#include "gpu/gemv.h"
#include "gpu/strided.h"
#include "graph/ops/schema.h"

#include <float.h>

enum { X = 0, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P };
enum { RNN = 0, GRU, GRU_LINEAR, LSTM }; /* CELL in the shader */
enum {
    START_H = 1,
    START_C = 2,
    EXTRA = 4,
    WRITE_Y = 8,
    FORGET_BY_INPUT = 16,
    BY_LENGTHS = 32
}; /* flags in the shader */

/* Rounds of all loops of an invocation in one dispatch; longer sequences are cut. A dispatch stays within
 * some tens of milliseconds, far from where operating systems reset the device, and lavapipe (Mesa 22.3,
 * 2026) ends loops after 65535 rounds in all. */
enum { MOST_ROUNDS = 32768, MOST_LANES = 1024 };
enum { MOST_STEPS = 4096 }; /* that are recorded one by one */

typedef struct layer {
    op_recurrent r;
    const op_recurrent_attrs *a;
    int cell;
    int64_t rows, h4, lanes; /* rows of R in a direction; hidden state in fours; of a workgroup */
    int64_t step_rounds;
    int64_t r_bytes, x_bytes, state_bytes; /* R as packed, the products of the inputs, the final states */
} layer;

static bool layer_of(const gpu_builder *b, const gr_node *n, layer *l)
{
    const int64_t element = b->half ? 2 : 4;
    *l = (layer){.a = n->attrs};
    if (!op_recurrent_of(b->g, n, &l->r)) return false;
    const op_recurrent *r = &l->r;
    l->cell = n->op == OP_LSTM ? LSTM : n->op == OP_RNN ? RNN : l->a->linear_before_reset ? GRU_LINEAR : GRU;
    l->rows = r->gates * r->hidden;
    l->h4 = vkb_ceil_div(r->hidden, 4);
    l->lanes = vkb_min(vkb_ceil_div(l->rows, 32) * 32, MOST_LANES);
    l->lanes = vkb_min(l->lanes, (int64_t)vkb_min(b->limits->max_invocations, b->limits->max_group_size[0]));
    const int64_t sums =
        vkb_ceil_div(l->rows, l->lanes) + (l->cell == GRU); /* of an invocation; in two loops */
    l->step_rounds = sums * (l->h4 + 1) + 2 * vkb_ceil_div(r->hidden, l->lanes) + 1;
    l->r_bytes = r->directions * l->h4 * l->rows * 4 * element;
    l->x_bytes = vkb_ceil_div(r->steps * r->batch * r->directions * l->rows * element, 16) * 16;
    l->state_bytes = vkb_ceil_div(r->batch * r->directions * r->hidden * element, 16) * 16;
    return true;
}

/* Absent, or constant and every sequence as long as all. */
static bool full_lengths(const gpu_builder *b, const gr_node *n, int64_t steps)
{
    if (!op_has_in(n, LENGTHS)) return true;
    if (!gr_is_const(b->g, n->in[LENGTHS])) return false;
    const gr_tensor *t = &b->g->tensors[n->in[LENGTHS]];
    for (int64_t i = 0; i < gr_elements(t); i++)
        if (((const int32_t *)t->data)[i] < steps) return false;
    return true;
}

static uint64_t shared_bytes(const layer *l)
{
    int64_t states = l->h4 * 4 * (l->cell == GRU ? 2 : 1), cells = l->cell == LSTM ? l->r.hidden : 1;
    return (uint64_t)(states + cells + l->rows) * sizeof(float);
}

/* What both kernels need. */
static bool layer_fits(const gpu_builder *b, const gr_node *n, layer *l, const char **why)
{
    *why = "shapes that do not fit";
    if (!layer_of(b, n, l)) return false;
    const op_recurrent *r = &l->r;
    *why = "an empty input";
    if (r->steps < 1 || r->batch < 1 || r->input < 1) return false;
    *why = "more sequences than a dispatch can have";
    if (r->batch > vkb_min(b->limits->max_groups[0], b->limits->max_groups[1])) return false;
    *why = "products of the input or weights larger than one binding of this device";
    return vkb_max(l->r_bytes, l->state_bytes) <= vkb_min((int64_t)b->limits->max_range, INT32_MAX) &&
           r->steps <= INT32_MAX / r->batch &&
           gpu_linear_fits(b, r->steps * r->batch, r->directions * l->rows, r->input);
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    layer l;
    if (!layer_fits(b, n, &l, why)) return false;
    *why = "a hidden state that this device's workgroups cannot hold or finish in time";
    return shared_bytes(&l) <= b->limits->max_shared && l.step_rounds <= MOST_ROUNDS;
}

static bool fits_step_by_step(const gpu_builder *b, const gr_node *n, const char **why)
{
    layer l;
    if (!layer_fits(b, n, &l, why)) return false;
    *why = "too many steps of a hidden state that this device's workgroups cannot hold";
    if (l.r.steps > MOST_STEPS || l.r.gates * (l.h4 + 1) > MOST_ROUNDS) return false;
    *why = "sequences of different lengths, and a hidden state that this device's workgroups cannot hold";
    return full_lengths(b, n, l.r.steps);
}

/* ---- weights ---- */

static void store(void *dst, int64_t i, float v, const gpu_pack_arg *arg)
{
    if (arg->half)
        ((uint16_t *)dst)[i] = vkb_f32_to_f16(v);
    else
        ((float *)dst)[i] = v;
}

/* R [D][rows][hidden] to [D][h4][rows][4]: neighbouring lanes, which hold neighbouring rows, read
 * neighbouring fours. */
static void pack_r(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t directions = arg->v[0], rows = arg->v[1], hidden = arg->v[2], h4 = (hidden + 3) / 4, at = 0;
    for (int64_t d = 0; d < directions; d++)
        for (int64_t k = 0; k < h4 * 4; k += 4)
            for (int64_t row = 0; row < rows; row++)
                for (int64_t i = k; i < k + 4; i++)
                    store(dst, at++, i < hidden ? gpu_const_f32(source, (d * rows + row) * hidden + i) : 0.0f,
                          arg);
}

/* B [D][Wb, Rb][rows] to [D][rows]: Wb + Rb; of rows from `apart` on only Wb. */
static void pack_bias(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t directions = arg->v[0], rows = arg->v[1], apart = arg->v[2];
    for (int64_t d = 0; d < directions; d++)
        for (int64_t i = 0; i < rows; i++) {
            float own = gpu_const_f32(source, d * 2 * rows + i);
            float recurrent = i < apart ? gpu_const_f32(source, (2 * d + 1) * rows + i) : 0.0f;
            store(dst, d * rows + i, own + recurrent, arg);
        }
}

/* The rows of Rb from `apart` on. */
static void pack_apart(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t directions = arg->v[0], rows = arg->v[1], apart = arg->v[2], at = 0;
    for (int64_t d = 0; d < directions; d++)
        for (int64_t i = apart; i < rows; i++)
            store(dst, at++, gpu_const_f32(source, (2 * d + 1) * rows + i), arg);
}

static void pack_zeros(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    (void)source;
    for (int64_t i = 0; i < arg->v[0]; i++) store(dst, i, 0, arg);
}

/* ---- dispatches ---- */

static int64_t apart(const layer *l) /* first row whose bias the reset gate multiplies */
{
    return l->cell == GRU_LINEAR ? 2 * l->r.hidden : l->rows;
}

/* FORM in shaders/pack_recurrent.comp, for weights that are computed at run time. */
enum { FORM_R = 0, FORM_BIAS, FORM_APART, FORM_ZEROS };
static const gpu_pack_fn pack_constant[] = {pack_r, pack_bias, pack_apart, pack_zeros};

/* Input i in a form of `count` elements. */
static gpu_bind pack_form(gpu_builder *b, const gr_node *n, const layer *l, int i, int form, int64_t count)
{
    const op_recurrent *r = &l->r;
    int64_t first = form == FORM_ZEROS ? count : r->directions;
    uint64_t bytes = vkb_round_up((uint64_t)count * (b->half ? 2 : 4), 16);
    gpu_pack_arg arg = {
        .half = b->half,
        .v = {(int32_t)first, (int32_t)l->rows, (int32_t)(form == FORM_R ? r->hidden : apart(l))}};
    if (gr_is_const(b->g, n->in[i])) return gpu_pack(b, n->in[i], pack_constant[form], arg, bytes);
    gpu_bind packed = gpu_scratch(b, bytes), source = gpu_in(b, n, i, GPU_ROW);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, pack_recurrent));
    gpu_bind_add(d, source, GPU_READ);
    gpu_bind_add(d, packed, GPU_WRITE);
    gpu_grid_flat(b, d, count);
    gpu_spec(d, (uint32_t)form);
    gpu_push(d, count);
    gpu_push(d, l->rows);
    gpu_push(d, r->hidden);
    gpu_push(d, apart(l));
    return packed;
}

/* W x + Wb + Rb of every step, sequence and direction */
static gpu_bind project(gpu_builder *b, const gr_node *n, const layer *l)
{
    const op_recurrent *r = &l->r;
    const int64_t columns = r->directions * l->rows;
    gpu_linear linear = {.matrix = {n->in[W], r->input, columns, 1, r->input, r->input},
                         .rows = r->steps * r->batch,
                         .a = gpu_in(b, n, X, GPU_ROW)};
    linear.c = op_has_in(n, B) ? pack_form(b, n, l, B, FORM_BIAS, columns)
                               : pack_form(b, n, l, W, FORM_ZEROS, columns);
    linear.y = gpu_scratch(b, (uint64_t)l->x_bytes);
    gpu_emit_linear(b, n, &linear);
    return linear.y;
}

/* What the steps bind besides: peepholes or the bias apart, initial and final states. With sequences of
 * different lengths start_c is the lengths, and LSTM's start_h is both states. */
typedef struct states {
    gpu_bind x, r, extra, start_h, start_c, y, end_h, end_c;
    int flags;
} states;

static bool has_out(const gr_node *n, int i)
{
    return i < n->n_out && n->out[i] != GR_NONE;
}

/* Appends the cells' state to the hidden one, where the lengths need the cells' binding. */
static void join_starts(gpu_builder *b, const layer *l, states *s, gpu_bind h, gpu_bind c, gpu_bind lengths)
{
    int64_t count = l->r.batch * l->r.directions * l->r.hidden;
    gpu_bind both = gpu_scratch(b, (uint64_t)count * (b->half ? 4 : 8));
    op_strided copy = {
        .rank = 1, .dims = {count}, .src = {1}, .dst = {1}, .dst_offset = count, .elements = count};
    if (s->flags & START_C) gpu_copy_strided(b, &copy, c, both);
    copy.dst_offset = 0;
    if (s->flags & START_H) gpu_copy_strided(b, &copy, h, both);
    s->start_h = both;
    s->start_c = lengths;
}

/* Adds R h of the one step to the products of x; GRU's are wanted apart, where no cell's state is. */
static void project_state(gpu_builder *b, const gr_node *n, const layer *l, states *s)
{
    const op_recurrent *r = &l->r;
    const bool apart_from_x = l->cell == GRU_LINEAR;
    gpu_linear linear = {.matrix = {n->in[R], r->hidden, l->rows, 1, r->hidden, r->hidden},
                         .rows = r->batch,
                         .a = s->start_h,
                         .c_row = apart_from_x ? 0 : l->rows};
    linear.c = apart_from_x ? pack_form(b, n, l, R, FORM_ZEROS, l->rows) : s->x;
    linear.y = gpu_scratch(b, (uint64_t)l->x_bytes);
    gpu_emit_linear(b, n, &linear);
    *(apart_from_x ? &s->start_c : &s->x) = linear.y;
}

static states bind_states(gpu_builder *b, const gr_node *n, const layer *l, bool gates_alone)
{
    const op_recurrent *r = &l->r;
    states s = {.x = project(b, n, l)};
    s.r = gates_alone ? s.x : pack_form(b, n, l, R, FORM_R, r->directions * l->h4 * l->rows * 4);
    s.extra = s.start_h = s.start_c = s.y = s.x; /* not read, not written */
    if (l->cell == LSTM && op_has_in(n, P)) s.extra = gpu_in(b, n, P, GPU_ROW);
    if (l->cell == GRU_LINEAR && op_has_in(n, B))
        s.extra = pack_form(b, n, l, B, FORM_APART, r->directions * r->hidden);
    if (op_has_in(n, INITIAL_H)) s.start_h = gpu_in(b, n, INITIAL_H, GPU_ROW);
    if (op_has_in(n, INITIAL_C)) s.start_c = gpu_in(b, n, INITIAL_C, GPU_ROW);
    if (has_out(n, 0)) s.y = gpu_out(b, n, 0, GPU_ROW);
    s.end_h = has_out(n, 1) ? gpu_out(b, n, 1, GPU_ROW) : gpu_scratch(b, (uint64_t)l->state_bytes);
    s.end_c = has_out(n, 2)     ? gpu_out(b, n, 2, GPU_ROW)
              : l->cell == LSTM ? gpu_scratch(b, (uint64_t)l->state_bytes)
                                : s.end_h;
    s.flags = (op_has_in(n, INITIAL_H) ? START_H : 0) | (op_has_in(n, INITIAL_C) ? START_C : 0) |
              (op_has_in(n, l->cell == LSTM ? P : B) ? EXTRA : 0) | (has_out(n, 0) ? WRITE_Y : 0) |
              (l->cell == LSTM && l->a->input_forget ? FORGET_BY_INPUT : 0) |
              (full_lengths(b, n, r->steps) ? 0 : BY_LENGTHS);
    if (s.flags & BY_LENGTHS) join_starts(b, l, &s, s.start_h, s.start_c, gpu_in(b, n, LENGTHS, GPU_ROW));
    return s;
}

/* Strides of the products of the input, of Y and of the states */
static void push_strides(gpu_dispatch *d, const layer *l)
{
    const op_recurrent *r = &l->r;
    const int64_t row = r->directions * l->rows; /* X's strides, an input taken for a row of products */
    const int64_t words[] = {r->x_step / r->input * row,
                             r->x_batch / r->input * row,
                             r->y_step,
                             r->y_direction,
                             r->y_batch,
                             r->h_direction,
                             r->h_batch};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static void push_activations(gpu_dispatch *d, const layer *l, int flags, int64_t direction)
{
    gpu_push(d, flags);
    gpu_push_f32(d, l->a->clip > 0 ? l->a->clip : FLT_MAX);
    for (int i = 0; i < 3; i++) {
        gpu_push_f32(d, l->r.act[direction][i].alpha);
        gpu_push_f32(d, l->r.act[direction][i].beta);
    }
}

static void push_steps(gpu_dispatch *d, const layer *l, const states *s, int64_t first, int64_t count,
                       int64_t direction)
{
    const op_recurrent *r = &l->r;
    const int64_t words[] = {first, count, r->steps, direction, r->reverse};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    push_strides(d, l);
    gpu_push(d, r->batch * r->directions * r->hidden);
    push_activations(d, l, s->flags, direction);
}

static void emit_steps(gpu_builder *b, const layer *l, const states *s, int64_t first, int64_t count,
                       int64_t direction, int64_t directions)
{
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, recurrent_steps));
    gpu_bind_add(d, s->x, GPU_READ);
    gpu_bind_add(d, s->r, GPU_READ);
    gpu_bind_add(d, s->extra, GPU_READ);
    gpu_bind_add(d, s->start_h, GPU_READ);
    gpu_bind_add(d, s->start_c, GPU_READ);
    gpu_bind_add(d, s->y, GPU_WRITE);
    gpu_bind_add(d, s->end_h, GPU_WRITE);
    gpu_bind_add(d, s->end_c, GPU_WRITE);
    gpu_grid(b, d, l->r.batch * l->lanes, directions, 1, (uint32_t)l->lanes, 1, 1);
    gpu_spec(d, (uint32_t)l->lanes);
    gpu_spec(d, (uint32_t)l->cell);
    gpu_spec(d, (uint32_t)l->r.hidden);
    for (int i = 0; i < 3; i++) gpu_spec(d, l->r.act[direction][i].kind);
    d->macs = (uint64_t)(count * l->r.batch * directions * l->rows * l->r.hidden);
    push_steps(d, l, s, first, count, direction);
}

/* Relu and Tanh are special cases of functions that the shader has. */
static op_recurrent_act shader_act(op_recurrent_act a)
{
    if (a.kind == OP_RNN_RELU) return (op_recurrent_act){OP_RNN_LEAKY_RELU, 0, 0};
    return a.kind == OP_RNN_TANH ? (op_recurrent_act){OP_RNN_SCALED_TANH, 1, 1} : a;
}

static bool same_acts(const op_recurrent *r)
{
    for (int i = 0; i < 3; i++) {
        const op_recurrent_act *a = &r->act[0][i], *b = &r->act[1][i];
        if (a->kind != b->kind || a->alpha != b->alpha || a->beta != b->beta) return false;
    }
    return true;
}

/* Both directions in one dispatch, unless their activations differ. Parts of long sequences hand the state on
 * where the final state goes. */
static void emit(gpu_builder *b, const gr_node *n)
{
    layer l;
    if (!layer_of(b, n, &l)) return;
    const op_recurrent *r = &l.r;
    for (int i = 0; i < 6; i++) l.r.act[i / 3][i % 3] = shader_act(l.r.act[i / 3][i % 3]);
    states s = bind_states(b, n, &l, false);
    const int64_t together = r->directions == 2 && same_acts(r) ? 2 : 1;
    const int64_t part = vkb_max(1, MOST_ROUNDS / l.step_rounds);
    for (int64_t first = 0; first < r->steps && !b->failed; first += part) {
        for (int64_t direction = 0; direction < r->directions; direction += together)
            emit_steps(b, &l, &s, first, vkb_min(part, r->steps - first), direction, together);
        s.flags |= START_H | START_C;
        if (s.flags & BY_LENGTHS) {
            join_starts(b, &l, &s, s.end_h, s.end_c, s.start_c);
        } else {
            s.start_h = s.end_h;
            s.start_c = s.end_c;
        }
    }
}

/* ---- a dispatch a step ---- */

enum { PART_ALL = 0, PART_RESET, PART_GATES }; /* PART in the shader */

/* One step of `directions` directions; the states go from s->start_* to s->end_*. */
static void emit_step(gpu_builder *b, const layer *l, const states *s, int64_t step, int64_t direction,
                      int64_t directions, int part)
{
    const op_recurrent *r = &l->r;
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, recurrent_step));
    const gpu_bind in[] = {s->x, s->r, s->extra, s->start_h, s->start_c}, out[] = {s->y, s->end_h, s->end_c};
    for (size_t i = 0; i < VKB_COUNT(in); i++) gpu_bind_add(d, in[i], GPU_READ);
    for (size_t i = 0; i < VKB_COUNT(out); i++) gpu_bind_add(d, out[i], GPU_WRITE);
    gpu_grid(b, d, r->hidden, r->batch, directions, 64, 1, 1);
    const int64_t gates = l->cell == GRU ? (part == PART_RESET ? 1 : 2) : r->gates;
    d->macs = (uint64_t)(r->batch * directions * gates * r->hidden * (part == PART_GATES ? 1 : r->hidden));
    gpu_spec(d, (uint32_t)l->cell);
    for (int i = 0; i < 3; i++) gpu_spec(d, r->act[direction][i].kind);
    gpu_spec(d, (uint32_t)part);
    const int64_t words[] = {step, r->steps, r->batch, directions, direction, r->reverse, r->hidden};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    push_strides(d, l);
    push_activations(d, l, s->flags, direction);
}

static gpu_bind state_scratch(gpu_builder *b, const layer *l)
{
    return gpu_scratch(b, (uint64_t)l->state_bytes);
}

/* The states change places from step to step, since every unit reads all of them; the last step leaves them
 * in the outputs. */
static void emit_step_by_step(gpu_builder *b, const gr_node *n)
{
    layer l;
    if (!layer_of(b, n, &l)) return;
    const op_recurrent *r = &l.r;
    for (int i = 0; i < 6; i++) l.r.act[i / 3][i % 3] = shader_act(l.r.act[i / 3][i % 3]);
    states s = bind_states(b, n, &l, false);
    const gpu_bind last_h = s.end_h, last_c = s.end_c, h[2] = {state_scratch(b, &l), state_scratch(b, &l)};
    gpu_bind c[2] = {h[0], h[1]}, reset = l.cell == GRU ? state_scratch(b, &l) : s.x;
    for (int i = 0; i < 2 && l.cell == LSTM; i++) c[i] = state_scratch(b, &l);
    const int64_t together = r->directions == 2 && same_acts(r) ? 2 : 1;
    for (int64_t step = 0; step < r->steps && !b->failed; step++) {
        const bool last = step + 1 == r->steps;
        for (int64_t direction = 0; direction < r->directions; direction += together) {
            states now = s;
            if (l.cell == GRU) {
                now.end_h = now.end_c = reset;
                emit_step(b, &l, &now, step, direction, together, PART_RESET);
                now.extra = reset;
            }
            now.end_h = last ? last_h : h[step % 2];
            now.end_c = last ? last_c : c[step % 2];
            emit_step(b, &l, &now, step, direction, together, PART_ALL);
        }
        s.flags |= START_H | START_C;
        s.start_h = h[step % 2];
        s.start_c = c[step % 2];
    }
}

/* Multiply-accumulates with the state in one step from which three dispatches are sooner done than two. A
 * start value, but for Mesa's software driver: there barriers within a workgroup cost more than a dispatch.
 */
static int64_t least_of_cell(const gpu_limits *limits)
{
    enum { MESA = 0x10005 };
    return limits->vendor == MESA ? 0 : 1 << 14;
}

/* One step: both products, then all gates. */
static bool fits_cell(const gpu_builder *b, const gr_node *n, const char **why)
{
    layer l;
    if (!layer_fits(b, n, &l, why)) return false;
    *why = "more than one step or direction, or a reset gate before the product";
    if (l.r.steps != 1 || l.r.directions != 1 || l.cell == GRU) return false;
    *why = "a sequence without a step";
    if (!full_lengths(b, n, 1)) return false;
    *why = "a state that one workgroup is done with sooner";
    return l.r.batch * l.rows * l.r.hidden >= least_of_cell(b->limits) &&
           gpu_linear_fits(b, l.r.batch, l.rows, l.r.hidden);
}

static void emit_cell(gpu_builder *b, const gr_node *n)
{
    layer l;
    if (!layer_of(b, n, &l)) return;
    for (int i = 0; i < 3; i++) l.r.act[0][i] = shader_act(l.r.act[0][i]);
    states s = bind_states(b, n, &l, true);
    if (s.flags & START_H) project_state(b, n, &l, &s);
    emit_step(b, &l, &s, 0, 0, 1, PART_GATES);
}

static const gpu_kernel kernels[] = {
    {"recurrent_cell", fits_cell, emit_cell, GPU_FLOATS | OP_BIT(VKI_I32)},
    {"recurrent_steps", fits, emit, GPU_FLOATS | OP_BIT(VKI_I32)},
    {"recurrent_step", fits_step_by_step, emit_step_by_step, GPU_FLOATS | OP_BIT(VKI_I32)},
    {0}};
const gpu_op gpu_op_recurrent = {kernels};
