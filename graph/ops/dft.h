/* SPDX-License-Identifier: Apache-2.0
 * DFT and STFT in one form: lines of samples, each transformed on its own. */
#ifndef GRAPH_OPS_DFT_H
#define GRAPH_OPS_DFT_H

#include "graph/ops/attrs.h"

typedef struct op_dft_side { /* where lines lie; in numbers, each of `parts` elements */
    int64_t outer, inner;    /* line l starts at l / per * outer + l % per * inner */
    int64_t stride;          /* from one number of a line to the next */
    int64_t count;           /* numbers of a line that are read or written */
    int64_t parts;           /* 1: real; 2: real and imaginary part */
} op_dft_side;

typedef struct op_dft {
    int64_t lines, per, length; /* length: of the transform; samples beyond x.count are zero */
    op_dft_side x, y;
    bool inverse;   /* e^(+2 pi i k n / length) / length, else e^(-...) */
    bool symmetric; /* the input is the first half of a spectrum whose other half is its conjugate (an
                       inverse transform to real numbers) */
    bool window;    /* input 2, of `length` numbers, is multiplied in */
} op_dft;

/* false, with *why (a static text), if shapes or parameters do not fit. */
bool op_dft_of(const gr_graph *g, const gr_node *n, op_dft *d, const char **why);

static inline int64_t op_dft_start(const op_dft *d, const op_dft_side *s, int64_t line)
{
    return line / d->per * s->outer + line % d->per * s->inner;
}
/* How often sample k of a symmetric input counts: for itself and for its conjugate. */
static inline int op_dft_weight(const op_dft *d, int64_t k)
{
    return !d->symmetric || k == 0 || 2 * k == d->length ? 1 : 2;
}

#endif
