/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    const op_cumsum_attrs *a = c->n->attrs;
    cpu_line l = cpu_lines_of(x, cpu_load_i64(c->in[1], cpu_in(c, 1)->dtype, 0));
    for (int64_t line = 0; line < l.count; line++) {
        double sum = 0;
        uint64_t whole = 0; /* integers wrap around */
        for (int64_t i = 0; i < l.size; i++) {
            int64_t k = cpu_line_start(&l, line) + (a->reverse ? l.size - 1 - i : i) * l.stride;
            double v = cpu_load(c->in[0], x->dtype, k), before = sum;
            uint64_t w = (uint64_t)cpu_load_i64(c->in[0], x->dtype, k), whole_before = whole;
            sum += v;
            whole += w;
            if (cpu_is_float(x->dtype))
                cpu_store(c->out[0], x->dtype, k, a->exclusive ? before : sum);
            else
                cpu_store_i64(c->out[0], x->dtype, k, (int64_t)(a->exclusive ? whole_before : whole));
        }
    }
}

const cpu_op cpu_op_cumsum = {.reference = reference};
