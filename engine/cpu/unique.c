/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/unique.h"

#include <string.h>

#include "cpu/kernels.h"

cpu_unique cpu_unique_of(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    const op_unique_attrs *a = c->n->attrs;
    cpu_unique u = {c, x->dtype, 1, gr_elements(x), 1, a->sorted != 0, 0};
    if (a->axis == OP_FLATTENED) return u;
    u.axis = (int)(a->axis < 0 ? a->axis + x->rank : a->axis);
    u.slices = x->dims[u.axis];
    for (int d = 0; d < x->rank; d++)
        if (d != u.axis) *(d < u.axis ? &u.outer : &u.inner) *= x->dims[d];
    return u;
}

static int element_order(const cpu_unique *u, int64_t i, int64_t j)
{
    const void *x = u->c->in[0];
    int order = cpu_order(x, i, x, j, u->dtype);
    if (order != 2) return order;
    double v = cpu_load(x, u->dtype, i), w = cpu_load(x, u->dtype, j);
    return (v != v) - (w != w);
}

int cpu_unique_order(const cpu_unique *u, int64_t i, int64_t j)
{
    for (int64_t o = 0; o < u->outer; o++)
        for (int64_t k = 0; k < u->inner; k++) {
            int64_t first = o * u->slices * u->inner + k;
            int order = element_order(u, first + i * u->inner, first + j * u->inner);
            if (order != 0) return order;
        }
    return 0;
}

void cpu_unique_count(const cpu_unique *u, int64_t count)
{
    for (int i = 0; i < 4; i++)
        if (i != 2 && cpu_out(u->c, i)) u->c->dims[i][i == 0 ? u->axis : 0] = count;
}

void cpu_unique_put(const cpu_unique *u, int64_t i, int64_t k, int64_t count)
{
    size_t bytes = (size_t)u->inner * vki_dtype_size(u->dtype);
    if (!cpu_out(u->c, 0)) return;
    for (int64_t o = 0; o < u->outer; o++)
        memcpy((uint8_t *)u->c->out[0] + (size_t)(o * count + k) * bytes,
               (const uint8_t *)u->c->in[0] + (size_t)(o * u->slices + i) * bytes, bytes);
}

/* ---- reference ---- */

/* The first of the slices that come next after slice `last` (-1: at the start); -1 at the end. */
static int64_t next_slice(const cpu_unique *u, int64_t last)
{
    int64_t found = -1;
    for (int64_t i = u->sorted ? 0 : last + 1; i < u->slices; i++) {
        if (!u->sorted) { /* the next that equals none before it */
            int64_t j = 0;
            while (cpu_unique_order(u, i, j) != 0) j++;
            if (j == i) return i;
        } else if ((last < 0 || cpu_unique_order(u, i, last) > 0) &&
                   (found < 0 || cpu_unique_order(u, i, found) < 0)) {
            found = i;
        }
    }
    return found;
}

static void reference(const cpu_call *c)
{
    cpu_unique u = cpu_unique_of(c);
    int64_t count = 0, k = 0;
    int64_t *indices = cpu_unique_out(&u, 1), *inverse = cpu_unique_out(&u, 2),
            *counts = cpu_unique_out(&u, 3);
    for (int64_t i = -1; (i = next_slice(&u, i)) >= 0;) count++;
    cpu_unique_count(&u, count);
    for (int64_t i = -1; (i = next_slice(&u, i)) >= 0; k++) {
        int64_t equal = 0;
        cpu_unique_put(&u, i, k, count);
        for (int64_t j = 0; j < u.slices; j++) {
            if (cpu_unique_order(&u, i, j) != 0) continue;
            if (inverse) inverse[j] = k;
            equal++;
        }
        if (indices) indices[k] = i;
        if (counts) counts[k] = equal;
    }
}

const cpu_op cpu_op_unique = {.reference = reference, .kernels = cpu_unique_kernels};
