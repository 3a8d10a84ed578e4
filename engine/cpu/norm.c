/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/schema.h"

typedef struct moments {
    double mean, variance; /* of the population */
} moments;

/* Of `count` runs of `length` elements, `step` apart. Two passes, so that nothing cancels. Not centred: the
 * mean counts as 0. */
static moments measure(const void *x, vki_dtype type, int64_t first, int64_t count, int64_t step,
                       int64_t length, bool centred)
{
    moments m = {0, 0};
    double n = (double)count * (double)length;
    for (int64_t k = 0; centred && k < count; k++)
        for (int64_t i = 0; i < length; i++) m.mean += cpu_load(x, type, first + k * step + i);
    m.mean = n > 0 ? m.mean / n : 0;
    for (int64_t k = 0; k < count; k++)
        for (int64_t i = 0; i < length; i++) {
            double d = cpu_load(x, type, first + k * step + i) - m.mean;
            m.variance += d * d;
        }
    m.variance = n > 0 ? m.variance / n : 0;
    return m;
}

static double load_in(const cpu_call *c, int k, int64_t i)
{
    return cpu_load(c->in[k], cpu_in(c, k)->dtype, i);
}

typedef struct channels { /* the input as batch x count x size */
    int64_t batch, count, size;
} channels;

static channels channels_of(const gr_tensor *x)
{
    channels s = {.batch = x->dims[0], .count = x->rank > 1 ? x->dims[1] : 1, .size = 1};
    for (int d = 2; d < x->rank; d++) s.size *= x->dims[d];
    return s;
}

/* (x - mean) / sqrt(variance + epsilon) * scale + bias over one channel of one sample */
static void normalize(const cpu_call *c, const cpu_sink *sink, int64_t first, int64_t size, moments m,
                      double scale, double bias)
{
    const op_norm_attrs *a = c->n->attrs;
    double factor = scale / sqrt(m.variance + (double)a->epsilon);
    for (int64_t i = first; i < first + size; i++)
        cpu_put(sink, i, (load_in(c, 0, i) - m.mean) * factor + bias);
}

/* In training the statistics are the batch's own, and the running ones move towards them. */
static moments batch_moments(const cpu_call *c, const channels *s, int64_t channel)
{
    const op_norm_attrs *a = c->n->attrs;
    moments given = {load_in(c, 3, channel), load_in(c, 4, channel)};
    if (!a->training_mode) return given;
    moments own = measure(c->in[0], cpu_in(c, 0)->dtype, channel * s->size, s->batch, s->count * s->size,
                          s->size, true);
    double keep = (double)a->momentum;
    if (cpu_out(c, 1))
        cpu_store(c->out[1], cpu_out(c, 1)->dtype, channel, given.mean * keep + own.mean * (1 - keep));
    if (cpu_out(c, 2))
        cpu_store(c->out[2], cpu_out(c, 2)->dtype, channel,
                  given.variance * keep + own.variance * (1 - keep));
    return own;
}

static void batch_norm(const cpu_call *c)
{
    channels s = channels_of(cpu_in(c, 0));
    cpu_sink sink = cpu_sink_of(c);
    for (int64_t k = 0; k < s.count; k++) {
        moments m = batch_moments(c, &s, k);
        for (int64_t b = 0; b < s.batch; b++)
            normalize(c, &sink, (b * s.count + k) * s.size, s.size, m, load_in(c, 1, k), load_in(c, 2, k));
    }
}

/* Of groups of channels; InstanceNormalization's have one each. */
static void group_norm(const cpu_call *c)
{
    channels s = channels_of(cpu_in(c, 0));
    cpu_sink sink = cpu_sink_of(c);
    const int64_t groups = op_norm_groups(c->g, c->n), own = s.count / groups;
    for (int64_t k = 0; k < s.batch * groups; k++) {
        moments m = measure(c->in[0], cpu_in(c, 0)->dtype, k * own * s.size, 1, 0, own * s.size, true);
        for (int64_t i = k * own; i < (k + 1) * own; i++)
            normalize(c, &sink, i * s.size, s.size, m, load_in(c, 1, i % s.count),
                      load_in(c, 2, i % s.count));
    }
}

static void layer_norm(const cpu_call *c)
{
    const op_norm_attrs *a = c->n->attrs;
    const gr_tensor *x = cpu_in(c, 0), *scale = cpu_in(c, 1), *bias = cpu_in(c, 2);
    int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis, rows = 1, size = 1;
    for (int d = 0; d < x->rank; d++) *(d < axis ? &rows : &size) *= x->dims[d];
    for (int64_t row = 0; row < rows; row++) {
        moments m = measure(c->in[0], x->dtype, row * size, 1, 0, size, a->centred);
        double factor = 1 / sqrt(m.variance + (double)a->epsilon);
        if (cpu_out(c, 1)) cpu_store(c->out[1], cpu_out(c, 1)->dtype, row, m.mean);
        if (cpu_out(c, 2)) cpu_store(c->out[2], cpu_out(c, 2)->dtype, row, factor);
        for (int64_t i = row * size; i < (row + 1) * size; i++) {
            double v = (load_in(c, 0, i) - m.mean) * factor * load_in(c, 1, cpu_broadcast(x, scale, i));
            cpu_store(c->out[0], x->dtype, i, bias ? v + load_in(c, 2, cpu_broadcast(x, bias, i)) : v);
        }
    }
}

static void reference(const cpu_call *c)
{
    if (c->n->op == OP_BatchNormalization)
        batch_norm(c);
    else if (c->n->op == OP_LayerNormalization)
        layer_norm(c);
    else
        group_norm(c);
}

const cpu_op cpu_op_norm = {.reference = reference, .kernels = cpu_norm_kernels, .in_place = 1};
