/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

/* -1, 0 or 1 as a is below, equal to or above b; 2 if either is NaN. */
static int order(const cpu_call *c, int64_t ia, int64_t ib)
{
    vki_dtype type = cpu_in(c, 0)->dtype;
    if (cpu_is_float(type)) {
        double a = cpu_load(c->in[0], type, ia), b = cpu_load(c->in[1], type, ib);
        return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2;
    }
    int64_t a = cpu_load_i64(c->in[0], type, ia), b = cpu_load_i64(c->in[1], type, ib);
    if (type == VKI_U64) return (uint64_t)a < (uint64_t)b ? -1 : a != b;
    return a < b ? -1 : a != b;
}

static bool holds(op_kind op, int order)
{
    switch (op) {
    case OP_Greater:
        return order == 1;
    case OP_GreaterOrEqual:
        return order == 0 || order == 1;
    case OP_Less:
        return order == -1;
    case OP_LessOrEqual:
        return order == 0 || order == -1;
    default:
        return order == 0;
    }
}

static void reference(const cpu_call *c)
{
    const gr_tensor *a = cpu_in(c, 0), *b = cpu_in(c, 1), *y = cpu_out(c, 0);
    for (int64_t i = 0; i < gr_elements(y); i++)
        ((uint8_t *)c->out[0])[i] = holds(c->n->op, order(c, cpu_broadcast(y, a, i), cpu_broadcast(y, b, i)));
}

const cpu_op cpu_op_compare = {.reference = reference};
