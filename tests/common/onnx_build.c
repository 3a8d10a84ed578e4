/* SPDX-License-Identifier: Apache-2.0 */
#include "common/onnx_build.h"

#ifdef VKI_HAVE_ONNX
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "graph/import/onnx/onnx_import.h"

static void *take(ob *b, size_t bytes)
{
    void *p = vkb_arena_alloc(&b->arena, bytes ? bytes : 1);
    assert_non_null(p);
    return p;
}

static char *text(ob *b, const char *s)
{
    char *copy = vkb_arena_strdup(&b->arena, s);
    assert_non_null(copy);
    return copy;
}

/* Appends `item` to a list of pointers. */
static void append(ob *b, void *list, size_t *count, void *item)
{
    void ***items = list;
    void **grown = take(b, (*count + 1) * sizeof *grown);
    if (*count) memcpy(grown, *items, *count * sizeof *grown);
    grown[(*count)++] = item;
    *items = grown;
}

void ob_start(ob *b, int64_t opset)
{
    vkb_arena_init(&b->arena, &vkb_libc_allocator);
    onnx__model_proto__init(&b->model);
    onnx__graph_proto__init(&b->graph);
    b->model.graph = &b->graph;
    b->model.has_ir_version = 1;
    b->model.ir_version = 8;
    Onnx__OperatorSetIdProto *set = take(b, sizeof *set);
    onnx__operator_set_id_proto__init(set);
    set->has_version = 1;
    set->version = opset;
    append(b, &b->model.opset_import, &b->model.n_opset_import, set);
}

void ob_end(ob *b)
{
    vkb_arena_free(&b->arena);
}

static void split_names(ob *b, const char *names, char ***list, size_t *count)
{
    if (!*names) return;
    for (;;) {
        size_t n = strcspn(names, ",");
        char *name = vkb_arena_strndup(&b->arena, names, n);
        assert_non_null(name);
        append(b, list, count, name);
        if (!names[n]) return;
        names += n + 1;
    }
}

ob_node_t *ob_node(ob *b, const char *op, const char *inputs, const char *outputs)
{
    ob_node_t *n = take(b, sizeof *n);
    onnx__node_proto__init(n);
    n->op_type = text(b, op);
    split_names(b, inputs, &n->input, &n->n_input);
    split_names(b, outputs, &n->output, &n->n_output);
    append(b, &b->graph.node, &b->graph.n_node, n);
    return n;
}

void ob_inputs(ob *b, ob_node_t *n, const char *inputs)
{
    n->n_input = 0;
    split_names(b, inputs, &n->input, &n->n_input);
}

void ob_outputs(ob *b, ob_node_t *n, const char *outputs)
{
    n->n_output = 0;
    split_names(b, outputs, &n->output, &n->n_output);
}

Onnx__AttributeProto *ob_attr(ob *b, ob_node_t *n, const char *name, Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = take(b, sizeof *a);
    onnx__attribute_proto__init(a);
    a->name = text(b, name);
    a->has_type = 1;
    a->type = type;
    append(b, &n->attribute, &n->n_attribute, a);
    return a;
}

void ob_int(ob *b, ob_node_t *n, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    a->has_i = 1;
    a->i = value;
}

void ob_float(ob *b, ob_node_t *n, const char *name, float value)
{
    Onnx__AttributeProto *a = ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    a->has_f = 1;
    a->f = value;
}

void ob_text(ob *b, ob_node_t *n, const char *name, const char *value)
{
    Onnx__AttributeProto *a = ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    a->has_s = 1;
    a->s.len = strlen(value);
    a->s.data = (uint8_t *)text(b, value);
}

void ob_ints(ob *b, ob_node_t *n, const char *name, int count, const int64_t *values)
{
    Onnx__AttributeProto *a = ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    a->n_ints = (size_t)count;
    a->ints = take(b, (size_t)count * sizeof *values);
    if (count) memcpy(a->ints, values, (size_t)count * sizeof *values);
}

void ob_floats(ob *b, ob_node_t *n, const char *name, int count, const float *values)
{
    Onnx__AttributeProto *a = ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    a->n_floats = (size_t)count;
    a->floats = take(b, (size_t)count * sizeof *values);
    if (count) memcpy(a->floats, values, (size_t)count * sizeof *values);
}

void ob_tensor_attr(ob *b, ob_node_t *n, const char *name, ob_tensor_t *t)
{
    ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR)->t = t;
}

void ob_graph_attr(ob *b, ob_node_t *n, const char *name, ob *body)
{
    ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g = &body->graph;
}

Onnx__FunctionProto *ob_function(ob *b, const char *domain, const char *name, ob *body)
{
    Onnx__FunctionProto *f = take(b, sizeof *f);
    onnx__function_proto__init(f);
    f->domain = text(b, domain);
    f->name = text(b, name);
    for (size_t i = 0; i < body->graph.n_input; i++)
        append(b, &f->input, &f->n_input, body->graph.input[i]->name);
    for (size_t i = 0; i < body->graph.n_output; i++)
        append(b, &f->output, &f->n_output, body->graph.output[i]->name);
    f->node = body->graph.node;
    f->n_node = body->graph.n_node;
    f->opset_import = body->model.opset_import;
    f->n_opset_import = body->model.n_opset_import;
    append(b, &b->model.functions, &b->model.n_functions, f);
    return f;
}

void ob_ref(ob *b, ob_node_t *n, const char *name, const char *ref)
{
    ob_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)->ref_attr_name = text(b, ref);
}

ob_tensor_t *ob_tensor(ob *b, const char *name, vki_dtype dtype, const char *dims, const void *data)
{
    ob_tensor_t *t = take(b, sizeof *t);
    onnx__tensor_proto__init(t);
    if (name) t->name = text(b, name);
    t->has_data_type = 1;
    t->data_type = (int32_t)dtype;
    char **parts = NULL;
    split_names(b, dims, &parts, &t->n_dims);
    t->dims = take(b, t->n_dims * sizeof *t->dims);
    size_t bytes = vki_dtype_size(dtype);
    for (size_t i = 0; i < t->n_dims; i++) {
        t->dims[i] = atoll(parts[i]);
        bytes *= (size_t)t->dims[i];
    }
    t->has_raw_data = 1;
    t->raw_data.len = bytes;
    t->raw_data.data = take(b, bytes);
    if (bytes) memcpy(t->raw_data.data, data, bytes);
    return t;
}

ob_tensor_t *ob_initializer(ob *b, const char *name, vki_dtype dtype, const char *dims, const void *data)
{
    ob_tensor_t *t = ob_tensor(b, name, dtype, dims, data);
    append(b, &b->graph.initializer, &b->graph.n_initializer, t);
    return t;
}

static Onnx__TensorShapeProto *make_shape(ob *b, const char *dims)
{
    Onnx__TensorShapeProto *shape = take(b, sizeof *shape);
    onnx__tensor_shape_proto__init(shape);
    char **parts = NULL;
    size_t count = 0;
    split_names(b, dims, &parts, &count);
    for (size_t i = 0; i < count; i++) {
        Onnx__TensorShapeProto__Dimension *d = take(b, sizeof *d);
        onnx__tensor_shape_proto__dimension__init(d);
        if ((parts[i][0] >= '0' && parts[i][0] <= '9') || parts[i][0] == '-') {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = atoll(parts[i]);
        } else if (parts[i][0] != '?') {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d->dim_param = parts[i];
        }
        append(b, &shape->dim, &shape->n_dim, d);
    }
    return shape;
}

static Onnx__ValueInfoProto *make_info(ob *b, const char *name, vki_dtype dtype, const char *dims)
{
    Onnx__ValueInfoProto *info = take(b, sizeof *info);
    onnx__value_info_proto__init(info);
    info->name = text(b, name);
    if (dtype == VKI_DT_NONE) return info;
    info->type = take(b, sizeof *info->type);
    onnx__type_proto__init(info->type);
    info->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    Onnx__TypeProto__Tensor *type = info->type->tensor_type = take(b, sizeof *type);
    onnx__type_proto__tensor__init(type);
    type->has_elem_type = 1;
    type->elem_type = (int32_t)dtype;
    if (dims) type->shape = make_shape(b, dims);
    return info;
}

void ob_input(ob *b, const char *name, vki_dtype dtype, const char *dims)
{
    append(b, &b->graph.input, &b->graph.n_input, make_info(b, name, dtype, dims));
}

void ob_output(ob *b, const char *name, vki_dtype dtype, const char *dims)
{
    append(b, &b->graph.output, &b->graph.n_output, make_info(b, name, dtype, dims));
}

void ob_external(ob *b, ob_tensor_t *t, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e = take(b, sizeof *e);
    onnx__string_string_entry_proto__init(e);
    e->key = text(b, key);
    e->value = text(b, value);
    append(b, &t->external_data, &t->n_external_data, e);
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->has_raw_data = 0;
}

uint8_t *ob_pack(ob *b, size_t *n)
{
    *n = onnx__model_proto__get_packed_size(&b->model);
    uint8_t *bytes = take(b, *n);
    assert_int_equal(onnx__model_proto__pack(&b->model, bytes), *n);
    return bytes;
}

void ob_small_model(ob *b)
{
    static const float w[4] = {1, 2, 3, 4}, bias[2] = {5, 6};
    static const int64_t strides[2] = {1, 2}, shape[2] = {0, -1};
    ob_start(b, 13);
    b->model.producer_name = (char *)(uintptr_t) "the test";
    b->graph.name = (char *)(uintptr_t) "small";
    ob_input(b, "x", VKI_F32, "N,2,3,?");
    ob_input(b, "w", VKI_F32, "2,2,1,1"); /* old files list initializers as inputs too */
    ob_initializer(b, "w", VKI_F32, "2,2,1,1", w);
    ob_initializer(b, "b", VKI_F32, "2", bias);
    ob_node_t *n = ob_node(b, "Conv", "x,w,b", "c");
    ob_ints(b, n, "strides", 2, strides);
    ob_int(b, n, "group", 1);
    ob_text(b, n, "auto_pad", "VALID");
    ob_tensor_attr(b, ob_node(b, "Constant", "", "shape"), "value", ob_tensor(b, NULL, VKI_I64, "2", shape));
    ob_node(b, "Reshape", "c,shape", "r");
    ob_node(b, "Relu", "r", "y");
    ob_output(b, "y", VKI_F32, "N,4");
}

vki_status ob_import(ob *b, gr_graph *g, const char *directory, vki_error *err)
{
    size_t n;
    const uint8_t *bytes = ob_pack(b, &n);
    return onnx_import(g, &vkb_libc_allocator, bytes, n, directory, err);
}
#endif
