/* SPDX-License-Identifier: Apache-2.0
 * What a file declares of its values, whether the importer can take it or not. */
#include "graph/import/onnx/onnx_internal.h"

typedef struct declared {
    onnx_declared *list;
    int count, capacity;
} declared;

static void add(declared *d, const char *name, int32_t type)
{
    if (d->count < d->capacity) d->list[d->count] = (onnx_declared){onnx_text(name), type};
    d->count++;
}

static void add_infos(declared *d, Onnx__ValueInfoProto *const *infos, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const Onnx__TypeProto *type = infos[i]->type;
        bool tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && type->tensor_type;
        int32_t element = tensor && type->tensor_type->has_elem_type ? type->tensor_type->elem_type : 0;
        add(d, infos[i]->name, type && !tensor ? ONNX_NO_TENSOR : element);
    }
}

static int32_t type_of(const Onnx__TensorProto *t)
{
    return t->has_data_type ? t->data_type : 0;
}

static void add_graph(declared *d, const Onnx__GraphProto *g)
{
    add_infos(d, g->input, g->n_input);
    add_infos(d, g->output, g->n_output);
    add_infos(d, g->value_info, g->n_value_info);
    for (size_t i = 0; i < g->n_initializer; i++) add(d, g->initializer[i]->name, type_of(g->initializer[i]));
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *node = g->node[i];
        for (size_t k = 0; k < node->n_output; k++) add(d, node->output[k], 0);
        for (size_t k = 0; k < node->n_attribute; k++) {
            if (node->attribute[k]->g) add_graph(d, node->attribute[k]->g);
            if (node->attribute[k]->t && node->n_output && onnx_is_constant(node))
                add(d, node->output[0], type_of(node->attribute[k]->t));
        }
    }
}

vki_status onnx_declared_types(vkb_arena *arena, const void *bytes, size_t n, onnx_declared **list,
                               int *count, vki_error *err)
{
    declared d = {NULL, 0, 0};
    vki_status status = VKI_OK;
    *count = 0;
    const Onnx__ModelProto *m = (const Onnx__ModelProto *)onnx_unpack(&onnx__model_proto__descriptor, bytes,
                                                                      n, arena, arena, true, &status, err);
    if (!m) return status;
    if (!m->graph) return vkb_fail(err, VKI_E_FORMAT, "not an ONNX model: it has no graph");
    add_graph(&d, m->graph); /* counts */
    d.list = vkb_arena_alloc(arena, ((size_t)d.count + 1) * sizeof *d.list);
    if (!d.list) return vkb_nomem(err, (uint64_t)d.count * sizeof *d.list);
    d.capacity = d.count;
    d.count = 0;
    add_graph(&d, m->graph);
    *list = d.list;
    *count = d.count;
    return VKI_OK;
}
