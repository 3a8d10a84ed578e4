/* SPDX-License-Identifier: Apache-2.0
 * Of no elements at all the sum is 0, the product 1, the maximum the smallest value of the type (-inf), the
 * minimum the largest; the mean is NaN, for integers 0. Integer sums wrap around; integer means and roots are
 * cut off. */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/schema.h"

typedef struct dim_list { /* some dimensions of the input */
    int rank;
    int64_t dims[GR_MAX_RANK], strides[GR_MAX_RANK], count;
} dim_list;

static int64_t offset_of(const dim_list *l, int64_t index)
{
    int64_t offset = 0;
    for (int d = l->rank - 1; d >= 0; d--) {
        offset += index % l->dims[d] * l->strides[d];
        index /= l->dims[d];
    }
    return offset;
}

static void split_dims(const gr_tensor *x, const bool mask[GR_MAX_RANK], dim_list *kept, dim_list *reduced)
{
    int64_t strides[GR_MAX_RANK], stride = 1;
    for (int d = x->rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= x->dims[d];
    }
    *kept = *reduced = (dim_list){.count = 1};
    for (int d = 0; d < x->rank; d++) {
        dim_list *l = mask[d] ? reduced : kept;
        l->strides[l->rank] = strides[d];
        l->dims[l->rank++] = x->dims[d];
        l->count *= x->dims[d];
    }
}

static double reduce(const cpu_call *c, const dim_list *l, int64_t first)
{
    vki_dtype type = cpu_in(c, 0)->dtype;
    op_kind op = c->n->op;
    double r = op == OP_ReduceProd ? 1 : op == OP_ReduceMax ? -INFINITY : op == OP_ReduceMin ? INFINITY : 0;
    for (int64_t i = 0; i < l->count; i++) {
        double v = cpu_load(c->in[0], type, first + offset_of(l, i));
        switch (op) {
        case OP_ReduceProd:
            r *= v;
            break;
        case OP_ReduceMax:
            r = r > v || isnan(r) ? r : v;
            break;
        case OP_ReduceMin:
            r = r < v || isnan(r) ? r : v;
            break;
        case OP_ReduceL1:
            r += fabs(v);
            break;
        case OP_ReduceL2:
        case OP_ReduceSumSquare:
            r += v * v;
            break;
        default:
            r += v;
        }
    }
    if (op == OP_ReduceLogSum) return log(r);
    return op == OP_ReduceMean ? r / (double)l->count : op == OP_ReduceL2 ? sqrt(r) : r;
}

static int64_t lowest(vki_dtype type)
{
    if (type == VKI_BOOL || op_dtype_in(type, OP_UNSIGNED)) return 0;
    return INT64_MIN >> (64 - 8 * (int)vki_dtype_size(type));
}

static int64_t highest(vki_dtype type)
{
    if (type == VKI_BOOL) return 1;
    return op_dtype_in(type, OP_UNSIGNED) ? (int64_t)(UINT64_MAX >> (64 - 8 * (int)vki_dtype_size(type)))
                                          : -(lowest(type) + 1);
}

static int64_t finish_integer(op_kind op, uint64_t r, int64_t count, bool wide)
{
    if (op == OP_ReduceMean && count == 0) return 0;
    if (op == OP_ReduceMean) return wide ? (int64_t)(r / (uint64_t)count) : (int64_t)r / count;
    if (op == OP_ReduceLogSum) return cpu_to_i64(log(wide ? (double)r : (double)(int64_t)r));
    return op == OP_ReduceL2 ? cpu_to_i64(sqrt((double)r)) : (int64_t)r;
}

static int64_t reduce_integer(const cpu_call *c, const dim_list *l, int64_t first)
{
    vki_dtype type = cpu_in(c, 0)->dtype;
    op_kind op = c->n->op;
    bool wide = type == VKI_U64;
    uint64_t r = op == OP_ReduceProd ? 1 : 0;
    if (op == OP_ReduceMax) r = (uint64_t)lowest(type);
    if (op == OP_ReduceMin) r = (uint64_t)highest(type);
    for (int64_t i = 0; i < l->count; i++) {
        uint64_t v = (uint64_t)cpu_load_i64(c->in[0], type, first + offset_of(l, i));
        bool less = wide ? r < v : (int64_t)r < (int64_t)v;
        switch (op) {
        case OP_ReduceProd:
            r *= v;
            break;
        case OP_ReduceMax:
            r = less ? v : r;
            break;
        case OP_ReduceMin:
            r = less ? r : v;
            break;
        case OP_ReduceL1:
            r += !wide && (int64_t)v < 0 ? 0 - v : v;
            break;
        case OP_ReduceL2:
        case OP_ReduceSumSquare:
            r += v * v;
            break;
        default:
            r += v;
        }
    }
    return finish_integer(op, r, l->count, wide);
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0);
    bool mask[GR_MAX_RANK];
    dim_list kept, reduced;
    if (!op_reduce_mask(c->g, c->n, mask)) return; /* inference has accepted the node */
    split_dims(x, mask, &kept, &reduced);
    for (int64_t i = 0; i < kept.count; i++) {
        int64_t first = offset_of(&kept, i);
        if (cpu_is_float(x->dtype))
            cpu_store(c->out[0], x->dtype, i, reduce(c, &reduced, first));
        else
            cpu_store_i64(c->out[0], x->dtype, i, reduce_integer(c, &reduced, first));
    }
}

const cpu_op cpu_op_reduce = {.reference = reference, .kernels = cpu_reduce_kernels};
