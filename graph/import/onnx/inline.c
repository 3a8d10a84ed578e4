/* SPDX-License-Identifier: Apache-2.0
 * Bodies of functions, and of operators that are unrolled, as part of the graph: a body has its own names;
 * its inputs are names for values that are there, its outputs are handed back. */
#include "graph/import/onnx/onnx_internal.h"

enum { BODY_DEPTH_MAX = 32 };

static vki_status define_body(onnx_ctx *c, const onnx_body *body)
{
    size_t names = (size_t)body->n_in + (size_t)body->n_out + body->n_initializers;
    for (size_t i = 0; i < body->n_nodes; i++) names += body->nodes[i]->n_input + body->nodes[i]->n_output;
    if (!onnx_values_init(c, names)) return onnx_nomem(c);
    for (int i = 0; i < body->n_in; i++)
        if (body->in[i][0]) VKB_TRY(onnx_define_as(c, body->in[i], body->in_ids[i], body->in_lists[i]));
    for (int i = 0; i < body->n_out; i++) {
        onnx_value *v = onnx_value_of(c, body->out[i], true);
        if (!v) return onnx_nomem(c);
        v->read = true;
    }
    for (size_t i = 0; i < body->n_initializers; i++)
        VKB_TRY(onnx_define_initializer(c, body->initializers[i]));
    for (size_t i = 0; i < body->n_nodes; i++) VKB_TRY(onnx_define_node(c, body->nodes[i], i));
    return VKI_OK;
}

static vki_status inline_nodes(onnx_ctx *c, const onnx_body *body, const onnx_values *around, gr_id *out_ids,
                               const onnx_list **out_lists)
{
    VKB_TRY(define_body(c, body));
    if (body->captures) c->values.outer = around;
    VKB_TRY(onnx_nodes(c, body->nodes, body->n_nodes));
    for (int i = 0; i < body->n_out; i++) {
        const onnx_value *v = onnx_value_find(c, body->out[i]);
        if (!v)
            return vkb_fail(c->err, VKI_E_FORMAT, "'%.96s': no node makes '%.96s'", c->prefix, body->out[i]);
        out_ids[i] = v->value;
        out_lists[i] = v->list;
    }
    return VKI_OK;
}

vki_status onnx_inline(onnx_ctx *c, const onnx_body *body, gr_id *out_ids, const onnx_list **out_lists)
{
    const onnx_values around = c->values;
    const char *prefix = c->prefix;
    c->inlined += body->n_nodes;
    if (c->depth >= BODY_DEPTH_MAX || body->n_nodes > BODY_NODES_MAX || c->inlined > BODY_NODES_MAX)
        return vkb_fail(c->err, VKI_E_FORMAT,
                        "'%.96s': functions and loops expand to more than %d nodes or %d levels",
                        body->prefix, BODY_NODES_MAX, BODY_DEPTH_MAX);
    c->depth++;
    c->prefix = body->prefix;
    vki_status status = inline_nodes(c, body, &around, out_ids, out_lists);
    c->values = around;
    c->prefix = prefix;
    c->depth--;
    return status;
}

vki_status onnx_forward(onnx_node *n, int i, gr_id id, const onnx_list *list)
{
    gr_graph *g = n->c->g;
    if (i >= n->n_out || n->out[i] == GR_NONE) return VKI_OK;
    if (list) {
        onnx_value *v = onnx_value_of(n->c, onnx_text(n->proto->output[i]), false);
        if (v) v->list = list;
        n->out[i] = GR_NONE;
        return VKI_OK;
    }
    if (id == GR_NONE) return onnx_fail(n, "output %d has no value", i);
    if (!gr_is_const(g, id)) return onnx_output(n, i, OP_Identity, 1, &id, NULL);
    gr_tensor *to = &g->tensors[n->out[i]];
    const gr_tensor *from = &g->tensors[id]; /* later lifts may ask for its values */
    to->dtype = from->dtype;
    to->rank = from->rank;
    for (int d = 0; d < from->rank; d++) to->dims[d] = from->dims[d];
    if (!gr_make_const(g, n->out[i], from->data, false)) return onnx_nomem(n->c);
    n->out[i] = GR_NONE;
    return VKI_OK;
}
