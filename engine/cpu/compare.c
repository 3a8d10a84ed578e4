/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

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
    for (int64_t i = 0; i < gr_elements(y); i++) {
        int order = cpu_order(c->in[0], cpu_broadcast(y, a, i), c->in[1], cpu_broadcast(y, b, i), a->dtype);
        ((uint8_t *)c->out[0])[i] = holds(c->n->op, order);
    }
}

const cpu_op cpu_op_compare = {.reference = reference};
