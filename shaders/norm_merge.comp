//! variant f32
//! variant batch_f32 BATCH=1
//! variant batch_f16 BATCH=1 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Instance and group normalization, second step: the chunks' means and sums of squared deviations become mean and variance
 * of the channel, or of its group (T. Chan, G. Golub, R. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing
 * Sample Variances, 1979).
 * One invocation a group; its result stands at each of its channels.
 * Batch normalization in training (BATCH): of a slice of all samples, written for each of them; the running mean and
 * variance move towards them.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

#if BATCH
#define NUMBER vec4
#else
#define NUMBER float /* a channel of a slice */
#endif
layout(set = 0, binding = 0, std430) readonly buffer Parts { NUMBER parts[]; };   /* by slice, chunk: mean, sum */
layout(set = 0, binding = 1, std430) writeonly buffer Stats { NUMBER stats[]; }; /* by slice: mean, variance */
#if BATCH
layout(constant_id = 3) const int WITH_MEAN = 1; /* 0: no such output */
layout(constant_id = 4) const int WITH_VARIANCE = 1;
BUFFER_IN4(2, mean4);
BUFFER_IN4(3, variance4);
BUFFER_OUT4(4, new_mean4);
BUFFER_OUT4(5, new_variance4);
#endif

layout(push_constant) uniform Push
{
    int count; /* groups of all samples; BATCH: slices of one */
    int spatial, chunk, chunks;
#if BATCH
    int batch;
    float momentum;
#else
    int groups, own, slices; /* groups of a sample, channels of a group, slices of a sample */
#endif
};

NUMBER mean, sum;
int before;

/* Adds the statistics of a chunk: the mean at `at`, the sum `step` behind it. */
void merge(int at, int step, int chunk_index)
{
    int more = min(chunk, spatial - chunk_index * chunk);
    NUMBER delta = parts[at] - mean;
    float share = float(more) / float(before + more);
    mean += delta * share;
    sum += parts[at + step] + delta * delta * (float(before) * share);
    before += more;
}

void main()
{
    uint index = flat_index();
    if (index >= uint(count)) return;
    int i = int(index);
    mean = sum = NUMBER(0.0);
    before = 0;
#if BATCH
    for (int n = 0; n < batch; n++)
        for (int k = 0; k < chunks; k++) merge(((n * count + i) * chunks + k) * 2, 1, k);
    vec4 variance = sum / float(before);
    for (int n = 0; n < batch; n++) {
        int to = (n * count + i) * 2;
        stats[to] = mean;
        stats[to + 1] = variance;
    }
    if (WITH_MEAN != 0) ST4(new_mean4, i, mix(mean, LD4(mean4, i), momentum));
    if (WITH_VARIANCE != 0) ST4(new_variance4, i, mix(variance, LD4(variance4, i), momentum));
#else
    int first = i / groups * slices, channel = i % groups * own;
    for (int c = channel; c < channel + own; c++)
        for (int k = 0; k < chunks; k++) merge(((first + c / 4) * chunks + k) * 8 + c % 4, 4, k);
    float variance = sum / float(before);
    for (int c = channel; c < channel + own; c++) {
        int to = (first + c / 4) * 8 + c % 4;
        stats[to] = mean;
        stats[to + 4] = variance;
    }
#endif
}
