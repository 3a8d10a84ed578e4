/* SPDX-License-Identifier: Apache-2.0
 * DepthToSpace and SpaceToDepth: blocks of positions against channels. */
#include "graph/ops/schema.h"

static vki_status infer_depth_space(op_infer *c)
{
    const op_depth_attrs *a = c->n->attrs;
    bool to_space = c->n->op == OP_DepthToSpace;
    int64_t b = a->blocksize;
    gr_tensor y = *op_in(c, 0);
    if (y.rank != 4) return op_fail(c, VKI_E_SHAPE, "the input has %d dimensions, not 4", y.rank);
    for (int d = 1; d < 4; d++) {
        int64_t factor = d == 1 ? b * b : b;
        if ((d == 1) != to_space) {
            if (y.dims[d] > INT64_MAX / factor) return op_fail(c, VKI_E_SHAPE, "the block size is too large");
            y.dims[d] *= factor;
        } else {
            if (y.dims[d] % factor)
                return op_fail(c, VKI_E_SHAPE, "dimension %d has %lld elements, no multiple of %lld", d,
                               (long long)y.dims[d], (long long)factor);
            y.dims[d] /= factor;
        }
    }
    return op_out_like(c, 0, &y);
}

static const op_attr to_space_attrs[] = {OP_ROW_INT(op_depth_attrs, blocksize, 1, 1, 65536),
                                         OP_ROW_ENUM(op_depth_attrs, mode, OP_DEPTH_DCR, "DCR,CRD")};
static const op_attr to_depth_attrs[] = {OP_ROW_INT(op_depth_attrs, blocksize, 1, 1, 65536)};

#define DEPTH_SPACE(op, text, table)                                                                         \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  OP_ATTR_TABLE(table),                                                      \
                                  .attrs_size = sizeof(op_depth_attrs),                                      \
                                  .min_in = 1,                                                               \
                                  .max_in = 1,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = infer_depth_space}

DEPTH_SPACE(DepthToSpace, "Channels become blocks of positions, also called pixel shuffle", to_space_attrs);
DEPTH_SPACE(SpaceToDepth, "Blocks of positions become channels", to_depth_attrs);
