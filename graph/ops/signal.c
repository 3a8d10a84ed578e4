/* SPDX-License-Identifier: Apache-2.0
 * Window functions and the mel filter bank: tables that spectral front ends multiply with. Their inputs are
 * numbers that exporters write as constants, so that the tables are mostly folded. */
#include "graph/ops/schema.h"

/* Input i is one integer, known now: *value. */
static vki_status whole_number(op_infer *c, int i, int64_t *value)
{
    int count;
    if (gr_elements(op_in(c, i)) != 1) return op_fail(c, VKI_E_SHAPE, "input %d must be one number", i);
    VKB_TRY(op_const_ints(c, i, value, 1, &count));
    if (*value < 0 || *value > (int64_t)OP_INT_MAX)
        return op_fail(c, VKI_E_SHAPE, "input %d is %lld, which is no size", i, (long long)*value);
    return VKI_OK;
}

static vki_status output_type(op_infer *c, vki_dtype *dtype)
{
    *dtype = (vki_dtype)((const op_signal_attrs *)c->n->attrs)->output_datatype;
    if (vki_dtype_size(*dtype) != 0 && op_dtype_in(*dtype, OP_NUMBERS)) return VKI_OK;
    return op_fail(c, VKI_E_UNSUPPORTED, "output_datatype is not a numeric element type");
}

static vki_status infer_window(op_infer *c)
{
    int64_t size;
    vki_dtype dtype;
    VKB_TRY(output_type(c, &dtype));
    VKB_TRY(whole_number(c, 0, &size));
    return op_out(c, 0, dtype, 1, &size);
}

static vki_status infer_mel(op_infer *c)
{
    int64_t bands, length, dims[2];
    vki_dtype dtype;
    VKB_TRY(output_type(c, &dtype));
    VKB_TRY(op_want_type(c, 2, OP_INTEGERS));
    for (int i = 2; i < 5; i++)
        if (gr_elements(op_in(c, i)) != 1) return op_fail(c, VKI_E_SHAPE, "input %d must be one number", i);
    VKB_TRY(op_want_type(c, 3, OP_FLOATS));
    VKB_TRY(op_want_type(c, 4, OP_FLOATS));
    VKB_TRY(whole_number(c, 0, &bands));
    VKB_TRY(whole_number(c, 1, &length));
    dims[0] = length / 2 + 1;
    dims[1] = bands;
    return op_out(c, 0, dtype, 2, dims);
}

static const op_attr window_attrs[] = {
    OP_ROW_INT(op_signal_attrs, periodic, 1, 0, 1),
    OP_ROW_INT(op_signal_attrs, output_datatype, VKI_F32, 0, 255),
};
static const op_attr mel_attrs[] = {OP_ROW_INT(op_signal_attrs, output_datatype, VKI_F32, 0, 255)};

#define WINDOW(op, text)                                                                                     \
    const op_info op_info_##op = {                                                                           \
        .name = #op,                                                                                         \
        .doc = text,                                                                                         \
        OP_ATTR_TABLE(window_attrs),                                                                         \
        .attrs_size = sizeof(op_signal_attrs),                                                               \
        .min_in = 1,                                                                                         \
        .max_in = 1,                                                                                         \
        .min_out = 1,                                                                                        \
        .max_out = 1,                                                                                        \
        .infer = infer_window,                                                                               \
    }
WINDOW(HannWindow, "1/2 - 1/2 cos(2 pi i / N), N being the size, or one less if not periodic");
WINDOW(HammingWindow, "25/46 - 21/46 cos(2 pi i / N), N being the size, or one less if not periodic");
WINDOW(BlackmanWindow,
       "0.42 - 1/2 cos(2 pi i / N) + 0.08 cos(4 pi i / N), N being the size, or one less if not "
       "periodic");

const op_info op_info_MelWeightMatrix = {
    .name = "MelWeightMatrix",
    .doc = "Triangular filters, equally spaced on the mel scale: [dft_length / 2 + 1, num_mel_bins]",
    OP_ATTR_TABLE(mel_attrs),
    .attrs_size = sizeof(op_signal_attrs),
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_mel,
};
