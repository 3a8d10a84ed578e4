/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/resize.h"

/* The weighted sum over the axes from d on; `offset` is the place in the input so far. */
static double sample(const gr_tensor *x, const void *data, const op_resize_place *places, int d,
                     int64_t offset)
{
    if (d == x->rank) return cpu_load(data, x->dtype, offset);
    double sum = 0;
    for (int tap = 0; tap < places[d].count; tap++) {
        int64_t index;
        double weight = op_resize_tap(&places[d], tap, &index);
        sum += weight * sample(x, data, places, d + 1, offset * x->dims[d] + index);
    }
    return sum;
}

static void resize_reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    const op_resize_attrs *a = c->n->attrs;
    op_resize_axis axes[GR_MAX_RANK];
    op_resize_place places[GR_MAX_RANK];
    bool inside[GR_MAX_RANK];
    int64_t at[GR_MAX_RANK] = {0}, n = gr_elements(y);
    size_t element = vki_dtype_size(x->dtype);
    cpu_sink sink = cpu_sink_of(c);
    bool copies = a->mode == OP_RESIZE_NEAREST && !cpu_is_float(x->dtype);
    /* Inference has read the same constants, so this cannot fail. */
    if (n == 0 || op_resize_axes_of(c->g, c->n, axes)) return;
    for (int d = 0; d < x->rank; d++) inside[d] = op_resize_at(a, &axes[d], 0, &places[d]);
    for (int64_t i = 0; i < n; i++) {
        bool outside = false;
        int64_t first = 0;
        for (int d = 0; d < x->rank; d++) {
            outside = outside || !inside[d];
            first = first * x->dims[d] + places[d].first; /* `nearest`: the only one */
        }
        if (outside)
            cpu_put(&sink, i, (double)a->extrapolation_value);
        else if (copies)
            memcpy((uint8_t *)c->out[0] + (size_t)i * element,
                   (const uint8_t *)c->in[0] + (size_t)first * element, element);
        else
            cpu_put(&sink, i, sample(x, c->in[0], places, 0, 0));
        for (int d = x->rank - 1; d >= 0; d--) { /* next element; only axes that moved need new places */
            bool wrapped = ++at[d] == y->dims[d];
            if (wrapped) at[d] = 0;
            inside[d] = op_resize_at(a, &axes[d], at[d], &places[d]);
            if (!wrapped) break;
        }
    }
}

static bool resize_supports(const gr_graph *g, const gr_node *n, const char **why)
{
    const gr_epilogue *e = &n->epilogue;
    bool plain = e->act == GR_ACT_NONE && e->residual == GR_RESIDUAL_NONE;
    if (plain && ((const op_resize_attrs *)n->attrs)->mode == OP_RESIZE_NEAREST) return true;
    *why = "linear and cubic resize, and an epilogue, take float types only";
    return cpu_is_float(g->tensors[n->in[0]].dtype);
}

const cpu_op cpu_op_resize = {
    .supports = resize_supports, .reference = resize_reference, .kernels = cpu_resize_kernels};
