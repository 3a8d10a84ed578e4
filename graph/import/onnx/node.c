/* SPDX-License-Identifier: Apache-2.0
 * The walk over the nodes. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

const char *onnx_node_name(onnx_ctx *c, const Onnx__NodeProto *node, size_t index)
{
    const char *name = onnx_text(node->name);
    if (!name[0]) name = vkb_arena_printf(&c->scratch, "%.64s_%zu", onnx_text(node->op_type), index);
    return name && c->prefix ? vkb_arena_printf(&c->scratch, "%s/%s", c->prefix, name) : name;
}

static vki_status find_inputs(onnx_node *n)
{
    for (size_t i = 0; i < n->proto->n_input; i++) {
        const char *name = onnx_text(n->proto->input[i]);
        const onnx_value *v = name[0] ? onnx_value_find(n->c, name) : NULL;
        if (name[0] && !v)
            return onnx_fail(n, "its input '%.96s' is made by no node, and is no input of the model", name);
        n->has_list |= v && v->list;
        n->in[n->n_in++] = v ? v->value : GR_NONE;
    }
    return VKI_OK;
}

static void find_outputs(onnx_node *n)
{
    for (size_t i = 0; i < n->proto->n_output; i++) {
        const char *name = onnx_text(n->proto->output[i]);
        const onnx_value *v = name[0] ? onnx_value_of(n->c, name, false) : NULL;
        n->out_used[n->n_out] = v && v->read;
        n->out[n->n_out++] = v ? v->value : GR_NONE;
    }
}

static bool allocate(onnx_node *n)
{
    vkb_arena *arena = &n->c->scratch;
    size_t n_in = n->proto->n_input + ONNX_IN_SPARE, n_out = n->proto->n_output;
    n->in = vkb_arena_alloc(arena, n_in * sizeof *n->in);
    n->out = vkb_arena_alloc(arena, (n_out + 1) * sizeof *n->out);
    n->out_used = vkb_arena_alloc(arena, n_out + 1);
    n->taken = vkb_arena_alloc(arena, n->proto->n_attribute + 1);
    return n->in && n->out && n->out_used && n->taken;
}

static vki_status import_node(onnx_ctx *c, const Onnx__NodeProto *proto, size_t index)
{
    onnx_node n = {.c = c, .proto = proto, .type = onnx_text(proto->op_type)};
    n.name = onnx_node_name(c, proto, index);
    if (!n.name || !allocate(&n)) return onnx_nomem(c);
    if (!n.type[0]) return onnx_fail(&n, "it names no operator");
    VKB_TRY(find_inputs(&n));
    find_outputs(&n);
    const Onnx__FunctionProto *function = onnx_function_of(c, proto);
    if (function) return onnx_call(&n, function);
    if (!onnx_is_default_domain(proto->domain)) return onnx_refuse(&n, "domain '%.60s'", proto->domain);
    if (n.has_list && !lift_takes_lists(n.type)) return onnx_refuse(&n, "of a sequence or optional value");
    VKB_TRY(onnx_lift(&n));
    return n.op == OP_NONE ? VKI_OK : onnx_emit(&n);
}

vki_status onnx_nodes(onnx_ctx *c, Onnx__NodeProto *const *nodes, size_t n)
{
    onnx_mark_captures(c, nodes, n);
    for (size_t i = 0; i < n; i++)
        if (!onnx_is_constant(nodes[i])) VKB_TRY(import_node(c, nodes[i], i));
    return VKI_OK;
}
