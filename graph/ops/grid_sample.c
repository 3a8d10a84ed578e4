/* SPDX-License-Identifier: Apache-2.0
 * GridSample: the input read at given places. One to three spatial dimensions. */
#include "graph/ops/schema.h"

static vki_status infer(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *grid = op_in(c, 1);
    int spatial = x->rank - 2;
    VKB_TRY(op_want_type(c, 1, OP_FLOATS));
    if (spatial < 1 || spatial > 3)
        return op_fail(c, VKI_E_SHAPE, "the input has %d dimensions; 3 to 5 are possible", x->rank);
    if (grid->rank != x->rank || grid->dims[grid->rank - 1] != spatial || grid->dims[0] != x->dims[0])
        return op_fail(c, VKI_E_SHAPE,
                       "the grid must be [batch, %d output dimensions, %d], with the input's batch of %lld",
                       spatial, spatial, (long long)x->dims[0]);
    gr_tensor y = *x;
    for (int d = 0; d < spatial; d++) y.dims[2 + d] = grid->dims[1 + d];
    for (int d = 2; d < x->rank; d++)
        if (x->dims[d] == 0 && gr_elements(&y) != 0)
            return op_fail(c, VKI_E_SHAPE, "the input has no elements to read");
    return op_out_like(c, 0, &y);
}

static void cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    const gr_tensor *y = &g->tensors[n->out[0]];
    const op_grid_attrs *a = n->attrs;
    uint64_t taps = 1, each = a->mode == OP_GRID_CUBIC ? 4 : a->mode == OP_GRID_LINEAR ? 2 : 1;
    for (int d = 2; d < y->rank; d++) taps *= each;
    if (each > 1) cost->macs += (uint64_t)gr_elements(y) * taps;
}

static const op_attr grid_attrs[] = {
    OP_ROW_ENUM(op_grid_attrs, mode, OP_GRID_LINEAR, "linear,nearest,cubic"),
    OP_ROW_ENUM(op_grid_attrs, padding_mode, OP_GRID_ZEROS, "zeros,border,reflection"),
    OP_ROW_INT(op_grid_attrs, align_corners, 0, 0, 1),
};

const op_info op_info_GridSample = {
    .name = "GridSample",
    .doc =
        "Samples the input at the places a grid gives, -1 to 1 from border to border, in 1 to 3 dimensions",
    OP_ATTR_TABLE(grid_attrs),
    .attrs_size = sizeof(op_grid_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = cost,
};
