/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"
#include "graph/ops/schema.h"

/* Where position `at` of a tensor [.., from...] lies in one [.., to...]; -1 if it does not. The two leading
 * dimensions are one, of `planes`. */
static int64_t moved(int64_t at, int64_t planes, int spatial, const int64_t *from, const int64_t *to)
{
    int64_t offset = 0, stride = 1;
    if (at < 0) return -1;
    for (int d = spatial - 1; d >= 0; d--) {
        const int64_t i = at % from[d];
        if (i >= to[d]) return -1;
        offset += i * stride;
        stride *= to[d];
        at /= from[d];
    }
    return at < planes ? offset + at * stride : -1;
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    const int64_t *at = c->in[1];
    int64_t from[GR_MAX_RANK - 2];
    if (!op_unpool_shape(c->g, c->n, from)) return; /* inference has accepted the node */
    memset(c->out[0], 0, (size_t)gr_bytes(y));
    for (int64_t i = 0; i < gr_elements(x); i++) {
        const int64_t to = moved(at[i], x->dims[0] * x->dims[1], x->rank - 2, from, y->dims + 2);
        if (to >= 0) cpu_store(c->out[0], y->dtype, to, cpu_load(c->in[0], x->dtype, i));
    }
}

const cpu_op cpu_op_unpool = {.reference = reference};
