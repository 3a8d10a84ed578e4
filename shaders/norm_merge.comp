//! variant f32
/* SPDX-License-Identifier: Apache-2.0
 * Instance normalization, second step: the chunks' means and sums of squared deviations become mean and variance of the
 * slice (T. Chan, G. Golub, R. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979).
 * One invocation a slice; its result takes the place of its first chunk's in a list of its own.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/flat.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Parts { vec4 parts[]; };   /* by slice, chunk: mean, sum */
layout(set = 0, binding = 1, std430) writeonly buffer Stats { vec4 stats[]; }; /* by slice: mean, variance */

layout(push_constant) uniform Push
{
    int count; /* slices of all samples */
    int spatial, chunk, chunks;
};

void main()
{
    uint slice = flat_index();
    if (slice >= uint(count)) return;
    vec4 mean = vec4(0.0), sum = vec4(0.0);
    for (int k = 0; k < chunks; k++) {
        int at = (int(slice) * chunks + k) * 2, before = k * chunk, own = min(chunk, spatial - before);
        vec4 delta = parts[at] - mean;
        float share = float(own) / float(before + own);
        mean += delta * share;
        sum += parts[at + 1] + delta * delta * (float(before) * share);
    }
    stats[slice * 2u] = mean;
    stats[slice * 2u + 1u] = sum / float(spatial);
}
