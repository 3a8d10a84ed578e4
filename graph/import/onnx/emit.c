/* SPDX-License-Identifier: Apache-2.0
 * From an onnx_node to nodes of the graph. */
#include "graph/import/onnx/onnx_internal.h"

#include <stdio.h>
#include <string.h>

vki_status onnx_nomem(const onnx_ctx *c)
{
    return vkb_fail(c->err, VKI_E_NOMEM, "out of memory while the model was imported");
}

static void format_text(char *text, size_t size, const char *format, va_list args) VKB_PRINTF(3, 0);

static void format_text(char *text, size_t size, const char *format, va_list args)
{
    vsnprintf(text, size, format, args);
}

vki_status onnx_fail(const onnx_node *n, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    format_text(text, sizeof text, format, args);
    va_end(args);
    return vkb_fail_node(n->c->err, VKI_E_FORMAT, n->name, n->type, "%.40s '%.96s': %s", n->type, n->name,
                         text);
}

vki_status onnx_refuse(onnx_node *n, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    format_text(text, sizeof text, format, args);
    va_end(args);
    n->op = OP_NONE;
    return onnx_issue_add(n->c, n->type, n->name, text);
}

void onnx_set_attr(onnx_node *n, const char *name, double value)
{
    if (n->n_set < (int)VKB_COUNT(n->set)) n->set[n->n_set++] = (onnx_set){name, value};
}

void onnx_set_input(onnx_node *n, int i, gr_id id)
{
    while (n->n_in <= i) n->in[n->n_in++] = GR_NONE;
    n->in[i] = id;
}

/* ---- constants and helper nodes ---- */

static char *derived_name(onnx_node *n, const char *suffix)
{
    return vkb_arena_printf(&n->c->scratch, "%s/%s", n->name, suffix);
}

gr_id onnx_const_ints(onnx_node *n, const char *suffix, const int64_t *values, int count)
{
    int64_t dims[1] = {count}, none = 0;
    const char *name = derived_name(n, suffix);
    if (!name) return GR_NONE;
    return gr_add_const(n->c->g, name, VKI_I64, 1, dims, count ? values : &none, true);
}

gr_id onnx_const_floats(onnx_node *n, const char *suffix, int rank, const float *values, int count)
{
    int64_t dims[1] = {count};
    float none = 0;
    const char *name = derived_name(n, suffix);
    return name ? gr_add_const(n->c->g, name, VKI_F32, rank, dims, count ? values : &none, true) : GR_NONE;
}

/* A node that writes `out`; GR_NONE if that or an input is, because memory ran out. */
static gr_id add_node(onnx_node *n, op_kind op, const char *suffix, int n_in, const gr_id *in,
                      const onnx_set *set, gr_id out)
{
    gr_graph *g = n->c->g;
    const char *name = derived_name(n, suffix);
    for (int i = 0; i < n_in; i++)
        if (in[i] == GR_NONE) return GR_NONE;
    gr_node *node = name && out != GR_NONE ? gr_add_node(g, op, name, n_in, in, 1, &out) : NULL;
    if (!node) return GR_NONE;
    for (; set && set->name; set++) onnx_attr_put(op, node->attrs, set->name, set->value);
    bool known;
    gr_infer_node(g, node, &known, NULL);
    return out;
}

gr_id onnx_helper(onnx_node *n, op_kind op, const char *suffix, int n_in, const gr_id *in,
                  const onnx_set *set)
{
    const char *name = derived_name(n, suffix);
    gr_id out = name ? gr_add_tensor(n->c->g, name, VKI_DT_NONE, -1, NULL) : GR_NONE;
    return add_node(n, op, suffix, n_in, in, set, out);
}

vki_status onnx_output(onnx_node *n, int i, op_kind op, int n_in, const gr_id *in, const onnx_set *set)
{
    if (i >= n->n_out || n->out[i] == GR_NONE) return VKI_OK;
    gr_id made = add_node(n, op, "output", n_in, in, set, n->out[i]);
    n->out[i] = GR_NONE; /* onnx_emit leaves it alone */
    return made == GR_NONE ? onnx_nomem(n->c) : VKI_OK;
}

gr_id onnx_unary(onnx_node *n, op_kind op, const char *suffix, gr_id a)
{
    return onnx_helper(n, op, suffix, 1, &a, NULL);
}

gr_id onnx_binary(onnx_node *n, op_kind op, const char *suffix, gr_id a, gr_id b)
{
    return onnx_helper(n, op, suffix, 2, (gr_id[]){a, b}, NULL);
}

vki_status onnx_finish(onnx_node *n, op_kind op, int n_in, const gr_id *in)
{
    for (int i = 0; i < n_in; i++)
        if (in[i] == GR_NONE) return onnx_nomem(n->c);
    n->n_in = 0;
    for (int i = 0; i < n_in; i++) onnx_set_input(n, i, in[i]);
    n->op = op;
    return VKI_OK;
}

/* ---- the node itself ---- */

static vki_status check_inputs(onnx_node *n, const op_info *info)
{
    while (n->n_in && n->in[n->n_in - 1] == GR_NONE) n->n_in--; /* absent at the end: not there */
    if (n->n_in > info->max_in || n->n_in < info->min_in)
        return onnx_fail(n, "has %d inputs, but takes %d to %d", n->n_in, info->min_in, info->max_in);
    for (int i = 0; i < info->min_in; i++)
        if (n->in[i] == GR_NONE) return onnx_fail(n, "input %d is missing", i);
    return VKI_OK;
}

/* Outputs beyond those the operator has in the graph are dropped if nobody reads them. */
static vki_status check_outputs(onnx_node *n, const op_info *info)
{
    while (n->n_out &&
           (n->out[n->n_out - 1] == GR_NONE || (n->n_out > info->max_out && !n->out_used[n->n_out - 1])))
        n->n_out--;
    if (n->n_out > info->max_out)
        return onnx_refuse(n, "output %d is used; only %d can be computed", n->n_out - 1, info->max_out);
    if (n->n_out < info->min_out)
        return onnx_fail(n, "has %d outputs, but gives at least %d", n->n_out, info->min_out);
    for (int i = 0; i < info->min_out && !(info->flags & OP_ANY_OUTPUT); i++)
        if (n->out[i] == GR_NONE) return onnx_fail(n, "output %d is missing", i);
    return VKI_OK;
}

/* Attributes that ONNX requires; all others have defaults. */
static vki_status check_required(const onnx_node *n)
{
    static const struct {
        op_kind op;
        const char *name;
    } required[] = {{OP_Concat, "axis"},
                    {OP_BitShift, "direction"},
                    {OP_DepthToSpace, "blocksize"},
                    {OP_SpaceToDepth, "blocksize"}};
    for (size_t i = 0; i < VKB_COUNT(required); i++) {
        bool found = required[i].op != n->op || onnx_has_attr(n, required[i].name);
        for (int k = 0; k < n->n_set && !found; k++) found = strcmp(n->set[k].name, required[i].name) == 0;
        if (!found) return onnx_fail(n, "the attribute '%s' is missing", required[i].name);
    }
    return VKI_OK;
}

static vki_status set_attributes(onnx_node *n, gr_node *node)
{
    VKB_TRY(onnx_attrs_map(n, node->attrs));
    if (n->op == OP_NONE) return VKI_OK;
    for (int i = 0; i < n->n_set; i++)
        if (!onnx_attr_put(n->op, node->attrs, n->set[i].name, n->set[i].value))
            return vkb_fail_node(n->c->err, VKI_E_INTERNAL, n->name, n->type,
                                 "the importer sets the attribute %s, which the operator does not have",
                                 n->set[i].name);
    vki_error problem;
    if (op_check_attrs(node, &problem) != VKI_OK) return onnx_refuse(n, "%.200s", problem.text);
    return VKI_OK;
}

vki_status onnx_emit(onnx_node *n)
{
    const op_info *info = op_get(n->op);
    if (!info) return onnx_refuse(n, "this build does not have the operator");
    VKB_TRY(check_inputs(n, info));
    VKB_TRY(check_outputs(n, info));
    if (n->op == OP_NONE) return VKI_OK;
    VKB_TRY(check_required(n));
    gr_node *node = gr_add_node(n->c->g, n->op, n->name, n->n_in, n->in, n->n_out, n->out);
    if (!node) return onnx_nomem(n->c);
    VKB_TRY(set_attributes(n, node));
    if (n->op == OP_NONE) { /* refused: the import will fail, after all other nodes have had their say */
        node->dead = true;
        return VKI_OK;
    }
    /* What is known now lets lifts of later nodes choose the simpler form. A node that does not fit is
     * reported by gr_infer, with the shapes of a session. */
    bool known;
    gr_infer_node(n->c->g, node, &known, NULL);
    return VKI_OK;
}
