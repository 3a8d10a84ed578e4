/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/indices.h"

typedef struct scatter {
    op_scatter_reduction reduction;
    vki_dtype dtype;
    void *y;
    const void *updates;
} scatter;

static double combine(op_scatter_reduction r, double a, double b)
{
    switch (r) {
    case OP_SCATTER_ADD:
        return a + b;
    case OP_SCATTER_MUL:
        return a * b;
    default:
        return b;
    }
}

static uint64_t combine_integer(op_scatter_reduction r, uint64_t a, uint64_t b)
{
    switch (r) {
    case OP_SCATTER_ADD:
        return a + b;
    case OP_SCATTER_MUL:
        return a * b;
    default:
        return b;
    }
}

/* Element i of the output and element k of the updates. */
static void put(const scatter *s, int64_t i, int64_t k)
{
    int order = cpu_order(s->updates, k, s->y, i, s->dtype);
    if (s->reduction == OP_SCATTER_MAX && (order == -1 || order == 0)) return;
    if (s->reduction == OP_SCATTER_MIN && (order == 1 || order == 0)) return;
    if (cpu_is_float(s->dtype))
        cpu_store(s->y, s->dtype, i,
                  combine(s->reduction, cpu_load(s->y, s->dtype, i), cpu_load(s->updates, s->dtype, k)));
    else
        cpu_store_i64(s->y, s->dtype, i,
                      (int64_t)combine_integer(s->reduction, (uint64_t)cpu_load_i64(s->y, s->dtype, i),
                                               (uint64_t)cpu_load_i64(s->updates, s->dtype, k)));
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *indices = cpu_in(c, 1);
    const op_scatter_attrs *a = c->n->attrs;
    scatter s = {(op_scatter_reduction)a->reduction, x->dtype, c->out[0], c->in[2]};
    if (gr_elements(x) == 0) return;
    memcpy(c->out[0], c->in[0], (size_t)gr_bytes(x));
    if (gr_elements(cpu_in(c, 2)) == 0) return;
    if (c->n->op == OP_ScatterND) {
        cpu_tuples t = cpu_tuples_of(x, indices, 0);
        for (int64_t i = 0; i < t.count; i++) {
            int64_t first = cpu_tuple(&t, c->in[1], i) * t.run;
            for (int64_t k = 0; k < t.run; k++) put(&s, first + k, i * t.run + k);
        }
        return;
    }
    cpu_picks p = cpu_picks_of(x, indices, a->axis);
    for (int64_t i = 0; i < gr_elements(indices); i++) put(&s, cpu_pick(&p, c->in[1], i), i);
}

const cpu_op cpu_op_scatter = {.reference = reference};
