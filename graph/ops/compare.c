/* SPDX-License-Identifier: Apache-2.0
 * Comparisons of two tensors of one type, broadcast to a common shape. */
#include "graph/ops/schema.h"

static vki_status infer_compare(op_infer *c)
{
    int rank;
    int64_t dims[GR_MAX_RANK];
    VKB_TRY(op_want_type(c, 0, c->n->op == OP_Equal ? OP_NUMBERS | OP_BIT(VKI_BOOL) : OP_NUMBERS));
    VKB_TRY(op_want_same_type(c, 1));
    VKB_TRY(op_broadcast(c, op_in(c, 0), op_in(c, 1), &rank, dims));
    return op_out(c, 0, VKI_BOOL, rank, dims);
}

#define COMPARE(op, text)                                                                                    \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text ", broadcast as in numpy",                                     \
                                  .min_in = 2,                                                               \
                                  .max_in = 2,                                                               \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = infer_compare}

COMPARE(Equal, "Whether a = b");
COMPARE(Greater, "Whether a > b");
COMPARE(GreaterOrEqual, "Whether a >= b");
COMPARE(Less, "Whether a < b");
COMPARE(LessOrEqual, "Whether a <= b");
