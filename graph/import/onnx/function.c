/* SPDX-License-Identifier: Apache-2.0
 * Calls of the model's own functions. A function's attributes are filled in where its nodes refer to them,
 * then its nodes are inlined. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

enum { ATTRIBUTE_PROTO = 11 }; /* FunctionProto.attribute_proto, newer than the packaged onnx.proto */

typedef struct call {
    onnx_ctx *c;
    const Onnx__NodeProto *node; /* the caller */
    Onnx__AttributeProto **defaults;
    size_t n_defaults;
} call;

const Onnx__FunctionProto *onnx_function_of(const onnx_ctx *c, const Onnx__NodeProto *node)
{
    const Onnx__ModelProto *m = c->model;
    const char *type = onnx_text(node->op_type);
    bool usual = onnx_is_default_domain(node->domain);
    for (size_t i = 0; m && i < m->n_functions; i++) {
        const Onnx__FunctionProto *f = m->functions[i];
        if (strcmp(onnx_text(f->name), type) != 0) continue;
        if (usual ? onnx_is_default_domain(f->domain) && op_find(type) == OP_NONE
                  : strcmp(onnx_text(f->domain), node->domain) == 0)
            return f;
    }
    return NULL;
}

/* ---- attributes ---- */

/* Those that a function gives defaults to are an unknown field for the generated code: its bytes, length
 * first. */
static vki_status read_defaults(call *l, const Onnx__FunctionProto *f)
{
    const ProtobufCMessage *m = &f->base;
    l->defaults = vkb_arena_alloc(&l->c->scratch, (m->n_unknown_fields + 1) * sizeof *l->defaults);
    if (!l->defaults) return onnx_nomem(l->c);
    for (unsigned i = 0; i < m->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &m->unknown_fields[i];
        if (field->tag != ATTRIBUTE_PROTO || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        size_t skip = 0;
        while (skip < field->len && field->data[skip] & 0x80) skip++;
        if (++skip > field->len) continue;
        vki_status status = VKI_OK;
        ProtobufCMessage *a =
            onnx_unpack(&onnx__attribute_proto__descriptor, field->data + skip, field->len - skip,
                        &l->c->scratch, &l->c->main->arena, false, &status, l->c->err);
        if (!a) return status;
        l->defaults[l->n_defaults++] = (Onnx__AttributeProto *)a;
    }
    return VKI_OK;
}

static const Onnx__AttributeProto *find_attribute(Onnx__AttributeProto *const *list, size_t n,
                                                  const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(onnx_text(list[i]->name), name) == 0) return list[i];
    return NULL;
}

static vki_status fill_nodes(const call *l, Onnx__NodeProto *const *nodes, size_t n, Onnx__NodeProto ***out);

/* *out: a copy with the caller's value, or with the references in its graph resolved; NULL: left out. */
static vki_status fill_attribute(const call *l, const Onnx__AttributeProto *a, Onnx__AttributeProto **out)
{
    vkb_arena *arena = &l->c->scratch;
    const char *ref = onnx_text(a->ref_attr_name);
    const Onnx__AttributeProto *from = a;
    *out = NULL;
    if (ref[0]) {
        from = find_attribute(l->node->attribute, l->node->n_attribute, ref);
        if (!from) from = find_attribute(l->defaults, l->n_defaults, ref);
        if (!from) return VKI_OK;
    }
    Onnx__AttributeProto *copy = vkb_arena_alloc(arena, sizeof *copy);
    if (!copy) return onnx_nomem(l->c);
    *copy = *from;
    copy->name = a->name;
    copy->ref_attr_name = NULL;
    *out = copy;
    if (ref[0] || !a->g) return VKI_OK;
    copy->g = vkb_arena_alloc(arena, sizeof *copy->g);
    if (!copy->g) return onnx_nomem(l->c);
    *copy->g = *a->g;
    return fill_nodes(l, a->g->node, a->g->n_node, &copy->g->node);
}

static vki_status fill_nodes(const call *l, Onnx__NodeProto *const *nodes, size_t n, Onnx__NodeProto ***out)
{
    vkb_arena *arena = &l->c->scratch;
    *out = vkb_arena_alloc(arena, (n + 1) * sizeof **out);
    Onnx__NodeProto *copies = vkb_arena_alloc(arena, (n + 1) * sizeof *copies);
    if (!*out || !copies) return onnx_nomem(l->c);
    for (size_t i = 0; i < n; i++) {
        Onnx__NodeProto *copy = (*out)[i] = &copies[i];
        *copy = *nodes[i];
        copy->n_attribute = 0;
        copy->attribute = vkb_arena_alloc(arena, (nodes[i]->n_attribute + 1) * sizeof *copy->attribute);
        if (!copy->attribute) return onnx_nomem(l->c);
        for (size_t k = 0; k < nodes[i]->n_attribute; k++) {
            Onnx__AttributeProto *a = NULL;
            VKB_TRY(fill_attribute(l, nodes[i]->attribute[k], &a));
            if (a) copy->attribute[copy->n_attribute++] = a;
        }
    }
    return VKI_OK;
}

/* ---- the call ---- */

/* The caller's values for the function's inputs; missing ones are absent. */
static vki_status bind_inputs(onnx_node *n, const Onnx__FunctionProto *f, onnx_body *body)
{
    size_t count = f->n_input;
    vkb_arena *arena = &n->c->scratch;
    gr_id *ids = vkb_arena_alloc(arena, (count + 1) * sizeof *ids);
    const onnx_list **lists = vkb_arena_alloc(arena, (count + 1) * sizeof *lists);
    const char **names = vkb_arena_alloc(arena, (count + 1) * sizeof *names);
    if (!ids || !lists || !names) return onnx_nomem(n->c);
    for (size_t i = 0; i < count; i++) {
        const char *given = i < n->proto->n_input ? onnx_text(n->proto->input[i]) : "";
        const onnx_value *v = given[0] ? onnx_value_find(n->c, given) : NULL;
        ids[i] = v ? v->value : GR_NONE;
        lists[i] = v ? v->list : NULL;
        names[i] = onnx_text(f->input[i]);
    }
    body->n_in = (int)count;
    body->in = names;
    body->in_ids = ids;
    body->in_lists = lists;
    return VKI_OK;
}

static vki_status inline_function(onnx_node *n, const Onnx__FunctionProto *f)
{
    call l = {.c = n->c, .node = n->proto};
    Onnx__NodeProto **nodes;
    VKB_TRY(read_defaults(&l, f));
    VKB_TRY(fill_nodes(&l, f->node, f->n_node, &nodes));
    onnx_body body = {.prefix = n->name, .nodes = nodes, .n_nodes = f->n_node};
    VKB_TRY(bind_inputs(n, f, &body));
    gr_id *ids = vkb_arena_alloc(&n->c->scratch, (f->n_output + 1) * sizeof *ids);
    const onnx_list **lists = vkb_arena_alloc(&n->c->scratch, (f->n_output + 1) * sizeof *lists);
    if (!ids || !lists) return onnx_nomem(n->c);
    body.out = (const char *const *)f->output;
    body.n_out = (int)f->n_output;
    VKB_TRY(onnx_inline(n->c, &body, ids, lists));
    for (int i = 0; i < n->n_out; i++) VKB_TRY(onnx_forward(n, i, ids[i], lists[i]));
    return VKI_OK;
}

vki_status onnx_call(onnx_node *n, const Onnx__FunctionProto *f)
{
    int64_t around = n->c->opset, opset = onnx_opset_of(f->opset_import, f->n_opset_import, around);
    if (n->proto->n_input > f->n_input || n->proto->n_output > f->n_output)
        return onnx_fail(n, "has %zu inputs and %zu outputs, but its function %zu and %zu", n->proto->n_input,
                         n->proto->n_output, f->n_input, f->n_output);
    if (f->n_input > INT32_MAX / 16 || f->n_output > INT32_MAX / 16)
        return onnx_fail(n, "its function has %zu inputs and %zu outputs", f->n_input, f->n_output);
    if (opset < ONNX_OPSET_MIN || opset > ONNX_OPSET_MAX)
        return onnx_refuse(n, "its function uses ONNX operator set %lld; %d to %d can be read",
                           (long long)opset, ONNX_OPSET_MIN, ONNX_OPSET_MAX);
    n->c->opset = opset;
    vki_status status = inline_function(n, f);
    n->c->opset = around;
    return status;
}
