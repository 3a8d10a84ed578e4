/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

typedef struct pad_axis {
    int64_t skip;  /* elements of the input that are removed in front */
    int64_t left;  /* elements that stay */
    int64_t begin; /* elements added in front */
} pad_axis;

static int64_t modulo(int64_t v, int64_t n)
{
    int64_t r = v % n;
    return r < 0 ? r + n : r;
}

/* The input position that output position o shows, or -1 for the fill. */
static int64_t source_of(const pad_axis *a, op_pad_mode mode, int64_t o)
{
    int64_t i = o - a->begin, last = a->left - 1;
    if (i >= 0 && i <= last) return a->skip + i;
    switch (mode) {
    case OP_PADDING_EDGE:
        return a->skip + (i < 0 ? 0 : last);
    case OP_PADDING_REFLECT: /* 0 1 2 3 2 1 | 0 1 2 3 2 1 | ... */
        if (last == 0) return a->skip;
        i = modulo(i, 2 * last);
        return a->skip + (i <= last ? i : 2 * last - i);
    case OP_PADDING_WRAP:
        return a->skip + modulo(i, a->left);
    case OP_PADDING_CONSTANT:
        break;
    }
    return -1;
}

typedef struct pad_job {
    const gr_tensor *x, *y;
    op_pad_mode mode;
    pad_axis axes[GR_MAX_RANK];
    size_t element;
    const uint8_t *from, *fill;
    uint8_t *to;
} pad_job;

static pad_job job_of(const cpu_call *c)
{
    static const uint8_t zero[8];
    pad_job j = {.x = cpu_in(c, 0), .y = cpu_out(c, 0), .from = c->in[0], .to = c->out[0]};
    int64_t begin[GR_MAX_RANK] = {0}, end[GR_MAX_RANK] = {0};
    j.mode = (op_pad_mode)((const op_pad_attrs *)c->n->attrs)->mode;
    j.fill = cpu_in(c, 2) ? c->in[2] : zero;
    j.element = vki_dtype_size(j.x->dtype);
    op_pad_amounts(c->g, c->n, begin, end, NULL); /* inference has read the same constants */
    for (int d = 0; d < j.x->rank; d++) {
        pad_axis *a = &j.axes[d];
        a->skip = vkb_max(-begin[d], 0);
        a->begin = vkb_max(begin[d], 0);
        a->left = j.x->dims[d] - a->skip - vkb_max(-end[d], 0);
    }
    return j;
}

static void pad_reference(const cpu_call *c)
{
    pad_job j = job_of(c);
    int64_t at[GR_MAX_RANK] = {0}, n = gr_elements(j.y);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = 0;
        for (int d = 0; d < j.x->rank && from >= 0; d++) {
            int64_t source = source_of(&j.axes[d], j.mode, at[d]);
            from = source < 0 ? -1 : from * j.x->dims[d] + source;
        }
        memcpy(j.to + (size_t)i * j.element, from < 0 ? j.fill : j.from + (size_t)from * j.element,
               j.element);
        for (int d = j.x->rank - 1; d >= 0 && ++at[d] == j.y->dims[d]; d--) at[d] = 0;
    }
}

/* ---- whole rows, on all threads ---- */

/* Elements [begin, end) of an output row; `row` is the input row it shows, NULL for the fill. */
static void pad_part(const pad_job *j, uint8_t *to, const uint8_t *row, int64_t begin, int64_t end)
{
    const pad_axis *last = &j->axes[j->x->rank - 1];
    for (int64_t o = begin; o < end; o++) {
        int64_t source = row ? source_of(last, j->mode, o) : -1;
        memcpy(to + (size_t)o * j->element, source < 0 ? j->fill : row + (size_t)source * j->element,
               j->element);
    }
}

static void pad_rows(void *arg, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const pad_job *j = arg;
    int last = j->x->rank - 1;
    const pad_axis *a = &j->axes[last];
    int64_t width = j->y->dims[last];
    for (int64_t i = begin; i < end; i++) {
        int64_t from = 0, stride = 1, rest = i;
        for (int d = last - 1; d >= 0 && from >= 0; d--) {
            int64_t source = source_of(&j->axes[d], j->mode, rest % j->y->dims[d]);
            from = source < 0 ? -1 : from + source * stride;
            stride *= j->x->dims[d];
            rest /= j->y->dims[d];
        }
        uint8_t *to = j->to + (size_t)(i * width) * j->element;
        const uint8_t *row = from < 0 ? NULL : j->from + (size_t)(from * j->x->dims[last]) * j->element;
        int64_t middle = row ? a->left : 0;
        pad_part(j, to, row, 0, a->begin);
        if (middle)
            memcpy(to + (size_t)a->begin * j->element, row + (size_t)a->skip * j->element,
                   (size_t)middle * j->element);
        pad_part(j, to, row, a->begin + middle, width);
    }
}

static bool fits_rows(const gr_graph *g, const gr_node *n)
{
    const gr_tensor *y = &g->tensors[n->out[0]];
    return y->rank > 0 && gr_elements(y) > 0;
}

static void run_rows(const cpu_call *c)
{
    pad_job j = job_of(c);
    int64_t width = j.y->dims[j.y->rank - 1];
    vkb_parallel_for(c->pool, gr_elements(j.y) / width, 1 + 32768 / width, pad_rows, &j);
}

static const cpu_kernel kernels[] = {
    {.name = "pad_rows", .fits = fits_rows, .prepare = NULL, .run = run_rows}, {0}};
const cpu_op cpu_op_pad = {.reference = pad_reference, .kernels = kernels};
