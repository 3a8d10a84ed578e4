/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

static void reference(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    size_t element = vki_dtype_size(y->dtype);
    uint8_t *to = c->out[0];
    for (int64_t i = 0; i < gr_elements(y); i++) {
        int from = ((const uint8_t *)c->in[0])[cpu_broadcast(y, cpu_in(c, 0), i)] ? 1 : 2;
        int64_t at = cpu_broadcast(y, cpu_in(c, from), i);
        memcpy(to + (size_t)i * element, (const uint8_t *)c->in[from] + (size_t)at * element, element);
    }
}

const cpu_op cpu_op_where = {.reference = reference};
