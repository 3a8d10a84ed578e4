/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

/* Lengths computed at run time are held within the range. */
static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    const op_reverse_attrs *a = c->n->attrs;
    int64_t run = 1, times = x->dims[a->time_axis];
    for (int d = 2; d < x->rank; d++) run *= x->dims[d];
    size_t bytes = (size_t)run * vki_dtype_size(x->dtype);
    if (gr_elements(x) == 0) return;
    for (int64_t b = 0; b < x->dims[a->batch_axis]; b++) {
        int64_t length = vkb_min(vkb_max(((const int64_t *)c->in[1])[b], 0), times);
        for (int64_t t = 0; t < times; t++) {
            int64_t from = t < length ? length - 1 - t : t;
            int64_t to_run = a->time_axis == 0 ? t * x->dims[1] + b : b * times + t;
            int64_t from_run = a->time_axis == 0 ? from * x->dims[1] + b : b * times + from;
            memcpy((uint8_t *)c->out[0] + (size_t)to_run * bytes,
                   (const uint8_t *)c->in[0] + (size_t)from_run * bytes, bytes);
        }
    }
}

const cpu_op cpu_op_reverse = {.reference = reference};
