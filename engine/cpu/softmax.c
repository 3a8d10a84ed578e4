/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"

/* One line of `size` elements, `step` apart. The largest is taken off first, so that exp cannot overflow. */
static void line(const cpu_call *c, int64_t first, int64_t size, int64_t step)
{
    vki_dtype type = cpu_in(c, 0)->dtype;
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < size; i++) max = fmax(max, cpu_load(c->in[0], type, first + i * step));
    for (int64_t i = 0; i < size; i++) sum += exp(cpu_load(c->in[0], type, first + i * step) - max);
    for (int64_t i = 0; i < size; i++) {
        double x = cpu_load(c->in[0], type, first + i * step) - max;
        cpu_store(c->out[0], type, first + i * step, c->n->op == OP_LogSoftmax ? x - log(sum) : exp(x) / sum);
    }
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    const op_axis_attrs *a = c->n->attrs;
    int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis, outer = 1, inner = 1;
    for (int d = 0; d < axis; d++) outer *= x->dims[d];
    for (int64_t d = axis + 1; d < x->rank; d++) inner *= x->dims[d];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) line(c, o * x->dims[axis] * inner + i, x->dims[axis], inner);
}

const cpu_op cpu_op_softmax = {.reference = reference, .kernels = cpu_softmax_kernels, .in_place = 1};
