/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/quantized.h"
#include "graph/ops/window.h"

static vki_status infer(op_infer *c)
{
    op_window_nd w;
    VKB_TRY(op_check_quantized(c, -1, 0));
    VKB_TRY(op_window_resolve(c->g, c->n, &w, c->err));
    return op_window_out(c, 0, op_quantized_type(c), &w);
}

#define QCONV(op, text, least, most)                                                                         \
    const op_info op_info_##op = {.name = #op,                                                               \
                                  .doc = text,                                                               \
                                  .attrs = op_conv_rows,                                                     \
                                  .n_attrs = OP_CONV_ROWS,                                                   \
                                  .attrs_size = sizeof(op_conv_attrs),                                       \
                                  .min_in = least,                                                           \
                                  .max_in = most,                                                            \
                                  .min_out = 1,                                                              \
                                  .max_out = 1,                                                              \
                                  .infer = infer,                                                            \
                                  .cost = op_conv_cost}

QCONV(QLinearConv, "Convolution of 8-bit integers with scales and zero points, requantized to 8 bits", 8, 9);
QCONV(ConvInteger, "Convolution of 8-bit integers with zero points, to int32", 2, 4);
