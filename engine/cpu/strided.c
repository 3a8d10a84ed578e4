/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/strided.h"

#include "cpu/micro.h"

#include <stdlib.h>
#include <string.h>

/* One innermost run of n elements; strides in elements. */
static void copy_run(uint8_t *dst, const uint8_t *src, size_t element, int64_t n, int64_t dst_stride,
                     int64_t src_stride)
{
#define COPY_AS(type)                                                                                        \
    for (int64_t i = 0; i < n; i++) ((type *)dst)[i * dst_stride] = ((const type *)src)[i * src_stride]
    if (dst_stride == 1 && src_stride == 1)
        memcpy(dst, src, (size_t)n * element);
    else if (element == 1)
        COPY_AS(uint8_t);
    else if (element == 2)
        COPY_AS(uint16_t);
    else if (element == 4)
        COPY_AS(uint32_t);
    else
        COPY_AS(uint64_t);
#undef COPY_AS
}

/* The planner has put the part where it belongs: nothing else lies where its first element does. */
static bool in_place(const void *dst, const void *src, size_t element, const op_strided *s)
{
    return (const char *)dst + s->dst_offset * (int64_t)element ==
           (const char *)src + s->src_offset * (int64_t)element;
}

/* A dimension that is dense in the source, where the last one is in the destination alone: matrices of the
 * two are transposed by vectors. -1: none. */
static int turned_dim(size_t element, const op_strided *s)
{
    const int last = s->rank - 1;
    const int64_t step = llabs(s->src[last]);
    if (element != sizeof(float) || s->dst[last] != 1 || s->dims[last] < CPU_LEAST_TURNED || step <= 1 ||
        step >= CPU_MOST_TURNED)
        return -1;
    for (int d = 0; d < last; d++)
        if (s->src[d] == 1 && s->dims[d] >= CPU_LEAST_TURNED) return d;
    return -1;
}

/* Elements of any size vki_dtype_size() gives; `turned`: of turned_dim, or -1. */
static void copy(void *dst, const void *src, size_t element, const op_strided *s, int turned)
{
    if (s->elements == 0 || in_place(dst, src, element, s)) return;
    const int last = s->rank - 1;
    int64_t at[GR_MAX_RANK] = {0}, from = s->src_offset, to = s->dst_offset, size = (int64_t)element;
    for (;;) {
        uint8_t *y = (uint8_t *)dst + to * size;
        const uint8_t *x = (const uint8_t *)src + from * size;
        if (turned < 0)
            copy_run(y, x, element, s->dims[last], s->dst[last], s->src[last]);
        else
            cpu_micro_get()->transpose((float *)y, s->dst[turned], (const float *)x, s->src[last],
                                       s->dims[turned], s->dims[last]);
        int d = last - 1;
        for (; d >= 0; d--) { /* count up, the innermost of the outer dimensions first */
            if (d == turned) continue;
            from += s->src[d];
            to += s->dst[d];
            if (++at[d] < s->dims[d]) break;
            from -= s->src[d] * s->dims[d];
            to -= s->dst[d] * s->dims[d];
            at[d] = 0;
        }
        if (d < 0) return;
    }
}

void cpu_strided_reference(const cpu_call *c)
{
    size_t element = vki_dtype_size(c->g->tensors[c->n->in[0]].dtype);
    bool concat = c->n->op == OP_Concat, split = c->n->op == OP_Split;
    for (int i = 0; i < op_strided_count(c->n); i++) {
        void *dst = c->out[split ? i : 0];
        const void *src = c->in[concat ? i : 0];
        op_strided s;
        /* Inference has read the same constants, so this cannot fail. */
        if (op_strided_of(c->g, c->n, i, 1, &s) && dst) copy(dst, src, element, &s, -1);
    }
}

/* ---- on all threads ---- */

typedef struct strided_job {
    void *dst;
    const void *src;
    size_t element;
    op_strided s;
} strided_job;

/* The part [begin, end) of the outermost dimension. */
static void copy_range(void *arg, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const strided_job *job = arg;
    op_strided s = job->s;
    s.dims[0] = end - begin;
    s.src_offset += begin * s.src[0];
    s.dst_offset += begin * s.dst[0];
    copy(job->dst, job->src, job->element, &s, turned_dim(job->element, &s));
}

static bool fits_any(const gr_graph *g, const gr_node *n)
{
    (void)g, (void)n;
    return true;
}

static void run_parallel(const cpu_call *c)
{
    bool concat = c->n->op == OP_Concat, split = c->n->op == OP_Split;
    size_t element = vki_dtype_size(c->g->tensors[c->n->in[0]].dtype);
    for (int i = 0; i < op_strided_count(c->n); i++) {
        strided_job job = {c->out[split ? i : 0], c->in[concat ? i : 0], element, {0}};
        if (!op_strided_of(c->g, c->n, i, 1, &job.s) || !job.dst || job.s.elements == 0) continue;
        if (in_place(job.dst, job.src, element, &job.s)) continue;
        int64_t grain = 1 + 4096 / (job.s.elements / job.s.dims[0]);
        vkb_parallel_for(c->pool, job.s.dims[0], grain, copy_range, &job);
    }
}

const cpu_kernel cpu_strided_kernels[] = {
    {.name = "strided_copy", .fits = fits_any, .prepare = NULL, .run = run_parallel}, {0}};
