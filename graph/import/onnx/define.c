/* SPDX-License-Identifier: Apache-2.0
 * Names to tensors: initializers, model inputs, node outputs, Constant nodes, model outputs. All names of the
 * model get their tensors before the importer makes up any of its own. */
#include "graph/import/onnx/onnx_internal.h"

#include <stdio.h>
#include <string.h>

enum { IO_MAX = 1024 }; /* inputs, and outputs, of a model */

bool onnx_is_constant(const Onnx__NodeProto *node)
{
    return strcmp(onnx_text(node->op_type), "Constant") == 0 && onnx_is_default_domain(node->domain);
}

static vki_status define(onnx_ctx *c, const char *name, const char *what, onnx_value **out)
{
    if (!name[0]) return vkb_fail(c->err, VKI_E_FORMAT, "%s has no name", what);
    onnx_value *v = onnx_value_of(c, name, true);
    if (!v) return onnx_nomem(c);
    if (v->defined)
        return vkb_fail(c->err, VKI_E_FORMAT, "%s '%.96s' is defined twice: names must be unique", what,
                        name);
    v->defined = true;
    *out = v;
    return VKI_OK;
}

vki_status onnx_define_as(onnx_ctx *c, const char *name, gr_id id, const onnx_list *list)
{
    onnx_value *v = NULL;
    VKB_TRY(define(c, name, "input", &v));
    v->tensor = v->value = id;
    v->list = list;
    return VKI_OK;
}

/* A tensor for a name; within a body that is inlined it gets the body's prefix. */
static gr_id add_tensor(onnx_ctx *c, const char *name)
{
    if (c->prefix) name = vkb_arena_printf(&c->scratch, "%s/%s", c->prefix, name);
    return name ? gr_add_tensor(c->g, name, VKI_DT_NONE, -1, NULL) : GR_NONE;
}

/* ---- model inputs and outputs as declared ---- */

static vki_status refuse_io(onnx_ctx *c, const char *kind, const char *name, const char *reason)
{
    char text[160];
    snprintf(text, sizeof text, "%s '%.96s'", kind, name);
    return onnx_issue_add(c, "", text, reason);
}

/* The declared tensor type, or NULL. */
static const Onnx__TypeProto__Tensor *tensor_type(const Onnx__ValueInfoProto *info)
{
    const Onnx__TypeProto *type = info->type;
    return type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
}

static const char *type_kind(const Onnx__TypeProto *type)
{
    switch (type ? type->value_case : ONNX__TYPE_PROTO__VALUE__NOT_SET) {
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        return "a sequence";
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        return "an optional";
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        return "a map";
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        return "a sparse tensor";
    default:
        return "not declared as a tensor";
    }
}

static int32_t element_type(const Onnx__TypeProto__Tensor *type)
{
    return type && type->has_elem_type ? type->elem_type : 0;
}

/* fp16 and bf16, which networks are not computed in; else NONE. */
static vki_dtype narrow_type(int32_t type)
{
    return type == VKI_F16 || type == VKI_BF16 ? (vki_dtype)type : VKI_DT_NONE;
}

/* A symbol for a dimension of which the model says nothing. */
static int64_t fresh_symbol(onnx_ctx *c, const char *input, size_t dim)
{
    for (int attempt = 0;; attempt++) {
        char text[160];
        if (attempt)
            snprintf(text, sizeof text, "%.96s_%zu_%d", input, dim, attempt);
        else
            snprintf(text, sizeof text, "%.96s_%zu", input, dim);
        int before = c->g->n_symbols;
        int64_t symbol = gr_symbol(c->g, text);
        if (symbol == GR_UNKNOWN || c->g->n_symbols > before) return symbol;
    }
}

static int64_t input_dim(onnx_ctx *c, const char *input, size_t i, const Onnx__TensorShapeProto__Dimension *d)
{
    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0)
        return d->dim_value;
    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && onnx_text(d->dim_param)[0])
        return gr_symbol(c->g, d->dim_param);
    return fresh_symbol(c, input, i); /* exporters write 0 and -1 for "any" too */
}

/* The value that the caller has for the input, or NULL. */
static const gr_tensor *given_value(onnx_ctx *c, const char *name, vki_dtype dtype)
{
    int number = c->n_inputs++;
    for (int i = 0; i < c->n_given && number >= c->first_given; i++) {
        const gr_tensor *t = &c->given[i];
        if ((t->name[0] ? strcmp(t->name, name) == 0 : i == number) && t->dtype == dtype) return t;
    }
    return NULL;
}

static vki_status define_input(onnx_ctx *c, const Onnx__ValueInfoProto *info)
{
    const char *name = onnx_text(info->name);
    const onnx_value *there = onnx_value_of(c, name, false);
    if (there && there->defined && gr_is_const(c->g, there->tensor)) return VKI_OK; /* an initializer */
    if (c->g->n_inputs == IO_MAX)
        return vkb_fail(c->err, VKI_E_FORMAT, "the model has more than %d inputs", IO_MAX);
    onnx_value *v = NULL;
    VKB_TRY(define(c, name, "input", &v));
    const Onnx__TypeProto__Tensor *type = tensor_type(info);
    vki_dtype dtype = VKI_DT_NONE;
    if (!type) VKB_TRY(refuse_io(c, "input", name, type_kind(info->type)));
    if (type && !onnx_dtype(element_type(type), &dtype))
        VKB_TRY(refuse_io(c, "input", name, onnx_type_name(element_type(type))));
    const gr_tensor *given = given_value(c, name, dtype);
    if (given) {
        v->tensor = v->value = gr_add_const(c->g, name, dtype, given->rank, given->dims, given->data, true);
        return v->tensor == GR_NONE ? onnx_nomem(c) : VKI_OK;
    }
    int rank = -1;
    int64_t dims[GR_MAX_RANK] = {0};
    const Onnx__TensorShapeProto *shape = type ? type->shape : NULL;
    if (shape && shape->n_dim > GR_MAX_RANK) {
        VKB_TRY(refuse_io(c, "input", name, "more than 8 dimensions"));
    } else if (shape) {
        rank = (int)shape->n_dim;
        for (int i = 0; i < rank; i++) {
            dims[i] = input_dim(c, name, (size_t)i, shape->dim[i]);
            if (dims[i] == GR_UNKNOWN) return onnx_nomem(c);
        }
    }
    v->tensor = v->value = gr_add_tensor(c->g, name, dtype, rank, dims);
    return v->tensor != GR_NONE && gr_add_input(c->g, v->tensor) ? VKI_OK : onnx_nomem(c);
}

/* An output that is no tensor: the reason names the node that makes it. */
static vki_status refuse_output(onnx_ctx *c, const Onnx__GraphProto *graph, const Onnx__ValueInfoProto *info)
{
    char reason[160];
    const char *kind = type_kind(info->type);
    snprintf(reason, sizeof reason, "%s", kind);
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++) {
            if (strcmp(onnx_text(graph->node[i]->output[k]), onnx_text(info->name)) != 0) continue;
            const char *node = onnx_node_name(c, graph->node[i], i);
            if (!node) return onnx_nomem(c);
            snprintf(reason, sizeof reason, "%s, made by %.40s '%.60s'", kind,
                     onnx_text(graph->node[i]->op_type), node);
        }
    return refuse_io(c, "output", onnx_text(info->name), reason);
}

static vki_status declare_outputs(onnx_ctx *c, const Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_output; i++) {
        const Onnx__ValueInfoProto *info = graph->output[i];
        const char *name = onnx_text(info->name);
        onnx_value *v = onnx_value_of(c, name, true);
        if (!v) return onnx_nomem(c);
        if (!name[0] || v->read)
            return vkb_fail(c->err, VKI_E_FORMAT, "output %zu %s%s%s", i, name[0] ? "(" : "", name,
                            name[0] ? ") is listed twice" : "has no name");
        v->read = true;
        const Onnx__TypeProto__Tensor *type = tensor_type(info);
        vki_dtype dtype;
        if (!type && info->type) VKB_TRY(refuse_output(c, graph, info));
        if (type && element_type(type) && !onnx_dtype(element_type(type), &dtype))
            VKB_TRY(refuse_io(c, "output", name, onnx_type_name(element_type(type))));
        v->narrow = narrow_type(element_type(type));
    }
    return VKI_OK;
}

/* ---- constants ---- */

/* Types that the IR lacks are noted; the value is then a tensor of unknown type. */
static vki_status define_const(onnx_ctx *c, onnx_value *v, const Onnx__TensorProto *t, const char *op,
                               const char *node)
{
    vki_status status = onnx_tensor(c, t, v->name, !v->narrow, &v->tensor);
    if (status == VKI_E_UNSUPPORTED) {
        char reason[160];
        snprintf(reason, sizeof reason, "%.150s", c->err->text);
        VKB_TRY(onnx_issue_add(c, op, node, reason));
        v->tensor = gr_add_tensor(c->g, v->name, VKI_DT_NONE, -1, NULL);
        status = v->tensor == GR_NONE ? onnx_nomem(c) : VKI_OK;
    }
    v->value = v->tensor;
    return status;
}

vki_status onnx_define_initializer(onnx_ctx *c, const Onnx__TensorProto *t)
{
    onnx_value *v = NULL;
    char text[160];
    VKB_TRY(define(c, onnx_text(t->name), "initializer", &v));
    snprintf(text, sizeof text, "initializer '%.96s'", v->name);
    return define_const(c, v, t, "", text);
}

static gr_id add_values(onnx_ctx *c, const char *name, vki_dtype dtype, bool list, size_t count,
                        const void *data)
{
    static const int64_t nothing = 0;
    int64_t dims[1] = {(int64_t)count};
    return gr_add_const(c->g, name, dtype, list, dims, data ? data : &nothing, true);
}

/* The node has one attribute; its name tells the form. */
static vki_status define_constant(onnx_ctx *c, const Onnx__NodeProto *node, const char *node_name,
                                  onnx_value *v)
{
    const Onnx__AttributeProto *a = node->n_attribute == 1 ? node->attribute[0] : NULL;
    const char *form = a ? onnx_text(a->name) : "";
    if (strcmp(form, "value") == 0 && a->t) return define_const(c, v, a->t, "Constant", node_name);
    if (strcmp(form, "value_float") == 0 && a->has_f)
        v->tensor = add_values(c, v->name, VKI_F32, false, 1, &a->f);
    else if (strcmp(form, "value_int") == 0 && a->has_i)
        v->tensor = add_values(c, v->name, VKI_I64, false, 1, &a->i);
    else if (strcmp(form, "value_floats") == 0)
        v->tensor = add_values(c, v->name, VKI_F32, true, a->n_floats, a->floats);
    else if (strcmp(form, "value_ints") == 0)
        v->tensor = add_values(c, v->name, VKI_I64, true, a->n_ints, a->ints);
    else if (strncmp(form, "value_string", 12) == 0 || strcmp(form, "sparse_value") == 0) {
        VKB_TRY(onnx_issue_add(c, "Constant", node_name, form));
        v->tensor = gr_add_tensor(c->g, v->name, VKI_DT_NONE, -1, NULL);
    } else {
        return vkb_fail_node(c->err, VKI_E_FORMAT, node_name, "Constant",
                             "Constant '%.96s': it needs exactly one value attribute", node_name);
    }
    v->value = v->tensor;
    return v->tensor == GR_NONE ? onnx_nomem(c) : VKI_OK;
}

/* ---- nodes ---- */

vki_status onnx_define_node(onnx_ctx *c, const Onnx__NodeProto *node, size_t index)
{
    const char *node_name = onnx_node_name(c, node, index);
    if (!node_name) return onnx_nomem(c);
    for (size_t i = 0; i < node->n_input; i++) {
        const char *name = onnx_text(node->input[i]);
        onnx_value *v = name[0] ? onnx_value_of(c, name, true) : NULL;
        if (name[0] && !v) return onnx_nomem(c);
        if (v) v->read = true;
    }
    bool constant = onnx_is_constant(node);
    if (constant && (node->n_output != 1 || node->n_input || !onnx_text(node->output[0])[0]))
        return vkb_fail_node(c->err, VKI_E_FORMAT, node_name, "Constant",
                             "Constant '%.96s': it has no inputs and one output", node_name);
    for (size_t i = 0; i < node->n_output; i++) {
        const char *name = onnx_text(node->output[i]);
        if (!name[0]) continue;
        onnx_value *v = NULL;
        vki_status status = define(c, name, "value", &v);
        if (status == VKI_E_NOMEM) return status;
        if (status != VKI_OK)
            return vkb_fail_node(c->err, VKI_E_FORMAT, node_name, onnx_text(node->op_type),
                                 "%.40s '%.96s': its output '%.96s' is defined a second time",
                                 onnx_text(node->op_type), node_name, name);
        if (constant) return define_constant(c, node, node_name, v);
        v->made = true;
        v->tensor = v->value = add_tensor(c, name);
        if (v->tensor == GR_NONE) return onnx_nomem(c);
    }
    return VKI_OK;
}

/* ---- fp16 and bf16 at the edge of the model ---- */

static vki_status add_cast(onnx_ctx *c, gr_id from, gr_id to, vki_dtype dtype)
{
    const char *name = vkb_arena_printf(&c->scratch, "%s/cast", c->g->tensors[to].name);
    gr_node *node = name ? gr_add_node(c->g, OP_Cast, name, 1, &from, 1, &to) : NULL;
    if (!node) return onnx_nomem(c);
    if (!onnx_attr_put(OP_Cast, node->attrs, "to", (double)dtype))
        return vkb_fail(c->err, VKI_E_INTERNAL, "the operator Cast has no attribute 'to'");
    bool known;
    gr_infer_node(c->g, node, &known, NULL);
    return VKI_OK;
}

/* Nodes work on an fp32 twin of every fp16 or bf16 input and output; a Cast stands between. */
static vki_status make_twins(onnx_ctx *c)
{
    for (size_t i = 0; i < c->values.n_entries; i++) {
        onnx_value *v = &c->values.entries[i];
        if (!v->defined) continue;
        const gr_tensor *t = &c->g->tensors[v->tensor];
        if (!narrow_type((int32_t)t->dtype) && !(v->made && v->narrow)) continue;
        const char *name = vkb_arena_printf(&c->scratch, "%s/float", v->name);
        v->value = name ? gr_add_tensor(c->g, name, VKI_DT_NONE, -1, NULL) : GR_NONE;
        if (v->value == GR_NONE) return onnx_nomem(c);
        if (!v->made) VKB_TRY(add_cast(c, v->tensor, v->value, VKI_F32));
    }
    return VKI_OK;
}

/* What a caller can be told of an output before its shape is inferred. Never concrete: the model's word is no
 * proof. */
static void hint_output(gr_tensor *t, const Onnx__TypeProto__Tensor *type)
{
    const Onnx__TensorShapeProto *shape = type ? type->shape : NULL;
    vki_dtype dtype;
    if (t->rank >= 0 || !onnx_dtype(element_type(type), &dtype) || !shape || shape->n_dim > GR_MAX_RANK)
        return;
    int64_t dims[GR_MAX_RANK] = {0};
    bool open = false;
    for (size_t i = 0; i < shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        bool given =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0;
        dims[i] = given ? d->dim_value : GR_UNKNOWN;
        open |= !given;
    }
    if (!open) return;
    t->dtype = dtype;
    t->rank = (int)shape->n_dim;
    memcpy(t->dims, dims, sizeof t->dims);
}

vki_status onnx_define_outputs(onnx_ctx *c, const Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_output; i++) {
        const char *name = onnx_text(graph->output[i]->name);
        const onnx_value *v = onnx_value_of(c, name, false);
        if (!v || !v->defined)
            return vkb_fail(c->err, VKI_E_FORMAT, "no node makes the model's output '%.96s'", name);
        if (v->list) VKB_TRY(refuse_io(c, "output", name, "a sequence or an optional"));
        if (v->made && v->value != v->tensor) VKB_TRY(add_cast(c, v->value, v->tensor, v->narrow));
        if (v->made) hint_output(&c->g->tensors[v->tensor], tensor_type(graph->output[i]));
        if (!gr_add_output(c->g, v->tensor)) return onnx_nomem(c);
    }
    return VKI_OK;
}

vki_status onnx_define(onnx_ctx *c, const Onnx__ModelProto *model)
{
    const Onnx__GraphProto *graph = model->graph;
    if (graph->n_output > IO_MAX || graph->n_output == 0)
        return vkb_fail(c->err, VKI_E_FORMAT, "the model has %zu outputs; 1 to %d are possible",
                        graph->n_output, IO_MAX);
    size_t names = graph->n_input + graph->n_output + graph->n_initializer;
    for (size_t i = 0; i < graph->n_node; i++) names += graph->node[i]->n_input + graph->node[i]->n_output;
    if (!onnx_values_init(c, names)) return onnx_nomem(c);

    VKB_TRY(declare_outputs(c, graph));
    if (graph->n_sparse_initializer)
        VKB_TRY(onnx_issue_add(c, "", "initializers", "some are stored as sparse tensors"));
    for (size_t i = 0; i < graph->n_initializer; i++)
        VKB_TRY(onnx_define_initializer(c, graph->initializer[i]));
    for (size_t i = 0; i < graph->n_input; i++) VKB_TRY(define_input(c, graph->input[i]));
    for (size_t i = 0; i < graph->n_node; i++) VKB_TRY(onnx_define_node(c, graph->node[i], i));
    return make_twins(c);
}
