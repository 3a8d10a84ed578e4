/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/window.h"

typedef struct pool_result {
    double max, sum;
    double power;  /* sum of |x|^p */
    int64_t at[3]; /* of the first largest element */
    int64_t count; /* elements inside the input */
    int64_t cells; /* positions inside the padded input */
} pool_result;

/* The exponent of LpPool and GlobalLpPool; 0 for the others. */
static double exponent(const gr_node *n)
{
    bool lp = n->op == OP_LpPool || n->op == OP_GlobalLpPool;
    return lp ? (double)((const op_pool_attrs *)n->attrs)->p : 0;
}

/* One window of the plane that starts at element `plane`. */
static void pool_window(const cpu_call *c, const op_window_nd *w, int64_t plane, const int64_t out[3],
                        pool_result *r)
{
    const double power = exponent(c->n);
    vki_dtype type = cpu_in(c, 0)->dtype;
    *r = (pool_result){.max = -INFINITY};
    int64_t k[3], at[3];
    for (k[0] = 0; k[0] < w->kernel[0]; k[0]++)
        for (k[1] = 0; k[1] < w->kernel[1]; k[1]++)
            for (k[2] = 0; k[2] < w->kernel[2]; k[2]++) {
                bool inside = true, padded = true;
                for (int d = 0; d < 3; d++) {
                    at[d] = out[d] * w->stride[d] - w->pad_begin[d] + k[d] * w->dilation[d];
                    inside = inside && at[d] >= 0 && at[d] < w->in[d];
                    padded = padded && at[d] < w->in[d] + w->pad_end[d];
                }
                r->cells += padded;
                if (!inside) continue;
                double v = cpu_load(c->in[0], type, plane + (at[0] * w->in[1] + at[1]) * w->in[2] + at[2]);
                r->sum += v;
                r->power += power != 0 ? pow(fabs(v), power) : 0;
                if (r->count++ == 0 || v > r->max) {
                    r->max = v;
                    for (int d = 0; d < 3; d++) r->at[d] = at[d];
                }
            }
}

/* Position in the whole input tensor, the spatial dimensions counted in the order the attribute asks for. */
static int64_t position(const op_window_nd *w, int64_t plane, const int64_t at[3], bool column_major)
{
    if (column_major) return plane + (at[2] * w->in[1] + at[1]) * w->in[0] + at[0];
    return plane + (at[0] * w->in[1] + at[1]) * w->in[2] + at[2];
}

static double result_of(const gr_node *n, const pool_result *r)
{
    const op_pool_attrs *a = n->attrs;
    if (n->op == OP_MaxPool) return r->max;
    if (n->op == OP_LpPool) return pow(r->power, 1 / (double)a->p);
    int64_t count = a->count_include_pad ? r->cells : r->count;
    return count ? r->sum / (double)count : 0;
}

static void windows(const cpu_call *c, const op_window_nd *w)
{
    const op_pool_attrs *a = c->n->attrs;
    int64_t *indices = cpu_out(c, 1) ? c->out[1] : NULL;
    cpu_sink sink = cpu_sink_of(c);
    int64_t size = w->in[0] * w->in[1] * w->in[2], i = 0, o[3];
    for (int64_t plane = 0; plane < w->batch * w->in_c * size; plane += size)
        for (o[0] = 0; o[0] < w->out[0]; o[0]++)
            for (o[1] = 0; o[1] < w->out[1]; o[1]++)
                for (o[2] = 0; o[2] < w->out[2]; o[2]++, i++) {
                    pool_result r;
                    pool_window(c, w, plane, o, &r);
                    cpu_put(&sink, i, result_of(c->n, &r));
                    if (indices) indices[i] = position(w, plane, r.at, a->storage_order != 0);
                }
}

static void whole_channels(const cpu_call *c, const op_window_nd *w)
{
    vki_dtype type = cpu_in(c, 0)->dtype;
    cpu_sink sink = cpu_sink_of(c);
    const double power = exponent(c->n);
    int64_t size = 1;
    for (int d = 0; d < w->rank; d++) size *= w->in[d];
    for (int64_t plane = 0; plane < w->batch * w->in_c; plane++) {
        double sum = 0, max = -INFINITY;
        for (int64_t i = 0; i < size; i++) {
            double v = cpu_load(c->in[0], type, plane * size + i);
            sum += power != 0 ? pow(fabs(v), power) : v;
            max = fmax(max, v);
        }
        double mean = power != 0 ? pow(sum, 1 / power) : sum / (double)size;
        cpu_put(&sink, plane, c->n->op == OP_GlobalMaxPool ? max : mean);
    }
}

static void reference(const cpu_call *c)
{
    op_window_nd w;
    if (op_window_resolve(c->g, c->n, &w, NULL) != VKI_OK) return; /* inference has accepted the node */
    if (op_pool_is_global(c->n->op)) {
        whole_channels(c, &w);
        return;
    }
    op_window_extend(&w, 3);
    windows(c, &w);
}

const cpu_op cpu_op_pool = {.reference = reference, .kernels = cpu_pool_kernels};
