/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

static bool is_zero(const void *x, vki_dtype dtype, int64_t i)
{
    return cpu_is_float(dtype) ? cpu_load(x, dtype, i) == 0 : cpu_load_i64(x, dtype, i) == 0;
}

static void nonzero(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    int64_t n = gr_elements(x), count = 0, *y = c->out[0];
    for (int64_t i = 0; i < n; i++) count += !is_zero(c->in[0], x->dtype, i);
    c->dims[0][1] = count;
    for (int64_t i = 0, column = 0; i < n; i++) {
        if (is_zero(c->in[0], x->dtype, i)) continue;
        for (int64_t d = x->rank - 1, rest = i; d >= 0; rest /= x->dims[d--])
            y[d * count + column] = rest % x->dims[d];
        column++;
    }
}

static void compress(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    int64_t axis = ((const op_axis_attrs *)c->n->attrs)->axis, outer = 1, size = gr_elements(x), inner = 1;
    const uint8_t *keep = c->in[1];
    int out_axis = 0;
    if (axis != OP_FLATTENED) {
        out_axis = (int)(axis < 0 ? axis + x->rank : axis);
        size = x->dims[out_axis];
        for (int d = 0; d < x->rank; d++) *(d < out_axis ? &outer : &inner) *= d == out_axis ? 1 : x->dims[d];
    }
    size_t slice = (size_t)inner * vki_dtype_size(x->dtype);
    int64_t most = vkb_min(size, cpu_in(c, 1)->dims[0]), kept = 0;
    for (int64_t i = 0; i < most; i++) kept += keep[i] != 0;
    c->dims[0][out_axis] = kept;
    const uint8_t *from = c->in[0];
    uint8_t *to = c->out[0];
    for (int64_t o = 0; o < outer && slice; o++) {
        for (int64_t i = 0; i < most; i++) {
            if (!keep[i]) continue;
            memcpy(to, from + (size_t)(o * size + i) * slice, slice);
            to += slice;
        }
    }
}

static void reference(const cpu_call *c)
{
    if (c->n->op == OP_NonZero)
        nonzero(c);
    else
        compress(c);
}

const cpu_op cpu_op_select = {.reference = reference};
