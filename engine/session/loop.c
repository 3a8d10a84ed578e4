/* SPDX-License-Identifier: Apache-2.0
 * Bodies run by the host: the branch of an If that was not inlined, the rounds of Loop and Scan. Each round
 * is a chain of stages like the network itself, planned once for its shapes. What goes from round to round
 * lies in the outputs of the loop's stage. */
#include <string.h>

#include "cpu/ref.h"
#include "session/stage.h"

typedef struct loop {
    ses_run_context *r;
    ses_stage *stage;
    const vki_allocator *a;
    const gr_node *n;
    const gr_graph *body;
    ses_value *args;         /* by input of the node; data NULL: absent or empty */
    const ses_value **in;    /* by input of the body */
    ses_result *results;     /* by output of the body, of the last round */
    int states, scans;       /* outputs of the node: values that go from round to round, and stacked ones */
    int first_in, first_out; /* where the values stand among the body's inputs and outputs */
    int64_t rounds;          /* done */
} loop;

static vki_status fail(const loop *l, vki_status code, const char *what, int64_t value)
{
    return vkb_fail_node(l->r->err, code, l->n->name, op_name(l->n->op), "%s (%lld)", what, (long long)value);
}

/* ---- values ---- */

static vki_status copy_value(loop *l, ses_value *to, const ses_value *from)
{
    uint64_t bytes = ses_value_bytes(from);
    VKB_TRY(ses_value_reserve(l->a, to, bytes, l->r->err));
    to->dtype = from->dtype;
    to->rank = from->rank;
    memcpy(to->dims, from->dims, sizeof to->dims);
    if (bytes) memcpy(to->own, from->data, (size_t)bytes);
    to->data = to->own;
    return VKI_OK;
}

static ses_value scalar(vki_dtype dtype, const void *data)
{
    return (ses_value){.dtype = dtype, .data = data};
}

/* Of one element; integers and bool. */
static bool read_number(const ses_value *v, int64_t *out)
{
    if (ses_value_bytes(v) != vki_dtype_size(v->dtype) || !v->data) return false;
    *out = cpu_load_i64(v->data, v->dtype, 0);
    return v->dtype == VKI_I64 || v->dtype == VKI_I32 || v->dtype == VKI_BOOL;
}

/* ---- set-up ---- */

static void read_args(loop *l, const ses_value *const *inputs)
{
    const gr_graph *g = &l->stage->loop;
    for (int i = 0; i < l->n->n_in; i++) {
        gr_id t = l->n->in[i];
        if (t == GR_NONE) continue;
        if (gr_is_const(g, t)) {
            const gr_tensor *c = &g->tensors[t];
            l->args[i] = (ses_value){.dtype = c->dtype, .rank = c->rank, .data = c->data};
            memcpy(l->args[i].dims, c->dims, sizeof c->dims);
        }
        for (int k = 0; k < g->n_inputs; k++)
            if (g->inputs[k] == t) l->args[i] = *inputs[l->stage->links.feed[k]];
    }
}

static vki_status begin(loop *l, const gr_graph *body)
{
    l->body = body;
    l->in = vkb_calloc(l->a, (size_t)body->n_inputs, sizeof *l->in);
    l->results = vkb_calloc(l->a, (size_t)body->n_outputs, sizeof *l->results);
    return l->in && l->results ? VKI_OK : vkb_nomem(l->r->err, (uint64_t)body->n_inputs * sizeof *l->in);
}

/* The node's inputs from `from` on are the body's from `to` on. */
static void pass_args(loop *l, int from, int to)
{
    for (int i = to; i < l->body->n_inputs; i++) l->in[i] = &l->args[from + i - to];
}

/* ---- one round ---- */

static vki_status value_of(const loop *l, int output, const ses_value **v)
{
    return ses_value_of(l->r, l->results[output].stage, l->results[output].output, v);
}

static vki_status check_time(const loop *l)
{
    vki_status status = ses_watch_check(l->r->watch, l->r->err);
    return status == VKI_E_TIMEOUT
               ? fail(l, status, "the time given ran out after rounds of the loop", l->rounds)
               : status;
}

static vki_status run_body(loop *l)
{
    ses_stage *first, *last;
    VKB_TRY(check_time(l));
    VKB_TRY(ses_stage_get(l->r->s, l->stage, l->body, l->in, &first, l->r->err));
    return ses_chain_run(l->r, first, l->in, l->results, &last);
}

static vki_status append(loop *l, ses_value *to, const ses_value *piece)
{
    uint64_t bytes = ses_value_bytes(piece), used = bytes * (uint64_t)l->rounds;
    bool same = to->dtype == piece->dtype && to->rank == piece->rank &&
                !memcmp(to->dims, piece->dims, (size_t)piece->rank * sizeof piece->dims[0]);
    if (l->rounds == 0) {
        to->dtype = piece->dtype;
        to->rank = piece->rank;
        memcpy(to->dims, piece->dims, sizeof to->dims);
    } else if (!same) {
        return fail(l, VKI_E_SHAPE, "its scan outputs have another shape or type than before in round",
                    l->rounds);
    }
    if (used + bytes > to->capacity || !to->own) {
        ses_value grown = {0};
        VKB_TRY(ses_value_reserve(l->a, &grown, 2 * (used + bytes), l->r->err));
        if (used) memcpy(grown.own, to->own, (size_t)used);
        vkb_free(l->a, to->own);
        to->own = grown.own;
        to->capacity = grown.capacity;
    }
    if (bytes) memcpy((char *)to->own + used, piece->data, (size_t)bytes);
    return VKI_OK;
}

static vki_status finish_round(loop *l)
{
    const ses_value *v;
    for (int i = 0; i < l->states; i++) {
        VKB_TRY(value_of(l, l->first_out + i, &v));
        VKB_TRY(copy_value(l, &l->stage->made[i], v));
        l->in[l->first_in + i] = &l->stage->made[i];
    }
    for (int i = 0; i < l->scans; i++) {
        VKB_TRY(value_of(l, l->first_out + l->states + i, &v));
        VKB_TRY(append(l, &l->stage->made[l->states + i], v));
    }
    l->rounds++;
    return VKI_OK;
}

/* ---- when all rounds are done ---- */

/* Without any round: what a piece would be. The body has no effects, so it can be tried. */
static vki_status describe_pieces(loop *l)
{
    VKB_TRY(run_body(l));
    for (int i = 0; i < l->scans; i++) {
        ses_value *v = &l->stage->made[l->states + i];
        const ses_value *piece;
        VKB_TRY(value_of(l, l->first_out + l->states + i, &piece));
        v->dtype = piece->dtype;
        v->rank = piece->rank;
        memcpy(v->dims, piece->dims, sizeof v->dims);
    }
    return VKI_OK;
}

/* Pieces lie one after the other; brings them in place along `axis`. */
static vki_status stack(loop *l, int scan, int64_t axis, bool reverse)
{
    ses_value *v = &l->stage->made[l->states + scan];
    if (axis < 0) axis += v->rank + 1;
    if (axis < 0 || axis > v->rank || v->rank == GR_MAX_RANK)
        return fail(l, VKI_E_SHAPE, "a scan output cannot be stacked along axis", axis);
    uint64_t piece = l->rounds ? ses_value_bytes(v) : 0, outer = 1;
    for (int d = 0; d < axis; d++) outer *= (uint64_t)v->dims[d];
    uint64_t inner = piece && outer ? piece / outer : 0;
    memmove(v->dims + axis + 1, v->dims + axis, (size_t)(v->rank - axis) * sizeof v->dims[0]);
    v->dims[axis] = l->rounds;
    v->rank++;
    v->data = v->own;
    if ((axis == 0 && !reverse) || !piece) return VKI_OK;
    ses_value sorted = {0};
    VKB_TRY(ses_value_reserve(l->a, &sorted, piece * (uint64_t)l->rounds, l->r->err));
    for (int64_t i = 0; i < l->rounds; i++)
        for (uint64_t o = 0; o < outer; o++)
            memcpy((char *)sorted.own + (o * (uint64_t)l->rounds + (uint64_t)i) * inner,
                   (char *)v->own + (uint64_t)(reverse ? l->rounds - 1 - i : i) * piece + o * inner,
                   (size_t)inner);
    vkb_free(l->a, v->own);
    v->own = sorted.own;
    v->capacity = sorted.capacity;
    v->data = v->own;
    return VKI_OK;
}

/* Values that no round has changed are those that came in. */
static void keep_states(loop *l)
{
    for (int i = 0; i < l->states && !l->rounds; i++) {
        ses_value *v = &l->stage->made[i];
        const ses_value *from = l->in[l->first_in + i];
        v->dtype = from->dtype;
        v->rank = from->rank;
        memcpy(v->dims, from->dims, sizeof v->dims);
        v->data = from->data;
    }
}

/* ---- the three of them ---- */

static vki_status run_if(loop *l)
{
    const op_if_attrs *a = l->n->attrs;
    int64_t condition;
    if (!read_number(&l->args[0], &condition))
        return fail(l, VKI_E_SHAPE, "its condition is no single bool", 0);
    VKB_TRY(begin(l, l->stage->loop.bodies[condition ? a->then_branch : a->else_branch].graph));
    pass_args(l, condition ? 1 : 1 + (int)a->then_inputs, 0);
    l->states = l->n->n_out;
    VKB_TRY(run_body(l));
    for (int i = 0; i < l->states; i++) {
        const ses_value *v;
        VKB_TRY(value_of(l, i, &v));
        VKB_TRY(copy_value(l, &l->stage->made[i], v));
    }
    return VKI_OK;
}

static vki_status run_loop(loop *l)
{
    const op_loop_attrs *a = l->n->attrs;
    const uint8_t yes = 1;
    int64_t most = INT64_MAX, condition = 1, iteration = 0;
    if (op_has_in(l->n, 0) && !read_number(&l->args[0], &most))
        return fail(l, VKI_E_SHAPE, "its input 0 is no single number", 0);
    if (op_has_in(l->n, 1) && !read_number(&l->args[1], &condition))
        return fail(l, VKI_E_SHAPE, "its condition is no single bool", 0);
    const ses_value count = scalar(VKI_I64, &iteration), go_on = scalar(VKI_BOOL, &yes);
    VKB_TRY(begin(l, l->stage->loop.bodies[a->body].graph));
    l->states = (int)a->carried;
    l->scans = l->n->n_out - l->states;
    l->first_in = 2;
    l->first_out = 1;
    pass_args(l, 2, 2);
    l->in[0] = &count;
    l->in[1] = &go_on;
    for (; iteration < most && condition; iteration++) {
        const ses_value *v;
        VKB_TRY(run_body(l));
        VKB_TRY(value_of(l, 0, &v));
        if (!read_number(v, &condition))
            return fail(l, VKI_E_SHAPE, "the condition is no single bool after round", iteration);
        VKB_TRY(finish_round(l));
    }
    keep_states(l);
    if (!l->rounds && l->scans) VKB_TRY(describe_pieces(l));
    for (int i = 0; i < l->scans; i++) VKB_TRY(stack(l, i, 0, false));
    return VKI_OK;
}

/* Element `at` of a sequence along an axis; of an empty one zeros of an element's shape. */
static vki_status take_element(loop *l, const ses_value *from, int64_t axis, int64_t at, ses_value *to)
{
    uint64_t outer = 1, length = (uint64_t)from->dims[axis], bytes;
    to->dtype = from->dtype;
    to->rank = 0;
    for (int d = 0; d < from->rank; d++)
        if (d != axis) to->dims[to->rank++] = from->dims[d];
    for (int d = 0; d < axis; d++) outer *= (uint64_t)from->dims[d];
    bytes = ses_value_bytes(to);
    VKB_TRY(ses_value_reserve(l->a, to, bytes, l->r->err));
    to->data = to->own;
    uint64_t inner = outer ? bytes / outer : 0;
    if (!length && bytes) memset(to->own, 0, (size_t)bytes);
    for (uint64_t o = 0; o < outer && inner && length; o++)
        memcpy((char *)to->own + o * inner, (const char *)from->data + (o * length + (uint64_t)at) * inner,
               (size_t)inner);
    return VKI_OK;
}

static vki_status run_rounds(loop *l, const op_scan_attrs *a, ses_value *elements)
{
    const ses_value *sequences = l->args + l->states;
    int64_t length = 0;
    for (int64_t i = 0; i == 0 || i < length; i++) {
        for (int k = 0; k < a->num_scan_inputs; k++) {
            int64_t axis = op_listed(&a->scan_input_axes, k);
            if (axis < 0)
                axis += sequences[k].rank; /* in range and of one length: inference has seen to it */
            length = sequences[k].dims[axis];
            int64_t at = op_listed(&a->scan_input_directions, k) ? length - 1 - i : i;
            VKB_TRY(take_element(l, &sequences[k], axis, at, &elements[k]));
            l->in[l->states + k] = &elements[k];
        }
        if (!length) return VKI_OK;
        VKB_TRY(run_body(l));
        VKB_TRY(finish_round(l));
    }
    return VKI_OK;
}

static vki_status run_scan(loop *l)
{
    const op_scan_attrs *a = l->n->attrs;
    size_t n = (size_t)a->num_scan_inputs;
    VKB_TRY(begin(l, l->stage->loop.bodies[a->body].graph));
    l->states = (int)a->states;
    l->scans = l->n->n_out - l->states;
    pass_args(l, 0, 0);
    ses_value *elements = vkb_calloc(l->a, n, sizeof *elements);
    if (!elements) return vkb_nomem(l->r->err, n * sizeof *elements);
    vki_status status = run_rounds(l, a, elements);
    keep_states(l);
    if (status == VKI_OK && !l->rounds && l->scans) status = describe_pieces(l);
    for (int i = 0; i < l->scans && status == VKI_OK; i++)
        status =
            stack(l, i, op_listed(&a->scan_output_axes, i), op_listed(&a->scan_output_directions, i) == 1);
    for (size_t i = 0; i < n; i++) vkb_free(l->a, elements[i].own);
    vkb_free(l->a, elements);
    return status;
}

vki_status ses_loop_run(ses_run_context *r, ses_stage *stage, const ses_value *const *inputs)
{
    loop l = {.r = r, .stage = stage, .a = stage->loop.allocator, .n = &stage->loop.nodes[0]};
    l.args = vkb_calloc(l.a, (size_t)l.n->n_in, sizeof *l.args);
    if (!l.args) return vkb_nomem(r->err, (uint64_t)l.n->n_in * sizeof *l.args);
    read_args(&l, inputs);
    vki_status status = l.n->op == OP_If ? run_if(&l) : l.n->op == OP_Loop ? run_loop(&l) : run_scan(&l);
    vkb_free(l.a, l.args);
    vkb_free(l.a, l.in);
    vkb_free(l.a, l.results);
    return status;
}
