/* SPDX-License-Identifier: Apache-2.0
 * Attributes of a node: typed reading for lifts, and the mapping of all others to the operator's struct. */
#include "graph/import/onnx/onnx_internal.h"

#include <stdio.h>
#include <string.h>

typedef Onnx__AttributeProto attribute;

/* Old files leave the type out: then the field that is there tells. */
static int type_of(const attribute *a)
{
    if (a->has_type && a->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED) return (int)a->type;
    if (a->has_i) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (a->has_f) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (a->has_s) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (a->t) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (a->n_ints) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    if (a->n_floats) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (a->n_strings) return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

static vki_status expect(const onnx_node *n, const attribute *a, int type)
{
    static const char *const names[] = {"nothing", "float",  "int",     "string",  "tensor",
                                        "graph",   "floats", "ints",    "strings", "tensors",
                                        "graphs",  "sparse", "sparses", "type",    "types"};
    int found = type_of(a);
    if (found == type) return VKI_OK;
    return onnx_fail(n, "attribute '%.40s' holds %s, but %s is asked for", onnx_text(a->name),
                     (unsigned)found < VKB_COUNT(names) ? names[found] : "an unknown type", names[type]);
}

bool onnx_has_attr(const onnx_node *n, const char *name)
{
    for (size_t i = 0; i < n->proto->n_attribute; i++)
        if (strcmp(onnx_text(n->proto->attribute[i]->name), name) == 0) return true;
    return false;
}

const attribute *onnx_attr(onnx_node *n, const char *name)
{
    for (size_t i = 0; i < n->proto->n_attribute; i++) {
        if (strcmp(onnx_text(n->proto->attribute[i]->name), name) != 0) continue;
        n->taken[i] = true;
        return n->proto->attribute[i];
    }
    return NULL;
}

vki_status onnx_attr_int(onnx_node *n, const char *name, int64_t *value)
{
    const attribute *a = onnx_attr(n, name);
    if (!a) return VKI_OK;
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT));
    *value = a->i;
    return VKI_OK;
}

vki_status onnx_attr_float(onnx_node *n, const char *name, float *value)
{
    const attribute *a = onnx_attr(n, name);
    if (!a) return VKI_OK;
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT));
    *value = a->f;
    return VKI_OK;
}

static void copy_text(const ProtobufCBinaryData *s, char *buffer, size_t size)
{
    int length = s->len < size ? (int)s->len : (int)size - 1;
    snprintf(buffer, size, "%.*s", length, s->data ? (const char *)s->data : "");
}

vki_status onnx_attr_text(onnx_node *n, const char *name, char *buffer, size_t size)
{
    const attribute *a = onnx_attr(n, name);
    if (!a) return VKI_OK;
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING));
    copy_text(&a->s, buffer, size);
    return VKI_OK;
}

vki_status onnx_attr_ints(onnx_node *n, const char *name, const int64_t **values, int *count)
{
    *values = NULL;
    *count = -1; /* absent */
    const attribute *a = onnx_attr(n, name);
    if (!a) return VKI_OK;
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS));
    if (a->n_ints > INT32_MAX / 16) return onnx_fail(n, "attribute '%s' has %zu values", name, a->n_ints);
    *values = a->ints;
    *count = (int)a->n_ints;
    return VKI_OK;
}

vki_status onnx_attr_floats(onnx_node *n, const char *name, const float **values, int *count)
{
    *values = NULL;
    *count = -1;
    const attribute *a = onnx_attr(n, name);
    if (!a) return VKI_OK;
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS));
    if (a->n_floats > INT32_MAX / 16) return onnx_fail(n, "attribute '%s' has %zu values", name, a->n_floats);
    *values = a->floats;
    *count = (int)a->n_floats;
    return VKI_OK;
}

vki_status onnx_attr_tensor(onnx_node *n, const char *name, const Onnx__TensorProto **value)
{
    *value = NULL;
    const attribute *a = onnx_attr(n, name);
    if (!a) return VKI_OK;
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR));
    if (!a->t) return onnx_fail(n, "attribute '%s' lacks its tensor", name);
    *value = a->t;
    return VKI_OK;
}

static vki_status check_length(onnx_node *n, const attribute *a, size_t count)
{
    if (count <= OP_INTS_MAX) return VKI_OK;
    return onnx_refuse(n, "attribute '%.40s' has %zu values, at most %d can be taken", onnx_text(a->name),
                       count, OP_INTS_MAX);
}

static vki_status map_ints(onnx_node *n, const attribute *a, op_ints *out)
{
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS));
    VKB_TRY(check_length(n, a, a->n_ints));
    if (n->op == OP_NONE) return VKI_OK; /* refused */
    out->count = (int32_t)a->n_ints;
    for (size_t i = 0; i < a->n_ints; i++) out->v[i] = a->ints[i];
    return VKI_OK;
}

static vki_status map_floats(onnx_node *n, const attribute *a, op_floats *out)
{
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS));
    VKB_TRY(check_length(n, a, a->n_floats));
    if (n->op == OP_NONE) return VKI_OK;
    out->count = (int32_t)a->n_floats;
    for (size_t i = 0; i < a->n_floats; i++) out->v[i] = a->floats[i];
    return VKI_OK;
}

static vki_status map_enum(onnx_node *n, const op_attr *schema, const ProtobufCBinaryData *s, int64_t *out)
{
    char text[64];
    copy_text(s, text, sizeof text);
    *out = op_enum_code(schema, text);
    return *out < 0 ? onnx_refuse(n, "%.40s = '%s'", schema->name, text) : VKI_OK;
}

static vki_status map_enums(onnx_node *n, const op_attr *schema, const attribute *a, op_ints *out)
{
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS));
    VKB_TRY(check_length(n, a, a->n_strings));
    for (size_t i = 0; i < a->n_strings && n->op != OP_NONE; i++) {
        VKB_TRY(map_enum(n, schema, &a->strings[i], &out->v[i]));
        out->count = (int32_t)i + 1;
    }
    return VKI_OK;
}

static vki_status map_one(onnx_node *n, const op_attr *schema, const attribute *a, void *at)
{
    switch (schema->type) {
    case OP_ATTR_INT:
        VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT));
        *(int64_t *)at = a->i;
        return VKI_OK;
    case OP_ATTR_FLOAT:
        VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT));
        *(float *)at = a->f;
        return VKI_OK;
    case OP_ATTR_INTS:
        return map_ints(n, a, at);
    case OP_ATTR_FLOATS:
        return map_floats(n, a, at);
    case OP_ATTR_ENUMS:
        return map_enums(n, schema, a, at);
    case OP_ATTR_ENUM:
        break;
    }
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING));
    return map_enum(n, schema, &a->s, at);
}

static const op_attr *find_schema(op_kind op, const char *name)
{
    const op_info *info = op_get(op);
    for (int i = 0; i < info->n_attrs; i++)
        if (strcmp(info->attrs[i].name, name) == 0) return &info->attrs[i];
    return NULL;
}

vki_status onnx_attrs_map(onnx_node *n, void *attrs)
{
    op_kind op = n->op;
    for (size_t i = 0; i < n->proto->n_attribute && n->op != OP_NONE; i++) {
        if (n->taken[i]) continue;
        const attribute *a = n->proto->attribute[i];
        const char *name = onnx_text(a->name);
        const op_attr *schema = find_schema(op, name);
        if (a->ref_attr_name && a->ref_attr_name[0])
            return onnx_fail(n, "attribute '%.40s' refers to a function's attribute, but this is no function",
                             name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(onnx_text(n->proto->attribute[j]->name), name) == 0)
                return onnx_fail(n, "attribute '%.40s' is there twice", name);
        if (schema)
            VKB_TRY(map_one(n, schema, a, (char *)attrs + schema->offset));
        else
            VKB_TRY(onnx_refuse(n, "attribute '%.40s'", name));
    }
    return VKI_OK;
}

bool onnx_attr_put(op_kind op, void *attrs, const char *name, double value)
{
    const op_attr *schema = find_schema(op, name);
    if (!schema) return false;
    void *at = (char *)attrs + schema->offset;
    if (schema->type == OP_ATTR_FLOAT)
        *(float *)at = (float)value;
    else
        *(int64_t *)at = (int64_t)value;
    return true;
}
