/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

static void shape_of(const cpu_call *c)
{
    const op_shape_attrs *a = c->n->attrs;
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    int64_t first = vkb_min(vkb_max(a->start < 0 ? a->start + x->rank : a->start, 0), x->rank);
    for (int64_t i = 0; i < y->dims[0]; i++) ((int64_t *)c->out[0])[i] = x->dims[first + i];
}

/* y[i] = start + i delta, in the output's type (integers wrap, which a range that ends never does). */
static void range_of(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    vki_dtype dtype = y->dtype;
    if (cpu_is_float(dtype)) {
        double start = cpu_load(c->in[0], dtype, 0), delta = cpu_load(c->in[2], dtype, 0);
        for (int64_t i = 0; i < y->dims[0]; i++) cpu_store(c->out[0], dtype, i, start + (double)i * delta);
        return;
    }
    uint64_t start = (uint64_t)cpu_load_i64(c->in[0], dtype, 0);
    uint64_t delta = (uint64_t)cpu_load_i64(c->in[2], dtype, 0);
    for (int64_t i = 0; i < y->dims[0]; i++)
        cpu_store_i64(c->out[0], dtype, i, (int64_t)(start + (uint64_t)i * delta));
}

static void fill(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    int64_t n = gr_elements(y);
    size_t element = vki_dtype_size(y->dtype);
    uint8_t *to = c->out[0];
    for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * element, c->in[1], element);
}

static void shape_reference(const cpu_call *c)
{
    switch (c->n->op) {
    case OP_Shape:
        shape_of(c);
        break;
    case OP_Size:
        *(int64_t *)c->out[0] = gr_elements(cpu_in(c, 0));
        break;
    case OP_Range:
        range_of(c);
        break;
    default:
        fill(c);
        break;
    }
}

const cpu_op cpu_op_shape = {.reference = shape_reference};
