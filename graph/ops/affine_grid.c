/* SPDX-License-Identifier: Apache-2.0
 * AffineGrid: the places where GridSample reads to turn, scale and shift an image. */
#include "graph/ops/schema.h"

static vki_status infer(op_infer *c)
{
    const gr_tensor *theta = op_in(c, 0);
    int64_t size[GR_MAX_RANK], dims[GR_MAX_RANK];
    int count;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    VKB_TRY(op_const_ints(c, 1, size, GR_MAX_RANK, &count));
    int spatial = count - 2;
    if (spatial != 2 && spatial != 3)
        return op_fail(c, VKI_E_SHAPE, "size has %d elements; 4 or 5 are possible", count);
    if (theta->rank != 3 || theta->dims[0] != size[0] || theta->dims[1] != spatial ||
        theta->dims[2] != spatial + 1)
        return op_fail(c, VKI_E_SHAPE, "theta must be [%lld, %d, %d] for this size", (long long)size[0],
                       spatial, spatial + 1);
    dims[0] = size[0];
    for (int d = 0; d < spatial; d++) dims[1 + d] = size[2 + d];
    dims[1 + spatial] = spatial;
    return op_out(c, 0, theta->dtype, spatial + 2, dims);
}

static void cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    cost->macs += (uint64_t)gr_elements(&g->tensors[n->out[0]]) * 4;
}

static const op_attr affine_attrs[] = {OP_ROW_INT(op_grid_attrs, align_corners, 0, 0, 1)};

const op_info op_info_AffineGrid = {
    .name = "AffineGrid",
    .doc =
        "theta times (x, y, 1) or (x, y, z, 1) of every place of an image of the given size, which must be "
        "constant",
    OP_ATTR_TABLE(affine_attrs),
    .attrs_size = sizeof(op_grid_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = cost,
};
