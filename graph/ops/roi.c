/* SPDX-License-Identifier: Apache-2.0
 * RoiAlign and MaxRoiPool: parts of an image, each brought to the same few bins. */
#include "graph/ops/schema.h"

/* Of an image and of its output: larger ones cannot be meant, and coordinates are whole in fp32. */
#define SIDE_LIMIT (INT64_C(1) << 20)

static vki_status finish(op_infer *c, int columns, int64_t height, int64_t width)
{
    const gr_tensor *x = op_in(c, 0), *rois = op_in(c, 1);
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    VKB_TRY(op_want_same_type(c, 1));
    if (x->rank != 4) return op_fail(c, VKI_E_SHAPE, "the input has %d dimensions, not 4", x->rank);
    if (rois->rank != 2 || rois->dims[1] != columns)
        return op_fail(c, VKI_E_SHAPE, "the regions must be [count, %d]", columns);
    int64_t dims[4] = {rois->dims[0], x->dims[1], height, width};
    if (x->dims[2] > SIDE_LIMIT || x->dims[3] > SIDE_LIMIT)
        return op_fail(c, VKI_E_SHAPE, "the image is too large for regions of interest");
    if (gr_elements(x) == 0 && rois->dims[0] > 0 && x->dims[1] > 0)
        return op_fail(c, VKI_E_SHAPE, "the image has no elements");
    return op_out(c, 0, x->dtype, 4, dims);
}

static vki_status infer_align(op_infer *c)
{
    const op_roi_attrs *a = c->n->attrs;
    const gr_tensor *batch = op_in(c, 2);
    VKB_TRY(op_want_type(c, 2, OP_BIT(VKI_I64) | OP_BIT(VKI_I32)));
    if (batch->rank != 1 || batch->dims[0] != op_in(c, 1)->dims[0])
        return op_fail(c, VKI_E_SHAPE, "there must be one batch number for each region");
    return finish(c, 4, a->output_height, a->output_width);
}

static vki_status infer_pool(op_infer *c)
{
    const op_roi_attrs *a = c->n->attrs;
    if (a->pooled_shape.count != 2)
        return op_fail(c, VKI_E_SHAPE, "pooled_shape must hold the height and the width");
    return finish(c, 5, a->pooled_shape.v[0], a->pooled_shape.v[1]);
}

#define SCALE_ROW OP_ROW_FLOAT(op_roi_attrs, spatial_scale, 1, 0, 0x1p20)

static const op_attr align_attrs[] = {
    OP_ROW_ENUM(op_roi_attrs, mode, OP_ROI_AVERAGE, "avg,max"),
    OP_ROW_ENUM(op_roi_attrs, coordinate_transformation_mode, 0, "half_pixel,output_half_pixel"),
    OP_ROW_INT(op_roi_attrs, output_height, 1, 1, 4096),
    OP_ROW_INT(op_roi_attrs, output_width, 1, 1, 4096),
    OP_ROW_INT(op_roi_attrs, sampling_ratio, 0, 0, 1024),
    SCALE_ROW,
};
static const op_attr pool_attrs[] = {OP_ROW_INTS(op_roi_attrs, pooled_shape, 1, 512), SCALE_ROW};

const op_info op_info_RoiAlign = {
    .name = "RoiAlign",
    .doc =
        "Regions of an image, each sampled in the same number of bins: the mean or the largest of bilinear "
        "samples",
    OP_ATTR_TABLE(align_attrs),
    .attrs_size = sizeof(op_roi_attrs),
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_align,
};
const op_info op_info_MaxRoiPool = {
    .name = "MaxRoiPool",
    .doc = "Regions of an image, given as batch number and corners, each as the largest elements of the same "
           "number of bins",
    OP_ATTR_TABLE(pool_attrs),
    .attrs_size = sizeof(op_roi_attrs),
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_pool,
};
