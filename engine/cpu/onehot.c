/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    cpu_line l = cpu_lines_of(y, ((const op_axis_attrs *)c->n->attrs)->axis);
    size_t element = vki_dtype_size(y->dtype);
    for (int64_t line = 0; line < l.count; line++) {
        int64_t at = cpu_is_float(x->dtype) ? cpu_to_i64(cpu_load(c->in[0], x->dtype, line))
                                            : cpu_load_i64(c->in[0], x->dtype, line);
        if (at < 0 && at >= -l.size) at += l.size;
        for (int64_t i = 0; i < l.size; i++)
            memcpy((uint8_t *)c->out[0] + (size_t)(cpu_line_start(&l, line) + i * l.stride) * element,
                   (const uint8_t *)c->in[2] + (i == at ? element : 0), element);
    }
}

const cpu_op cpu_op_onehot = {.reference = reference};
