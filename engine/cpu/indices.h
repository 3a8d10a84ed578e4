/* SPDX-License-Identifier: Apache-2.0
 * Where indices point to: negative ones count from the end; what lies outside is held within the range. */
#ifndef CPU_INDICES_H
#define CPU_INDICES_H

#include "cpu/ref.h"

static inline int64_t cpu_index(const void *indices, vki_dtype dtype, int64_t i, int64_t dim)
{
    int64_t at = cpu_load_i64(indices, dtype, i);
    if (at < 0) at += dim;
    return vkb_min(vkb_max(at, 0), dim - 1);
}

/* Single elements of x along an axis: of GatherElements and ScatterElements. */
typedef struct cpu_picks {
    const gr_tensor *x, *indices;
    int64_t strides[GR_MAX_RANK]; /* of x */
    int axis;
} cpu_picks;

static inline cpu_picks cpu_picks_of(const gr_tensor *x, const gr_tensor *indices, int64_t axis)
{
    cpu_picks p = {.x = x, .indices = indices, .axis = (int)(axis < 0 ? axis + x->rank : axis)};
    int64_t stride = 1;
    for (int d = x->rank - 1; d >= 0; d--) {
        p.strides[d] = stride;
        stride *= x->dims[d];
    }
    return p;
}

/* The element of x that index i means. */
static inline int64_t cpu_pick(const cpu_picks *p, const void *indices, int64_t i)
{
    int64_t rest = i, at = 0;
    for (int d = p->x->rank - 1; d >= 0; d--) {
        int64_t k = rest % p->indices->dims[d];
        if (d == p->axis) k = cpu_index(indices, p->indices->dtype, i, p->x->dims[d]);
        at += k * p->strides[d];
        rest /= p->indices->dims[d];
    }
    return at;
}

/* Slices of x by tuples of indices: of GatherND and ScatterND. */
typedef struct cpu_tuples {
    const gr_tensor *x, *indices;
    int64_t count, per_batch; /* tuples */
    int64_t run;              /* elements of a slice */
    int batch, length;        /* common dimensions in front; indices of a tuple */
} cpu_tuples;

static inline cpu_tuples cpu_tuples_of(const gr_tensor *x, const gr_tensor *indices, int batch)
{
    int last = indices->rank - 1;
    cpu_tuples t = {.x = x, .indices = indices, .count = 1, .per_batch = 1, .run = 1, .batch = batch};
    t.length = (int)indices->dims[last];
    for (int d = 0; d < last; d++) t.count *= indices->dims[d];
    for (int d = batch; d < last; d++) t.per_batch *= indices->dims[d];
    for (int d = batch + t.length; d < x->rank; d++) t.run *= x->dims[d];
    return t;
}

/* The slice of x that tuple i means; in units of `run`. */
static inline int64_t cpu_tuple(const cpu_tuples *t, const void *indices, int64_t i)
{
    int64_t at = i / t->per_batch;
    for (int k = 0; k < t->length; k++) {
        int64_t dim = t->x->dims[t->batch + k];
        at = at * dim + cpu_index(indices, t->indices->dtype, i * t->length + k, dim);
    }
    return at;
}

#endif
