/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/indices.h"

static void gather_elements(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *indices = cpu_in(c, 1);
    cpu_picks p = cpu_picks_of(x, indices, ((const op_axis_attrs *)c->n->attrs)->axis);
    size_t element = vki_dtype_size(x->dtype);
    for (int64_t i = 0; i < gr_elements(indices); i++)
        memcpy((uint8_t *)c->out[0] + (size_t)i * element,
               (const uint8_t *)c->in[0] + (size_t)cpu_pick(&p, c->in[1], i) * element, element);
}

static void gather_nd(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *indices = cpu_in(c, 1);
    cpu_tuples t = cpu_tuples_of(x, indices, (int)((const op_gather_nd_attrs *)c->n->attrs)->batch_dims);
    size_t bytes = (size_t)t.run * vki_dtype_size(x->dtype);
    for (int64_t i = 0; bytes && i < t.count; i++)
        memcpy((uint8_t *)c->out[0] + (size_t)i * bytes,
               (const uint8_t *)c->in[0] + (size_t)cpu_tuple(&t, c->in[1], i) * bytes, bytes);
}

static void reference(const cpu_call *c)
{
    if (gr_elements(cpu_out(c, 0)) == 0) return;
    (c->n->op == OP_GatherND ? gather_nd : gather_elements)(c);
}

const cpu_op cpu_op_gather_nd = {.reference = reference};
