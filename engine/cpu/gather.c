/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

/* y[outer][k][inner] = x[outer][index k][inner] */
static void gather_reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *indices = cpu_in(c, 1), *y = cpu_out(c, 0);
    if (gr_elements(y) == 0) return;
    int64_t axis = ((const op_axis_attrs *)c->n->attrs)->axis, outer = 1, run = 1;
    if (axis < 0) axis += x->rank;
    for (int d = 0; d < axis; d++) outer *= x->dims[d];
    for (int d = (int)axis + 1; d < x->rank; d++) run *= x->dims[d];
    int64_t dim = x->dims[axis], count = gr_elements(indices);
    size_t bytes = (size_t)run * vki_dtype_size(x->dtype);
    const uint8_t *from = c->in[0];
    uint8_t *to = c->out[0];
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t k = 0; k < count; k++) {
            int64_t at = cpu_load_i64(c->in[1], indices->dtype, k);
            if (at < 0) at += dim;
            at = vkb_min(vkb_max(at, 0), dim - 1); /* computed indices are held within the range */
            memcpy(to, from + (size_t)(o * dim + at) * bytes, bytes);
            to += bytes;
        }
    }
}

const cpu_op cpu_op_gather = {.reference = gather_reference};
