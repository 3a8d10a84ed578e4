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

static void pad_reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    op_pad_mode mode = (op_pad_mode)((const op_pad_attrs *)c->n->attrs)->mode;
    static const uint8_t zero[8];
    const void *fill = cpu_in(c, 2) ? c->in[2] : zero;
    size_t element = vki_dtype_size(x->dtype);
    int64_t begin[GR_MAX_RANK], end[GR_MAX_RANK], at[GR_MAX_RANK] = {0}, n = gr_elements(y);
    pad_axis axes[GR_MAX_RANK];
    /* Inference has read the same constants, so this cannot fail. */
    if (!op_pad_amounts(c->g, c->n, begin, end, NULL)) return;
    for (int d = 0; d < x->rank; d++) {
        axes[d].skip = vkb_max(-begin[d], 0);
        axes[d].begin = vkb_max(begin[d], 0);
        axes[d].left = x->dims[d] - axes[d].skip - vkb_max(-end[d], 0);
    }
    uint8_t *to = c->out[0];
    for (int64_t i = 0; i < n; i++, to += element) {
        int64_t from = 0;
        for (int d = 0; d < x->rank && from >= 0; d++) {
            int64_t source = source_of(&axes[d], mode, at[d]);
            from = source < 0 ? -1 : from * x->dims[d] + source;
        }
        memcpy(to, from < 0 ? fill : (const uint8_t *)c->in[0] + (size_t)from * element, element);
        for (int d = x->rank - 1; d >= 0 && ++at[d] == y->dims[d]; d--) at[d] = 0;
    }
}

const cpu_op cpu_op_pad = {.reference = pad_reference};
