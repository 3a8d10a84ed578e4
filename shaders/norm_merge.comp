//! variant f32
//! variant batch_f32 BATCH=1
//! variant batch_f16 BATCH=1 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Instance normalization, second step: the chunks' means and sums of squared deviations become mean and variance of the
 * slice (T. Chan, G. Golub, R. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979).
 * One invocation a slice; its result takes the place of its first chunk's in a list of its own.
 * Batch normalization in training (BATCH): of a slice of all samples, written for each of them; the running mean and
 * variance move towards them.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Parts { vec4 parts[]; };   /* by slice, chunk: mean, sum */
layout(set = 0, binding = 1, std430) writeonly buffer Stats { vec4 stats[]; }; /* by slice: mean, variance */
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
    int count; /* slices: of all samples, or (BATCH) of one */
    int spatial, chunk, chunks;
#if BATCH
    int batch;
    float momentum;
#endif
};

#if !BATCH
const int batch = 1;
#endif

void main()
{
    uint slice = flat_index();
    if (slice >= uint(count)) return;
    vec4 mean = vec4(0.0), sum = vec4(0.0);
    int before = 0;
    for (int n = 0; n < batch; n++) {
        for (int k = 0; k < chunks; k++) {
            int at = ((n * count + int(slice)) * chunks + k) * 2, own = min(chunk, spatial - k * chunk);
            vec4 delta = parts[at] - mean;
            float share = float(own) / float(before + own);
            mean += delta * share;
            sum += parts[at + 1] + delta * delta * (float(before) * share);
            before += own;
        }
    }
    vec4 variance = sum / float(before);
    for (int n = 0; n < batch; n++) {
        int to = (n * count + int(slice)) * 2;
        stats[to] = mean;
        stats[to + 1] = variance;
    }
#if BATCH
    if (WITH_MEAN != 0) ST4(new_mean4, slice, mix(mean, LD4(mean4, slice), momentum));
    if (WITH_VARIANCE != 0) ST4(new_variance4, slice, mix(variance, LD4(variance4, slice), momentum));
#endif
}
