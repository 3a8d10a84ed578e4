/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/ref.h"

/* Elements of a row that lie below the diagonal `k`: before its element. */
static int64_t below(int64_t row, int64_t k, int64_t columns)
{
    if (k > columns) return columns; /* nor can the sum overflow */
    return k < -row ? 0 : vkb_min(row + k, columns);
}

static void trilu(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    int64_t columns = x->dims[x->rank - 1], rows = x->dims[x->rank - 2];
    int64_t k = cpu_in(c, 1) ? *(const int64_t *)c->in[1] : 0;
    bool upper = ((const op_trilu_attrs *)c->n->attrs)->upper != 0;
    size_t element = vki_dtype_size(x->dtype), line = (size_t)columns * element;
    if (gr_elements(x) == 0) return;
    for (int64_t i = 0; i < gr_elements(x) / columns; i++) {
        int64_t zeros = below(i % rows, k, columns);
        int64_t kept = !upper && k < columns ? below(i % rows, k + 1, columns) : columns;
        uint8_t *to = (uint8_t *)c->out[0] + (size_t)i * line;
        memcpy(to, (const uint8_t *)c->in[0] + (size_t)i * line, line);
        if (upper)
            memset(to, 0, (size_t)zeros * element);
        else
            memset(to + (size_t)kept * element, 0, (size_t)(columns - kept) * element);
    }
}

static void eye(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    int64_t k = ((const op_eye_attrs *)c->n->attrs)->k;
    for (int64_t row = 0; row < y->dims[0]; row++)
        for (int64_t column = 0; column < y->dims[1]; column++)
            cpu_store(c->out[0], y->dtype, row * y->dims[1] + column, column - row == k);
}

static void reference(const cpu_call *c)
{
    (c->n->op == OP_Trilu ? trilu : eye)(c);
}

const cpu_op cpu_op_matrix = {.reference = reference};
