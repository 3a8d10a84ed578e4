/* SPDX-License-Identifier: Apache-2.0
 * The best k so far are kept in a heap, the worst of them on top; the heap lies in the line of output 1. */
#include <string.h>

#include "cpu/ref.h"

typedef struct top {
    const void *x;
    vki_dtype dtype;
    bool largest;
    int64_t first, stride;      /* of the line in x */
    int64_t *heap, heap_stride; /* positions in the line */
} top;

static int64_t *at(const top *t, int64_t i)
{
    return &t->heap[i * t->heap_stride];
}

/* Whether position i goes before position j. */
static bool before(const top *t, int64_t i, int64_t j)
{
    int order = cpu_order(t->x, t->first + i * t->stride, t->x, t->first + j * t->stride, t->dtype);
    if (order == 0 || order == 2) return i < j;
    return t->largest ? order == 1 : order == -1;
}

/* Lets entry i sink below those that go after it. */
static void sink(const top *t, int64_t i, int64_t count)
{
    for (;;) {
        int64_t worst = i;
        for (int64_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++)
            if (before(t, *at(t, worst), *at(t, child))) worst = child;
        if (worst == i) return;
        int64_t swap = *at(t, i);
        *at(t, i) = *at(t, worst);
        *at(t, worst) = swap;
        i = worst;
    }
}

static void select(const top *t, int64_t size, int64_t k)
{
    for (int64_t i = 0; i < k; i++) *at(t, i) = i;
    for (int64_t i = k / 2 - 1; i >= 0; i--) sink(t, i, k);
    for (int64_t i = k; i < size; i++) {
        if (!before(t, i, *at(t, 0))) continue;
        *at(t, 0) = i;
        sink(t, 0, k);
    }
    for (int64_t left = k - 1; left > 0; left--) { /* heap sort: the worst goes to the end */
        int64_t swap = *at(t, 0);
        *at(t, 0) = *at(t, left);
        *at(t, left) = swap;
        sink(t, 0, left);
    }
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    const op_topk_attrs *a = c->n->attrs;
    cpu_line from = cpu_lines_of(x, a->axis), to = cpu_lines_of(y, a->axis);
    size_t element = vki_dtype_size(x->dtype);
    if (to.size == 0) return;
    for (int64_t line = 0; line < from.count; line++) {
        int64_t target = cpu_line_start(&to, line);
        top t = {.x = c->in[0],
                 .dtype = x->dtype,
                 .largest = a->largest != 0,
                 .first = cpu_line_start(&from, line),
                 .stride = from.stride,
                 .heap = (int64_t *)c->out[1] + target,
                 .heap_stride = to.stride};
        select(&t, from.size, to.size);
        for (int64_t i = 0; i < to.size; i++)
            memcpy((uint8_t *)c->out[0] + (size_t)(target + i * to.stride) * element,
                   (const uint8_t *)c->in[0] + (size_t)(t.first + *at(&t, i) * t.stride) * element, element);
    }
}

const cpu_op cpu_op_topk = {.reference = reference};
