/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "graph/ops/op.h"

vki_status gr_infer(gr_graph *g, vki_error *err)
{
    bool known;
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].dead) VKB_TRY(gr_infer_node(g, &g->nodes[i], &known, err));
    return VKI_OK;
}

bool gr_all_concrete(const gr_graph *g, gr_id *first_unknown)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        if (n->dead) continue;
        for (int k = 0; k < n->n_in + n->n_out; k++) {
            gr_id t = k < n->n_in ? n->in[k] : n->out[k - n->n_in];
            if (t == GR_NONE || gr_is_concrete(&g->tensors[t])) continue;
            if (first_unknown) *first_unknown = t;
            return false;
        }
    }
    if (first_unknown) *first_unknown = GR_NONE;
    return true;
}

/* Every tensor that has the symbol `old` gets the size. */
static void set_symbol(gr_graph *g, int64_t old, int64_t size)
{
    for (int t = 0; t < g->n_tensors; t++)
        for (int d = 0; d < g->tensors[t].rank; d++)
            if (g->tensors[t].dims[d] == old) g->tensors[t].dims[d] = size;
}

static gr_id find_input(const gr_graph *g, const char *name)
{
    gr_id t = name ? gr_find_tensor(g, name) : GR_NONE;
    return t != GR_NONE && g->tensors[t].flags & GR_INPUT ? t : GR_NONE;
}

/* `declared` is the input as the model has it, so that the text can name the symbol. */
static vki_status bind_one(gr_graph *g, const gr_tensor *declared, gr_tensor *t, const vki_shape *s,
                           vki_error *err)
{
    char text[192];
    if (s->rank < 0 || s->rank > GR_MAX_RANK || (t->rank >= 0 && s->rank != t->rank))
        return vkb_fail(err, VKI_E_SHAPE, "input %s is %s, so a shape of %d dimensions does not fit",
                        s->input, gr_shape_text(g, declared, text, sizeof text), s->rank);
    if (t->rank < 0) {
        t->rank = s->rank;
        for (int d = 0; d < s->rank; d++) t->dims[d] = GR_UNKNOWN;
    }
    for (int d = 0; d < s->rank; d++) {
        int64_t size = s->dims[d], now = t->dims[d];
        if (size < 0)
            return vkb_fail(err, VKI_E_SHAPE, "input %s: dimension %d is given as %lld; it must be 0 or more",
                            s->input, d, (long long)size);
        if (now >= 0 && now != size)
            return vkb_fail(
                err, VKI_E_SHAPE, "input %s is %s: dimension %d cannot be %lld, it is %lld already", s->input,
                gr_shape_text(g, declared, text, sizeof text), d, (long long)size, (long long)now);
        t->dims[d] = size;
        if (now < GR_UNKNOWN) set_symbol(g, now, size);
    }
    return VKI_OK;
}

vki_status gr_bind_shapes(gr_graph *g, const vki_shape *shapes, int count, vki_error *err)
{
    for (int i = 0; i < count; i++) {
        gr_id t = find_input(g, shapes[i].input);
        if (t == GR_NONE)
            return vkb_fail(
                err, VKI_E_ARG, "the model has no input %s%s%s", shapes[i].input ? shapes[i].input : "(NULL)",
                g->n_inputs ? "; its first is " : "", g->n_inputs ? g->tensors[g->inputs[0]].name : "");
        gr_tensor declared = g->tensors[t];
        VKB_TRY(bind_one(g, &declared, &g->tensors[t], &shapes[i], err));
    }
    return gr_infer(g, err);
}
