/* SPDX-License-Identifier: Apache-2.0
 * If, Loop and Scan: nodes that run other graphs. What their outputs look like shows when they have run;
 * where the branch or the number of rounds is known before, the pass inline_bodies puts their bodies into the
 * graph instead. */
#include <string.h>

#include "graph/ops/schema.h"

int op_bodies_of(gr_node *n, int64_t *out[2])
{
    if (n->op == OP_If) {
        op_if_attrs *a = n->attrs;
        out[0] = &a->then_branch;
        out[1] = &a->else_branch;
        return 2;
    }
    if (n->op == OP_Loop) out[0] = &((op_loop_attrs *)n->attrs)->body;
    if (n->op == OP_Scan) out[0] = &((op_scan_attrs *)n->attrs)->body;
    return n->op == OP_Loop || n->op == OP_Scan;
}

/* ---- do the bodies fit? ---- */

static vki_status fits(const gr_graph *g, const gr_node *n, int64_t body, int64_t n_in, int64_t n_out,
                       vki_error *err)
{
    if (body < 0 || body >= g->n_bodies)
        return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op), "there is no body %lld",
                             (long long)body);
    const gr_graph *b = g->bodies[body].graph;
    if (b->n_inputs == n_in && b->n_outputs == n_out) return VKI_OK;
    return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op),
                         "its body has %d inputs and %d outputs; %lld and %lld would fit", b->n_inputs,
                         b->n_outputs, (long long)n_in, (long long)n_out);
}

static vki_status check_list(const gr_node *n, const op_ints *list, int64_t most, bool flags, vki_error *err)
{
    for (int i = 0; i < list->count; i++)
        if (i >= most || (flags && (list->v[i] < 0 || list->v[i] > 1)))
            return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op),
                                 "entry %d of a list of axes or directions is wrong or has no counterpart",
                                 i);
    return VKI_OK;
}

static vki_status check_scan(const gr_graph *g, const gr_node *n, vki_error *err)
{
    const op_scan_attrs *a = n->attrs;
    int64_t own = a->states + a->num_scan_inputs, scans = n->n_out - a->states;
    if (own > n->n_in || scans < 0 || a->num_scan_inputs < 1)
        return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op),
                             "%lld states and %lld sequences do not fit %d inputs and %d outputs",
                             (long long)a->states, (long long)a->num_scan_inputs, n->n_in, n->n_out);
    VKB_TRY(check_list(n, &a->scan_input_axes, a->num_scan_inputs, false, err));
    VKB_TRY(check_list(n, &a->scan_input_directions, a->num_scan_inputs, true, err));
    VKB_TRY(check_list(n, &a->scan_output_axes, scans, false, err));
    VKB_TRY(check_list(n, &a->scan_output_directions, scans, true, err));
    return fits(g, n, a->body, n->n_in, n->n_out, err);
}

vki_status op_check_bodies(const gr_graph *g, const gr_node *n, vki_error *err)
{
    if (!(op_get(n->op)->flags & OP_BODIES)) return VKI_OK;
    int first_optional = n->op == OP_Loop ? 2 : 0;
    for (int i = first_optional; i < n->n_in; i++)
        if (n->in[i] == GR_NONE)
            return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op), "input %d is missing", i);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] == GR_NONE)
            return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op), "output %d is missing", i);
    if (n->op == OP_Scan) return check_scan(g, n, err);
    if (n->op == OP_Loop) {
        const op_loop_attrs *a = n->attrs;
        if (a->carried > vkb_max(n->n_in - 2, 0) || a->carried > n->n_out)
            return vkb_fail_node(err, VKI_E_FORMAT, n->name, op_name(n->op),
                                 "%lld values do not fit %d inputs and %d outputs", (long long)a->carried,
                                 n->n_in, n->n_out);
        return fits(g, n, a->body, vkb_max(n->n_in, 2), (int64_t)n->n_out + 1, err);
    }
    const op_if_attrs *a = n->attrs;
    VKB_TRY(fits(g, n, a->then_branch, a->then_inputs, n->n_out, err));
    return fits(g, n, a->else_branch, n->n_in - 1 - a->then_inputs, n->n_out, err);
}

/* ---- meaning ---- */

static vki_status want_one(op_infer *c, int i, unsigned types)
{
    if (!op_has_in(c->n, i)) return VKI_OK;
    VKB_TRY(op_want_type(c, i, types));
    if (gr_elements(op_in(c, i)) == 1) return VKI_OK;
    return op_fail(c, VKI_E_SHAPE, "input %d must be one element", i);
}

static vki_status infer_if(op_infer *c)
{
    VKB_TRY(want_one(c, 0, OP_BIT(VKI_BOOL)));
    return gr_is_const(c->g, c->n->in[0]) ? OP_LATER : op_later(c, 0);
}

static vki_status infer_loop(op_infer *c)
{
    VKB_TRY(want_one(c, 0, OP_BIT(VKI_I64) | OP_BIT(VKI_I32)));
    VKB_TRY(want_one(c, 1, OP_BIT(VKI_BOOL)));
    return OP_LATER;
}

static vki_status infer_scan(op_infer *c)
{
    const op_scan_attrs *a = c->n->attrs;
    int64_t length = -1;
    for (int i = 0; i < a->num_scan_inputs; i++) {
        int axis;
        const gr_tensor *x = op_in(c, (int)a->states + i);
        if (!x) return op_fail(c, VKI_E_SHAPE, "sequence %d is missing", i);
        VKB_TRY(op_axis(c, op_listed(&a->scan_input_axes, i), x->rank, &axis));
        if (length >= 0 && x->dims[axis] != length)
            return op_fail(c, VKI_E_SHAPE, "sequence %d has %lld elements, the first %lld", i,
                           (long long)x->dims[axis], (long long)length);
        length = x->dims[axis];
    }
    return OP_LATER;
}

#define ROW_BODY(type, field) OP_ROW_INT(type, field, -1, -1, OP_INT_MAX)

static const op_attr if_attrs[] = {
    ROW_BODY(op_if_attrs, then_branch),
    ROW_BODY(op_if_attrs, else_branch),
    OP_ROW_INT(op_if_attrs, then_inputs, 0, 0, OP_MANY),
};
static const op_attr loop_attrs[] = {
    ROW_BODY(op_loop_attrs, body),
    OP_ROW_INT(op_loop_attrs, carried, 0, 0, OP_MANY),
};
static const op_attr scan_attrs[] = {
    ROW_BODY(op_scan_attrs, body),
    OP_ROW_INT(op_scan_attrs, states, 0, 0, OP_MANY),
    OP_ROW_INT(op_scan_attrs, num_scan_inputs, 1, 1, OP_MANY),
    OP_ROW_INTS(op_scan_attrs, scan_input_axes, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_INTS(op_scan_attrs, scan_input_directions, 0, 1),
    OP_ROW_INTS(op_scan_attrs, scan_output_axes, -GR_MAX_RANK, GR_MAX_RANK - 1),
    OP_ROW_INTS(op_scan_attrs, scan_output_directions, 0, 1),
};

const op_info op_info_If = {
    .name = "If",
    .doc = "The outputs of one of two graphs, by a condition",
    OP_ATTR_TABLE(if_attrs),
    .attrs_size = sizeof(op_if_attrs),
    .min_in = 1,
    .max_in = OP_MANY,
    .min_out = 1,
    .max_out = OP_MANY,
    .flags = OP_BODIES,
    .infer = infer_if,
};
const op_info op_info_Loop = {
    .name = "Loop",
    .doc =
        "Runs a graph up to M times, as long as its condition is true; values go from round to round, scan "
        "outputs of all rounds are stacked",
    OP_ATTR_TABLE(loop_attrs),
    .attrs_size = sizeof(op_loop_attrs),
    .min_in = 0,
    .max_in = OP_MANY,
    .min_out = 1,
    .max_out = OP_MANY,
    .flags = OP_BODIES | OP_ANY_OUTPUT,
    .infer = infer_loop,
};
const op_info op_info_Scan = {
    .name = "Scan",
    .doc = "Runs a graph for each element of sequences; values go from round to round, scan outputs of all "
           "rounds are stacked",
    OP_ATTR_TABLE(scan_attrs),
    .attrs_size = sizeof(op_scan_attrs),
    .min_in = 1,
    .max_in = OP_MANY,
    .min_out = 1,
    .max_out = OP_MANY,
    .flags = OP_BODIES | OP_ANY_OUTPUT,
    .infer = infer_scan,
};
