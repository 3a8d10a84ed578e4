/* SPDX-License-Identifier: Apache-2.0
 * What the reference kernels are written with: elements of any type as double or int64, and the epilogue in
 * double. The references take their inputs as they are and compute in double, so that they are the more
 * precise side of every comparison. */
#ifndef CPU_REF_H
#define CPU_REF_H

#include "cpu/cpu.h"

static inline bool cpu_is_float(vki_dtype dtype)
{
    return dtype == VKI_F32 || dtype == VKI_F16 || dtype == VKI_F64 || dtype == VKI_BF16;
}

/* Element i as an integer; uint64 keeps its bits, floats are cut off. */
static inline int64_t cpu_load_i64(const void *p, vki_dtype dtype, int64_t i)
{
    switch (dtype) {
    case VKI_U8:
    case VKI_BOOL:
        return ((const uint8_t *)p)[i];
    case VKI_I8:
        return ((const int8_t *)p)[i];
    case VKI_U16:
        return ((const uint16_t *)p)[i];
    case VKI_I16:
        return ((const int16_t *)p)[i];
    case VKI_I32:
        return ((const int32_t *)p)[i];
    case VKI_U32:
        return ((const uint32_t *)p)[i];
    case VKI_I64:
    case VKI_U64:
        return ((const int64_t *)p)[i];
    default:
        return 0;
    }
}

/* Stores the low bits: integers wrap around. */
static inline void cpu_store_i64(void *p, vki_dtype dtype, int64_t i, int64_t v)
{
    switch (dtype) {
    case VKI_U8:
    case VKI_I8:
        ((uint8_t *)p)[i] = (uint8_t)v;
        break;
    case VKI_BOOL:
        ((uint8_t *)p)[i] = v != 0;
        break;
    case VKI_U16:
    case VKI_I16:
        ((uint16_t *)p)[i] = (uint16_t)v;
        break;
    case VKI_U32:
    case VKI_I32:
        ((uint32_t *)p)[i] = (uint32_t)v;
        break;
    case VKI_U64:
    case VKI_I64:
        ((int64_t *)p)[i] = v;
        break;
    default:
        break;
    }
}

static inline double cpu_load(const void *p, vki_dtype dtype, int64_t i)
{
    switch (dtype) {
    case VKI_F32:
        return (double)((const float *)p)[i];
    case VKI_F16:
        return (double)vkb_f16_to_f32(((const uint16_t *)p)[i]);
    case VKI_BF16:
        return (double)vkb_bf16_to_f32(((const uint16_t *)p)[i]);
    case VKI_F64:
        return ((const double *)p)[i];
    case VKI_U64:
        return (double)((const uint64_t *)p)[i];
    default:
        return (double)cpu_load_i64(p, dtype, i);
    }
}

int64_t cpu_to_i64(double v); /* towards zero; saturates; NaN is 0 */

static inline void cpu_store(void *p, vki_dtype dtype, int64_t i, double v)
{
    switch (dtype) {
    case VKI_F32:
        ((float *)p)[i] = (float)v;
        break;
    case VKI_F16:
        ((uint16_t *)p)[i] = vkb_f32_to_f16((float)v);
        break;
    case VKI_BF16:
        ((uint16_t *)p)[i] = vkb_f32_to_bf16((float)v);
        break;
    case VKI_F64:
        ((double *)p)[i] = v;
        break;
    default:
        cpu_store_i64(p, dtype, i, cpu_to_i64(v));
        break;
    }
}

/* Calls function(..., type) with a constant type, so that the compiler makes a loop for each. */
#define CPU_EACH_FLOAT(dtype, function, ...)                                                                 \
    do {                                                                                                     \
        if ((dtype) == VKI_F32)                                                                              \
            function(__VA_ARGS__, VKI_F32);                                                                  \
        else if ((dtype) == VKI_F16)                                                                         \
            function(__VA_ARGS__, VKI_F16);                                                                  \
        else                                                                                                 \
            function(__VA_ARGS__, VKI_F64);                                                                  \
    } while (0)

/* ---- epilogue.c ---- */
double cpu_act_f64(double x, gr_act act, double alpha, double beta); /* the specification of gr_act */

/* Where a reference puts output 0: through the node's epilogue. */
typedef struct cpu_sink {
    void *y;
    vki_dtype dtype;
    const void *residual; /* NULL if there is none */
    const gr_epilogue *e;
} cpu_sink;

static inline cpu_sink cpu_sink_of(const cpu_call *c)
{
    const gr_epilogue *e = &c->n->epilogue;
    return (cpu_sink){.y = c->out[0],
                      .dtype = c->g->tensors[c->n->out[0]].dtype,
                      .residual = e->residual == GR_RESIDUAL_NONE ? NULL : c->in[c->n->n_in - 1],
                      .e = e};
}

static inline void cpu_put(const cpu_sink *s, int64_t i, double v)
{
    if (s->e->residual == GR_RESIDUAL_BEFORE) v += cpu_load(s->residual, s->dtype, i);
    if (s->e->act != GR_ACT_NONE) v = cpu_act_f64(v, s->e->act, (double)s->e->alpha, (double)s->e->beta);
    if (s->e->residual == GR_RESIDUAL_AFTER) v += cpu_load(s->residual, s->dtype, i);
    cpu_store(s->y, s->dtype, i, v);
}

/* Tensors of a call; NULL if absent. */
static inline const gr_tensor *cpu_in(const cpu_call *c, int i)
{
    return i < c->n->n_in && c->n->in[i] != GR_NONE ? &c->g->tensors[c->n->in[i]] : NULL;
}
static inline const gr_tensor *cpu_out(const cpu_call *c, int i)
{
    return i < c->n->n_out && c->n->out[i] != GR_NONE ? &c->g->tensors[c->n->out[i]] : NULL;
}

/* Elements i of a and j of b, of one type: -1, 0 or 1 as the first is less, equal or greater; 2 if either is
 * NaN. */
static inline int cpu_order(const void *a, int64_t i, const void *b, int64_t j, vki_dtype dtype)
{
    if (cpu_is_float(dtype)) {
        double v = cpu_load(a, dtype, i), w = cpu_load(b, dtype, j);
        return v < w ? -1 : v > w ? 1 : v == w ? 0 : 2;
    }
    int64_t v = cpu_load_i64(a, dtype, i), w = cpu_load_i64(b, dtype, j);
    bool less = dtype == VKI_U64 ? (uint64_t)v < (uint64_t)w : v < w;
    return less ? -1 : v != w;
}

/* The lines of a tensor along one axis. */
typedef struct cpu_line {
    int64_t count, size, stride; /* lines; elements of one, and from one to the next */
} cpu_line;

static inline cpu_line cpu_lines_of(const gr_tensor *t, int64_t axis)
{
    cpu_line l = {.count = 1, .stride = 1};
    if (axis < 0) axis += t->rank;
    for (int d = 0; d < t->rank; d++) {
        if (d != axis) l.count *= t->dims[d];
        if (d > axis) l.stride *= t->dims[d];
    }
    l.size = t->dims[axis];
    return l;
}

static inline int64_t cpu_line_start(const cpu_line *l, int64_t line)
{
    return line / l->stride * l->size * l->stride + line % l->stride;
}

/* Where the element at `index` of a tensor shaped like `y` lies in `x`, which is broadcast to it. */
static inline int64_t cpu_broadcast(const gr_tensor *y, const gr_tensor *x, int64_t index)
{
    int64_t offset = 0, stride = 1;
    for (int d = 1; d <= x->rank; d++) {
        int64_t size = y->dims[y->rank - d], own = x->dims[x->rank - d];
        if (own != 1) offset += index % size * stride;
        index /= size;
        stride *= own;
    }
    return offset;
}

#endif
