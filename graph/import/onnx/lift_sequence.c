/* SPDX-License-Identifier: Apache-2.0
 * Sequences and optionals. The graph has tensors only: a sequence whose length is known is a list of tensors
 * while the model is imported, and its operators move ids between such lists. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

enum { LIST_MAX = 1024 }; /* elements: as many as the inputs of a Concat */

static bool absent(const onnx_node *n, int i)
{
    return (size_t)i >= n->proto->n_input || !onnx_text(n->proto->input[i])[0];
}

static const onnx_list *list_of(const onnx_node *n, int i)
{
    const onnx_value *v = absent(n, i) ? NULL : onnx_value_find(n->c, n->proto->input[i]);
    return v ? v->list : NULL;
}

/* Input i as a sequence; NULL: the node was refused (*status is the result). */
static const onnx_list *sequence_of(onnx_node *n, int i, vki_status *status)
{
    const onnx_list *list = list_of(n, i);
    if (list && list->kind == ONNX_SEQUENCE) return list;
    *status = onnx_refuse(n, "input %d is no sequence whose length is known", i);
    return NULL;
}

static onnx_list *new_list(onnx_node *n, onnx_list_kind kind, int count, gr_id **items)
{
    onnx_list *list = vkb_arena_alloc(&n->c->scratch, sizeof *list);
    *items = vkb_arena_alloc(&n->c->scratch, ((size_t)count + 1) * sizeof **items);
    if (!list || !*items) return NULL;
    *list = (onnx_list){.kind = kind, .count = count, .items = *items};
    return list;
}

/* The node's output 0. */
static vki_status give(onnx_node *n, const onnx_list *list)
{
    n->op = OP_NONE;
    if (list && list->count > LIST_MAX)
        return onnx_refuse(n, "a sequence of %d tensors, at most %d can be taken", list->count, LIST_MAX);
    return list ? onnx_forward(n, 0, GR_NONE, list) : onnx_nomem(n->c);
}

static vki_status give_tensor(onnx_node *n, gr_id id)
{
    n->op = OP_NONE;
    return id == GR_NONE ? onnx_nomem(n->c) : onnx_forward(n, 0, id, NULL);
}

/* The position that input i gives in a list of `size` places; *at < 0: the node was refused. */
static vki_status read_position(onnx_node *n, int i, int size, int64_t otherwise, int64_t *at)
{
    int count;
    *at = otherwise;
    if (absent(n, i)) {
        if (*at < 0) return onnx_fail(n, "the sequence is empty");
        return VKI_OK;
    }
    *at = -1;
    int64_t value;
    if (!gr_const_i64(n->c->g, n->in[i], &value, 1, &count) || count != 1)
        return onnx_refuse(n, "a position that is not constant");
    if (value < 0) value += size;
    if (value < 0 || value >= size) return onnx_fail(n, "position %lld of %d", (long long)value, size);
    *at = value;
    return VKI_OK;
}

/* ---- lists ---- */

static vki_status construct(onnx_node *n)
{
    gr_id *items;
    VKB_TRY(onnx_require_inputs(n, n->n_in));
    if (n->has_list) return onnx_fail(n, "an input is no tensor");
    onnx_list *list = new_list(n, ONNX_SEQUENCE, n->n_in, &items);
    for (int i = 0; list && i < n->n_in; i++) items[i] = n->in[i];
    return give(n, list);
}

static vki_status insert(onnx_node *n)
{
    vki_status status = VKI_OK;
    int64_t at;
    gr_id *items;
    const onnx_list *from = sequence_of(n, 0, &status);
    if (!from) return status;
    if (absent(n, 1) || list_of(n, 1)) return onnx_fail(n, "input 1 is no tensor");
    /* from -n to n, both included: negative positions count from the end of the old sequence */
    int64_t given = -1;
    int count;
    bool negative =
        !absent(n, 2) && gr_const_i64(n->c->g, n->in[2], &given, 1, &count) && count == 1 && given < 0;
    VKB_TRY(read_position(n, 2, from->count + !negative, from->count, &at));
    if (at < 0) return VKI_OK;
    onnx_list *list = new_list(n, ONNX_SEQUENCE, from->count + 1, &items);
    for (int i = 0; list && i < list->count; i++)
        items[i] = i == at ? n->in[1] : from->items[i < at ? i : i - 1];
    return give(n, list);
}

static vki_status erase(onnx_node *n)
{
    vki_status status = VKI_OK;
    int64_t at;
    gr_id *items;
    const onnx_list *from = sequence_of(n, 0, &status);
    if (!from) return status;
    VKB_TRY(read_position(n, 1, from->count, from->count - 1, &at));
    if (at < 0) return VKI_OK;
    onnx_list *list = new_list(n, ONNX_SEQUENCE, from->count - 1, &items);
    for (int i = 0; list && i < list->count; i++) items[i] = from->items[i < at ? i : i + 1];
    return give(n, list);
}

static vki_status element_at(onnx_node *n)
{
    vki_status status = VKI_OK;
    int64_t at;
    const onnx_list *from = sequence_of(n, 0, &status);
    if (!from) return status;
    VKB_TRY(read_position(n, 1, from->count, -1, &at));
    return at < 0 ? VKI_OK : give_tensor(n, from->items[at]);
}

static vki_status length(onnx_node *n)
{
    vki_status status = VKI_OK;
    const onnx_list *from = sequence_of(n, 0, &status);
    if (!from) return status;
    return give_tensor(n, gr_add_const(n->c->g, NULL, VKI_I64, 0, NULL, &(int64_t){from->count}, true));
}

/* ---- to and from tensors ---- */

/* The sizes of the parts along dims[axis] of x; `parts` has room for LIST_MAX. *count < 0: refused. */
static vki_status part_sizes(onnx_node *n, const gr_tensor *x, int64_t axis, int64_t *parts, int *count)
{
    int64_t whole = x->rank >= 0 ? x->dims[axis] : GR_UNKNOWN, part = 1;
    int given = 0;
    *count = -1;
    if (!absent(n, 1)) {
        const gr_tensor *split = &n->c->g->tensors[n->in[1]];
        if (!gr_const_i64(n->c->g, n->in[1], parts, LIST_MAX, &given))
            return onnx_refuse(n, "sizes of parts that are not constant, or more than %d", LIST_MAX);
        if (split->rank == 1) {
            *count = given;
            return VKI_OK;
        }
        part = given == 1 ? parts[0] : 0;
        if (part < 1) return onnx_fail(n, "the size of a part is %lld", (long long)part);
    }
    if (whole < 0) return onnx_refuse(n, "of a dimension whose size is not known");
    int64_t total = whole / part + (whole % part != 0);
    if (total > LIST_MAX)
        return onnx_refuse(n, "into %lld parts, at most %d can be made", (long long)total, LIST_MAX);
    for (int64_t i = 0; i < total; i++) parts[i] = i < whole / part ? part : whole % part;
    *count = (int)total;
    return VKI_OK;
}

/* A Split of x into `count` new tensors. */
static bool split_into(onnx_node *n, gr_id sizes, int64_t axis, int count, gr_id *items)
{
    gr_graph *g = n->c->g;
    for (int i = 0; i < count; i++) {
        items[i] = gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
        if (items[i] == GR_NONE) return false;
    }
    if (sizes == GR_NONE) return false;
    gr_node *node = gr_add_node(g, OP_Split, n->name, 2, (gr_id[]){n->in[0], sizes}, count, items);
    if (!node || !onnx_attr_put(OP_Split, node->attrs, "axis", (double)axis)) return false;
    bool known;
    gr_infer_node(g, node, &known, NULL);
    return true;
}

static vki_status split(onnx_node *n)
{
    int64_t axis = 0, keep = 1, parts[LIST_MAX];
    int count;
    gr_id *items;
    VKB_TRY(onnx_require_inputs(n, 1));
    if (n->has_list) return onnx_fail(n, "an input is no tensor");
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    VKB_TRY(onnx_attr_int(n, "keepdims", &keep));
    const gr_tensor *x = &n->c->g->tensors[n->in[0]];
    if (x->rank >= 0 && (axis < -x->rank || axis >= x->rank))
        return onnx_fail(n, "axis %lld of %d dimensions", (long long)axis, x->rank);
    if (x->rank < 0 && absent(n, 1)) return onnx_refuse(n, "of an input whose dimensions are not known");
    VKB_TRY(part_sizes(n, x, axis < 0 && x->rank >= 0 ? axis + x->rank : axis, parts, &count));
    if (count < 0) return VKI_OK;
    onnx_list *list = new_list(n, ONNX_SEQUENCE, count, &items);
    if (!list || (count && !split_into(n, onnx_const_ints(n, "parts", parts, count), axis, count, items)))
        return onnx_nomem(n->c);
    for (int i = 0; i < count && !keep && absent(n, 1); i++)
        items[i] = onnx_binary(n, OP_Squeeze, "element", items[i], onnx_const_ints(n, "axis", &axis, 1));
    return give(n, list);
}

static vki_status concat(onnx_node *n)
{
    vki_status status = VKI_OK;
    int64_t axis = 0, new_axis = 0;
    const onnx_list *from = sequence_of(n, 0, &status);
    if (!from) return status;
    if (!onnx_has_attr(n, "axis")) return onnx_fail(n, "the attribute 'axis' is missing");
    VKB_TRY(onnx_attr_int(n, "axis", &axis));
    VKB_TRY(onnx_attr_int(n, "new_axis", &new_axis));
    if (from->count == 0) return onnx_fail(n, "the sequence is empty");
    gr_id *items;
    if (!new_list(n, ONNX_SEQUENCE, from->count, &items)) return onnx_nomem(n->c);
    gr_id at = new_axis ? onnx_const_ints(n, "axis", &axis, 1) : GR_NONE;
    for (int i = 0; i < from->count; i++)
        items[i] = new_axis ? onnx_binary(n, OP_Unsqueeze, "element", from->items[i], at) : from->items[i];
    return give_tensor(n, onnx_helper(n, OP_Concat, "joined", from->count, items,
                                      (onnx_set[]){{"axis", (double)axis}, {NULL, 0}}));
}

/* ---- optionals; a tensor or sequence stands for an optional that holds it ---- */

static vki_status optional(onnx_node *n)
{
    gr_id *items;
    onnx_attr(n, "type"); /* of an empty one */
    onnx_list *list = new_list(n, ONNX_OPTIONAL, !absent(n, 0), &items);
    if (!list) return onnx_nomem(n->c);
    list->inner = list_of(n, 0);
    if (list->count) items[0] = n->in[0];
    return give(n, list);
}

static vki_status has_element(onnx_node *n)
{
    const onnx_list *list = list_of(n, 0);
    uint8_t has = list && list->kind == ONNX_OPTIONAL ? list->count > 0 : !absent(n, 0);
    return give_tensor(n, gr_add_const(n->c->g, NULL, VKI_BOOL, 0, NULL, &has, true));
}

static vki_status get_element(onnx_node *n)
{
    const onnx_list *list = list_of(n, 0);
    if (absent(n, 0) || (list && list->kind == ONNX_OPTIONAL && !list->count))
        return onnx_fail(n, "the optional is empty");
    if (!list) return give_tensor(n, n->in[0]);
    if (list->kind == ONNX_SEQUENCE) return give(n, list);
    return list->inner ? give(n, list->inner) : give_tensor(n, list->items[0]);
}

/* ---- SequenceMap: its body once an element ---- */

typedef struct map {
    const Onnx__GraphProto *body;
    const char **in, **out;
    gr_id *in_ids, *out_ids;
    const onnx_list **in_lists, **out_lists;
    gr_id **items; /* of the outputs */
    onnx_list **results;
} map;

static bool allocate_map(onnx_node *n, map *m, int count)
{
    vkb_arena *arena = &n->c->scratch;
    size_t n_in = m->body->n_input + 1, n_out = m->body->n_output + 1;
    m->in = vkb_arena_alloc(arena, n_in * sizeof *m->in);
    m->in_ids = vkb_arena_alloc(arena, n_in * sizeof *m->in_ids);
    m->in_lists = vkb_arena_alloc(arena, n_in * sizeof *m->in_lists);
    m->out = vkb_arena_alloc(arena, n_out * sizeof *m->out);
    m->out_ids = vkb_arena_alloc(arena, n_out * sizeof *m->out_ids);
    m->out_lists = vkb_arena_alloc(arena, n_out * sizeof *m->out_lists);
    m->items = vkb_arena_alloc(arena, n_out * sizeof *m->items);
    m->results = vkb_arena_alloc(arena, n_out * sizeof *m->results);
    if (!m->in || !m->in_ids || !m->in_lists || !m->out || !m->out_ids || !m->out_lists || !m->items ||
        !m->results)
        return false;
    for (size_t i = 0; i < m->body->n_input; i++) {
        m->in[i] = onnx_text(m->body->input[i]->name);
        m->in_lists[i] = NULL;
    }
    for (size_t i = 0; i < m->body->n_output; i++) {
        m->out[i] = onnx_text(m->body->output[i]->name);
        m->results[i] = new_list(n, ONNX_SEQUENCE, count, &m->items[i]);
        if (!m->results[i]) return false;
    }
    return true;
}

static vki_status map_element(onnx_node *n, map *m, int element)
{
    for (size_t i = 0; i < m->body->n_input; i++) {
        const onnx_list *list = list_of(n, (int)i);
        m->in_ids[i] = list ? list->items[element] : n->in[i];
    }
    const Onnx__GraphProto *g = m->body;
    onnx_body body = {.prefix = vkb_arena_printf(&n->c->scratch, "%s/%d", n->name, element),
                      .nodes = g->node,
                      .n_nodes = g->n_node,
                      .initializers = g->initializer,
                      .n_initializers = g->n_initializer,
                      .n_in = (int)g->n_input,
                      .in = m->in,
                      .in_ids = m->in_ids,
                      .in_lists = m->in_lists,
                      .n_out = (int)g->n_output,
                      .out = m->out,
                      .captures = true};
    if (!body.prefix) return onnx_nomem(n->c);
    VKB_TRY(onnx_inline(n->c, &body, m->out_ids, m->out_lists));
    for (size_t i = 0; i < g->n_output; i++) {
        if (m->out_lists[i]) VKB_TRY(onnx_refuse(n, "its body makes a sequence"));
        m->items[i][element] = m->out_ids[i];
    }
    return VKI_OK;
}

static vki_status sequence_map(onnx_node *n)
{
    vki_status status = VKI_OK;
    const onnx_list *first = sequence_of(n, 0, &status);
    if (!first) return status;
    const Onnx__AttributeProto *a = onnx_attr(n, "body");
    if (!a || !a->g) return onnx_fail(n, "the attribute 'body' is missing");
    map m = {.body = a->g};
    if (a->g->n_input != n->proto->n_input || a->g->n_output != n->proto->n_output)
        return onnx_fail(n, "its body has %zu inputs and %zu outputs", a->g->n_input, a->g->n_output);
    for (int i = 1; i < n->n_in; i++) {
        const onnx_list *list = list_of(n, i);
        if (absent(n, i) || (list && (list->kind != ONNX_SEQUENCE || list->count != first->count)))
            return onnx_fail(n, "input %d is no tensor, and no sequence of %d", i, first->count);
    }
    if (!allocate_map(n, &m, first->count)) return onnx_nomem(n->c);
    for (int i = 0; i < first->count; i++) VKB_TRY(map_element(n, &m, i));
    n->op = OP_NONE;
    for (int i = 0; i < n->n_out; i++) VKB_TRY(onnx_forward(n, i, GR_NONE, m.results[i]));
    return VKI_OK;
}

/* ---- all of them ---- */

static const struct {
    const char *type;
    onnx_lift_fn lift;
} lifts[] = {
    {"SequenceEmpty", construct}, {"SequenceConstruct", construct},    {"SequenceInsert", insert},
    {"SequenceErase", erase},     {"SequenceAt", element_at},          {"SequenceLength", length},
    {"SplitToSequence", split},   {"ConcatFromSequence", concat},      {"SequenceMap", sequence_map},
    {"Optional", optional},       {"OptionalHasElement", has_element}, {"OptionalGetElement", get_element},
};

static onnx_lift_fn find_lift(const char *type)
{
    for (size_t i = 0; i < VKB_COUNT(lifts); i++)
        if (strcmp(lifts[i].type, type) == 0) return lifts[i].lift;
    return NULL;
}

bool lift_takes_lists(const char *type)
{
    return strcmp(type, "Identity") == 0 || find_lift(type);
}

vki_status lift_sequence(onnx_node *n)
{
    if (strcmp(n->type, "SequenceEmpty") == 0) onnx_attr(n, "dtype");
    return find_lift(n->type)(n);
}

vki_status lift_identity(onnx_node *n)
{
    return n->has_list ? give(n, list_of(n, 0)) : VKI_OK;
}
