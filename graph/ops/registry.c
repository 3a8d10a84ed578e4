/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "graph/ops/op.h"

static const struct {
    const char *name, *family;
    const op_info *info;
} ops[OP_COUNT] = {
    [OP_NONE] = {"None", "none", NULL},
#define OP(name, family) [OP_##name] = {#name, #family, &op_info_##name},
#include "graph/ops/ops.def"
#undef OP
};

static bool is_op(op_kind op)
{
    return op > OP_NONE && op < OP_COUNT;
}

const op_info *op_get(op_kind op)
{
    return is_op(op) ? ops[op].info : NULL;
}

const char *op_name(op_kind op)
{
    return is_op(op) ? ops[op].name : ops[OP_NONE].name;
}

op_kind op_find(const char *name)
{
    for (int op = OP_NONE + 1; op < OP_COUNT; op++)
        if (!strcmp(ops[op].name, name)) return (op_kind)op;
    return OP_NONE;
}

const char *op_family(op_kind op)
{
    return is_op(op) ? ops[op].family : ops[OP_NONE].family;
}

void op_set_defaults(op_kind op, void *attrs)
{
    const op_info *info = op_get(op);
    memset(attrs, 0, info->attrs_size);
    for (int i = 0; i < info->n_attrs; i++) {
        const op_attr *a = &info->attrs[i];
        void *field = (char *)attrs + a->offset;
        switch (a->type) {
        case OP_ATTR_INT:
        case OP_ATTR_ENUM:
            *(int64_t *)field = (int64_t)a->def;
            break;
        case OP_ATTR_FLOAT:
            *(float *)field = (float)a->def;
            break;
        case OP_ATTR_INTS:
        case OP_ATTR_FLOATS:
        case OP_ATTR_ENUMS:
            break; /* empty */
        }
    }
}

int op_enum_code(const op_attr *a, const char *text)
{
    const char *p = a->names;
    size_t n = strlen(text);
    for (int code = 0;; code++) {
        size_t length = strcspn(p, ",");
        if (length == n && !memcmp(p, text, n)) return code;
        if (!p[length]) return -1;
        p += length + 1;
    }
}

const char *op_enum_text(const op_attr *a, int64_t code, size_t *length)
{
    const char *p = a->names;
    for (int64_t i = 0; i < code && *p; p++) i += *p == ',';
    *length = strcspn(p, ",");
    return p;
}

static int count_names(const char *names)
{
    int n = 1;
    for (; *names; names++) n += *names == ',';
    return n;
}

static vki_status check_int(const gr_node *n, const op_attr *a, int64_t v, vki_error *err)
{
    double value = (double)v;
    if (value >= a->low && value <= a->high) return VKI_OK;
    return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op),
                         "attribute %s is %lld; allowed: %.15g to %.15g", a->name, (long long)v, a->low,
                         a->high);
}

static vki_status check_float(const gr_node *n, const op_attr *a, float value, vki_error *err)
{
    double v = (double)value;
    if (v >= a->low && v <= a->high) return VKI_OK; /* false for NaN */
    return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op),
                         "attribute %s is %.9g; allowed: %.9g to %.9g", a->name, v, a->low, a->high);
}

static vki_status check_enum(const gr_node *n, const op_attr *a, int64_t v, vki_error *err)
{
    if (v >= 0 && v < count_names(a->names)) return VKI_OK;
    return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op), "attribute %s is %lld, which is none of %s",
                         a->name, (long long)v, a->names);
}

static vki_status check_count(const gr_node *n, const op_attr *a, int32_t count, vki_error *err)
{
    if (count >= 0 && count <= OP_INTS_MAX) return VKI_OK;
    return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op),
                         "attribute %s has %d values; at most %d are possible", a->name, count, OP_INTS_MAX);
}

static vki_status check_attr(const gr_node *n, const op_attr *a, vki_error *err)
{
    const void *field = (const char *)n->attrs + a->offset;
    switch (a->type) {
    case OP_ATTR_INT:
        return check_int(n, a, *(const int64_t *)field, err);
    case OP_ATTR_FLOAT:
        return check_float(n, a, *(const float *)field, err);
    case OP_ATTR_ENUM:
        return check_enum(n, a, *(const int64_t *)field, err);
    case OP_ATTR_FLOATS: {
        const op_floats *list = field;
        VKB_TRY(check_count(n, a, list->count, err));
        for (int i = 0; i < list->count; i++) VKB_TRY(check_float(n, a, list->v[i], err));
        return VKI_OK;
    }
    case OP_ATTR_INTS:
    case OP_ATTR_ENUMS: {
        const op_ints *list = field;
        VKB_TRY(check_count(n, a, list->count, err));
        for (int i = 0; i < list->count; i++)
            VKB_TRY(a->type == OP_ATTR_INTS ? check_int(n, a, list->v[i], err)
                                            : check_enum(n, a, list->v[i], err));
        return VKI_OK;
    }
    }
    return vkb_fail_node(err, VKI_E_INTERNAL, n->name, op_name(n->op), "attribute %s has no type", a->name);
}

vki_status op_check_attrs(const gr_node *n, vki_error *err)
{
    const op_info *info = op_get(n->op);
    if (!info->n_attrs) return VKI_OK;
    if (!n->attrs)
        return vkb_fail_node(err, VKI_E_ARG, n->name, op_name(n->op), "the node has no attributes");
    for (int i = 0; i < info->n_attrs; i++) VKB_TRY(check_attr(n, &info->attrs[i], err));
    return VKI_OK;
}

void op_cost_of(const gr_graph *g, const gr_node *n, op_cost *out)
{
    *out = (op_cost){0, 0};
    const op_info *info = op_get(n->op);
    op_cost cost = {0, 0};
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        gr_id t = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (t == GR_NONE) continue;
        if (!gr_is_concrete(&g->tensors[t])) return;
        cost.bytes += gr_bytes(&g->tensors[t]);
    }
    if (info->flags & OP_VIEW) cost.bytes = 0;
    if (info->cost) info->cost(g, n, &cost);
    *out = cost;
}
