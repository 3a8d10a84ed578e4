/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    const op_arg_attrs *a = c->n->attrs;
    cpu_line l = cpu_lines_of(x, a->axis);
    for (int64_t line = 0; line < l.count; line++) {
        int64_t first = cpu_line_start(&l, line), best = 0;
        for (int64_t i = 1; i < l.size; i++) {
            int order =
                cpu_order(c->in[0], first + i * l.stride, c->in[0], first + best * l.stride, x->dtype);
            bool better = c->n->op == OP_ArgMax ? order == 1 : order == -1;
            if (better || (order == 0 && a->select_last_index)) best = i;
        }
        ((int64_t *)c->out[0])[line] = best;
    }
}

const cpu_op cpu_op_argreduce = {.reference = reference};
