/* SPDX-License-Identifier: Apache-2.0
 * Col2Im: blocks that lay over an image, added up where they overlap. */
#include "graph/ops/col2im.h"

#include "graph/ops/schema.h"

#define SIZE_LIMIT (INT64_C(1) << 31)

static int64_t listed(const op_ints *list, int i, int64_t absent)
{
    return list->count ? list->v[i] : absent;
}

static const char *axes_of(const op_col2im_attrs *a, const int64_t *image, const int64_t *block, op_col2im *c)
{
    c->block = c->places = 1;
    for (int d = 0; d < c->rank; d++) {
        op_col2im_axis *axis = &c->axis[d];
        *axis = (op_col2im_axis){.image = image[d],
                                 .block = block[d],
                                 .dilation = listed(&a->dilations, d, 1),
                                 .pad = listed(&a->pads, d, 0),
                                 .stride = listed(&a->strides, d, 1)};
        if (image[d] < 1 || image[d] > SIZE_LIMIT || block[d] < 1 || block[d] > SIZE_LIMIT)
            return "a size of the image or of the block is out of range";
        int64_t room =
            image[d] + axis->pad + listed(&a->pads, c->rank + d, 0) - axis->dilation * (block[d] - 1);
        if (room < 1) return "the block is larger than the padded image";
        axis->places = (room - 1) / axis->stride + 1;
        if (c->block > SIZE_LIMIT / block[d] || c->places > SIZE_LIMIT / axis->places)
            return "the image or the block is too large";
        c->block *= block[d];
        c->places *= axis->places;
    }
    return NULL;
}

bool op_col2im_of(const gr_graph *g, const gr_node *n, op_col2im *c, const char **why)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    const op_col2im_attrs *a = n->attrs;
    int64_t image[GR_MAX_RANK], block[GR_MAX_RANK];
    int blocks;
    *c = (op_col2im){0};
    *why = "the image's and the block's shape must be constants of equal length";
    if (!gr_const_i64(g, n->in[1], image, GR_MAX_RANK - 2, &c->rank) ||
        !gr_const_i64(g, n->in[2], block, GR_MAX_RANK - 2, &blocks) || c->rank != blocks || blocks < 1)
        return false;
    *why = "dilations and strides need a number for each dimension, pads two";
    if ((a->dilations.count && a->dilations.count != c->rank) ||
        (a->strides.count && a->strides.count != c->rank) || (a->pads.count && a->pads.count != 2 * c->rank))
        return false;
    *why = axes_of(a, image, block, c);
    if (*why) return false;
    *why = "the input must be [batch, channels times block, places]";
    if (x->rank != 3 || x->dims[1] % c->block != 0 || x->dims[2] != c->places) return false;
    c->batch = x->dims[0];
    c->channels = x->dims[1] / c->block;
    return true;
}

static vki_status infer(op_infer *c)
{
    int64_t values[GR_MAX_RANK], dims[GR_MAX_RANK];
    const char *why;
    op_col2im s;
    int count;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    for (int i = 1; i < 3; i++) VKB_TRY(op_const_ints(c, i, values, GR_MAX_RANK - 2, &count));
    if (!op_col2im_of(c->g, c->n, &s, &why)) return op_fail(c, VKI_E_SHAPE, "%s", why);
    dims[0] = s.batch;
    dims[1] = s.channels;
    for (int d = 0; d < s.rank; d++) dims[2 + d] = s.axis[d].image;
    return op_out(c, 0, op_in(c, 0)->dtype, 2 + s.rank, dims);
}

static void cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    cost->macs += (uint64_t)gr_elements(&g->tensors[n->in[0]]);
}

static const op_attr attrs[] = {
    OP_ROW_INTS(op_col2im_attrs, dilations, 1, OP_INT_MAX),
    OP_ROW_INTS(op_col2im_attrs, pads, 0, OP_INT_MAX),
    OP_ROW_INTS(op_col2im_attrs, strides, 1, OP_INT_MAX),
};

const op_info op_info_Col2Im = {
    .name = "Col2Im",
    .doc = "Blocks at the places of an image, added up: the inverse of taking them out",
    OP_ATTR_TABLE(attrs),
    .attrs_size = sizeof(op_col2im_attrs),
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = cost,
};
