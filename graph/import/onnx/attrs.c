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

static void copy_text(const attribute *a, char *buffer, size_t size)
{
    int length = a->s.len < size ? (int)a->s.len : (int)size - 1;
    snprintf(buffer, size, "%.*s", length, a->s.data ? (const char *)a->s.data : "");
}

vki_status onnx_attr_text(onnx_node *n, const char *name, char *buffer, size_t size)
{
    const attribute *a = onnx_attr(n, name);
    if (!a) return VKI_OK;
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING));
    copy_text(a, buffer, size);
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

/* Index of `text` in "a,b,c"; -1 if it is not there. */
static int find_name(const char *names, const char *text)
{
    size_t length = strlen(text);
    for (int i = 0;; i++) {
        size_t n = strcspn(names, ",");
        if (n == length && memcmp(names, text, n) == 0) return i;
        if (!names[n]) return -1;
        names += n + 1;
    }
}

static vki_status map_ints(onnx_node *n, const attribute *a, op_ints *out)
{
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS));
    if (a->n_ints > OP_INTS_MAX)
        return onnx_refuse(n, "attribute '%.40s' has %zu values, at most %d can be taken", onnx_text(a->name),
                           a->n_ints, OP_INTS_MAX);
    out->count = (int32_t)a->n_ints;
    for (size_t i = 0; i < a->n_ints; i++) out->v[i] = a->ints[i];
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
    case OP_ATTR_ENUM:
        break;
    }
    VKB_TRY(expect(n, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING));
    char text[64];
    copy_text(a, text, sizeof text);
    int index = find_name(schema->names, text);
    if (index < 0) return onnx_refuse(n, "%.40s = '%s'", schema->name, text);
    *(int64_t *)at = index;
    return VKI_OK;
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
