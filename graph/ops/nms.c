/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/schema.h"

enum { BOXES = 0, SCORES, MOST, IOU_THRESHOLD, SCORE_THRESHOLD };

static vki_status infer(op_infer *c)
{
    const gr_tensor *boxes = op_in(c, BOXES), *scores = op_in(c, SCORES), *most = op_in(c, MOST);
    VKB_TRY(op_want_type(c, BOXES, OP_FLOATS));
    VKB_TRY(op_want_type(c, SCORES, OP_FLOATS));
    VKB_TRY(op_want_type(c, MOST, OP_INTEGERS));
    VKB_TRY(op_want_type(c, IOU_THRESHOLD, OP_FLOATS));
    VKB_TRY(op_want_type(c, SCORE_THRESHOLD, OP_FLOATS));
    for (int i = MOST; i <= SCORE_THRESHOLD; i++)
        if (op_in(c, i) && gr_elements(op_in(c, i)) != 1)
            return op_fail(c, VKI_E_SHAPE, "input %d must be one number", i);
    if (boxes->rank != 3 || boxes->dims[2] != 4)
        return op_fail(c, VKI_E_SHAPE, "the boxes must be [batch, boxes, 4]");
    if (scores->rank != 3 || scores->dims[0] != boxes->dims[0] || scores->dims[2] != boxes->dims[1])
        return op_fail(c, VKI_E_SHAPE, "the scores must be [batch %lld, classes, boxes %lld]",
                       (long long)boxes->dims[0], (long long)boxes->dims[1]);
    if (scores->dims[2] > INT32_MAX || scores->dims[0] > INT32_MAX || scores->dims[1] > INT32_MAX)
        return op_fail(c, VKI_E_SHAPE, "more boxes, classes or batches than can be numbered");
    /* Of each batch and class at most so many; without the input none. */
    int64_t each = most ? scores->dims[2] : 0, given;
    int count;
    if (most && gr_const_i64(c->g, c->n->in[MOST], &given, 1, &count))
        each = vkb_min(each, vkb_max(given, 0));
    int64_t lists = scores->dims[0] * scores->dims[1];
    if (each && lists > INT64_MAX / 64 / each) return op_fail(c, VKI_E_SHAPE, "too many boxes to address");
    return op_out(c, 0, VKI_I64, 2, (int64_t[]){lists * each, 3});
}

static const op_attr nms_attrs[] = {OP_ROW_INT(op_nms_attrs, center_point_box, 0, 0, 1)};

const op_info op_info_NonMaxSuppression = {
    .name = "NonMaxSuppression",
    .doc =
        "Batch, class and number of the boxes with the best scores that do not overlap a better one too much",
    OP_ATTR_TABLE(nms_attrs),
    .attrs_size = sizeof(op_nms_attrs),
    .min_in = 2,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_DATA_SHAPED,
    .infer = infer,
};
